import { chunkDecider } from '../../domain/chunk/chunk.decider';
import { type ChunkEvent } from '../../domain/chunk/chunk.events';
import { type Chunk } from '../../domain/chunk/chunk.state';
import { type Decider } from '../../domain/decider';
import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { dpRecordDecider } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import {
  type ChunkId,
  deliveryAttemptStream,
  dpChunkStream,
  dpRecordStream,
  type RecordKey,
  type StreamName,
} from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import {
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  READ_EVENTS_MAX,
  type StoredEvent,
} from '../ports/event-store';
import { isOutage } from '../ports/failures';
import { evolved } from './evolve-stored';

/** A state with the revision it was read at: what is decided on it may only be appended there. */
export interface Loaded<State> {
  readonly state: State;
  readonly revision: ExpectedRevision;
}

/** A stream longer than this many pages is a defect, not a history. */
const PAGES_MAX = 50;
/** The very same append is repeated this often after an ambiguous failure, with these waits. */
const APPEND_REPEATS_MAX = 4;
/**
 * What a call came to, and that a start which may have landed was never followed by a call, is known to this process
 * alone until it stands: giving it up makes a doubt, and for some billers a person's work. It is repeated through a long
 * outage (about nine minutes), under the message's renewed lock.
 */
const OWN_KNOWLEDGE_REPEATS_MAX = 40;
const APPEND_REPEAT_WAIT_MS = 100;
const APPEND_REPEAT_WAIT_MAX_MS = 15_000;

interface AnyEvent {
  readonly type: string;
  readonly data: unknown;
}

/** 'own-knowledge': the events, or what is to be appended after this read, tell of a call what nobody else can tell. */
export type Patience = 'own-knowledge';

/** Loads aggregates from their streams and appends what was decided, with metadata. */
export interface History {
  record(key: RecordKey): Promise<Loaded<DpRecord>>;
  attempt(key: RecordKey, attempt: number, patience?: Patience): Promise<Loaded<DeliveryAttempt>>;
  chunk(chunk: ChunkId): Promise<Loaded<Chunk>>;
  appendToRecord(
    key: RecordKey,
    loaded: Loaded<DpRecord>,
    events: readonly DpRecordEvent[],
    at: Instant,
  ): Promise<Loaded<DpRecord>>;
  appendToAttempt(
    key: RecordKey,
    attempt: number,
    loaded: Loaded<DeliveryAttempt>,
    events: readonly DeliveryAttemptEvent[],
    at: Instant,
    patience?: Patience,
  ): Promise<Loaded<DeliveryAttempt>>;
  appendToChunk(
    chunk: ChunkId,
    loaded: Loaded<Chunk>,
    events: readonly ChunkEvent[],
    at: Instant,
  ): Promise<Loaded<Chunk>>;
}

export function createHistory(ports: { eventStore: EventStore; chance: Chance; clock: Clock }, by: string): History {
  const { eventStore, chance, clock } = ports;

  async function load<State, Event>(
    decider: Pick<Decider<State, never, Event, never>, 'initialState' | 'evolve'>,
    stream: StreamName,
    patience?: Patience,
  ): Promise<Loaded<State>> {
    let state = decider.initialState;
    let revision: ExpectedRevision = 'new';
    for (let page = 0; page < PAGES_MAX; page++) {
      const fromRevision: number = revision === 'new' ? 0 : revision + 1;
      const read = (): Promise<readonly StoredEvent[]> => eventStore.readStream(stream, { fromRevision });
      const events = await (patience === undefined ? read() : throughOutages(read, OWN_KNOWLEDGE_REPEATS_MAX));
      for (const event of events) {
        state = evolved(decider, state, event);
        revision = event.revision;
      }
      if (events.length < READ_EVENTS_MAX) return { state, revision };
    }
    invariant(false, `stream ${stream} has more than ${PAGES_MAX * READ_EVENTS_MAX} events`);
  }

  async function append<State, Event extends AnyEvent>(
    decider: Pick<Decider<State, never, Event, never>, 'evolve'>,
    stream: StreamName,
    loaded: Loaded<State>,
    events: readonly Event[],
    at: Instant,
    patience?: Patience,
  ): Promise<Loaded<State>> {
    if (events.length === 0) return loaded;
    const batch: readonly NewEvent[] = events.map(({ type, data }) => ({
      id: chance.uuid(),
      type,
      data,
      metadata: { by, at },
    }));
    const { revision } = await appendRepeating(
      stream,
      loaded.revision,
      batch,
      patience === 'own-knowledge' ? OWN_KNOWLEDGE_REPEATS_MAX : APPEND_REPEATS_MAX,
    );
    return { state: events.reduce(decider.evolve, loaded.state), revision };
  }

  /** After an ambiguous failure the SAME batch at the SAME revision: it landed once or lands once. */
  const appendRepeating = (
    stream: StreamName,
    expected: ExpectedRevision,
    batch: readonly NewEvent[],
    repeatsMax: number,
  ): Promise<{ revision: number }> => throughOutages(() => eventStore.append(stream, expected, batch), repeatsMax);

  async function throughOutages<Answer>(ask: () => Promise<Answer>, repeatsMax: number): Promise<Answer> {
    for (let repeat = 0; ; repeat++) {
      try {
        return await ask();
      } catch (error) {
        if (!isOutage(error) || repeat >= repeatsMax) throw error;
        await clock.sleep(Math.min(APPEND_REPEAT_WAIT_MAX_MS, APPEND_REPEAT_WAIT_MS * 2 ** repeat));
      }
    }
  }

  return {
    record: (key) => load(dpRecordDecider, dpRecordStream(key)),
    attempt: (key, attempt, patience) => load(deliveryAttemptDecider, deliveryAttemptStream(key, attempt), patience),
    chunk: (chunk) => load(chunkDecider, dpChunkStream(chunk)),
    appendToRecord: (key, loaded, events, at) => append(dpRecordDecider, dpRecordStream(key), loaded, events, at),
    appendToAttempt: (key, attempt, loaded, events, at, patience) =>
      append(deliveryAttemptDecider, deliveryAttemptStream(key, attempt), loaded, events, at, patience),
    appendToChunk: (chunk, loaded, events, at) => append(chunkDecider, dpChunkStream(chunk), loaded, events, at),
  };
}
