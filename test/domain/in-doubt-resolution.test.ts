import { type DoubtCapability } from '../../src/domain/biller/biller-profile';
import { fold } from '../../src/domain/decider';
import { deliveryAttemptDecider } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { type OpenAttempt } from '../../src/domain/delivery-attempt/delivery-attempt.state';
import {
  judgeInquiry,
  nextLookAt,
  PENDING_ANSWERS_MAX,
  resendFits,
  RESENDS_MAX,
  resolveDoubt,
  UNAVAILABLE_ANSWERS_MAX,
} from '../../src/domain/policies/in-doubt-resolution';
import { atSecond, inquired, resent, started } from '../support/events';

const inquiry = { lagMs: 5_000 };
const keys = { retentionMs: 100_000, marginMs: 10_000 };
const terms = (capability: Partial<DoubtCapability>) => ({
  quarantineMs: 20_000,
  capability: { inquiry: undefined, keys: undefined, ...capability },
});
const open = (...events: DeliveryAttemptEvent[]): OpenAttempt =>
  fold(deliveryAttemptDecider, [started(), ...events]) as OpenAttempt;
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
// Started at 0 with notAfter 10 and quarantine 20: doubt begins at 30. Key: 0 + 100 − 10 − 20 = 70.

describe('an open attempt', () => {
  it('is left alone until its notAfter and the quarantine are over', () => {
    expect(resolveDoubt(open(), terms({ inquiry }), atSecond(29))).toEqual({ step: 'wait', until: atSecond(30) });
    expect(resolveDoubt(open(), terms({ inquiry }), atSecond(30))).toEqual({ step: 'inquire' });
  });
  it('is owned anew by a resend', () => {
    expect(resolveDoubt(open(resent(30)), terms({ keys }), atSecond(49))).toEqual({
      step: 'wait',
      until: atSecond(50),
    });
  });
  it('is left alone for as long as the biller asked when it throttled a resend', () => {
    const throttled: DeliveryAttemptEvent = {
      type: 'DeliveryAttemptOutcomeUnknown',
      data: { code: 'resend-throttled', at: atSecond(12), retryAfterMs: 40_000 },
    };
    const attempt = open(resent(10), throttled);
    expect(resolveDoubt(attempt, terms({ inquiry, keys }), atSecond(51))).toEqual({
      step: 'wait',
      until: atSecond(52),
    });
    expect(resolveDoubt(attempt, terms({ inquiry, keys }), atSecond(52))).toEqual({ step: 'inquire' });
  });
  it('goes straight to the operator with neither inquiry nor keys', () => {
    expect(resolveDoubt(open(), terms({}), atSecond(30))).toEqual({
      step: 'operator',
      cause: 'neither-inquiry-nor-keys',
    });
  });
  it('is resent with keys alone, until the biller could forget the key before a late effect', () => {
    expect(resolveDoubt(open(), terms({ keys }), atSecond(69))).toEqual({
      step: 'resend',
      before: atSecond(70),
      ordinal: 1,
    });
    expect(resolveDoubt(open(), terms({ keys }), atSecond(70))).toEqual({
      step: 'operator',
      cause: 'key-retention-over',
    });
  });
  it('counts the retention from the first use of the key by an earlier attempt', () => {
    const attempt = fold(deliveryAttemptDecider, [
      started({ at: atSecond(50), notAfter: atSecond(55), keyFirstUsedAt: atSecond(0) }),
    ]) as OpenAttempt;
    expect(resolveDoubt(attempt, terms({ keys }), atSecond(75))).toEqual({
      step: 'operator',
      cause: 'key-retention-over',
    });
  });
  it('is not resent more often than RESENDS_MAX', () => {
    expect(resolveDoubt(open(...times(RESENDS_MAX, resent(12))), terms({ keys }), atSecond(40))).toEqual({
      step: 'operator',
      cause: 'resends-used-up',
    });
  });
  it('is asked about first where both are offered, and resent where the biller cannot tell', () => {
    expect(resolveDoubt(open(), terms({ inquiry, keys }), atSecond(30))).toEqual({ step: 'inquire' });
    expect(resolveDoubt(open(inquired('cannot-tell')), terms({ inquiry, keys }), atSecond(30)).step).toBe('resend');
    expect(resolveDoubt(open(inquired('cannot-tell')), terms({ inquiry }), atSecond(30))).toEqual({
      step: 'operator',
      cause: 'inquiry-cannot-tell',
    });
  });
  it('goes to the operator after too many pending answers', () => {
    const pending = inquired('pending');
    expect(resolveDoubt(open(...times(PENDING_ANSWERS_MAX - 1, pending)), terms({ inquiry }), atSecond(30))).toEqual({
      step: 'inquire',
    });
    expect(resolveDoubt(open(...times(PENDING_ANSWERS_MAX, pending)), terms({ inquiry }), atSecond(30))).toEqual({
      step: 'operator',
      cause: 'still-pending',
    });
  });
  it('takes turns between a silent inquiry and a resend', () => {
    const silent = inquired('unavailable');
    const step = (...events: DeliveryAttemptEvent[]) =>
      resolveDoubt(open(...events), terms({ inquiry, keys }), atSecond(40)).step;
    expect([
      step(silent, silent),
      step(silent, silent, silent),
      step(silent, silent, silent, resent(12)),
      step(silent, silent, silent, resent(12), silent),
    ]).toEqual(['inquire', 'resend', 'inquire', 'resend']);
  });
  it('goes to the operator where the inquiry stays silent', () => {
    expect(
      resolveDoubt(open(...times(UNAVAILABLE_ANSWERS_MAX, inquired('unavailable'))), terms({ inquiry }), atSecond(30)),
    ).toEqual({ step: 'operator', cause: 'inquiry-unavailable' });
  });
});

