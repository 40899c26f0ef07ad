/**
 * Branded ids. All ids are strings in code and in JSON (64-bit database ids do not fit a JavaScript number).
 * A dpId is opaque (bigint or GUID) and holds no colon, so `billerId:dpId` can be taken apart again.
 */
type Brand<Name extends string> = string & { readonly __brand: Name };

export type BillerId = Brand<'BillerId'>;
export type DpId = Brand<'DpId'>;
export type ChunkId = Brand<'ChunkId'>;
export type PaymentId = Brand<'PaymentId'>;
export type CustomerId = Brand<'CustomerId'>;
export type ShardName = Brand<'ShardName'>;
/** `billerId:dpId`, the name of one DP record in every system. */
export type RecordKey = Brand<'RecordKey'>;
export type StreamName = Brand<'StreamName'>;
/** The content hash of a biller profile: the same text is the same version. */
export type ProfileVersion = Brand<'ProfileVersion'>;

/**
 * `billerId:dpId:r<ordinal>.<hop>` must fit the 128 characters of a broker's MessageId. Two ids that look alike must be
 * alike, so no character that shows as nothing (the same classes as in contracts/definitions.v1.schema.json).
 */
const ID_LENGTH_MAX = 56;
const ID = /^[^\s:\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]+$/u;
export const isId = (text: string): boolean => text.length <= ID_LENGTH_MAX && ID.test(text);
export const ID_EXPECTED = 'an id: 1 to 56 visible characters without blanks or colons';

function id<T extends string>(kind: string) {
  return (text: string): T => {
    if (!isId(text))
      throw new TypeError(
        `${kind} must be 1 to 56 visible characters without blanks or colons, got ${JSON.stringify(text)}`,
      );
    return text as T;
  };
}

export const billerId = id<BillerId>('billerId');
export const dpId = id<DpId>('dpId');
export const chunkId = (text: string): ChunkId => text as ChunkId;
export const paymentId = id<PaymentId>('paymentId');
export const customerId = id<CustomerId>('customerId');
export const shardName = id<ShardName>('shard');
export const profileVersion = id<ProfileVersion>('profileVersion');

export const recordKey = (biller: BillerId, dp: DpId): RecordKey => `${biller}:${dp}` as RecordKey;

/** Takes `billerId:dpId` apart; undefined where the text is not of that form. */
export function parseRecordKey(text: string): { billerId: BillerId; dpId: DpId } | undefined {
  const parts = text.split(':');
  if (parts.length !== 2 || !isId(parts[0]!) || !isId(parts[1]!)) return undefined;
  return { billerId: parts[0] as BillerId, dpId: parts[1] as DpId };
}

/** What the names of our streams begin with. */
export const STREAM_CATEGORIES = [
  'dpRecord',
  'dpChunk',
  'deliveryAttempt',
  'billerControl',
  'operatorOrders',
  'billerProfile',
  'historySeal',
  'historyLoss',
  'datapumpStore',
] as const;

export const dpRecordStream = (key: RecordKey): StreamName => `dpRecord-${key}` as StreamName;
export const dpChunkStream = (chunk: ChunkId): StreamName => `dpChunk-${chunk}` as StreamName;
export const deliveryAttemptStream = (key: RecordKey, attempt: number): StreamName =>
  `deliveryAttempt-${key}:${attempt}` as StreamName;
export const billerControlStream = (biller: BillerId): StreamName => `billerControl-${biller}` as StreamName;
export const operatorOrdersStream = (biller: BillerId): StreamName => `operatorOrders-${biller}` as StreamName;
/** Of the whole installation: which losses of history people accepted. */
export const historyLossStream = 'historyLoss-accepted' as StreamName;
export const billerProfileStream = (biller: BillerId): StreamName => `billerProfile-${biller}` as StreamName;
