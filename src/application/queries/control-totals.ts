import { type DataType, isDataType } from '../../domain/biller/data-type';
import { type BillerId, type ShardName } from '../../domain/identifiers';
import { type Day } from '../../domain/instant';
import { type Money, moneyText } from '../../domain/money';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { PortFailure } from '../ports/failures';
import { type RecordProjection, type RecordStatus } from '../ports/record-projection';
import { type Shards } from '../ports/shard';

/** The ends a record can have; `open` is everything on its way. */
export const ENDS = [
  'delivered',
  'declined',
  'rejected',
  'skipped',
  'withdrawn',
  'deadLettered',
  'inDoubt',
  'open',
] as const;
export type End = (typeof ENDS)[number];

export interface Tally {
  count: number;
  /** Minor units per currency; a currency with a sum of zero is not named. */
  readonly amounts: Record<string, number>;
}

/** One line: what a source says of one shard, biller and data type. */
export interface ControlLine {
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly ends: Readonly<Record<End, Tally>>;
  readonly eligible: Tally;
}

export interface ControlTotals {
  readonly shards: readonly ControlLine[];
  readonly eventStore: readonly ControlLine[];
  /** What could not be read of either source, in words: where there is any, nothing is said to balance. */
  readonly unread: readonly string[];
  /** Shards that did not answer: nothing of theirs can be compared. */
  readonly shardsUnread: readonly ShardName[];
}

/** Of one day, or of all; of one biller, or of all. */
export interface ControlScope {
  readonly day?: Day;
  readonly billerId?: BillerId;
}

const END_OF_ROW: Record<RowStatus, End> = {
  New: 'open',
  Queued: 'open',
  Published: 'open',
  Delivered: 'delivered',
  Declined: 'declined',
  Failed: 'deadLettered',
  InDoubt: 'inDoubt',
  Rejected: 'rejected',
  Skipped: 'skipped',
  Withdrawn: 'withdrawn',
};
const END_OF_RECORD: Record<RecordStatus, End> = {
  pending: 'open',
  delivered: 'delivered',
  declined: 'declined',
  'dead-lettered': 'deadLettered',
  'in-doubt': 'inDoubt',
  rejected: 'rejected',
  skipped: 'skipped',
  withdrawn: 'withdrawn',
};

export const endOfRow = (status: RowStatus): End => END_OF_ROW[status];
export const endOfRecord = (status: RecordStatus): End => END_OF_RECORD[status];

/** Counts and money, from the shard tables and from the event store, side by side. Project the records first. */
export function controlTotals(ports: { readonly shards: Shards; readonly projection: RecordProjection }) {
  return async ({ day, billerId }: ControlScope = {}): Promise<ControlTotals> => {
    const inScope = (total: { readonly billerId: BillerId }): boolean =>
      billerId === undefined || total.billerId === billerId;
    const fromShards = new Lines();
    const unread: string[] = [];
    const shardsUnread: ShardName[] = [];
    for (const shard of ports.shards.all()) {
      try {
        const totals = await shard.totals(day === undefined ? undefined : { day });
        for (const total of totals.filter(inScope))
          fromShards.add({ ...total, shard: shard.name, end: END_OF_ROW[total.status] });
        for (const what of totals.damaged ?? []) unread.push(`shard ${shard.name}: ${what}`);
      } catch (error) {
        if (!(error instanceof PortFailure)) throw error;
        unread.push(`shard ${shard.name}: ${error.message}`);
        shardsUnread.push(shard.name);
      }
    }
    const fromEventStore = new Lines();
    for (const total of (await ports.projection.totals(day)).filter(inScope)) {
      const end = Object.hasOwn(END_OF_RECORD, total.status) ? END_OF_RECORD[total.status] : undefined;
      if (end && isDataType(total.dataType)) fromEventStore.add({ ...total, end });
      else
        unread.push(
          `record projection: ${total.count} records of biller ${total.billerId} have a status or a type that is none: stop what uses its file and delete it, it is built anew`,
        );
    }
    unread.push(...(await ports.projection.unread()));
    return { shards: fromShards.all(), eventStore: fromEventStore.all(), unread, shardsUnread };
  };
}

type AddedTotal = Pick<ControlLine, 'shard' | 'billerId' | 'dataType'> & {
  readonly end: End;
  readonly count: number;
  readonly amount: Money | undefined;
};

class Lines {
  private readonly lines = new Map<string, ControlLine>();

  add(total: AddedTotal): void {
    const name = lineName(total);
    const line = this.lines.get(name) ?? {
      shard: total.shard,
      billerId: total.billerId,
      dataType: total.dataType,
      eligible: emptyTally(),
      ends: Object.fromEntries(ENDS.map((end) => [end, emptyTally()])) as Record<End, Tally>,
    };
    addTo(line.ends[total.end], total);
    addTo(line.eligible, total);
    this.lines.set(name, line);
  }

  all(): readonly ControlLine[] {
    return [...this.lines.values()].sort(
      (a, b) =>
        a.shard.localeCompare(b.shard, 'en', { numeric: true }) ||
        a.billerId.localeCompare(b.billerId, 'en', { numeric: true }) ||
        a.dataType.localeCompare(b.dataType),
    );
  }
}

/** `Shard-1 12 Payments`: of what a line is. */
export const lineName = ({ shard, billerId, dataType }: Pick<ControlLine, 'shard' | 'billerId' | 'dataType'>): string =>
  `${shard} ${billerId} ${dataType}`;

export const emptyTally = (): Tally => ({ count: 0, amounts: {} });

export function addTo(tally: Tally, { count, amount }: { count: number; amount: Money | undefined }): void {
  tally.count += count;
  if (amount && amount.minorUnits !== 0)
    tally.amounts[amount.currency] = (tally.amounts[amount.currency] ?? 0) + amount.minorUnits;
}

export const sameTally = (a: Tally, b: Tally): boolean =>
  a.count === b.count &&
  [...Object.keys(a.amounts), ...Object.keys(b.amounts)].every(
    (currency) => a.amounts[currency] === b.amounts[currency],
  );

/** `12 (340.50 USD)`. */
export function tallyText(tally: Tally): string {
  const amounts = Object.entries(tally.amounts).map(([currency, minorUnits]) => moneyText({ minorUnits, currency }));
  return amounts.length === 0 ? String(tally.count) : `${tally.count} (${amounts.join(', ')})`;
}
