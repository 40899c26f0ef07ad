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
  /** `code`: why nothing may leave, whatever the time; it spends a try. Without it: its time was over. */
  | { readonly kind: 'not-sent'; readonly lateByMs: number; readonly code?: string }
  | { readonly kind: 'unknown'; readonly code: string; readonly answer?: UnclearAnswer };

/** An answer that came and settles nothing. Its body is not among it: that may hold anything. */
export interface UnclearAnswer {
  readonly httpStatus: number;
  /** A rule of the profile says that it settles nothing. */
  readonly byRule: boolean;
  readonly wellFormed: boolean;
  readonly contentType?: string;
  /** Names a masked piece of the body, where one is kept for a while. */
  readonly snippet?: string;
}

/** Bounds on what a biller's Retry-After may ask of us. */
const RETRY_AFTER_MIN_MS = 1_000;
export const RETRY_AFTER_MAX_MS = 3_600_000;

export const saneRetryAfterMs = (askedMs: number): number =>
  Math.min(RETRY_AFTER_MAX_MS, Math.max(RETRY_AFTER_MIN_MS, askedMs));

/** The event that closes the attempt; undefined where nothing may close it yet. */
export function closingEventOf(outcome: CallOutcome): ClosingEvent | undefined {
  switch (outcome.kind) {
    case 'accepted':
      return {
        type: 'DeliveryAttemptAccepted',
        data: { httpStatus: outcome.httpStatus, ...optional('billerReference', outcome.billerReference) },
      };
    case 'declined':
      return {
        type: 'DeliveryAttemptDeclined',
        data: { httpStatus: outcome.httpStatus, ...optional('code', outcome.code) },
      };
    case 'throttled':
      return {
        type: 'DeliveryAttemptThrottled',
        data: { retryAfterMs: saneRetryAfterMs(outcome.retryAfterMs) },
      };
    case 'not-executed':
      return { type: 'DeliveryAttemptNotExecuted', data: { code: outcome.code } };
    case 'not-sent':
      return {
        type: 'DeliveryAttemptNotSent',
        data: { lateByMs: outcome.lateByMs, ...optional('code', outcome.code) },
      };
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
