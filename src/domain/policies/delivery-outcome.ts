import { type ClosingEvent } from '../delivery-attempt/delivery-attempt.decider';

/**
 * What one HTTP exchange with a biller meant, after its profile classified it. `unknown` is the only honest word where
 * the request may have left and no answer settles the matter.
 */
export type CallOutcome =
  | { readonly kind: 'accepted'; readonly httpStatus: number; readonly billerReference: string | undefined }
  | { readonly kind: 'declined'; readonly httpStatus: number; readonly code: string | undefined }
  | { readonly kind: 'throttled'; readonly retryAfterMs: number }
  | { readonly kind: 'not-executed'; readonly code: string }
  | { readonly kind: 'not-sent'; readonly lateByMs: number }
  | { readonly kind: 'unknown'; readonly code: string };

/** Bounds on what a biller's Retry-After may ask of us. */
export const RETRY_AFTER_MIN_MS = 1_000;
export const RETRY_AFTER_MAX_MS = 3_600_000;

/** The event that closes the attempt; undefined where nothing may close it yet. */
export function closingEventOf(outcome: CallOutcome): ClosingEvent | undefined {
  switch (outcome.kind) {
    case 'accepted':
      return { type: 'DeliveryAttemptAccepted', data: { httpStatus: outcome.httpStatus, ...optional('billerReference', outcome.billerReference) } };
    case 'declined':
      return { type: 'DeliveryAttemptDeclined', data: { httpStatus: outcome.httpStatus, ...optional('code', outcome.code) } };
    case 'throttled':
      return {
        type: 'DeliveryAttemptThrottled',
        data: { retryAfterMs: Math.min(RETRY_AFTER_MAX_MS, Math.max(RETRY_AFTER_MIN_MS, outcome.retryAfterMs)) },
      };
    case 'not-executed':
      return { type: 'DeliveryAttemptNotExecuted', data: { code: outcome.code } };
    case 'not-sent':
      return { type: 'DeliveryAttemptNotSent', data: { lateByMs: outcome.lateByMs } };
    case 'unknown':
      return undefined;
  }
}

/**
 * The outcome of a RESEND closes the attempt only where it is an answer about the effect. "Refused", "throttled" or
 * "not sent" speak of the second call alone and leave open what became of the first.
 */
export const closingEventOfResend = (outcome: CallOutcome): ClosingEvent | undefined =>
  outcome.kind === 'accepted' || outcome.kind === 'declined' ? closingEventOf(outcome) : undefined;

/** A member only where it has a value: stored JSON holds no nulls. */
function optional<Name extends string>(name: Name, value: string | undefined): { [K in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [K in Name]?: string });
}
