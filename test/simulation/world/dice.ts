/** FNV-1a over the text, from a given start. */
export function hashOf(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** Spreads the bits of two numbers over 32 (the finalizer of MurmurHash3). */
export function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b + 0x9e3779b9, 0x85ebca6b), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * All chance of a run. Nothing is drawn from a stream: each decision is a hash of (seed, what it is about, how often
 * it was asked), so that leaving one fault out leaves every other in its place.
 */
export class Dice {
  private readonly start: number;

  constructor(readonly seed: number) {
    this.start = mixed(0x5eed, seed);
  }

  /** A number that stands for a question; asked again with another `occurrence` it answers anew. */
  question(about: string): number {
    return hashOf(about, this.start);
  }

  /** In [0, 1). */
  fraction(about: string | number, occurrence = 0): number {
    const question = typeof about === 'string' ? this.question(about) : about;
    return mixed(question, occurrence) / 0x1_0000_0000;
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number, about: string | number, occurrence = 0): number {
    return min + Math.floor(this.fraction(about, occurrence) * (max - min + 1));
  }

  pick<Item>(items: readonly Item[], about: string | number, occurrence = 0): Item {
    return items[this.between(0, items.length - 1, about, occurrence)]!;
  }

  uuid(about: string, occurrence: number): string {
    const question = this.question(about);
    const hex = [0, 1, 2, 3].map((part) => mixed(question, occurrence * 4 + part + 1).toString(16).padStart(8, '0')).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}
