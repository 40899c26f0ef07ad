/** Four times as much takes four times as long where work is linear, and sixteen times where it is quadratic. */
const QUARTER = 1 / 4;
const GROWTH_MAX = 9;
/** Of several looks the shortest counts: others are work of the machine. */
const LOOKS = 3;

/**
 * Fails where work takes longer than in proportion to what it is given. `work` is given a share of it, 1 for all. What is
 * done in `quickMs` needs no second look; on a slow machine the growth tells.
 */
export async function expectLinearTime(work: (share: number) => unknown, quickMs: number): Promise<void> {
  const tookMs = async (share: number): Promise<number> => {
    const began = performance.now();
    await work(share);
    return performance.now() - began;
  };
  let wholeMs = await tookMs(1);
  if (wholeMs < quickMs) return;
  let quarterMs = Infinity;
  for (let look = 0; look < LOOKS; look++) quarterMs = Math.min(quarterMs, await tookMs(QUARTER));
  for (let look = 1; look < LOOKS && wholeMs >= GROWTH_MAX * quarterMs; look++)
    wholeMs = Math.min(wholeMs, await tookMs(1));
  expect(wholeMs / quarterMs).toBeLessThan(GROWTH_MAX);
}
