import { type BillerProfile, type DeliveryWindow } from '../../src/domain/biller/biller-profile';
import { type DataType } from '../../src/domain/biller/data-type';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import { allowedPredecessors, ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { billerId, customerId, type DpId, dpId, parseRecordKey, paymentId } from '../../src/domain/identifiers';
import { type Instant, instant, isPlausible } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';
import { closingEventOf, closingEventOfResend } from '../../src/domain/policies/delivery-outcome';
import { isOpen, nextOpening } from '../../src/domain/policies/delivery-window';
import { nextTry, waitBeforeTry } from '../../src/domain/policies/retry-schedule';
import { validateRow } from '../../src/domain/policies/validation';
import { atSecond } from '../support/events';

describe('chunking', () => {
  const row = (id: string, biller = '1', dataType: 'Payments' | 'AutoPay' = 'Payments') => ({
    dpId: dpId(id),
    billerId: billerId(biller),
    dataType,
  });
  it('cuts per biller and data type, in order, by the size limit', () => {
    expect(
      planChunks([row('1'), row('2', '2'), row('3'), row('4', '1', 'AutoPay'), row('5')], 2).map(({ dpIds }) => dpIds),
    ).toEqual([['1', '3'], ['5'], ['2'], ['4']]);
  });
  it.each(['', ' ', 'a b', 'a:b', 'a\u200bb', 'a\u0000', 'x'.repeat(57)])(
    'leaves out a row that no message can name, and takes those beside it: %j (issue 8, no 17)',
    (id) => {
      expect(planChunks([row('1'), { ...row('2'), dpId: id as DpId }, row('3')], 9).map(({ dpIds }) => dpIds)).toEqual([
        ['1', '3'],
      ]);
      expect(
        planChunks([row('1'), { ...row('2'), dataType: id as DataType }, row('3')], 9).map(({ dpIds }) => dpIds),
      ).toEqual([['1', '3']]);
    },
  );
  it('refuses a size below one', () => expect(() => planChunks([], 0)).toThrow('a chunk holds at least one row'));
});

describe('validation', () => {
  const profile = {
    actions: ['Payment', 'ACHRejects', 'Paperless'],
    constraints: { allowedInvoiceTypes: ['bill'], skipNocs: true },
  } as unknown as BillerProfile;
  const good = {
    billerId: billerId('1'),
    dataType: 'Payments',
    customerId: customerId('7'),
    paymentId: paymentId('9'),
    createdAt: instant('2026-11-20T08:00:00Z'),
    customer: { billerId: '1' },
    biller: { active: true },
    payment: {
      customerId: '7',
      billerId: '1',
      amount: { minorUnits: 1, currency: 'EUR' },
      invoiceType: 'bill',
      paidAt: instant('2026-11-20T00:00:00Z'),
      achReturnCode: undefined,
    },
  } as unknown as DpRow;
  const paying = (over: object): DpRow => ({ ...good, payment: { ...good.payment!, ...over } });
  const money = (minorUnits: number, currency = 'EUR'): DpRow => paying({ amount: { minorUnits, currency } });
  it('takes a good row', () => expect(validateRow(good, profile)).toEqual({ verdict: 'valid' }));
  it.each<[string, DpRow]>([
    ['customer-missing', { ...good, customer: undefined }],
    ['customer-of-another-biller', { ...good, customer: { ...good.customer!, billerId: billerId('2') } }],
    ['payment-missing', { ...good, payment: undefined }],
    ['payment-of-another-customer', paying({ customerId: '8' })],
    ['biller-missing', { ...good, biller: undefined }],
    ['biller-inactive', { ...good, biller: { ...good.biller!, active: false } }],
    ['action-not-allowed', { ...good, dataType: 'AutoPay' }],
    ['amount-not-positive', money(0)],
    ['amount-not-positive', money(1.5)],
    ['amount-too-large', money(10_000_000_001)],
    ['currency-malformed', money(1, 'eur')],
    ['currency-malformed', money(1, '')],
    ['currency-malformed', money(1, 'USD ')],
    ['currency-unknown', money(1, 'ZZZ')],
    ['currency-unknown', money(1, 'XAU')],
    ['currency-unknown', money(1, 'HRK')],
    ['amount-not-positive', money(-0)],
    ['amount-not-positive', money(NaN)],
    ...[
      '0000-01-01T00:00:00.000Z',
      '0001-01-01T00:00:00.000Z',
      '1969-12-31T23:59:59.999Z',
      '2100-01-01T00:00:00.000Z',
      '2999-12-31T00:00:00.000Z',
      '2026-13-01T00:00:00.000Z',
      '+012026-01-01T00:00:00.000Z',
      'soon',
      '',
    ].flatMap((at): [string, DpRow][] => [
      ['date-implausible', paying({ paidAt: at })],
      ['date-implausible', { ...good, createdAt: at as DpRow['createdAt'] }],
    ]),
  ])('rejects: %s', (reason, row) =>
    expect(validateRow(row, profile)).toEqual({ verdict: 'rejected', reasons: [reason] }),
  );
  it('tells every reason at once', () => {
    expect(validateRow({ ...good, customer: undefined, biller: undefined, payment: undefined }, profile)).toEqual({
      verdict: 'rejected',
      reasons: ['biller-missing', 'customer-missing', 'payment-missing'],
    });
  });
  it('skips other invoice types and notifications of change, but rejects before it skips', () => {
    expect(validateRow(paying({ invoiceType: 'fine' }), profile)).toEqual({
      verdict: 'skipped',
      constraint: 'AllowedInvoiceTypes',
    });
    expect(validateRow({ ...paying({ achReturnCode: 'C01' }), dataType: 'ACHRejects' }, profile)).toEqual({
      verdict: 'skipped',
      constraint: 'SkipNOCs',
    });
    expect(validateRow({ ...paying({ invoiceType: 'fine' }), customer: undefined }, profile).verdict).toBe('rejected');
  });
});

describe('the retry schedule', () => {
  const fixed = { kind: 'fixed', waitsMs: [1000, 3000], maxAgeMs: 60_000 } as const;
  const growing = {
    kind: 'exponential',
    initialMs: 100,
    factor: 2,
    maxMs: 500,
    jitter: 0.5,
    attemptsMax: 6,
    maxAgeMs: 60_000,
  } as const;
  it('waits as listed, then gives up', () =>
    expect([0, 1, 2, 3].map((spent) => waitBeforeTry(fixed, spent, 0))).toEqual([0, 1000, 3000, undefined]));
  it('doubles up to a limit, less what chance takes', () => {
    expect([1, 2, 3, 4, 5, 6].map((spent) => waitBeforeTry(growing, spent, 0))).toEqual([
      100,
      200,
      400,
      500,
      500,
      undefined,
    ]);
    expect(waitBeforeTry(growing, 1, 0.5)).toBe(75);
  });
  it('is bounded by tries and by age', () => {
    const facts = { spentTries: 1, openedAt: atSecond(0), now: atSecond(59), chance: 0 };
    expect(nextTry(fixed, facts)).toEqual({ retry: 'at', at: atSecond(60) });
    expect(nextTry(fixed, { ...facts, now: atSecond(60) })).toEqual({ retry: 'never', reason: 'TooOld' });
    expect(nextTry(fixed, { ...facts, spentTries: 3 })).toEqual({ retry: 'never', reason: 'AttemptsUsedUp' });
  });
});

describe('a delivery window', () => {
  const window = (over: Partial<DeliveryWindow>): DeliveryWindow[] => [
    { days: ['Fri'], from: '08:00', to: '18:00', timeZone: 'Europe/Prague', ...over },
  ];
  it('opens by the time zone of the biller', () => {
    expect(nextOpening(window({}), instant('2026-11-20T06:31:00Z'))).toBe('2026-11-20T07:00:00.000Z');
    expect(isOpen(window({}), instant('2026-11-20T17:00:00Z'))).toBe(false);
    expect(nextOpening([], instant('2026-11-20T06:31:00Z'))).toBe('2026-11-20T06:31:00.000Z');
  });
  it('runs past midnight and belongs to the day it opens on', () => {
    const night = window({ from: '22:00', to: '02:00' });
    expect(
      ['2026-11-20T21:00:00Z', '2026-11-21T00:59:00Z', '2026-11-21T01:00:00Z', '2026-11-20T00:30:00Z'].map((at) =>
        isOpen(night, instant(at)),
      ),
    ).toEqual([true, true, false, false]);
  });
  it('is found after the week whose change to summer time leaves it out', () => {
    expect(nextOpening(window({ days: ['Sun'], from: '02:00', to: '03:00' }), instant('2026-03-22T03:00:00Z'))).toBe(
      '2026-04-05T00:00:00.000Z',
    );
  });
});

describe('a delivery outcome', () => {
  it('closes the attempt unless it is unknown', () => {
    expect(closingEventOf({ kind: 'unknown', code: 'timeout' })).toBeUndefined();
    expect(closingEventOf({ kind: 'accepted', httpStatus: 200, billerReference: undefined })).toEqual({
      type: 'DeliveryAttemptAccepted',
      data: { httpStatus: 200 },
    });
    expect([1, 5_000, 1e9].map((retryAfterMs) => closingEventOf({ kind: 'throttled', retryAfterMs })?.data)).toEqual([
      { retryAfterMs: 1_000 },
      { retryAfterMs: 5_000 },
      { retryAfterMs: 3_600_000 },
    ]);
  });
  it('of a resend closes only as an answer about the effect', () => {
    expect([
      closingEventOfResend({ kind: 'not-executed', code: 'x' }),
      closingEventOfResend({ kind: 'throttled', retryAfterMs: 1 }),
      closingEventOfResend({ kind: 'not-sent', lateByMs: 1 }),
    ]).toEqual([undefined, undefined, undefined]);
    expect(closingEventOfResend({ kind: 'declined', httpStatus: 422, code: 'x' })?.type).toBe(
      'DeliveryAttemptDeclined',
    );
  });
});

describe('values', () => {
  it('an instant is brought to one form, and an impossible one is refused', () => {
    expect(instant('2026-11-20T09:00:00+01:00')).toBe('2026-11-20T08:00:00.000Z');
    for (const text of [
      '0000-01-01T00:00:00Z',
      '0001-01-01T00:00:00Z',
      '2999-12-31T00:00:00Z',
      '2100-01-01T00:00:00Z',
      '1969-12-31T23:59:59Z',
    ])
      expect(() => instant(text)).toThrow('a date from 1970 to 2099');
    for (const text of ['2026-99-99T99:99:99.999Z', '2026-11-20', '2026-11-20T09:00:00', 'x'])
      expect(() => instant(text)).toThrow(TypeError);
  });
  it('a day or an hour that is in no calendar is none, however Date.parse reads it (issue 8, no 17)', () => {
    const none = [
      '2026-02-29',
      '2026-02-30',
      '2026-02-31',
      '2026-04-31',
      '2026-06-31',
      '2026-09-31',
      '2026-11-31',
      '2100-02-29',
    ].map((day) => `${day}T08:00:00.000Z`);
    for (const text of [...none, '2026-11-20T24:00:00.000Z'])
      expect([text, isPlausible(text as Instant)]).toEqual([text, false]);
    for (const text of none)
      for (const form of [text, text.replace('Z', '+01:00'), text.replace('.000', '')])
        expect(() => instant(form)).toThrow(TypeError);
    for (const text of ['2028-02-29T00:00:00.000Z', '2026-12-31T23:59:59.999Z'])
      expect([text, isPlausible(text as Instant), instant(text)]).toEqual([text, true, text]);
  });
  it('ids hold no colon, so a record key comes apart again', () => {
    expect(parseRecordKey('12:100')).toEqual({ billerId: '12', dpId: '100' });
    expect(['12', '1:2:3', ':1', 'a b:1'].map(parseRecordKey)).toEqual([undefined, undefined, undefined, undefined]);
    expect(() => dpId('1:2')).toThrow('without blanks or colons');
  });
  it('no status follows a final one', () => {
    const final = ['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn'];
    expect(ROW_STATUSES.flatMap((to) => allowedPredecessors(to)).filter((from) => final.includes(from))).toEqual([]);
    expect(allowedPredecessors('Published')).toEqual(['Queued']);
  });
});
