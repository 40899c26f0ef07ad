import { type DataType, isDataType } from '../../domain/biller/data-type';
import { type BillerId } from '../../domain/identifiers';
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

/** One line: what a source says of one biller and data type. */
export interface ControlLine {
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
  /** Every line where the two sources do not say the same; none means they balance. */
  readonly differences: readonly string[];
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

/** Counts and money per biller, from the shard tables and from the event store, side by side. Project the records first. */
export function controlTotals(ports: { readonly shards: Shards; readonly projection: RecordProjection }) {
  return async (): Promise<ControlTotals> => {
    const fromShards = new Lines();
    const unread: string[] = [];
    for (const shard of ports.shards.all()) {
      try {
        const totals = await shard.totals();
        for (const total of totals) fromShards.add({ ...total, end: END_OF_ROW[total.status] });
        for (const what of totals.damaged ?? []) unread.push(`shard ${shard.name}: ${what}`);
      } catch (error) {
        if (!(error instanceof PortFailure)) throw error;
        unread.push(`shard ${shard.name}: ${error.message}`);
      }
    }
    const fromEventStore = new Lines();
    for (const total of await ports.projection.totals()) {
      const end = Object.hasOwn(END_OF_RECORD, total.status) ? END_OF_RECORD[total.status] : undefined;
      if (end && isDataType(total.dataType)) fromEventStore.add({ ...total, end });
      else
        unread.push(
          `record projection: ${total.count} records of biller ${total.billerId} have a status or a type that is none: stop what uses its file and delete it, it is built anew`,
        );
    }
    unread.push(...(await ports.projection.unread()));
    return {
      shards: fromShards.all(),
      eventStore: fromEventStore.all(),
      unread,
      differences: compare(fromShards, fromEventStore),
    };
  };
}

class Lines {
  private readonly lines = new Map<string, ControlLine>();

  add(total: { billerId: BillerId; dataType: DataType; end: End; count: number; amount: Money | undefined }): void {
    const name = `${total.billerId} ${total.dataType}`;
    const line = this.lines.get(name) ?? {
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
      (a, b) => a.billerId.localeCompare(b.billerId, 'en', { numeric: true }) || a.dataType.localeCompare(b.dataType),
    );
  }

  names(): IterableIterator<string> {
    return this.lines.keys();
  }

  tally(name: string, end: End): Tally {
    return this.lines.get(name)?.ends[end] ?? emptyTally();
  }
}

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

/** Rows that no stream knows yet (New, or claimed a moment ago) are open in the shard alone: only ends must agree. */
function compare(shards: Lines, eventStore: Lines): readonly string[] {
  return [...new Set([...shards.names(), ...eventStore.names()])].flatMap((name) =>
    ENDS.filter((end) => end !== 'open' && !sameTally(shards.tally(name, end), eventStore.tally(name, end))).map(
      (end) =>
        `${name} ${end}: shards ${tallyText(shards.tally(name, end))}, event store ${tallyText(eventStore.tally(name, end))}`,
    ),
  );
}
