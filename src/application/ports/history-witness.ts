import { type Instant } from '../../domain/instant';
import { type EventAddress, type StoreIdentity } from './event-store';

/**
 * Remembers which event store the work of an installation stands in, and how far that store had come. Each shard is one,
 * and a file beside the stores is another: whatever is restored from a backup, somebody else remembers more.
 *
 * Laws:
 *  1  knownHistory yields what was noted last, every text exactly as given; undefined where nothing was ever noted.
 *  2  noteHistory writes only what follows on what stands there: its ordinal is one more, 1 where nothing stands. It
 *     tells whether it was written; what was not changes nothing.
 *  3  Of concurrent notes with one ordinal exactly one is written.
 *  4  A note is acknowledged only when it survives the death of the process, and every client reads it from then on.
 */
export interface HistoryWitness {
  /** As people know it: a shard's name, a file. */
  readonly name: string;
  knownHistory(): Promise<KnownHistory | undefined>;
  noteHistory(next: KnownHistory): Promise<boolean>;
}

export interface KnownHistory {
  /** How often it was noted: 1, 2, 3 … */
  readonly ordinal: number;
  readonly identity: StoreIdentity;
  /** The newest event that was seen; undefined while the store held none. */
  readonly mark: EventAddress | undefined;
  /** By the clock of the process that noted it. */
  readonly notedAt: Instant;
  /** A person accepted that this history is lost, and the rows claimed under it are being held; nothing may run until then. */
  readonly loss?: { readonly since: Instant; readonly restored: boolean };
}
