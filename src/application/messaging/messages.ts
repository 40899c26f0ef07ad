import { type DataType } from '../../domain/biller/data-type';
import {
  type BillerId,
  type ChunkId,
  type DpId,
  type RecordKey,
  recordKey,
  type ShardName,
} from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type PeekedMessage } from '../ports/message-bus';

/** Scanner → Fetcher, topic datapump-outbox: contracts/messages/chunk.v1.schema.json. */
export interface ChunkMessage {
  readonly billerId: BillerId;
  readonly dpStart: DpId;
  readonly dpEnd: DpId;
  /** `billerId:dpStart+dpEnd`. */
  readonly messageId: string;
  /** Absent in messages of another team's scanner. */
  readonly chunkId?: ChunkId;
  readonly shard?: ShardName;
  readonly eventType?: DataType;
  readonly traceparent?: string;
}

/** Fetcher → Consumer, topic datapump-events: contracts/messages/record.v1.schema.json. */
export interface RecordMessage {
  readonly dpId: DpId;
  readonly billerId: BillerId;
  readonly eventType: DataType;
  readonly occurredAt: Instant;
  readonly version: 1;
  readonly traceId: RecordKey;
  readonly messageId: RecordKey;
  readonly source: { readonly shard: ShardName; readonly table: string };
}

/** The table that every record message names as its source. */
const SOURCE_TABLE = 'dbo.datapump';

/** The message of one record, as the fetcher, a sweep or an operator publishes it. */
export function messageOf(record: {
  readonly billerId: BillerId;
  readonly dpId: DpId;
  readonly dataType: DataType;
  readonly shard: ShardName;
  readonly occurredAt: Instant;
}): RecordMessage {
  const { billerId, dpId, dataType, shard, occurredAt } = record;
  const key = recordKey(billerId, dpId);
  return {
    dpId,
    billerId,
    eventType: dataType,
    occurredAt,
    version: 1,
    traceId: key,
    messageId: key,
    source: { shard, table: SOURCE_TABLE },
  };
}

/** Fetcher → operations, topic datapump-validation-errors: a notification; the record's stream is the truth. */
export interface ValidationErrorMessage {
  readonly billerId: BillerId;
  readonly dpId: DpId;
  readonly eventType: DataType;
  readonly occurredAt: Instant;
  readonly version: 1;
  /** `billerId:dpId:rejected`. */
  readonly messageId: string;
  readonly reasons: readonly string[];
}

/** A body with what the broker carries beside it. */
export type Carried = Pick<PeekedMessage, 'body' | 'properties' | 'correlationId'>;

/**
 * Checks messages at the edge, by DTOs that agree with contracts/. Problems name the member and what was expected. A
 * message that contradicts itself is refused: whatever its properties repeat, they must repeat exactly; what another
 * team's publisher leaves out of them is fine.
 */
export interface MessageContracts {
  chunk(message: Carried): Checked<ChunkMessage>;
  record(message: Carried): Checked<RecordMessage>;
}

export type Checked<Message> =
  { readonly valid: true; readonly message: Message } | { readonly valid: false; readonly problems: readonly string[] };
