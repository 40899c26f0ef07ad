import { carriesMoney, type DataType } from '../../domain/biller/data-type';
import {
  dpId,
  parseRecordKey,
  type BillerId,
  recordKey,
  type RecordKey,
  type ShardName,
} from '../../domain/identifiers';
import { type Day, dayAfter, dayOf, earliest, type Instant, startOf } from '../../domain/instant';
import { type Money, moneyText, sameMoney } from '../../domain/money';
import { type EventStore } from '../ports/event-store';
import { PortFailure } from '../ports/failures';
import {
  FOUND_PAGE_MAX,
  type ProjectedRecord,
  type RecordProjection,
  type RecordProjections,
  type RecordQuery,
} from '../ports/record-projection';
import { ROWS_PER_CALL_MAX, type Shard, type Shards } from '../ports/shard';
import { type CountedRow, type ShardTotals } from '../ports/shard-totals';
import {
  type ControlLine,
  type ControlScope,
  type ControlTotals,
  controlTotals,
  emptyTally,
  type End,
  endOfRecord,
  endOfRow,
  ENDS,
  lineName,
  sameTally,
  tallyText,
} from './control-totals';
import { currentRecords } from './project-records';

/** Of one line so many records that differ are named; the others are counted. */
export const DIFFERING_NAMED_MAX = 20;
/** Where no day is asked for, the newest so many days are looked through for the records behind a difference. */
const DAYS_LOOKED_MAX = 400;

export interface ProvePorts {
  readonly eventStore: EventStore;
  readonly projections: RecordProjections;
  readonly shards: Shards;
}

export interface Conservation extends ControlTotals {
  /** Nothing differs, and everything could be read. */
  readonly conserved: boolean;
  readonly differences: readonly Difference[];
  /** Lines whose totals differ while no record of theirs does: moved while it was looked, filed under another day, or taken back. */
  readonly explained: readonly Pick<Difference, 'shard' | 'billerId' | 'dataType' | 'ends'>[];
}

/** A shard, biller and data type of which the two sources do not say the same. */
export interface Difference {
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  /** Each end that differs, with what either source counts: totals, before any record was looked at. */
  readonly ends: readonly { readonly end: End; readonly shards: string; readonly eventStore: string }[];
  /** The first ones of those that differ. */
  readonly records: readonly DifferingRecord[];
  readonly differing: number;
}

export interface DifferingRecord {
  readonly record: RecordKey;
  readonly shardSays: string;
  readonly eventStoreSays: string;
}

type Line = Pick<ControlLine, 'shard' | 'billerId' | 'dataType'>;

/**
 * Whether every eligible record is accounted for: what the shards count and what the event store counts must be the same, end
 * by end, in number and money. Where a line differs its records are compared one by one, and read once more: what moved
 * between two reads, what was filed under another day, and rows that their owner took back are no differences.
 */
export function proveConservation(ports: ProvePorts) {
  return async (scope: ControlScope = {}): Promise<Conservation> => {
    const { projection, why } = await upToDate(ports);
    const totals = await controlTotals({ shards: ports.shards, projection })(scope);
    // What an earlier look saw of the event store is no source to compare with.
    if (why !== undefined)
      return {
        ...totals,
        eventStore: [],
        unread: [...totals.unread, why],
        differences: [],
        explained: [],
        conserved: false,
      };
    const differences: Difference[] = [];
    const explained: Omit<Difference, 'records' | 'differing'>[] = [];
    for (const found of linesThatDiffer(totals)) {
      const shard = ports.shards.all().find(({ name }) => name === found.shard);
      const looked = shard
        ? await recordsBehind({ ...ports, shard }, found, scope.day)
        : { records: [], differing: 0, explained: false };
      if (looked.explained) explained.push(found);
      else differences.push({ ...found, records: looked.records, differing: looked.differing });
    }
    return { ...totals, differences, explained, conserved: differences.length === 0 && totals.unread.length === 0 };
  };
}

