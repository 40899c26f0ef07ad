import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../domain/delivery-attempt/delivery-attempt.events';
import { dpRecordDecider } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type ChunkId, deliveryAttemptStream, dpChunkStream, dpRecordStream, parseRecordKey, type RecordKey, type StreamName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { doubtBeginsAt } from '../../domain/policies/in-doubt-resolution';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type EventStore, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import { type Shards } from '../ports/shard';

export interface Explanation {
  readonly record: RecordKey;
  readonly asOf: Instant | undefined;
  /** The state its own stream folds to, and the attempt's that is newest, as of then. */
  readonly state: DpRecord;
  readonly newestAttempt: DeliveryAttempt;
  /** Every event of the record's, its chunk's and its attempts' streams, oldest first. */
  readonly timeline: readonly TimelineEntry[];
  /** The row as it is now, whatever `asOf` says; undefined: no such row. */
  readonly row: DpRow | undefined;
  readonly next: NextStep;
}

export interface TimelineEntry {
  readonly at: Instant;
  readonly stream: StreamName;
  readonly revision: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly by: string;
}

/** What happens next, and when; `at` undefined: nothing by itself. */
export interface NextStep {
  readonly what: string;
  readonly at: Instant | undefined;
}

/** An attempt number above this is a defect, not a history. */
const ATTEMPTS_MAX = 2_000;

/** Joins the three kinds of stream into one story; reads only. */
export function explainRecord(ports: { readonly eventStore: EventStore; readonly shards: Shards; readonly profiles: BillerProfiles }) {
  return async (key: RecordKey, asOf?: Instant): Promise<Explanation> => {
    const before = (events: readonly StoredEvent[]): readonly StoredEvent[] =>
      asOf === undefined ? events : events.filter((event) => event.metadata.at <= asOf);
    const recordEvents = before(await readWhole(ports.eventStore, dpRecordStream(key)));
    const state = recordEvents.reduce((folded, event) => dpRecordDecider.evolve(folded, event as unknown as DpRecordEvent), dpRecordDecider.initialState);
    const attempts = await attemptsOf(ports.eventStore, key, before);
    const newestAttempt = (attempts.at(-1) ?? []).reduce(
      (folded, event) => deliveryAttemptDecider.evolve(folded, event as unknown as DeliveryAttemptEvent),
      deliveryAttemptDecider.initialState,
    );
    const row = await findRow(ports.shards, key);
    const chunkEvents = before(await chunkEventsOf(ports.eventStore, recordEvents, row));
    const timeline = [...chunkEvents, ...recordEvents, ...attempts.flat()].sort(inTime).map(entryOf);
    return { record: key, asOf, state, newestAttempt, timeline, row, next: await nextStep(ports.profiles, state, newestAttempt, row, asOf) };
  };
}

async function readWhole(eventStore: EventStore, stream: StreamName): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (;;) {
    const page = await eventStore.readStream(stream, { fromRevision: events.length });
    events.push(...page);
    if (page.length < READ_EVENTS_MAX) return events;
  }
}

async function attemptsOf(eventStore: EventStore, key: RecordKey, before: (events: readonly StoredEvent[]) => readonly StoredEvent[]): Promise<readonly (readonly StoredEvent[])[]> {
  const attempts: (readonly StoredEvent[])[] = [];
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const events = before(await readWhole(eventStore, deliveryAttemptStream(key, attempt)));
    if (events.length === 0) break;
    attempts.push(events);
  }
  return attempts;
}

async function findRow(shards: Shards, key: RecordKey): Promise<DpRow | undefined> {
  const ids = parseRecordKey(key);
  if (!ids) return undefined;
  const home = await shards.ofBiller(ids.billerId);
  return home?.findRow(ids.dpId);
}

async function chunkEventsOf(eventStore: EventStore, recordEvents: readonly StoredEvent[], row: DpRow | undefined): Promise<readonly StoredEvent[]> {
  const discovered = recordEvents[0]?.data as { chunkId?: ChunkId } | undefined;
  const chunkId = discovered?.chunkId ?? row?.chunkId;
  return chunkId === undefined ? [] : readWhole(eventStore, dpChunkStream(chunkId));
}

/** By their instants; where two are equal, cause before consequence: chunk, discovery, attempt, what the record concludes. */
function inTime(a: StoredEvent, b: StoredEvent): number {
  if (a.metadata.at !== b.metadata.at) return a.metadata.at < b.metadata.at ? -1 : 1;
  return rank(a) - rank(b) || a.revision - b.revision;
}

const OPENING: ReadonlySet<string> = new Set<DpRecordEvent['type']>(['DpRecordDiscovered', 'DpRecordValidated', 'DpRecordRedriven']);

function rank(event: StoredEvent): number {
  if (event.stream.startsWith('dpChunk-')) return 0;
  if (event.stream.startsWith('deliveryAttempt-')) return 2;
  return OPENING.has(event.type) ? 1 : 3;
}

const entryOf = (event: StoredEvent): TimelineEntry => ({
  at: event.metadata.at,
  stream: event.stream,
  revision: event.revision,
  type: event.type,
  data: event.data as Readonly<Record<string, unknown>>,
  by: event.metadata.by,
});

async function nextStep(profiles: BillerProfiles, state: DpRecord, attempt: DeliveryAttempt, row: DpRow | undefined, asOf: Instant | undefined): Promise<NextStep> {
  switch (state.status) {
    case 'unknown':
      if (asOf !== undefined) return { what: 'nothing was known of it then', at: undefined };
      return row ? { what: row.status === 'New' ? 'the scanner claims the row' : 'the fetcher reads its chunk', at: undefined } : { what: 'no such record is known', at: undefined };
    case 'in-doubt':
      if (attempt.status === 'closed') return { what: `a consumer draws the consequence: attempt ${state.attempt} is closed as ${attempt.closing.as}`, at: undefined };
      return { what: `a person resolves attempt ${state.attempt} with evidence (datapump in-doubt resolve)`, at: undefined };
    case 'dead-lettered':
      return { what: 'a person redrives it (datapump deadletter redrive)', at: undefined };
    case 'delivered':
    case 'declined':
    case 'rejected':
    case 'skipped':
    case 'withdrawn':
      return { what: 'nothing: the record has its end', at: undefined };
    case 'pending': {
      if (attempt.status === 'open') {
        const profile = await profiles.version(state.billerId, attempt.started.profileVersion);
        const at = profile ? doubtBeginsAt(attempt, { quarantineMs: profile.quarantineMs, capability: profile.capability }) : attempt.ownedUntil;
        return { what: `attempt ${attempt.started.attempt} is answered by then, or its doubt is resolved`, at };
      }
      if (state.parked) return { what: `waiting (${state.parked}), looked at again`, at: state.dueAt };
      return { what: `attempt ${state.nextAttempt} is made`, at: state.dueAt };
    }
  }
}
