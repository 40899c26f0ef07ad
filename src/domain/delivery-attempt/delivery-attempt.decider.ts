import { accepted, alreadySo, type Decider, type Decision, refused } from '../decider';
import { type Instant } from '../instant';
import {
  type DeliveryAttemptAccepted,
  type DeliveryAttemptDeclined,
  type DeliveryAttemptEvent,
  type DeliveryAttemptInquired,
  type DeliveryAttemptNotExecuted,
  type DeliveryAttemptNotSent,
  type DeliveryAttemptOutcomeUnknown,
  type DeliveryAttemptResolvedByInquiry,
  type DeliveryAttemptResolvedByOperator,
  type DeliveryAttemptStarted,
  type DeliveryAttemptThrottled,
  type ResolvedOutcome,
} from './delivery-attempt.events';
import {
  absentAttempt,
  type ClosedAttempt,
  type DeliveryAttempt,
  effectOf,
  evolveDeliveryAttempt,
} from './delivery-attempt.state';

/** The events that may close an attempt; the first to be appended wins, every other becomes a late observation. */
export type ClosingEvent =
  | DeliveryAttemptAccepted
  | DeliveryAttemptDeclined
  | DeliveryAttemptThrottled
  | DeliveryAttemptNotExecuted
  | DeliveryAttemptNotSent
  | DeliveryAttemptResolvedByInquiry
  | DeliveryAttemptResolvedByOperator;

/** Members of the event; absent where there was no answer. */
export type ObservedAnswer = Pick<
  DeliveryAttemptOutcomeUnknown['data'],
  'httpStatus' | 'contentType' | 'snippet' | 'retryAfterMs'
>;

export type DeliveryAttemptCommand =
  | { readonly type: 'StartAttempt'; readonly start: DeliveryAttemptStarted['data'] }
  /**
   * `resendsSeen`: how many resends stood when the evidence was gathered (the owner of the first call: none). "Not
   * executed" speaks only of the calls made by then, and closes nothing where a later resend may have taken effect.
   */
  | { readonly type: 'CloseAttempt'; readonly closing: ClosingEvent; readonly resendsSeen?: number }
  /** `observation` is one more than what this caller saw before, so that telling it twice is telling it once. */
  | {
      readonly type: 'ObserveUnknown';
      readonly code: string;
      readonly at: Instant;
      readonly observation: number;
      readonly answer?: ObservedAnswer;
    }
  | {
      readonly type: 'RecordInquiry';
      readonly answer: DeliveryAttemptInquired['data']['answer'];
      readonly at: Instant;
      readonly observation: number;
    }
  | { readonly type: 'StateResend'; readonly at: Instant; readonly notAfter: Instant; readonly ordinal: number };

export type DeliveryAttemptRefusal =
  'attempt-absent' | 'attempt-owned' | 'attempt-resent' | 'attempt-closed' | 'ordinal-out-of-order';

type Result = Decision<DeliveryAttemptEvent, DeliveryAttemptRefusal>;

export const deliveryAttemptDecider: Decider<
  DeliveryAttempt,
  DeliveryAttemptCommand,
  DeliveryAttemptEvent,
  DeliveryAttemptRefusal
