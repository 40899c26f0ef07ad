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
import { type EventStore } from '../ports/event-store';
import { isDamage } from '../ports/failures';
import { type Shard, type Shards } from '../ports/shard';
import { type DpRows } from '../ports/shard-rows';
import { foldStored, readWhole } from './read-past-damage';

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

/** What is in doubt, and in words what could not be read on the way. */
export interface DoubtList {
  readonly records: readonly DoubtfulRecord[];
  readonly unread: readonly string[];
}

export interface DoubtQuery {
  readonly billerId?: BillerId;
  readonly max: number;
}

/** Oldest first within a shard, at most `max`. */
export function listInDoubt(ports: { readonly shards: Shards; readonly eventStore: EventStore }) {
  return async (query: DoubtQuery): Promise<DoubtList> => {
    const found: DoubtfulRecord[] = [];
    const unread = new Set<string>();
    for (const shard of ports.shards.all()) {
      try {
        for await (const row of rowsInDoubt(shard, query, unread)) {
          if (found.length >= query.max) return { records: found, unread: [...unread] };
          found.push(await doubtOf(ports.eventStore, row, unread));
        }
      } catch (error) {
        if (!isDamage(error)) throw error;
        unread.add(error.message);
      }
    }
    return { records: found, unread: [...unread] };
  };
}

async function* rowsInDoubt(shard: Shard, { billerId, max }: DoubtQuery, unread: Set<string>): AsyncGenerator<DpRow> {
  let after: DpRow | undefined;
  for (;;) {
    const page: DpRows = await shard.rowsByStatus({
      statuses: ['InDoubt'],
      max: Math.min(ROWS_PAGE, max),
      ...(billerId === undefined ? {} : { billerId }),
      ...(after === undefined ? {} : { after: after.dpId }),
    });
    for (const what of page.damaged ?? []) unread.add(what);
    yield* page;
    after = page.at(-1);
    if (!after) return;
  }
}

async function doubtOf(eventStore: EventStore, row: DpRow, unread: Set<string>): Promise<DoubtfulRecord> {
  const record = recordKey(row.billerId, row.dpId);
  const told = (damage: string): void => void unread.add(damage);
  const events = await readWhole(eventStore, dpRecordStream(record), told);
  const state = foldStored<DpRecord, DpRecordEvent>(dpRecordDecider, events, told);
  const held = state.status === 'in-doubt' ? state : undefined;
  const attempt =
    held &&
    foldStored<DeliveryAttempt, DeliveryAttemptEvent>(
      deliveryAttemptDecider,
      await readWhole(eventStore, deliveryAttemptStream(record, held.attempt), told),
      told,
    );
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
