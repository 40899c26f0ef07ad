import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type DpId } from '../../domain/identifiers';
import { type Day, type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';

/** Counting rows and money: laws 17, 21 and 22 of Shard. */
export interface ShardCounts {
  totals(part?: TotalsPart): Promise<ShardTotals>;
  /** The rows behind a day's totals of one biller and type, in the order of arrival, each with what it adds to them. */
  rowsOfDay(query: {
    readonly day: Day;
    readonly billerId: BillerId;
    readonly dataType: DataType;
    readonly after?: DpId;
    readonly max: number;
  }): Promise<readonly CountedRow[]>;
  billers(): Promise<readonly BillerId[]>;
}

/** Of all rows, of those created on a day, or of those that have not ended yet (TO_END_STATUSES). */
export type TotalsPart = { readonly day: Day } | 'to-end';

export interface CountedRow {
  readonly dpId: DpId;
  readonly status: RowStatus;
  readonly amount: Money;
}

/** Totals, and in words the rows that belong to none. */
export type ShardTotals = readonly ShardTotal[] & { readonly damaged?: readonly string[] };

export interface ShardTotal {
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RowStatus;
  readonly count: number;
  /** Sum over the rows' payments; one entry per currency. Zero for types that carry no money. */
  readonly amount: Money;
  /** Age of the oldest, by createdAt. */
  readonly oldestAt: Instant | undefined;
  /** How many are due after all plausible dates (2999), so that nothing will ever claim them; absent where none is. */
  readonly neverDue?: number;
}
