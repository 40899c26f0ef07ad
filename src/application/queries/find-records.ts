import { type DataType } from '../../domain/biller/data-type';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, parseRecordKey, recordKey, type RecordKey, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money, sameMoney } from '../../domain/money';
import { type EventStore } from '../ports/event-store';
import { PortFailure } from '../ports/failures';
import {
  FOUND_COUNTED_MAX,
  type ProjectedRecord,
  type RecordProjection,
  type RecordProjections,
  type RecordQuery,
  type RecordStatus,
} from '../ports/record-projection';
import { type Shard, type Shards } from '../ports/shard';
import { type InHand } from '../ports/shard-rows';
import { currentRecords } from './project-records';

/** Of one customer or reference a shard is asked for so many rows; where it has more, that is said. */
const ROWS_IN_HAND_MAX = 1_000;
/** So many records that bear a biller's reference are looked at. */
const REFERENCED_MAX = 100;

export interface FindPorts {
  readonly eventStore: EventStore;
  readonly projections: RecordProjections;
  readonly shards: Shards;
}

/** `new`: nobody has taken the row up yet, so no stream knows it. */
export type FoundStatus = RecordStatus | 'new';

export type FindQuery = Pick<
  RecordQuery,
  'billerId' | 'dataType' | 'statuses' | 'cause' | 'amounts' | 'createdFrom' | 'createdBefore' | 'after' | 'max'
> & { readonly inHand: InHand };

export interface FoundRecord {
  readonly record: RecordKey;
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: FoundStatus;
  readonly amount: Money | undefined;
  readonly attempts: number;
  readonly cause: string | undefined;
  readonly reference: string | undefined;
  readonly createdAt: Instant;
  /** Undefined: its stream says nothing. */
  readonly changedAt: Instant | undefined;
}

export interface Finding {
  readonly records: readonly FoundRecord[];
  /** Undefined: more than `counted`. */
  readonly total: number | undefined;
  readonly counted: number;
  readonly next: RecordKey | undefined;
  /** Rows that nobody has taken up yet; they were not searched. Undefined: they were, or could not be counted. */
  readonly newNotSearched: number | undefined;
  /** What did not answer, or not with all of it, in words: where there is any, there may be more. */
  readonly incomplete: readonly string[];
}

/**
 * Records by what somebody has in hand. What is personal, and the references of the billing platform, is asked of the
 * shards; everything else, and the biller's own references, of the projection. What cannot be asked is said, never left out in silence.
 */
export function findRecords(ports: FindPorts) {
  return async (query: FindQuery): Promise<Finding> => {
    const incomplete: string[] = [];
    const projection = await upToDate(ports, incomplete);
    const { customer, reference } = query.inHand;
    return customer === undefined && reference === undefined
      ? ofProjection(ports, projection, query, incomplete)
      : ofShards(ports, projection, query, incomplete);
  };
}

async function upToDate(ports: FindPorts, incomplete: string[]): Promise<RecordProjection> {
  try {
    const projection = await currentRecords(ports)();
    incomplete.push(...(await projection.unread()));
    return projection;
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    incomplete.push(`the event store did not answer, so what happened lately is not in it: ${error.message}`);
    return ports.projections.live();
  }
}

async function ofProjection(
  ports: FindPorts,
  projection: RecordProjection,
  { inHand: _, ...query }: FindQuery,
  incomplete: string[],
): Promise<Finding> {
  const found = await projection.search(query);
  const counted = await Promise.all(
    ports.shards.all().map((shard) => orSaid(shard, incomplete, 0, () => newRows(shard, query))),
  );
  return {
    ...found,
    counted: found.total ?? FOUND_COUNTED_MAX,
    newNotSearched: counted.reduce((sum, each) => sum + each, 0),
    incomplete,
  };
}

async function newRows(shard: Shard, { billerId, dataType }: Pick<FindQuery, 'billerId' | 'dataType'>) {
  return (await shard.totals('to-end'))
    .filter(({ status }) => status === 'New')
    .filter((total) => (billerId ?? total.billerId) === total.billerId)
    .filter((total) => (dataType ?? total.dataType) === total.dataType)
    .reduce((sum, { count }) => sum + count, 0);
}

