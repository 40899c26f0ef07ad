import { type StreamName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';

/** At most this many events in one append. */
export const APPEND_EVENTS_MAX = 64;
/** At most this many events in one page of a read. */
export const READ_EVENTS_MAX = 1_000;

/**
 * Append-only streams; the history is the truth.
 *
 * Laws (the contract suite cites them by number):
 *  1  An append at 'new' creates the stream; revisions count from 0 without gaps.
 *  2  An append at revision n succeeds only where n is the newest revision; else VersionConflict tells both.
 *  3  An append is whole or not at all.
 *  4  The very same append (same ids, same expected revision) repeated is an idempotent success and adds nothing,
 *     also after other events have followed it.
 *  5  The same ids at another expected revision, other ids at the same one, or a part or an extension of a stored
 *     batch, is a VersionConflict. Declared difference: where only ANOTHER process has sent these ids, a store may judge
 *     event by event (docs/adr/0014-event-store-db-repeats.md); so draw ids where you append, and repeat the same batch.
 *  6  Of concurrent appends at one expected revision exactly one wins; each loser gets VersionConflict.
 *  7  Conflict is judged per stream: an append never fails because of another stream.
 *  8  Reading a stream yields its events in revision order, exactly as appended (id, type, data, metadata); a stream
 *     that does not exist yields none.
 *  9  A stream can be read from a revision on and in pages of at most READ_EVENTS_MAX.
 * 10  readAll yields every event that append added to any stream once, in an order that keeps each stream's order; a
 *     position it returned is valid for ever, and no event ever appears at or before a position already returned. What
 *     other programs keep in the same store is passed over; `next` may then lie behind the last event, or behind none.
 * 11  readAll can be narrowed to categories (the text before the first `-` of the stream's name).
 * 12  An append is acknowledged only when it survives the death of the process and of the machine.
 * 13  An event that cannot be read stops nobody else: readAll leaves it out and names it in `damaged`; readStream of
 *     its stream is PortFailure 'storage-damaged', with the revision where it is known.
 * 14  identity is drawn once, with the store or at the first question: every client is told the same, for ever. Another
 *     store, and the same server emptied, has another. A store whose files were taken away or replaced under an open
 *     client fails ('storage-replaced') or tells what stands there now; it never goes on as if nothing had happened.
 * 15  head is the newest event of ours: none acknowledged before the call stands after it. Undefined: the store holds no event.
 * 16  holds tells whether that very event stands where it stood; false for an empty, an older and another store, and
 *     where another event took its place.
 * 17  isAfter tells which of two positions of one store comes later, also of a store that is gone; never of a position
 *     and itself.
 */
export interface EventStore {
  append(
    stream: StreamName,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<{ readonly revision: number }>;
  readStream(
    stream: StreamName,
    options?: { readonly fromRevision?: number; readonly max?: number },
  ): Promise<readonly StoredEvent[]>;
  readAll(options: {
    /** Exclusive; undefined: from the beginning. */
    readonly after?: Position;
    readonly max: number;
    readonly categories?: readonly string[];
  }): Promise<EventPage>;
  identity(): Promise<StoreIdentity>;
  head(): Promise<EventAddress | undefined>;
  holds(event: EventAddress): Promise<boolean>;
  isAfter(position: Position, other: Position): Promise<boolean>;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly next: Position | undefined;
  /** What could not be read on this page, each in words that name the place and the remedy. */
  readonly damaged?: readonly string[];
}

/** Names one event store among all; compared, never taken apart. */
export type StoreIdentity = string & { readonly __brand: 'StoreIdentity' };

/** One event of the whole store. The id tells it from another that stands at its place in a copy that went on by itself. */
export interface EventAddress {
  readonly position: Position;
  readonly stream: StreamName;
  readonly revision: number;
  readonly id: string;
}

/** 'new': the stream must not exist. A number: the revision of its newest event. There is no "any". */
export type ExpectedRevision = 'new' | number;
/** Opaque outside its adapter. */
export type Position = string & { readonly __brand: 'Position' };

export interface NewEvent {
  /** UUID. The caller draws it; repeating an append after an ambiguous failure repeats the ids. */
  readonly id: string;
  readonly type: string;
  /** JSON. */
  readonly data: unknown;
  readonly metadata: EventMetadata;
}

export interface EventMetadata {
  /** Which process wrote it, such as `consumer-payments@host:1234`. */
  readonly by: string;
  /** By the shard database's clock where there is one. */
  readonly at: Instant;
  readonly traceparent?: string;
}

export interface StoredEvent extends NewEvent {
  readonly stream: StreamName;
  readonly revision: number;
  readonly position: Position;
}
