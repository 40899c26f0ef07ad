import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type ClaimedRow, type PlannedChunk } from '../../domain/policies/chunking';

/** Claiming rows, and the outbox beside them: laws 1 to 4 of Shard. */
export interface ShardClaims {
  claim(request: ClaimRequest): Promise<readonly OutboxChunk[]>;
  unpublishedChunks(max: number): Promise<readonly OutboxChunk[]>;
  markPublished(chunkIds: readonly ChunkId[]): Promise<void>;
  /** The chunk's rows are fetched: for the outbox row's own history; no row of ours for a foreign chunk is fine. */
  markFetched(chunkId: ChunkId): Promise<void>;
  /** Adopts foreign rows: New → Queued with this ChunkId. */
  adopt(dpIds: readonly DpId[], chunkId: ChunkId): Promise<void>;
}

export interface ClaimRequest {
  readonly billers: readonly BillerId[];
  /** Undefined: all of them. */
  readonly dataTypes?: readonly DataType[];
  readonly rowsMax: number;
  /** Pure: cuts the claimed rows into chunks. Runs inside the transaction. */
  readonly plan: (rows: readonly ClaimedRow[]) => readonly PlannedChunk[];
  readonly newChunkId: () => ChunkId;
}

/** One row of Outbox. */
export interface OutboxChunk {
  readonly chunkId: ChunkId;
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly dpStart: DpId;
  readonly dpEnd: DpId;
  readonly rows: number;
}
