import {
  type ClosingEvent,
  type DeliveryAttemptCommand,
  deliveryAttemptDecider,
} from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { effectOf } from '../../src/domain/delivery-attempt/delivery-attempt.state';
import { atSecond, inquired, resent, started, startOf } from '../support/events';
import { given } from './given';

const attempt = (...history: readonly DeliveryAttemptEvent[]) => given(deliveryAttemptDecider, ...history);
const start: DeliveryAttemptCommand = { type: 'StartAttempt', start: startOf() };
const close = (closing: ClosingEvent, resendsSeen?: number): DeliveryAttemptCommand => ({
  type: 'CloseAttempt',
  closing,
  ...(resendsSeen === undefined ? {} : { resendsSeen }),
});
const unknown: DeliveryAttemptEvent = {
  type: 'DeliveryAttemptOutcomeUnknown',
  data: { code: 'timed-out', at: atSecond(5) },
};
const observe = (observation: number): DeliveryAttemptCommand => ({
  type: 'ObserveUnknown',
  code: 'timed-out',
  at: atSecond(5),
  observation,
});
const ask = (observation: number): DeliveryAttemptCommand => ({
  type: 'RecordInquiry',
  answer: 'pending',
  at: atSecond(20),
  observation,
});
const resend = (ordinal: number): DeliveryAttemptCommand => ({
  type: 'StateResend',
  at: atSecond(20),
  notAfter: atSecond(30),
  ordinal,
});

const accepted: ClosingEvent = { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200, billerReference: 'R-1' } };
const acceptedWithout: ClosingEvent = { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200 } };
const acceptedOther: ClosingEvent = {
  type: 'DeliveryAttemptAccepted',
  data: { httpStatus: 200, billerReference: 'R-2' },
};
const declined: ClosingEvent = { type: 'DeliveryAttemptDeclined', data: { httpStatus: 422, code: 'closed-account' } };
const throttled: ClosingEvent = { type: 'DeliveryAttemptThrottled', data: { retryAfterMs: 3_000 } };
const notExecuted: ClosingEvent = { type: 'DeliveryAttemptNotExecuted', data: { code: 'connection-refused' } };
const notSent: ClosingEvent = { type: 'DeliveryAttemptNotSent', data: { lateByMs: 4 } };
const byInquiry = (outcome: 'accepted' | 'declined' | 'not-executed'): ClosingEvent => ({
  type: 'DeliveryAttemptResolvedByInquiry',
  data: { outcome, billerReference: 'R-1', code: 'said-no' },
});
const byOperator = (outcome: 'accepted' | 'declined' | 'not-executed'): ClosingEvent => ({
  type: 'DeliveryAttemptResolvedByOperator',
  data: { outcome, by: 'ana', evidence: 'statement', billerReference: 'R-1' },
});
const late = (outcome: 'accepted' | 'declined' | 'not-executed', billerReference?: string): DeliveryAttemptEvent => ({
  type: 'LateOutcomeObserved',
  data: { outcome, ...(billerReference === undefined ? {} : { billerReference }) },
});
const suspected = (
  closedAs: 'accepted' | 'declined' | 'not-executed',
  observed: 'accepted' | 'declined' | 'not-executed',
): DeliveryAttemptEvent => ({ type: 'DoublePostSuspected', data: { closedAs, observed } });

describe('a start', () => {
  it('owns the attempt', () => attempt().when(start).then(started()));
  it('is refused to everyone else, an equal one too', () => {
    attempt(started()).when(start).thenRefused('attempt-owned');
    attempt(started(), accepted).when(start).thenRefused('attempt-owned');
  });
  it('comes before anything else', () => {
    for (const command of [close(accepted), observe(1), ask(1), resend(1)])
      attempt().when(command).thenRefused('attempt-absent');
  });
});