async function ofShards(
  { shards }: FindPorts,
  projection: RecordProjection,
  query: FindQuery,
  incomplete: string[],
): Promise<Finding> {
  const { inHand, after, max } = query;
  let all = true;
  const asked = await Promise.all(
    shards.all().map((shard) =>
      orSaid(shard, incomplete, [], async () => {
        const rows = await shard.rowsInHand({ ...inHand, max: ROWS_IN_HAND_MAX + 1 });
        incomplete.push(...(rows.damaged ?? []).map((what) => `shard ${shard.name}: ${what}`));
        if (rows.length <= ROWS_IN_HAND_MAX) return rows;
        all = false;
        incomplete.push(
          `shard ${shard.name} has more than ${ROWS_IN_HAND_MAX} rows of it: the ${ROWS_IN_HAND_MAX} that came last were looked at`,
        );
        return rows.slice(1);
      }),
    ),
  );
  const referenced = await rowsOfBillersReference(shards, projection, inHand, incomplete);
  const rows = new Map([...asked.flat(), ...referenced].map((row) => [recordKey(row.billerId, row.dpId), row]));
  const entries = await projection.find([...rows.keys()]);
  const found = [...rows]
    .map(([record, row]) => foundOf(record, row, entries.get(record)))
    .filter((each) => meets(each, query))
    .sort((a, b) => compare(b.createdAt, a.createdAt) || compare(b.record, a.record));
  const from = after === undefined ? 0 : found.findIndex(({ record }) => record === after) + 1;
  const page = after !== undefined && from === 0 ? [] : found.slice(from, from + max);
  const total = all ? found.length : undefined;
  const next = page.length > 0 && from + max < found.length ? page.at(-1)!.record : undefined;
  return { records: page, total, counted: found.length, next, newNotSearched: undefined, incomplete };
}

/** The biller's own reference stands in the projection; its rows, and whether they are the customer's, in their shards. */
async function rowsOfBillersReference(
  shards: Shards,
  projection: RecordProjection,
  { customer, reference }: InHand,
  incomplete: string[],
): Promise<readonly DpRow[]> {
  if (reference === undefined) return [];
  const { records, next } = await projection.search({ reference, max: REFERENCED_MAX });
  if (next !== undefined)
    incomplete.push(`more than ${REFERENCED_MAX} records bear this reference of a biller: the newest were looked at`);
  const known = new Map(shards.all().map((shard) => [shard.name, shard]));
  const rows = await Promise.all(
    records.map(async ({ record, shard: name }) => {
      const shard = known.get(name);
      const { dpId } = parseRecordKey(record)!;
      if (!shard) {
        incomplete.push(`shard ${name}, where record ${record} was found, is none of those named here`);
        return [];
      }
      return orSaid(shard, incomplete, [], () =>
        shard.rowsInHand({ reference: dpId, ...(customer === undefined ? {} : { customer }), max: REFERENCED_MAX }),
      );
    }),
  );
  const keys = new Set(records.map(({ record }) => record));
  return rows.flat().filter((row) => keys.has(recordKey(row.billerId, row.dpId)));
}

async function orSaid<T>(shard: Shard, incomplete: string[], instead: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    incomplete.push(`shard ${shard.name} did not answer: ${error.message}`);
    return instead;
  }
}

/** Where no stream knows a row that is not new, a history was lost: what the row says is all there is. */
const STATUS_OF_ROW: Record<RowStatus, FoundStatus> = {
  New: 'new',
  Queued: 'pending',
  Published: 'pending',
  Delivered: 'delivered',
  Declined: 'declined',
  Failed: 'dead-lettered',
  InDoubt: 'in-doubt',
  Rejected: 'rejected',
  Skipped: 'skipped',
  Withdrawn: 'withdrawn',
};

const foundOf = (record: RecordKey, row: DpRow, entry: ProjectedRecord | undefined): FoundRecord =>
  entry ?? {
    record,
    shard: row.shard,
    billerId: row.billerId,
    dataType: row.dataType,
    status: STATUS_OF_ROW[row.status],
    amount: row.payment?.amount,
    attempts: row.details.length,
    cause: undefined,
    reference: row.details.at(-1)?.billerReference,
    createdAt: row.createdAt,
    changedAt: undefined,
  };

function meets(found: FoundRecord, query: FindQuery): boolean {
  const { billerId, dataType, statuses, cause, amounts, createdFrom, createdBefore } = query;
  const { amount, createdAt } = found;
  return (
    (billerId === undefined || found.billerId === billerId) &&
    (dataType === undefined || found.dataType === dataType) &&
    (statuses === undefined || (statuses as readonly FoundStatus[]).includes(found.status)) &&
    (cause === undefined || found.cause === cause) &&
    (amounts === undefined || (amount !== undefined && amounts.some((each) => sameMoney(each, amount)))) &&
    (createdFrom === undefined || createdAt >= createdFrom) &&
    (createdBefore === undefined || createdAt < createdBefore)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
