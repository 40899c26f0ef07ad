import { createShardClock } from '../../src/application/shard-clock';
import { type Shard } from '../../src/application/ports/shard';
import { type Instant, instantFromMs } from '../../src/domain/instant';
import { shardName } from '../../src/domain/identifiers';

const SAMPLE_MS = 10_000;
/** The database's clock is an hour ahead of this process's, and a look at it takes 40 ms each way. */
const AHEAD_MS = 3_600_000;
const WAY_MS = 40;

describe('a shard’s clock (issue 9, no 16)', () => {
  let ms: number;
  let looks: number;
  const shardOf = (name: string, away = false): Shard =>
    ({
      name: shardName(name),
      now: async (): Promise<Instant> => {
        looks++;
        ms += WAY_MS;
        if (away) throw new Error('away');
        const read = instantFromMs(ms + AHEAD_MS);
        ms += WAY_MS;
        return read;
      },
    }) as unknown as Shard;
  const clock = { now: () => instantFromMs(ms), monotonicMs: () => ms, sleep: async () => undefined };
  const at = (of: number): Instant => instantFromMs(of + AHEAD_MS);
  beforeEach(() => {
    ms = 1_000_000;
    looks = 0;
  });

  it('the true time lies between its two bounds, which differ by the way there and back', async () => {
    const [shardClock, shard] = [createShardClock(clock, SAMPLE_MS), shardOf('one')];
    const least = await shardClock.atLeast(shard);
    expect(least).toBe(at(ms - WAY_MS));
    expect(await shardClock.atMost(shard)).toBe(at(ms + WAY_MS));
    ms += 5_000;
    expect([await shardClock.atLeast(shard), await shardClock.atMost(shard)]).toEqual([
      at(ms - WAY_MS),
      at(ms + WAY_MS),
    ]);
    expect([shardClock.carried(shard), shardClock.carriedAtMost(shard)]).toEqual([at(ms - WAY_MS), at(ms + WAY_MS)]);
    expect(looks).toBe(1);
  });

  it.each([
    [SAMPLE_MS - 1, 1],
    [SAMPLE_MS, 2],
    [SAMPLE_MS + 1, 2],
  ])('a sample of %i ms ago leads to %i looks in all', async (age, expected) => {
    const [shardClock, shard] = [createShardClock(clock, SAMPLE_MS), shardOf('one')];
    await shardClock.atLeast(shard);
    ms += age;
    await shardClock.atMost(shard);
    expect(looks).toBe(expected);
  });

  it('carries the last sample on however old, asks nobody, and without one says this process’s time', async () => {
    const [shardClock, shard] = [createShardClock(clock, SAMPLE_MS), shardOf('one')];
    expect(shardClock.carried(shard)).toBe(instantFromMs(ms));
    await shardClock.atLeast(shard);
    ms += 100 * SAMPLE_MS;
    expect(shardClock.carried(shard)).toBe(at(ms - WAY_MS));
    expect(looks).toBe(1);
  });

  it('asks once for all who ask at once, each shard by itself, and again after a look that failed', async () => {
    const shardClock = createShardClock(clock, SAMPLE_MS);
    const [one, two] = [shardOf('one'), shardOf('two')];
    await Promise.all([shardClock.atLeast(one), shardClock.atMost(one), shardClock.atLeast(one)]);
    expect(looks).toBe(1);
    await shardClock.atLeast(two);
    expect(looks).toBe(2);
    for (let tries = 0; tries < 2; tries++)
      await expect(shardClock.atLeast(shardOf('three', true))).rejects.toThrow('away');
    expect(looks).toBe(4);
    await shardClock.atLeast(shardOf('three'));
    expect(looks).toBe(5);
  });
});