describe('an open attempt', () => {
  it.each([accepted, declined, throttled, notExecuted, notSent, byInquiry('accepted'), byOperator('not-executed')])(
    'is closed by %j',
    (closing) => {
      attempt(started()).when(close(closing)).then(closing);
    },
  );
  it('is closed as not executed only by someone who saw every resend', () => {
    for (const closing of [throttled, notExecuted, notSent, byInquiry('not-executed'), byOperator('not-executed')]) {
      attempt(started(), resent()).when(close(closing)).thenRefused('attempt-resent');
      attempt(started(), resent()).when(close(closing, 1)).then(closing);
      attempt(started(), resent(), resent()).when(close(closing, 1)).thenRefused('attempt-resent');
    }
    for (const closing of [accepted, declined, byInquiry('accepted'), byOperator('declined')])
      attempt(started(), resent()).when(close(closing)).then(closing);
  });
  it('notes an unclear answer once per look', () => {
    attempt(started()).when(observe(1)).then(unknown);
    attempt(started(), unknown).when(observe(1)).thenNothing();
    attempt(started(), unknown).when(observe(2)).then(unknown);
    attempt(started()).when(observe(2)).thenRefused('ordinal-out-of-order');
  });
  it('notes an inquiry that settled nothing once per look, whatever the answers before', () => {
    attempt(started()).when(ask(1)).then(inquired('pending'));
    attempt(started(), inquired('cannot-tell')).when(ask(1)).thenNothing();
    attempt(started(), inquired('pending'), inquired('cannot-tell'), inquired('unavailable'))
      .when(ask(3))
      .thenNothing();
    attempt(started(), inquired('pending'), inquired('cannot-tell'), inquired('unavailable'))
      .when(ask(4))
      .then(inquired('pending'));
    attempt(started(), inquired('pending')).when(ask(3)).thenRefused('ordinal-out-of-order');
  });
  it('is resent by one owner at a time, in order', () => {
    attempt(started()).when(resend(1)).then(resent());
    attempt(started(), resent()).when(resend(1)).thenRefused('attempt-owned');
    attempt(started(), resent()).when(resend(2)).then(resent());
    attempt(started()).when(resend(2)).thenRefused('ordinal-out-of-order');
  });
});

describe('a closed attempt', () => {
  it('is not resent, and notes nothing more', () => {
    attempt(started(), accepted).when(resend(1)).thenRefused('attempt-closed');
    attempt(started(), accepted).when(observe(1)).thenNothing();
    attempt(started(), accepted).when(ask(1)).thenNothing();
  });
  it('takes the same outcome as said', () => {
    attempt(started(), accepted).when(close(accepted)).thenNothing();
    attempt(started(), accepted).when(close(acceptedWithout)).thenNothing();
    attempt(started(), acceptedWithout).when(close(accepted)).thenNothing();
    attempt(started(), declined).when(close(declined)).thenNothing();
    for (const again of [throttled, notExecuted, notSent, byOperator('not-executed')])
      attempt(started(), notExecuted).when(close(again)).thenNothing();
  });
  it('suspects a double post where an effect is seen after it was closed without one', () => {
    attempt(started(), notExecuted)
      .when(close(accepted))
      .then(late('accepted', 'R-1'), suspected('not-executed', 'accepted'));
    attempt(started(), notExecuted)
      .when(close(acceptedWithout))
      .then(late('accepted'), suspected('not-executed', 'accepted'));
    attempt(started(), byOperator('not-executed'))
      .when(close(declined))
      .then(late('declined'), suspected('not-executed', 'declined'));
    attempt(started(), accepted).when(close(declined)).then(late('declined'), suspected('accepted', 'declined'));
    attempt(started(), declined)
      .when(close(byInquiry('accepted')))
      .then(late('accepted', 'R-1'), suspected('declined', 'accepted'));
  });
  it('suspects one where the biller names another effect', () => {
    attempt(started(), accepted)
      .when(close(acceptedOther))
      .then(late('accepted', 'R-2'), suspected('accepted', 'accepted'));
    const seen = [late('accepted', 'R-2'), suspected('accepted', 'accepted')];
    attempt(started(), accepted, ...seen)
      .when(close(acceptedOther))
      .thenNothing();
  });
  it('suspects nothing where the second call was refused and the first was done', () => {
    attempt(started(), accepted).when(close(notExecuted)).then(late('not-executed'));
    attempt(started(), accepted, late('not-executed')).when(close(notExecuted)).thenNothing();
  });
  it('notes each late outcome once, and suspects once', () => {
    const seen = [late('accepted', 'R-1'), suspected('not-executed', 'accepted')];
    attempt(started(), notExecuted, ...seen)
      .when(close(accepted))
      .thenNothing();
    attempt(started(), notExecuted, ...seen)
      .when(close(declined))
      .then(late('declined'));
  });
});

