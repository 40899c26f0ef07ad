import { type Position } from './event-store';

/** At most this many events in one page of the log. */
export const LOG_PAGE_EVENTS_MAX = 1_000;

/**
 * The event store as it lies there, for whoever checks it: every event of every stream as the text that is stored.
 * Nothing is parsed here, since what is checked may be damaged or forged.
 *
 * Laws (the contract suite cites them by number):
 *  1  Yields every event of every stream once, in the order of EventStore.readAll, with the stored text of its data and
 *     metadata: what append was given, as JSON.stringify writes it. Both event stores yield the same text.
 *  2  `after` is exclusive and `upTo` inclusive; without `after` it begins with whatever lies first.
 *  3  What was changed below the event store shows: text that is no JSON comes as it lies there, and an event that
 *     stands where readAll would pass it over comes with an `oddity`.
 *  4  `next` is the position of the last event yielded, or `after` where none was. It goes on from there for ever.
 *  5  What the storage itself cannot read is named in `unreadable` and passed over; what lies behind it is yielded.
 */
export interface EventLog {
  /** What is read, for people: a file, a server. */
  readonly place: string;
  page(options: { readonly after?: Position; readonly upTo?: Position; readonly max: number }): Promise<LogPage>;
}

export interface LogPage {
  readonly events: readonly LoggedEvent[];
  readonly unreadable: readonly string[];
  readonly next: Position | undefined;
}

export interface LoggedEvent {
  readonly stream: string;
  readonly revision: string;
  readonly position: Position;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
  /** What the store keeps beside the event and contradicts it, in words. */
  readonly oddity?: string;
}
