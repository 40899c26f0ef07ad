import { type DataType } from '../../domain/biller/data-type';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type ChunkId, type DpId } from '../../domain/identifiers';

/** Reading rows with all they point to: laws 5, 11, 18 and 20 of Shard. */
export interface ShardRows {
  rowsOfChunk(chunkId: ChunkId): Promise<DpRows>;
  /** Rows of a foreign chunk: a biller's rows by id range (numeric where both ends are numbers), New or Queued, at most `max`. */
  rowsInRange(range: {
    readonly billerId: BillerId;
    readonly dataType: DataType | undefined;
    readonly from: DpId;
    readonly to: DpId;
    readonly max: number;
  }): Promise<DpRows>;
  findRow(dpId: DpId): Promise<DpRow | undefined>;
  /** Rows by status, oldest first, after a dpId; for the operator's lists and the proofs. */
  rowsByStatus(query: {
    readonly statuses: readonly RowStatus[];
    readonly billerId?: BillerId;
    readonly after?: DpId;
    readonly max: number;
  }): Promise<DpRows>;
  /** Law 20 of Shard. */
  rowsInHand(query: InHand & { readonly max: number }): Promise<DpRows>;
}

/** What somebody who asks has in hand; personal, so it goes to the shard and nowhere else. Both, where both are given. */
export interface InHand {
  /** The customer's id, account number or whole name, whatever the case of its ASCII letters. */
  readonly customer?: string;
  /** The row's own id, its payment's id, or the reference under which the payment was loaded. */
  readonly reference?: string;
}

/** Rows, and in words those that could not be read. */
export type DpRows = readonly DpRow[] & { readonly damaged?: readonly string[] };
