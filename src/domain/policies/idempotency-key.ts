import { type RecordKey } from '../identifiers';

const LENGTH = 32;

/**
 * The key is the record's, the same for every attempt: a biller with keys then dedupes across attempts too. `digest`:
 * SHA-256 as lower-case hex.
 */
export const idempotencyKeyOf = (record: RecordKey, digest: (text: string) => string): string =>
  digest(`datapump:${record}`).slice(0, LENGTH);
