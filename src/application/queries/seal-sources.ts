import { firstDifference, idOfSeal, type Seal, type SealCopy } from '../history/history-seal';
import { type EventStore } from '../ports/event-store';
import { causeChain, isOutage } from '../ports/failures';
import { COPIES_PER_CALL_MAX, type SealWitness } from '../ports/seal-witness';
import { sealNumbered, sealsFrom, type StoredSeal } from '../history/stored-seals';

/** Streams looked at behind one that has ended, for seals that stand where a gap was cut. */
const STREAMS_AHEAD = 2;
const SEALS_PER_STREAM = 1_000;

/** Reads one source of seals forward, a page at a time; a source that fails says so once and has nothing more. */
export class SealCursor {
  private page = new Map<number, SealCopy>();
  private pageFrom = Infinity;
  private readTo = 0;
  read = 0;
  newest = 0;
  failure: string | undefined;

  constructor(private readonly witness: SealWitness) {}

  get name(): string {
    return this.witness.name;
  }

  get place(): string {
    return this.witness.place;
  }

  async open(): Promise<void> {
    this.newest = (await this.trying(() => this.witness.newest()))?.number ?? 0;
  }

  async at(number: number): Promise<SealCopy | undefined> {
    if (number < this.pageFrom || number > this.readTo || (!this.page.has(number) && number > this.lastInPage())) {
      const copies = (await this.trying(() => this.witness.read({ from: number, max: COPIES_PER_CALL_MAX }))) ?? [];
      this.pageFrom = number;
      this.page = new Map(copies.map((copy) => [copy.number, copy]));
      this.readTo = Math.max(number, this.lastInPage());
    }
    const copy = this.page.get(number);
    if (copy) this.read++;
    return copy;
  }

  private lastInPage(): number {
    return Math.max(0, ...this.page.keys());
  }

  private async trying<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.failure !== undefined) return undefined;
    try {
      return await work();
    } catch (error) {
      this.failure = causeChain(error);
      return undefined;
    }
  }
}

/** The seals of the event store itself, in their order; gaps and damage are passed over and told. */
export class StoredSealCursor {
  private page: readonly StoredSeal[] = [];
  private pageFrom = Infinity;
  read = 0;
  failure: string | undefined;

  constructor(private readonly eventStore: EventStore) {}

  /** 'damaged': something stands there that cannot be read. */
  async at(number: number): Promise<StoredSeal | 'damaged' | undefined> {
    if (number < this.pageFrom || !this.page.some((seal) => seal.number >= number)) {
      try {
        this.pageFrom = number;
        this.page = await sealsFrom(this.eventStore, number, COPIES_PER_CALL_MAX);
      } catch (error) {
        if (isOutage(error)) throw error;
        return this.alone(number);
      }
    }
    const found = this.page.find((seal) => seal.number === number);
    if (found) this.read++;
    return found;
  }

  /** Whether any seal stands at this number or behind it. What cannot be read there ends the search and is kept as `failure`. */
  async goesOn(number: number): Promise<boolean> {
    try {
      const found = await this.at(number);
      if (found === 'damaged') return this.ended(`the seals from ${number} on cannot be read`);
      if (found !== undefined || this.page.some((seal) => seal.number > number)) return true;
      for (let stream = 1; stream <= STREAMS_AHEAD; stream++) {
        const first = (Math.floor((number - 1) / SEALS_PER_STREAM) + stream) * SEALS_PER_STREAM + 1;
        if ((await sealsFrom(this.eventStore, first, 1)).length > 0) return true;
      }
      return false;
    } catch (error) {
      if (isOutage(error)) throw error;
      return this.ended(causeChain(error));
    }
  }

  private ended(why: string): false {
    this.failure = why;
    return false;
  }

  private async alone(number: number): Promise<StoredSeal | 'damaged' | undefined> {
    try {
      return await sealNumbered(this.eventStore, number);
    } catch (error) {
      if (isOutage(error)) throw error;
      return 'damaged';
    }
  }
}

/** In which part the event around a stored seal is not what its seal says; undefined: in none. */
export function envelopeProblem({ seal, event }: StoredSeal): string | undefined {
  if (!seal) return 'what stands there is no seal';
  if (event.id !== idOfSeal(seal)) return 'the id of its event was changed';
  const { by, at, ...rest } = event.metadata as unknown as Record<string, unknown>;
  if (by !== seal.by || at !== seal.at || Object.keys(rest).length > 0) return 'the metadata of its event were changed';
  return undefined;
}

export interface FoundCopy {
  readonly source: string;
  readonly copy: SealCopy;
  /** Outside the event store: whoever rewrote the store did not reach it by that alone. */
  readonly outside: boolean;
}

const SCORE = { signed: 100, outside: 10, whole: 2, stored: 1 } as const;

/**
 * Which of the copies of one seal is believed: a sound signature before everything, then how many places outside the
 * event store say the same, then the store's own word.
 */
export function believedCopy(
  found: readonly FoundCopy[],
  judge: { readonly isSigned: (copy: SealCopy) => boolean; readonly isWhole: (copy: SealCopy) => boolean },
): SealCopy | undefined {
  let best: { readonly copy: SealCopy; readonly score: number } | undefined;
  for (const { copy } of found) {
    const agreeing = found.filter((other) => firstDifference(other.copy, copy) === undefined);
    const score =
      (judge.isSigned(copy) ? SCORE.signed : 0) +
      agreeing.reduce((sum, { outside }) => sum + (outside ? SCORE.outside : SCORE.stored), 0) +
      (judge.isWhole(copy) ? SCORE.whole : 0);
    if (!best || score > best.score) best = { copy, score };
  }
  return best?.copy;
}

/** The whole seal with the lists of its events, where any copy that says the same keeps them. */
export const wholeSeal = (found: readonly FoundCopy[], believed: SealCopy): Seal | undefined =>
  found.find(({ copy }) => copy.names !== undefined && firstDifference(copy, believed) === undefined)?.copy as
    Seal | undefined;
