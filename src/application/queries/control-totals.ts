import { type DataType } from '../../domain/biller/data-type';
import { type BillerId } from '../../domain/identifiers';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type RecordProjection, type RecordStatus } from '../ports/record-projection';
import { type Shards } from '../ports/shard';

/** The ends a record can have; `open` is everything on its way. */
export const ENDS = ['delivered', 'declined', 'rejected', 'skipped', 'withdrawn', 'deadLettered', 'inDoubt', 'open'] as const;
export type End = (typeof ENDS)[number];

export interface Tally {
  count: number;
  /** Minor units of the currency of the line. */
  minorUnits: number;
}

/** One line: what a source says of one biller, data type and currency. */
export interface ControlLine {
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly currency: string;
  readonly ends: Readonly<Record<End, Tally>>;
  readonly eligible: Tally;
}

export interface ControlTotals {
  readonly shards: readonly ControlLine[];
  readonly eventStore: readonly ControlLine[];
  /** Every line where the two sources do not say the same; none means they balance. */
  readonly differences: readonly string[];
}

const END_OF_ROW: Record<RowStatus, End> = {
  New: 'open', Queued: 'open', Published: 'open', Delivered: 'delivered', Declined: 'declined', Failed: 'deadLettered',
  InDoubt: 'inDoubt', Rejected: 'rejected', Skipped: 'skipped', Withdrawn: 'withdrawn',
};
const END_OF_RECORD: Record<RecordStatus, End> = {
  pending: 'open', delivered: 'delivered', declined: 'declined', 'dead-lettered': 'deadLettered', 'in-doubt': 'inDoubt',
  rejected: 'rejected', skipped: 'skipped', withdrawn: 'withdrawn',
};

export const endOfRow = (status: RowStatus): End => END_OF_ROW[status];
export const endOfRecord = (status: RecordStatus): End => END_OF_RECORD[status];

/** Counts and money per biller, from the shard tables and from the event store, side by side. Project the records first. */
export function controlTotals(ports: { readonly shards: Shards; readonly projection: RecordProjection }) {
  return async (): Promise<ControlTotals> => {
    const fromShards = new Lines();
    for (const shard of ports.shards.all()) {
      for (const total of await shard.totals()) fromShards.add({ ...total, end: END_OF_ROW[total.status] });
    }
    const fromEventStore = new Lines();
    for (const total of await ports.projection.totals()) fromEventStore.add({ ...total, end: END_OF_RECORD[total.status] });
    return { shards: fromShards.all(), eventStore: fromEventStore.all(), differences: compare(fromShards, fromEventStore) };
  };
}

class Lines {
  private readonly lines = new Map<string, { -readonly [Name in keyof ControlLine]: ControlLine[Name] } & { ends: Record<End, Tally> }>();

  add(total: { billerId: BillerId; dataType: DataType; end: End; count: number; amount: { minorUnits: number; currency: string } | undefined }): void {
    // Types without money form one line whatever currency a source notes beside its zero.
    const currency = total.amount && total.amount.minorUnits !== 0 ? total.amount.currency : '';
    const name = `${total.billerId} ${total.dataType} ${currency}`;
    const line = this.lines.get(name) ?? {
      billerId: total.billerId, dataType: total.dataType, currency, eligible: { count: 0, minorUnits: 0 },
      ends: Object.fromEntries(ENDS.map((end) => [end, { count: 0, minorUnits: 0 }])) as Record<End, Tally>,
    };
    for (const tally of [line.ends[total.end], line.eligible]) {
      tally.count += total.count;
      tally.minorUnits += total.amount?.minorUnits ?? 0;
    }
    this.lines.set(name, line);
  }

  all(): readonly ControlLine[] {
    return [...this.lines.values()].sort((a, b) => a.billerId.localeCompare(b.billerId, 'en', { numeric: true }) || a.dataType.localeCompare(b.dataType));
  }

  named(): ReadonlyMap<string, ControlLine> {
    return this.lines;
  }
}

/** Rows that no stream knows yet (New, or claimed a moment ago) are open in the shard alone: only ends must agree. */
function compare(shards: Lines, eventStore: Lines): readonly string[] {
  const names = new Set([...shards.named().keys(), ...eventStore.named().keys()]);
  return [...names].flatMap((name) =>
    ENDS.filter((end) => end !== 'open').flatMap((end) => {
      const row = shards.named().get(name)?.ends[end] ?? { count: 0, minorUnits: 0 };
      const stream = eventStore.named().get(name)?.ends[end] ?? { count: 0, minorUnits: 0 };
      if (row.count === stream.count && row.minorUnits === stream.minorUnits) return [];
      return [`${name.trim()} ${end}: shards ${row.count} / ${row.minorUnits}, event store ${stream.count} / ${stream.minorUnits}`];
    }),
  );
}
