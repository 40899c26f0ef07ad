import { randomUUID } from 'node:crypto';
import {
  READ_EVENTS_MAX,
  type NewEvent,
  type Position,
  type StoredEvent,
} from '../../../../src/application/ports/event-store';
import { type SqliteEventStore } from '../../../../src/adapters/sqlite/sqlite-event-store';
import { type StreamName } from '../../../../src/domain/identifiers';
import { instantFromMs } from '../../../../src/domain/instant';

/** An event as it travels: bytes that nobody here looks into. */
export interface WireRecord {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly data: string;
  readonly customMetadata: string;
  readonly createdMs: number;
}

export interface LoggedRecord extends WireRecord {
  readonly stream: string;
  readonly revision: number;
  readonly logPosition: number;
}

/**
 * The wire's event is the data of an embedded one, which gets an id of its own: the embedded store judges repeats by its
 * own laws, and the peer has to judge them by EventStoreDB's.
 */
export const asEmbedded = (record: WireRecord): NewEvent => ({
  id: randomUUID(),
  type: record.type,
  data: record,
  metadata: { by: 'event-store-grpc', at: instantFromMs(record.createdMs) },
});

const asLogged = ({ stream, revision, position, data }: StoredEvent): LoggedRecord => ({
  ...(data as WireRecord),
  stream,
  revision,
  logPosition: Number(position),
});

/** At most `max` records of a stream from a revision on; undefined where the stream does not exist. */
export async function recordsOf(
  store: SqliteEventStore,
  stream: StreamName,
  fromRevision: number,
  max: number,
): Promise<readonly LoggedRecord[] | undefined> {
  const records: LoggedRecord[] = [];
  while (records.length < max) {
    const size = Math.min(READ_EVENTS_MAX, max - records.length);
    const page = await store.readStream(stream, { fromRevision: fromRevision + records.length, max: size });
    records.push(...page.map(asLogged));
    if (page.length < size) break;
  }
  if (records.length === 0 && (await store.readStream(stream, { max: 1 })).length === 0) return undefined;
  return records;
}

/** At most `max` records of all streams from a log position on (inclusive), those the filter takes. */
export async function recordsOfAll(
  store: SqliteEventStore,
  fromPosition: number,
  max: number,
  takes: (record: LoggedRecord) => boolean,
): Promise<readonly LoggedRecord[]> {
  const records: LoggedRecord[] = [];
  let after = String(Math.max(0, fromPosition - 1)) as Position;
  // Grows, because a filter may take few.
  for (let size = Math.min(max, READ_EVENTS_MAX); records.length < max; size = Math.min(size * 2, READ_EVENTS_MAX)) {
    const page = await store.readAll({ after, max: size });
    records.push(...page.events.map(asLogged).filter(takes));
    if (page.events.length < size) break;
    after = page.next!;
  }
  return records.slice(0, max);
}
