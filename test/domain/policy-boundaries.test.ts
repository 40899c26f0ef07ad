import { type BillerProfile } from '../../src/domain/biller/biller-profile';
import { fold } from '../../src/domain/decider';
import { deliveryAttemptDecider } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { type OpenAttempt } from '../../src/domain/delivery-attempt/delivery-attempt.state';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import { billerId, customerId, dpId, paymentId } from '../../src/domain/identifiers';
import { earliest, latest } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';
import { closingEventOf } from '../../src/domain/policies/delivery-outcome';
import { judgeInquiry, nextLookAt } from '../../src/domain/policies/in-doubt-resolution';
import { DEFAULT_RETRY_SCHEDULE } from '../../src/domain/policies/retry-schedule';
import { AMOUNT_MAX_MINOR_UNITS, validateRow } from '../../src/domain/policies/validation';
import { atSecond, inquired, resent, started } from '../support/events';

const open = (...events: readonly DeliveryAttemptEvent[]): OpenAttempt =>
  fold(deliveryAttemptDecider, [started(), ...events]) as OpenAttempt;

it('looks again ever later, whatever settled nothing: each answer and each resend counts one', () => {
  const waited = (...events: readonly DeliveryAttemptEvent[]) => nextLookAt(open(...events), atSecond(0));
  expect([
    waited(),
    waited(inquired('pending')),
    waited(inquired('cannot-tell')),
    waited(inquired('unavailable')),
    waited(resent()),
  ]).toEqual([1, 2, 2, 2, 2].map(atSecond));
  expect(waited(inquired('pending'), inquired('cannot-tell'), inquired('unavailable'), resent())).toBe(atSecond(16));
});

it('leaves an "absent" after a "pending" to a person', () => {
  const terms = { quarantineMs: 20_000, capability: { inquiry: { lagMs: 0 }, keys: undefined } };
  const judged = (...events: readonly DeliveryAttemptEvent[]) =>
    judgeInquiry({ answer: 'absent' }, open(...events), terms, atSecond(100));
  expect(judged()).toEqual({ judged: 'closed', outcome: 'not-executed' });
  expect(judged(inquired('pending'))).toEqual({ judged: 'operator', cause: 'inquiry-contradicts-itself' });
  expect(judged(inquired('unavailable'))).toEqual({ judged: 'closed', outcome: 'not-executed' });
});

it('waits 1, 3, 5 and 7 seconds and a day at most where a profile says nothing', () => {
  expect(DEFAULT_RETRY_SCHEDULE).toEqual({
    kind: 'fixed',
    waitsMs: [1_000, 3_000, 5_000, 7_000],
    maxAgeMs: 86_400_000,
  });
});

it('takes an amount from one minor unit to the largest, and no further', () => {
  const profile = { actions: ['Payment'], constraints: {} } as unknown as BillerProfile;
  const verdict = (minorUnits: number) =>
    validateRow(
      {
        createdAt: atSecond(0),
        billerId: billerId('1'),
        dataType: 'Payments',
        customerId: customerId('7'),
        paymentId: paymentId('9'),
        customer: { billerId: '1' },
        biller: { active: true },
        payment: {
          customerId: '7',
          billerId: '1',
          amount: { minorUnits, currency: 'EUR' },
          invoiceType: 'bill',
          paidAt: atSecond(0),
          achReturnCode: undefined,
        },
      } as unknown as DpRow,
      profile,
    ).verdict;
  expect([0, 1, AMOUNT_MAX_MINOR_UNITS, AMOUNT_MAX_MINOR_UNITS + 1].map(verdict)).toEqual([
    'rejected',
    'valid',
    'valid',
    'rejected',
  ]);
});

it('keeps what the biller named, and leaves out what it did not', () => {
  expect(closingEventOf({ kind: 'accepted', httpStatus: 200, billerReference: 'R-1' })?.data).toStrictEqual({
    httpStatus: 200,
    billerReference: 'R-1',
  });
  expect(closingEventOf({ kind: 'declined', httpStatus: 422, code: 'no' })?.data).toStrictEqual({
    httpStatus: 422,
    code: 'no',
  });
  expect(closingEventOf({ kind: 'declined', httpStatus: 422, code: undefined })?.data).toStrictEqual({
    httpStatus: 422,
  });
  expect(closingEventOf({ kind: 'not-executed', code: 'refused' })).toStrictEqual({
    type: 'DeliveryAttemptNotExecuted',
    data: { code: 'refused' },
  });
  expect(closingEventOf({ kind: 'not-sent', lateByMs: 3 })).toStrictEqual({
    type: 'DeliveryAttemptNotSent',
    data: { lateByMs: 3 },
  });
});

it('cuts chunks of one row where it is told to', () => {
  const row = (id: string) => ({ dpId: dpId(id), billerId: billerId('1'), dataType: 'Payments' as const });
  expect(planChunks([row('1'), row('2')], 1).map(({ dpIds }) => dpIds)).toEqual([['1'], ['2']]);
});

it('orders instants', () => {
  expect([
    earliest(atSecond(1), atSecond(2)),
    earliest(atSecond(2), atSecond(1)),
    latest(atSecond(1), atSecond(2)),
    latest(atSecond(2), atSecond(1)),
  ]).toEqual([1, 1, 2, 2].map(atSecond));
});