/** `why`: the event store cannot be read. An outage that passes is thrown. */
async function upToDate(ports: ProvePorts): Promise<{ readonly projection: RecordProjection; readonly why?: string }> {
  try {
    return { projection: await currentRecords(ports)() };
  } catch (error) {
    if (!(error instanceof PortFailure) || error.retryable) throw error;
    return { projection: await ports.projections.live(), why: `event store: ${error.message}` };
  }
}

/** Rows that no stream knows yet (new, or claimed a moment ago) are open in the shard alone: only ends must agree. */
function linesThatDiffer({
  shards,
  eventStore,
  shardsUnread,
}: ControlTotals): readonly Omit<Difference, 'records' | 'differing'>[] {
  const [ofShards, ofEvents] = [shards, eventStore].map(
    (lines) => new Map(lines.map((line) => [lineName(line), line])),
  );
  const lines = new Map([...eventStore, ...shards].map((line) => [lineName(line), line]));
  return [...lines].flatMap(([name, { shard, billerId, dataType }]) => {
    if (shardsUnread.includes(shard)) return [];
    const ends = ENDS.filter((end) => end !== 'open').flatMap((end) => {
      const [one, other] = [ofShards, ofEvents].map((side) => side!.get(name)?.ends[end] ?? emptyTally());
      return sameTally(one!, other!) ? [] : [{ end, shards: tallyText(one!), eventStore: tallyText(other!) }];
    });
    return ends.length === 0 ? [] : [{ shard, billerId, dataType, ends }];
  });
}

interface Looked {
  readonly records: readonly DifferingRecord[];
  readonly differing: number;
  /** Every record of the line says the same in both. */
  readonly explained: boolean;
}

async function recordsBehind(
  ports: ProvePorts & { readonly shard: Shard },
  line: Line,
  day: Day | undefined,
): Promise<Looked> {
  const { shard } = ports;
  const suspects = new Set<RecordKey>();
  const projection = await ports.projections.live();
  const rows = day === undefined ? await shard.totals() : [];
  const days = day === undefined ? await daysOf(shard, projection, line, rows) : [day];
  for (const each of days) await addSuspects({ shard, projection }, line, each, suspects);
  // What moved between the two reads says the same now.
  const again = await currentRecords(ports)();
  const records: DifferingRecord[] = [];
  let differing = 0;
  for (const record of suspects) {
    const difference = await differenceOf(shard, again, record);
    if (!difference) continue;
    differing++;
    if (records.length < DIFFERING_NAMED_MAX) records.push(difference);
  }
  // Where not all days were looked at, the line stays a difference.
  const whole = day !== undefined || (await isWhole(shard, line, days, rows));
  return { records, differing, explained: differing === 0 && whole };
}

/** The days of its records and of its rows, newest first. */
async function daysOf(
  shard: Shard,
  projection: RecordProjection,
  line: Line,
  rows: ShardTotals,
): Promise<readonly Day[]> {
  const ofRecords = (await projection.totals()).filter((total) => lineName(total) === lineName(line));
  const oldest = endedRowsOf(line, rows)
    .flatMap(({ oldestAt }) => oldestAt ?? [])
    .reduce<Instant | undefined>((sofar, at) => (sofar === undefined ? at : earliest(sofar, at)), undefined);
  const days = new Set(ofRecords.map(({ day }) => day));
  const newest = dayOf(await shard.now());
  for (
    let day = newest, looked = 0;
    oldest !== undefined && day >= dayOf(oldest) && looked < DAYS_LOOKED_MAX;
    looked++
  ) {
    days.add(day);
    day = dayAfter(day, -1);
  }
  return [...days].sort().reverse().slice(0, DAYS_LOOKED_MAX);
}

const endedRowsOf = (line: Line, rows: ShardTotals): ShardTotals =>
  rows.filter(
    ({ billerId, dataType, status }) =>
      billerId === line.billerId && dataType === line.dataType && endOfRow(status) !== 'open',
  );

