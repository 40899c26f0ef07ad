import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../domain/delivery-attempt/delivery-attempt.events';
import { dpRecordDecider } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import {
  type ChunkId,
  deliveryAttemptStream,
  dpChunkStream,
  dpRecordStream,
  parseRecordKey,
  type RecordKey,
  type StreamName,
} from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type AnswerSnippets } from '../ports/answer-snippets';
import { causesFirst } from './causes-first';
import { nextStep, type NextStep } from './next-step';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type EventStore, type StoredEvent } from '../ports/event-store';
import { isDamage } from '../ports/failures';
import { type Shards } from '../ports/shard';
import { foldStored, readWhole } from './read-past-damage';

export interface Explanation {
  readonly record: RecordKey;
  readonly asOf: Instant | undefined;
  /** The state its own stream folds to, and the attempt's that is newest, as of then. */
  readonly state: DpRecord;
  readonly newestAttempt: DeliveryAttempt;
  /** Since when it is in that state; undefined where it is unknown. */
  readonly since: Instant | undefined;
  /** Every event of the record's, its chunk's and its attempts' streams, oldest first and no effect before its cause. */
  readonly timeline: readonly TimelineEntry[];
  /** The row as it is now, whatever `asOf` says; undefined: no such row. */
  readonly row: DpRow | undefined;
  readonly next: NextStep;
  /** What could not be read, in words: then the state is not to be relied on. */
  readonly unread: readonly string[];
}

export interface TimelineEntry {
  readonly at: Instant;
  readonly stream: StreamName;
  readonly revision: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly by: string;
  /** A masked piece of the answer that settled nothing, while it is kept. */
  readonly answer?: string;
}

/** An attempt number above this is a defect, not a history. */
const ATTEMPTS_MAX = 2_000;

export interface ExplainRecordPorts {
  readonly eventStore: EventStore;
  readonly shards: Shards;
  readonly profiles: BillerProfiles;
  /** Opened where an event names a piece, and not before. */
  readonly snippets?: () => AnswerSnippets;
}

/** Joins the three kinds of stream into one story; reads only. */
export function explainRecord(ports: ExplainRecordPorts) {
  return async (
    key: RecordKey,
    { now, asOf }: { readonly now: Instant; readonly asOf?: Instant | undefined },
  ): Promise<Explanation> => {
    // A stream is cut, never thinned: a state folded from events with a gap between them never was.
    const before = (events: readonly StoredEvent[]): readonly StoredEvent[] => {
      const end = asOf === undefined ? -1 : events.findIndex((event) => event.metadata.at > asOf);
      return end === -1 ? events : events.slice(0, end);
    };
    const unread = new Set<string>();
    const tell = (damage: string): void => void unread.add(damage);
    const recordEvents = before(await readWhole(ports.eventStore, dpRecordStream(key), tell));
    const { state, since } = foldedWithSince(recordEvents, tell);
    const attempts = await attemptsOf(
      ports.eventStore,
      key,
      state.status === 'unknown' ? 0 : state.nextAttempt - 1,
      before,
      tell,
    );
    const newestAttempt = foldStored<DeliveryAttempt, DeliveryAttemptEvent>(
      deliveryAttemptDecider,
      attempts.at(-1) ?? [],
      tell,
    );
    const row = await findRow(ports.shards, key).catch((error: unknown) => {
      if (!isDamage(error)) throw error;
      tell(error.message);
      return undefined;
    });
    const chunkEvents = before(await chunkEventsOf(ports.eventStore, recordEvents, row, tell));
    const entries = causesFirst({ chunk: chunkEvents, record: recordEvents, attempts }).map(entryOf);
    const next =
      unread.size > 0
        ? { what: 'nothing before what is damaged is restored: no step is decided on it', at: undefined }
        : await nextStep(ports.profiles, { state, attempt: newestAttempt, row, asOf, moment: asOf ?? now });
    // After the step: no step stands on a masked answer.
    const timeline = await Promise.all(entries.map((entry) => withAnswer(ports, entry, tell)));
    return { record: key, asOf, state, newestAttempt, since, timeline, row, next, unread: [...unread] };
  };
}

async function attemptsOf(
  eventStore: EventStore,
  key: RecordKey,
  newest: number,
  before: (events: readonly StoredEvent[]) => readonly StoredEvent[],
  tell: (damage: string) => void,
): Promise<readonly (readonly StoredEvent[])[]> {
  const attempts: (readonly StoredEvent[])[] = [];
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const events = before(await readWhole(eventStore, deliveryAttemptStream(key, attempt), tell));
    // Where history was lost, the first number that is left may be any.
    if (events.length === 0 && attempt >= newest) break;
    if (events.length > 0) attempts.push(events);
  }
  return attempts;
}

async function findRow(shards: Shards, key: RecordKey): Promise<DpRow | undefined> {
  const ids = parseRecordKey(key);
  if (!ids) return undefined;
  const home = await shards.ofBiller(ids.billerId);
  return home?.findRow(ids.dpId);
}

async function chunkEventsOf(
  eventStore: EventStore,
  recordEvents: readonly StoredEvent[],
  row: DpRow | undefined,
  tell: (damage: string) => void,
): Promise<readonly StoredEvent[]> {
  const discovered = recordEvents[0]?.data as { chunkId?: ChunkId } | undefined;
  const chunkId = discovered?.chunkId ?? row?.chunkId;
  return chunkId === undefined ? [] : readWhole(eventStore, dpChunkStream(chunkId), tell);
}

/** A state lasts while its status, and what it waits for, stay. */
function foldedWithSince(
  events: readonly StoredEvent[],
  tell: (damage: string) => void,
): { readonly state: DpRecord; readonly since: Instant | undefined } {
  let state: DpRecord = dpRecordDecider.initialState;
  let since: Instant | undefined;
  for (const event of events) {
    const after = foldStored<DpRecord, DpRecordEvent>({ ...dpRecordDecider, initialState: state }, [event], tell);
    if (nameOf(after) !== nameOf(state)) since = event.metadata.at;
    state = after;
  }
  return { state, since };
}

const nameOf = (state: DpRecord): string =>
  state.status === 'pending'
    ? `pending ${state.parked ?? ''}`
    : state.status === 'in-doubt'
      ? `in-doubt ${state.attempt} ${state.cause}`
      : state.status;

const entryOf = (event: StoredEvent): TimelineEntry => ({
  at: event.metadata.at,
  stream: event.stream,
  revision: event.revision,
  type: event.type,
  data: event.data as Readonly<Record<string, unknown>>,
  by: event.metadata.by,
});

async function withAnswer(
  ports: ExplainRecordPorts,
  entry: TimelineEntry,
  tell: (damage: string) => void,
): Promise<TimelineEntry> {
  const { snippet } = entry.data;
  if (entry.type !== 'DeliveryAttemptOutcomeUnknown' || typeof snippet !== 'string' || !ports.snippets) return entry;
  try {
    const answer = await ports.snippets().find(snippet);
    return answer === undefined ? entry : { ...entry, answer };
  } catch (error) {
    if (!isDamage(error)) throw error;
    tell(error.message);
    return entry;
  }
}
