import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';

/** Counting rows and money: law 17 of Shard. */
export interface ShardCounts {
  totals(): Promise<ShardTotals>;
  billers(): Promise<readonly BillerId[]>;
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
