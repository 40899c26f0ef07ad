export interface Random {
  /** In [0, 1). */
  fraction(): number;
  /** A whole number in [0, end). */
  below(end: number): number;
}

/** Mulberry32: the same seed draws the same numbers on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  return { fraction, below: (end) => Math.floor(fraction() * end) };
}
