import { type DataType } from '../../domain/biller/data-type';
import { type DpDetail } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type ChunkId, type DpId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';

/** What becomes of rows, and who looks after those that stand still: laws 6 to 10 of Shard. */
export interface ShardResults {
  changeStatuses(changes: readonly StatusChange[]): Promise<readonly DpId[]>;
  reconcile(result: RowResult): Promise<'applied' | 'already-so' | 'refused' | 'row-missing'>;
  noteProgress(dpId: DpId, until: Instant): Promise<void>;
  takeStalled(request: { readonly before: Instant; readonly max: number }): Promise<readonly StalledRow[]>;
  reopen(dpId: DpId): Promise<number | undefined>;
}

export interface StatusChange {
  readonly dpId: DpId;
  readonly to: RowStatus;
  /** Statuses from which the change is allowed. */
  readonly from: readonly RowStatus[];
}

export interface RowResult {
  readonly dpId: DpId;
  readonly to: RowStatus;
  readonly from: readonly RowStatus[];
  readonly detail?: DpDetail;
}

/** `ordinal`: the row's sweep count after this sweep, for a message id never used before. */
export interface StalledRow {
  readonly dpId: DpId;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RowStatus;
  readonly chunkId: ChunkId | undefined;
  readonly ordinal: number;
}
