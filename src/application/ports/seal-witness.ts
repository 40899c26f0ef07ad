import { type Instant } from '../../domain/instant';
import { type SealCopy } from '../history/history-seal';

/** At most this many copies in one call. */
export const COPIES_PER_CALL_MAX = 100;

/**
 * Keeps copies of the seals outside the event store, so that whoever rewrites it must rewrite this too. Add-only: there
 * is no way to change a copy or to take one back unseen.
 *
 * Laws:
 *  1  keep adds copies whose numbers follow on its newest one without a gap; kept again, the same copy adds nothing.
 *  2  A copy that differs from the one kept under its number, or that leaves a gap, is 'refused', and nothing of the
 *     call is kept.
 *  3  What was kept outlives the process and the machine once keep has resolved.
 *  4  newest yields the copy with the highest number, or undefined where there is none.
 *  5  read yields copies from a number on, ascending, at most `max`, as they lie there: exactly as kept, or as somebody
 *     changed them since.
 *  6  Several processes may keep the same copies at the same time.
 *  7  setAside leaves out every copy from a number on, after a restored event store: newest and read pass them over and
 *     keep goes on from there. What was set aside, by whom and why stays told by asides, oldest first.
 */
export interface SealWitness {
  /** Unique, for people and for the seals: `shard Shard-1`, `file`. */
  readonly name: string;
  /** Where it lies. */
  readonly place: string;
  keep(copies: readonly SealCopy[]): Promise<'kept' | 'refused'>;
  newest(): Promise<SealCopy | undefined>;
  setAside(aside: SetAside): Promise<void>;
  asides(): Promise<readonly SetAside[]>;
  read(options: { readonly from: number; readonly max: number }): Promise<readonly SealCopy[]>;
}

/** An operator's word that the copies from `from` on are of a history that is lost. */
export interface SetAside {
  readonly from: number;
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
}