describe('the state of an attempt', () => {
  const open = {
    status: 'open',
    started: startOf(),
    ownedUntil: atSecond(10),
    unknowns: 0,
    inquiries: { pending: 0, cannotTell: 0, unavailable: 0 },
    resends: 0,
  } as const;
  it('counts what happened while it was open', () => {
    attempt(started()).thenState(open);
    attempt(started(), unknown, unknown).thenState({ ...open, unknowns: 2 });
    attempt(started(), inquired('pending'), inquired('pending')).thenState({
      ...open,
      inquiries: { pending: 2, cannotTell: 0, unavailable: 0 },
    });
    attempt(started(), inquired('cannot-tell'), inquired('cannot-tell')).thenState({
      ...open,
      inquiries: { pending: 0, cannotTell: 2, unavailable: 0 },
    });
    attempt(started(), inquired('unavailable'), inquired('unavailable')).thenState({
      ...open,
      inquiries: { pending: 0, cannotTell: 0, unavailable: 2 },
    });
  });
  it('is owned until the latest notAfter of the start and its resends', () => {
    attempt(started(), resent(30), resent(20)).thenState({ ...open, resends: 2, ownedUntil: atSecond(30) });
  });
  it.each<[ClosingEvent, object]>([
    [accepted, { as: 'accepted', billerReference: 'R-1' }],
    [declined, { as: 'declined', code: 'closed-account' }],
    [throttled, { as: 'throttled', retryAfterMs: 3_000 }],
    [notExecuted, { as: 'not-executed', code: 'connection-refused' }],
    [notSent, { as: 'not-sent' }],
    [byInquiry('accepted'), { as: 'accepted', billerReference: 'R-1' }],
    [byInquiry('declined'), { as: 'declined', code: 'said-no' }],
    [byInquiry('not-executed'), { as: 'not-executed', code: 'inquiry-absent' }],
    [byOperator('accepted'), { as: 'accepted', billerReference: 'R-1' }],
    [byOperator('declined'), { as: 'declined', code: 'operator' }],
    [byOperator('not-executed'), { as: 'not-executed', code: 'operator' }],
  ])('keeps what closed it: %j', (closing, as) => {
    attempt(started(), closing).thenState({
      status: 'closed',
      started: startOf(),
      closing: as as never,
      lateOutcomes: [],
      doublePostSuspected: false,
    });
  });
  it('keeps what was seen late, and stays as it was closed', () => {
    const seen = [
      late('accepted', 'R-1'),
      suspected('not-executed', 'accepted'),
      accepted,
      declined,
      unknown,
      inquired('pending'),
      resent(),
    ];
    attempt(started(), notSent, ...seen).thenState({
      status: 'closed',
      started: startOf(),
      closing: { as: 'not-sent' },
      lateOutcomes: ['accepted'],
      doublePostSuspected: true,
    });
  });
  it('begins with its start, and no late word closes it', () => {
    attempt(accepted).thenState({ status: 'absent' });
    attempt(started(), late('accepted'), suspected('accepted', 'accepted')).thenState(open);
  });
});

it('calls an effect what the biller did, and nothing else', () => {
  expect([
    effectOf({ as: 'accepted', billerReference: undefined }),
    effectOf({ as: 'declined', code: undefined }),
    effectOf({ as: 'throttled', retryAfterMs: 1 }),
    effectOf({ as: 'not-executed', code: 'x' }),
    effectOf({ as: 'not-sent' }),
  ]).toEqual(['accepted', 'declined', 'not-executed', 'not-executed', 'not-executed']);
});

it('has its end when it is closed', () => {
  const { isTerminal, initialState } = deliveryAttemptDecider;
  expect([
    isTerminal(initialState),
    isTerminal({ status: 'closed' } as never),
    isTerminal({ status: 'open' } as never),
  ]).toEqual([false, true, false]);
});