describe('an inquiry', () => {
  const judge = (answer: Parameters<typeof judgeInquiry>[0], askedAt: number) =>
    judgeInquiry(answer, open(), terms({ inquiry }), atSecond(askedAt));
  const delivered = { answer: 'delivered', billerReference: 'r' } as const;
  it('that says absent is believed only when asked after quarantine and lag', () => {
    expect(judge({ answer: 'absent' }, 34)).toEqual({ judged: 'too-early', until: atSecond(35) });
    expect(judge({ answer: 'absent' }, 35)).toEqual({ judged: 'closed', outcome: 'not-executed' });
  });
  it('that says delivered closes, unless it tells another amount or currency', () => {
    expect(judge({ ...delivered, amount: undefined }, 30)).toEqual({ judged: 'closed', outcome: 'accepted' });
    expect(judge({ ...delivered, amount: { minorUnits: 1234, currency: 'EUR' } }, 30)).toEqual({
      judged: 'closed',
      outcome: 'accepted',
    });
    expect(judge({ ...delivered, amount: { minorUnits: 1235, currency: 'EUR' } }, 30)).toEqual({
      judged: 'operator',
      cause: 'another-amount',
    });
    expect(judge({ ...delivered, amount: { minorUnits: 1234, currency: 'CZK' } }, 30)).toEqual({
      judged: 'operator',
      cause: 'another-amount',
    });
  });
  it('that says declined closes as declined', () =>
    expect(judge({ answer: 'declined', code: 'x' }, 30)).toEqual({ judged: 'closed', outcome: 'declined' }));
  it.each(['pending', 'cannot-tell', 'unavailable'] as const)('that says %s is noted', (answer) =>
    expect(judge({ answer }, 30)).toEqual({ judged: 'noted', answer }),
  );
});

it('looks again after a doubling, bounded wait', () => {
  const waits = [0, 1, 3, 30].map((count) => nextLookAt(open(...times(count, inquired('pending'))), atSecond(0)));
  expect(waits).toEqual([atSecond(1), atSecond(2), atSecond(8), atSecond(900)]);
});
it('fits a resend only strictly before the key may be forgotten', () => {
  expect([resendFits(atSecond(70), atSecond(69)), resendFits(atSecond(70), atSecond(70))]).toEqual([true, false]);
});
