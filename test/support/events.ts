import { type DpRecordCommand } from '../../src/domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { billerId, customerId, dpId, paymentId, profileVersion, shardName } from '../../src/domain/identifiers';
import { type Instant, instantFromMs } from '../../src/domain/instant';

/** Builders of histories: each returns one event with plain defaults. Seconds count from the epoch. */
export const atSecond = (seconds: number): Instant => instantFromMs(seconds * 1000);

const discovery = {
  billerId: billerId('12'),
  dpId: dpId('100'),
  shard: shardName('Shard-12'),
  dataType: 'Payments',
  customerId: customerId('7'),
  paymentId: paymentId('9'),
  amount: { minorUnits: 1234, currency: 'EUR' },
  at: atSecond(0),
} as const;

export const discovered = (): DpRecordEvent => ({ type: 'DpRecordDiscovered', data: discovery });
export const validated = (): DpRecordEvent & { type: 'DpRecordValidated' } => ({
  type: 'DpRecordValidated',
  data: { validatedHash: 'hash' },
});
export const discover = (): DpRecordCommand => ({ type: 'DiscoverDpRecord', discovery, verdict: validated() });
export const published = (): DpRecordEvent[] => [discovered(), validated()];

export const startOf = (
  over: { at?: Instant; notAfter?: Instant; keyFirstUsedAt?: Instant; attempt?: number } = {},
) => ({
  billerId: billerId('12'),
  dpId: dpId('100'),
  attempt: 1,
  at: atSecond(0),
  notAfter: atSecond(10),
  idempotencyKey: 'key',
  requestHash: 'hash',
  profileVersion: profileVersion('v1'),
  amount: { minorUnits: 1234, currency: 'EUR' },
  ...over,
});
export const started = (over: Parameters<typeof startOf>[0] = {}): DeliveryAttemptEvent => ({
  type: 'DeliveryAttemptStarted',
  data: startOf(over),
});
export const inquired = (answer: 'pending' | 'cannot-tell' | 'unavailable'): DeliveryAttemptEvent => ({
  type: 'DeliveryAttemptInquired',
  data: { answer, at: atSecond(20) },
});
export const resent = (notAfter = 30): DeliveryAttemptEvent => ({
  type: 'DeliveryAttemptResent',
  data: { at: atSecond(20), notAfter: atSecond(notAfter) },
});
