import {
  type DeliveryAttemptEvent,
  type DeliveryAttemptStarted,
  type ResolvedOutcome,
} from './delivery-attempt.events';
import { latest, type Instant, plusMs } from '../instant';

/** absent → open → closed. An open attempt may be observed, inquired and resent any bounded number of times. */
export type DeliveryAttempt = { readonly status: 'absent' } | OpenAttempt | ClosedAttempt;

type Started = DeliveryAttemptStarted['data'];

export interface OpenAttempt {
  readonly status: 'open';
  readonly started: Started;
  /** The latest notAfter of the start and its resends: until then, plus the quarantine, an owner may be alive. */
  readonly ownedUntil: Instant;
  readonly unknowns: number;
  readonly inquiries: { readonly pending: number; readonly cannotTell: number; readonly unavailable: number };
  readonly resends: number;
  /** The biller asked to be left alone until then. */
  readonly leaveAloneUntil?: Instant;
}

export interface ClosedAttempt {
  readonly status: 'closed';
  readonly started: Started;
  readonly closing: Closing;
  readonly lateOutcomes: readonly ResolvedOutcome[];
  readonly doublePostSuspected: boolean;
}

export type Closing =
  | { readonly as: 'accepted'; readonly billerReference: string | undefined }
  | { readonly as: 'declined'; readonly code: string | undefined }
  | { readonly as: 'throttled'; readonly retryAfterMs: number }
  | { readonly as: 'not-executed'; readonly code: string }
  | { readonly as: 'not-sent'; readonly code?: string };

export const absentAttempt: DeliveryAttempt = { status: 'absent' };

/** What a closing says of the effect at the biller. */
export const effectOf = (closing: Closing): ResolvedOutcome =>
  closing.as === 'accepted' || closing.as === 'declined' ? closing.as : 'not-executed';

export function evolveDeliveryAttempt(state: DeliveryAttempt, event: DeliveryAttemptEvent): DeliveryAttempt {
  if (event.type === 'DeliveryAttemptStarted') {
    return {
      status: 'open',
      started: event.data,
      ownedUntil: event.data.notAfter,
      unknowns: 0,
      inquiries: { pending: 0, cannotTell: 0, unavailable: 0 },
      resends: 0,
    };
  }
  if (state.status === 'absent') return state;
  return state.status === 'open' ? evolveOpen(state, event) : evolveClosed(state, event);
}

type Later = Exclude<DeliveryAttemptEvent, DeliveryAttemptStarted>;

function evolveOpen(state: OpenAttempt, event: Later): DeliveryAttempt {
  switch (event.type) {
    case 'DeliveryAttemptAccepted':
      return closed(state, { as: 'accepted', billerReference: event.data.billerReference });
    case 'DeliveryAttemptDeclined':
      return closed(state, { as: 'declined', code: event.data.code });
    case 'DeliveryAttemptThrottled':
      return closed(state, { as: 'throttled', retryAfterMs: event.data.retryAfterMs });
    case 'DeliveryAttemptNotExecuted':
      return closed(state, { as: 'not-executed', code: event.data.code });
    case 'DeliveryAttemptNotSent':
      return closed(state, { as: 'not-sent', ...(event.data.code === undefined ? {} : { code: event.data.code }) });
    case 'DeliveryAttemptResolvedByInquiry':
      return closed(state, resolved(event.data.outcome, event.data.billerReference, event.data.code, 'inquiry-absent'));
    case 'DeliveryAttemptResolvedByOperator':
      return closed(state, resolved(event.data.outcome, event.data.billerReference, 'operator', 'operator'));
    case 'DeliveryAttemptOutcomeUnknown':
      return { ...state, unknowns: state.unknowns + 1, ...leaveAlone(event.data.at, event.data.retryAfterMs) };
    case 'DeliveryAttemptInquired':
      return { ...state, inquiries: counted(state.inquiries, event.data.answer) };
    case 'DeliveryAttemptResent':
      return { ...state, resends: state.resends + 1, ownedUntil: latest(state.ownedUntil, event.data.notAfter) };
    case 'LateOutcomeObserved':
    case 'DoublePostSuspected':
      return state;
  }
}

function evolveClosed(state: ClosedAttempt, event: Later): DeliveryAttempt {
  switch (event.type) {
    case 'LateOutcomeObserved':
      return { ...state, lateOutcomes: [...state.lateOutcomes, event.data.outcome] };
    case 'DoublePostSuspected':
      return { ...state, doublePostSuspected: true };
    case 'DeliveryAttemptAccepted':
    case 'DeliveryAttemptDeclined':
    case 'DeliveryAttemptThrottled':
    case 'DeliveryAttemptNotExecuted':
    case 'DeliveryAttemptNotSent':
    case 'DeliveryAttemptOutcomeUnknown':
    case 'DeliveryAttemptInquired':
    case 'DeliveryAttemptResent':
    case 'DeliveryAttemptResolvedByInquiry':
    case 'DeliveryAttemptResolvedByOperator':
      return state;
  }
}

const leaveAlone = (at: Instant, retryAfterMs: number | undefined): Pick<OpenAttempt, 'leaveAloneUntil'> =>
  retryAfterMs === undefined ? {} : { leaveAloneUntil: plusMs(at, retryAfterMs) };

function closed(state: OpenAttempt, closing: Closing): ClosedAttempt {
  return { status: 'closed', started: state.started, closing, lateOutcomes: [], doublePostSuspected: false };
}

function resolved(
  outcome: ResolvedOutcome,
  billerReference: string | undefined,
  code: string | undefined,
  why: string,
): Closing {
  if (outcome === 'accepted') return { as: 'accepted', billerReference };
  if (outcome === 'declined') return { as: 'declined', code };
  return { as: 'not-executed', code: why };
}

function counted(
  inquiries: OpenAttempt['inquiries'],
  answer: 'pending' | 'cannot-tell' | 'unavailable',
): OpenAttempt['inquiries'] {
  switch (answer) {
    case 'pending':
      return { ...inquiries, pending: inquiries.pending + 1 };
    case 'cannot-tell':
      return { ...inquiries, cannotTell: inquiries.cannotTell + 1 };
    case 'unavailable':
      return { ...inquiries, unavailable: inquiries.unavailable + 1 };
  }
}