> = {
  initialState: absentAttempt,
  evolve: evolveDeliveryAttempt,
  isTerminal: (state) => state.status === 'closed',
  decide(command, state) {
    if (command.type === 'StartAttempt') return start(command.start, state);
    if (state.status === 'absent') return refused('attempt-absent');
    switch (command.type) {
      case 'CloseAttempt':
        if (state.status === 'closed') return observeLate(command.closing, state);
        if (outcomeOf(command.closing) === 'not-executed' && state.resends > (command.resendsSeen ?? 0))
          return refused('attempt-resent');
        return accepted<DeliveryAttemptEvent>(command.closing);
      case 'ObserveUnknown':
        if (state.status === 'closed' || state.unknowns >= command.observation) return alreadySo;
        if (command.observation !== state.unknowns + 1) return refused('ordinal-out-of-order');
        return accepted<DeliveryAttemptEvent>({
          type: 'DeliveryAttemptOutcomeUnknown',
          data: { code: command.code, at: command.at, ...command.answer },
        });
      case 'RecordInquiry': {
        if (state.status === 'closed') return alreadySo;
        const { pending, cannotTell, unavailable } = state.inquiries;
        const inquired = pending + cannotTell + unavailable;
        if (inquired >= command.observation) return alreadySo;
        if (command.observation !== inquired + 1) return refused('ordinal-out-of-order');
        return accepted<DeliveryAttemptEvent>({
          type: 'DeliveryAttemptInquired',
          data: { answer: command.answer, at: command.at },
        });
      }
      case 'StateResend':
        if (state.status === 'closed') return refused('attempt-closed');
        if (command.ordinal <= state.resends) return refused('attempt-owned');
        if (command.ordinal !== state.resends + 1) return refused('ordinal-out-of-order');
        return accepted<DeliveryAttemptEvent>({
          type: 'DeliveryAttemptResent',
          data: { at: command.at, notAfter: command.notAfter },
        });
    }
  },
};

/** Owning is exclusive: a start that already stands, even an equal one, belongs to someone else. */
function start(data: DeliveryAttemptStarted['data'], state: DeliveryAttempt): Result {
  return state.status === 'absent'
    ? accepted<DeliveryAttemptEvent>({ type: 'DeliveryAttemptStarted', data })
    : refused('attempt-owned');
}

/**
 * The loser of the race tells what it saw, once per outcome. A contradiction is money in danger: an effect seen after
 * the attempt was closed as without one may by now stand beside a second one.
 */
function observeLate(closing: ClosingEvent, state: ClosedAttempt): Result {
  const observed = outcomeOf(closing);
  const closedAs = effectOf(state.closing);
  const anotherEffect = isAnotherEffect(closing, state);
  if (!anotherEffect && (observed === closedAs || state.lateOutcomes.includes(observed))) return alreadySo;
  if (anotherEffect && state.doublePostSuspected) return alreadySo;
  // "not executed" seen late contradicts nothing where the answer stands: a second call was refused, the first was done.
  const contradiction = anotherEffect || observed !== 'not-executed';
  const late: DeliveryAttemptEvent = {
    type: 'LateOutcomeObserved',
    data: { outcome: observed, ...referenceOf(closing) },
  };
  if (!contradiction || state.doublePostSuspected) return accepted(late);
  return accepted<DeliveryAttemptEvent>(late, { type: 'DoublePostSuspected', data: { closedAs, observed } });
}

/** Two acceptances under different references of the biller are two effects. */
function isAnotherEffect(closing: ClosingEvent, state: ClosedAttempt): boolean {
  const reference = referenceOf(closing).billerReference;
  return (
    outcomeOf(closing) === 'accepted' &&
    state.closing.as === 'accepted' &&
    reference !== undefined &&
    state.closing.billerReference !== undefined &&
    reference !== state.closing.billerReference
  );
}

function outcomeOf(closing: ClosingEvent): ResolvedOutcome {
  switch (closing.type) {
    case 'DeliveryAttemptAccepted':
      return 'accepted';
    case 'DeliveryAttemptDeclined':
      return 'declined';
    case 'DeliveryAttemptThrottled':
    case 'DeliveryAttemptNotExecuted':
    case 'DeliveryAttemptNotSent':
      return 'not-executed';
    case 'DeliveryAttemptResolvedByInquiry':
    case 'DeliveryAttemptResolvedByOperator':
      return closing.data.outcome;
  }
}

function referenceOf(closing: ClosingEvent): { billerReference?: string } {
  const reference = 'billerReference' in closing.data ? closing.data.billerReference : undefined;
  return reference === undefined ? {} : { billerReference: reference };
}