/** Whether the days hold every row of the line that has an end. */
async function isWhole(shard: Shard, line: Line, days: readonly Day[], rows: ShardTotals): Promise<boolean> {
  const count = (totals: ShardTotals): number => endedRowsOf(line, totals).reduce((sum, total) => sum + total.count, 0);
  let looked = 0;
  for (const day of days) looked += count(await shard.totals({ day }));
  return looked >= count(rows);
}

/** Records of a day that do not say the same in both sources, or stand in one of them alone. */
async function addSuspects(
  { shard, projection }: { readonly shard: Shard; readonly projection: RecordProjection },
  { billerId, dataType }: Line,
  day: Day,
  suspects: Set<RecordKey>,
): Promise<void> {
  const seen = new Set<RecordKey>();
  let after: CountedRow | undefined;
  for (;;) {
    const rows = await shard.rowsOfDay({
      day,
      billerId,
      dataType,
      max: ROWS_PER_CALL_MAX,
      ...(after === undefined ? {} : { after: after.dpId }),
    });
    const entries = await projection.find(rows.map((row) => recordKey(billerId, row.dpId)));
    for (const row of rows) {
      const record = recordKey(billerId, row.dpId);
      seen.add(record);
      const entry = entries.get(record);
      if (!saysTheSame(row, entry, dataType) || (entry && dayOf(entry.createdAt) !== day)) suspects.add(record);
    }
    after = rows.at(-1);
    if (!after) break;
  }
  const query = {
    shard: shard.name,
    billerId,
    dataType,
    createdFrom: startOf(day),
    createdBefore: startOf(dayAfter(day)),
    max: FOUND_PAGE_MAX,
  };
  for (let behind: RecordQuery['after']; ;) {
    const { records, next } = await projection.search({ ...query, ...(behind === undefined ? {} : { after: behind }) });
    for (const { record } of records) if (!seen.has(record)) suspects.add(record);
    if (next === undefined) return;
    behind = next;
  }
}

function saysTheSame(row: Pick<CountedRow, 'status' | 'amount'>, entry: ProjectedRecord | undefined, type: DataType) {
  const end = endOfRow(row.status);
  const other = entry ? endOfRecord(entry.status) : 'open';
  if (end !== other) return false;
  return (
    end === 'open' || !carriesMoney(type) || sameMoney(row.amount, entry!.amount ?? { ...row.amount, minorUnits: 0 })
  );
}

/** As both stand now. */
async function differenceOf(
  shard: Shard,
  projection: RecordProjection,
  record: RecordKey,
): Promise<DifferingRecord | undefined> {
  const entry = (await projection.find([record])).get(record);
  const eventStoreSays = entry ? textOf(endOfRecord(entry.status), entry.amount) : 'no event';
  const id = dpId(parseRecordKey(record)!.dpId);
  try {
    const row = await shard.findRow(id);
    if (!row) {
      // Its owner took the row back: that is what withdrawn means, and what is open will be found so.
      const fine = entry && (entry.status === 'withdrawn' || endOfRecord(entry.status) === 'open');
      return fine ? undefined : { record, shardSays: 'no row', eventStoreSays };
    }
    const money = carriesMoney(row.dataType) ? row.payment?.amount : undefined;
    const counted = money ?? { minorUnits: 0, currency: entry?.amount?.currency ?? 'USD' };
    if (entry && entry.dataType !== row.dataType)
      return { record, shardSays: row.dataType, eventStoreSays: entry.dataType };
    return saysTheSame({ status: row.status, amount: counted }, entry, row.dataType)
      ? undefined
      : { record, shardSays: textOf(endOfRow(row.status), money), eventStoreSays };
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    return { record, shardSays: `it cannot be read: ${error.message}`, eventStoreSays };
  }
}

/** A projection's file may be damaged: its status may be none. */
const textOf = (end: End | undefined, amount: Money | undefined): string =>
  [end ?? 'a status that is none', ...(amount === undefined ? [] : [moneyText(amount)])].join(', ');
