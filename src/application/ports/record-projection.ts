import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { type Money } from '../../domain/money';
import { type KnownDpRecord } from '../../domain/dp-record/dp-record.state';
import { type Position } from './event-store';

/**
 * A disposable read model: where each record stands by its stream, kept up from the event store. It may be deleted at
 * any time and is then built again.
 *
 * Laws:
 *  1  advance stores entries and position together; a position never moves without its entries.
 *  2  An entry replaces the one of the same record.
 *  3  totals sums the entries; entries pages them in key order. Memory does not grow with their number.
 *  4  What advance was told could not be read is counted by unread, until reset, which forgets everything.
 */
export interface RecordProjection {
  position(): Promise<Position | undefined>;
  find(records: readonly RecordKey[]): Promise<ReadonlyMap<RecordKey, ProjectedRecord>>;
  advance(entries: readonly ProjectedRecord[], position: Position, unread?: readonly string[]): Promise<void>;
  /** What of the event store could not be read on the way here, in words; the first ones alone. */
  unread(): Promise<readonly string[]>;
  /** Forgets all of it: the next advance begins anew. */
  reset(): Promise<void>;
  totals(): Promise<readonly ProjectedTotal[]>;
  entries(after: RecordKey | undefined, max: number): Promise<readonly ProjectedRecord[]>;
  close(): void;
}

export type RecordStatus = KnownDpRecord['status'];

export interface ProjectedRecord {
  readonly record: RecordKey;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RecordStatus;
  readonly amount: Money | undefined;
}

export interface ProjectedTotal {
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RecordStatus;
  readonly count: number;
  readonly amount: Money | undefined;
}
