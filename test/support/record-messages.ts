import { type RecordKey, recordKey, billerId, dpId } from '../../src/domain/identifiers';

const KEY = recordKey(billerId('12'), dpId('100'));

/** A sound body of a record message of the payment 12:100, or of another record, with what a test says otherwise. */
export const recordBody = (more: object = {}, key: RecordKey = KEY) => ({
  dpId: key.split(':')[1],
  billerId: key.split(':')[0],
  eventType: 'Payments',
  occurredAt: '2026-11-20T08:00:00Z',
  version: 1,
  traceId: key,
  messageId: key,
  source: { shard: 'Shard-1', table: 'dbo.datapump' },
  ...more,
});

/** The message with that body, under an id that no chain of ours has. */
export const recordMessageOf = (messageId: string, more: object = {}, key: RecordKey = KEY) => ({
  messageId,
  properties: { eventType: 'Payments' },
  body: recordBody(more, key),
});
