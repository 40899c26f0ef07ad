import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../domain/delivery-attempt/delivery-attempt.events';
import { dpRecordDecider } from '../../domain/dp-record/dp-record.decider';
import { type DoubtCause, type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import {
  type BillerId,
  deliveryAttemptStream,
  dpRecordStream,
  type RecordKey,
  recordKey,
  type ShardName,
} from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';
import { type EventStore, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import { type Shard, type Shards } from '../ports/shard';

/** A row that its shard lists as in doubt, with what its streams say. */
export interface DoubtfulRecord {
  readonly record: RecordKey;
  readonly shard: ShardName;
  readonly dataType: DpRow['dataType'];
  readonly amount: Money | undefined;
  /** What the record's stream says; other than 'in-doubt' only for a moment, or where a store was restored. */
  readonly streamSays: DpRecord['status'];
  readonly cause: DoubtCause | undefined;
  readonly attempt: number | undefined;
  readonly idempotencyKey: string | undefined;
  readonly since: Instant | undefined;
  /** A person resolved the attempt; a consumer is about to draw the consequence. */
  readonly resolved: boolean;
}

const ROWS_PAGE = 500;
/** A record's and an attempt's stream is read up to so many pages; more is a defect, not a history. */
const PAGES_MAX = 50;

export interface DoubtQuery {
  readonly billerId?: BillerId;
  readonly max: number;
}

/** Oldest first within a shard, at most `max`. */
export function listInDoubt(ports: { readonly shards: Shards; readonly eventStore: EventStore }) {
  return async (query: DoubtQuery): Promise<readonly DoubtfulRecord[]> => {
    const found: DoubtfulRecord[] = [];
    for (const shard of ports.shards.all()) {
      for await (const row of rowsInDoubt(shard, query)) {
        if (found.length >= query.max) return found;
        found.push(await doubtOf(ports.eventStore, row));
      }
    }
    return found;
  };
}

async function* rowsInDoubt(shard: Shard, { billerId, max }: DoubtQuery): AsyncGenerator<DpRow> {
  let after: DpRow | undefined;
  for (;;) {
    const page: readonly DpRow[] = await shard.rowsByStatus({
      statuses: ['InDoubt'],
      max: Math.min(ROWS_PAGE, max),
      ...(billerId === undefined ? {} : { billerId }),
      ...(after === undefined ? {} : { after: after.dpId }),
    });
    yield* page;
    after = page.at(-1);
    if (!after) return;
  }
}

async function doubtOf(eventStore: EventStore, row: DpRow): Promise<DoubtfulRecord> {
  const record = recordKey(row.billerId, row.dpId);
  const events = await readWhole(eventStore, dpRecordStream(record));
  const state = events.reduce(
    (folded, event) => dpRecordDecider.evolve(folded, event as unknown as DpRecordEvent),
    dpRecordDecider.initialState,
  );
  const held = state.status === 'in-doubt' ? state : undefined;
  const attempt = held && (await attemptOf(eventStore, record, held.attempt));
  return {
    record,
    shard: row.shard,
    dataType: row.dataType,
    amount: row.payment?.amount,
    streamSays: state.status,
    cause: held?.cause,
    attempt: held?.attempt,
    idempotencyKey: attempt && attempt.status !== 'absent' ? attempt.started.idempotencyKey : undefined,
    since: events.findLast(({ type }) => type === 'DpRecordHeldInDoubt')?.metadata.at,
    resolved: attempt?.status === 'closed',
  };
}

async function attemptOf(eventStore: EventStore, record: RecordKey, attempt: number): Promise<DeliveryAttempt> {
  const events = await readWhole(eventStore, deliveryAttemptStream(record, attempt));
  return events.reduce(
    (folded, event) => deliveryAttemptDecider.evolve(folded, event as unknown as DeliveryAttemptEvent),
    deliveryAttemptDecider.initialState,
  );
}

async function readWhole(
  eventStore: EventStore,
  stream: Parameters<EventStore['readStream']>[0],
): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let page = 0; page < PAGES_MAX; page++) {
    const read = await eventStore.readStream(stream, { fromRevision: events.length });
    events.push(...read);
    if (read.length < READ_EVENTS_MAX) break;
  }
  return events;
}
