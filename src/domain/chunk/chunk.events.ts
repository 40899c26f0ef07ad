/* Stored for ever: names and shapes here are read back from every history ever written. Add members as optional only. */
import { type DataType } from '../biller/data-type';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../identifiers';
import { type Instant } from '../instant';

export type ChunkEvent =
  | {
      readonly type: 'ChunkPlanned';
      readonly data: {
        readonly chunkId: ChunkId;
        readonly billerId: BillerId;
        readonly dataType: DataType;
        readonly shard: ShardName;
        /** First and last id, as information: ids taken early may be committed late, so the ChunkId is the truth. */
        readonly dpStart: DpId;
        readonly dpEnd: DpId;
        readonly rows: number;
      };
    }
  | { readonly type: 'ChunkFetchStarted'; readonly data: { readonly at: Instant; readonly rowByRow: boolean } }
  | { readonly type: 'ChunkPublished'; readonly data: ChunkCounts & { readonly at: Instant } }
  | { readonly type: 'ChunkFailed'; readonly data: { readonly at: Instant; readonly code: string } };

export interface ChunkCounts {
  readonly published: number;
  readonly rejected: number;
  readonly skipped: number;
  /** Rows whose record was already finished when the chunk was fetched (again). */
  readonly alreadyFinished: number;
}
