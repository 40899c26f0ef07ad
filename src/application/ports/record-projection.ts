import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type RecordKey, type ShardName } from '../../domain/identifiers';
import { type Day, type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';
import { type KnownDpRecord } from '../../domain/dp-record/dp-record.state';
import { type Position } from './event-store';

/** Records found are counted up to here; beyond it is "more". */
export const FOUND_COUNTED_MAX = 10_000;
/** At most this many records in one page of a search. */
export const FOUND_PAGE_MAX = 1_000;

/**
 * A disposable read model: where each record stands by its stream, and totals by day, kept up from the event store. It
 * may be deleted at any time and is then built again. It holds ids, amounts and codes, as events do, and nothing personal.
 *
 * Laws:
 *  1  advance stores entries, changes, what was unread and the position together, and only where it stands at `from`;
 *     where it stands elsewhere, because another process was first, it changes nothing and answers false.
 *  2  An entry replaces the one of the same record.
 *  3  totals sums all changes that advance was told, by day, shard, biller, data type, status and currency, of one day or of
 *     all; what came to nothing is left out. Its cost grows with the days, not with the records.
 *  4  What advance was told could not be read is counted by unread, until reset, which forgets everything.
 *  5  entries pages the records in key order. Memory does not grow with their number.
 *  6  search finds the records that meet every condition given, those created last first; `next`, given as `after`, goes on behind a
 *     page. `total` counts all that meet the conditions, on whatever page: it is exact up to FOUND_COUNTED_MAX, and undefined where there are more.
 */
export interface RecordProjection {
  position(): Promise<Position | undefined>;
  find(records: readonly RecordKey[]): Promise<ReadonlyMap<RecordKey, ProjectedRecord>>;
  advance(step: ProjectionStep): Promise<boolean>;
  /** What of the event store could not be read on the way here, in words; the first ones alone. */
  unread(): Promise<readonly string[]>;
  /** Forgets all of it: the next advance begins anew. */
  reset(): Promise<void>;
  totals(day?: Day): Promise<readonly ProjectedTotal[]>;
  entries(after: RecordKey | undefined, max: number): Promise<readonly ProjectedRecord[]>;
  search(query: RecordQuery): Promise<FoundRecords>;
  close(): void;
}

/**
 * The projection as all processes see it, and the one that is built beside it.
 *
 * Laws:
 *  7  beside is empty, or stands where its building stopped; whatever is done to it, live answers as before.
 *  8  takeOver makes the one beside the live one, for every process and in one moment; a further beside begins anew.
 *     Where none was built, or another process was first, it changes nothing.
 */
export interface RecordProjections {
  live(): Promise<RecordProjection>;
  beside(): Promise<RecordProjection>;
  takeOver(): Promise<void>;
  close(): void;
}

export interface ProjectionStep {
  readonly from: Position | undefined;
  readonly to: Position;
  readonly entries: readonly ProjectedRecord[];
  /** What becomes of the totals: +1 where a record stands now, -1 where it stood, with its money. */
  readonly changes: readonly ProjectedTotal[];
  readonly unread?: readonly string[];
}

export type RecordStatus = KnownDpRecord['status'];

export interface ProjectedRecord {
  readonly record: RecordKey;
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RecordStatus;
  readonly amount: Money | undefined;
  /** The newest attempt of which the record drew the consequence. */
  readonly attempts: number;
  /** Why it stands where it stands, by the code that its stream names. */
  readonly cause: string | undefined;
  /** The biller's own reference of the payment. */
  readonly reference: string | undefined;
  /** By its shard; of histories that do not tell, when it was discovered. */
  readonly createdAt: Instant;
  readonly changedAt: Instant;
}

export interface ProjectedTotal {
  readonly day: Day;
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RecordStatus;
  readonly count: number;
  readonly amount: Money | undefined;
}

export interface RecordQuery {
  readonly records?: readonly RecordKey[];
  readonly shard?: ShardName;
  readonly billerId?: BillerId;
  readonly dataType?: DataType;
  readonly statuses?: readonly RecordStatus[];
  readonly cause?: string;
  /** Any of these. */
  readonly amounts?: readonly Money[];
  readonly reference?: string;
  readonly createdFrom?: Instant;
  readonly createdBefore?: Instant;
  /** Only what comes behind this record in the order of the search. */
  readonly after?: RecordKey;
  readonly max: number;
}

export interface FoundRecords {
  readonly records: readonly ProjectedRecord[];
  /** Undefined: more than FOUND_COUNTED_MAX. */
  readonly total: number | undefined;
  /** Undefined: nothing follows. */
  readonly next: RecordKey | undefined;
}
