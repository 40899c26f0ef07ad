/*
 * Stored for ever: names and shapes here are read back from every history ever written. Add members as optional only.
 * The stream of an attempt is the inbox: whoever creates it owns the call, and exactly one event closes it.
 */
import { type BillerId, type DpId, type ProfileVersion } from '../identifiers';
import { type Instant } from '../instant';
import { type Money } from '../money';

export type DeliveryAttemptEvent =
  | DeliveryAttemptStarted
  | DeliveryAttemptAccepted
  | DeliveryAttemptDeclined
  | DeliveryAttemptThrottled
  | DeliveryAttemptNotExecuted
  | DeliveryAttemptNotSent
  | DeliveryAttemptOutcomeUnknown
  | DeliveryAttemptInquired
  | DeliveryAttemptResent
  | DeliveryAttemptResolvedByInquiry
  | DeliveryAttemptResolvedByOperator
  | LateOutcomeObserved
  | DoublePostSuspected;

export interface DeliveryAttemptStarted {
  readonly type: 'DeliveryAttemptStarted';
  readonly data: {
    readonly billerId: BillerId;
    readonly dpId: DpId;
    readonly attempt: number;
    readonly at: Instant;
    /** No byte leaves after this, by the owner's monotonic clock. */
    readonly notAfter: Instant;
    readonly idempotencyKey: string;
    /** SHA-256 of method, URL and body: a resend must be the same bytes. */
    readonly requestHash: string;
    readonly profileVersion: ProfileVersion;
    /** First use of the key by an earlier attempt of this record; undefined where this is the first. */
    readonly keyFirstUsedAt?: Instant;
    readonly amount?: Money;
    /** Nobody calls under this start: it stands for the calls that a lost event store may have known of. */
    readonly underLostHistory?: boolean;
  };
}

export interface DeliveryAttemptAccepted {
  readonly type: 'DeliveryAttemptAccepted';
  readonly data: { readonly httpStatus: number; readonly billerReference?: string };
}
export interface DeliveryAttemptDeclined {
  readonly type: 'DeliveryAttemptDeclined';
  readonly data: { readonly httpStatus: number; readonly code?: string };
}
export interface DeliveryAttemptThrottled {
  readonly type: 'DeliveryAttemptThrottled';
  readonly data: { readonly retryAfterMs: number };
}
export interface DeliveryAttemptNotExecuted {
  readonly type: 'DeliveryAttemptNotExecuted';
  readonly data: { readonly code: string };
}
/** Nothing left this process: its time was over, it was taken so that no call is made, or `code` says what forbade it. */
export interface DeliveryAttemptNotSent {
  readonly type: 'DeliveryAttemptNotSent';
  readonly data: {
    readonly lateByMs: number;
    /** What kept the request from leaving, whatever the time. */
    readonly code?: string;
    /** Why no call was to be made; absent: its time was over, or an older version took it. */
    readonly why?:
      'row-withdrawn' | 'row-not-valid' | 'cannot-prepare' | 'given-up-by-broker' | 'too-old' | 'identity-conflict';
  };
}
/** Observed; does not close the attempt. */
export interface DeliveryAttemptOutcomeUnknown {
  readonly type: 'DeliveryAttemptOutcomeUnknown';
  readonly data: {
    readonly code: string;
    readonly at: Instant;
    /** Of an answer that came and settled nothing: its status, its media type, and the name of a masked piece kept elsewhere for a while. */
    readonly httpStatus?: number;
    readonly contentType?: string;
    readonly snippet?: string;
    /** It answered a call that was sent again by asking to be left alone for so long; that call is no doubt, the first one is. */
    readonly retryAfterMs?: number;
  };
}
/** The biller was asked and its answer did not settle the doubt. */
export interface DeliveryAttemptInquired {
  readonly type: 'DeliveryAttemptInquired';
  readonly data: { readonly answer: 'pending' | 'cannot-tell' | 'unavailable'; readonly at: Instant };
}
/** Intent to send the identical bytes again under the same key; a new ownership until its own notAfter. */
export interface DeliveryAttemptResent {
  readonly type: 'DeliveryAttemptResent';
  readonly data: { readonly at: Instant; readonly notAfter: Instant };
}
export interface DeliveryAttemptResolvedByInquiry {
  readonly type: 'DeliveryAttemptResolvedByInquiry';
  readonly data: { readonly outcome: ResolvedOutcome; readonly billerReference?: string; readonly code?: string };
}
export interface DeliveryAttemptResolvedByOperator {
  readonly type: 'DeliveryAttemptResolvedByOperator';
  readonly data: {
    readonly outcome: ResolvedOutcome;
    /** Who the system knows it was. */
    readonly by: string;
    /** Who the person at the command line said to be. */
    readonly claimedBy?: string;
    readonly evidence: string;
    readonly billerReference?: string;
  };
}
/** An answer that came after another event had closed the attempt. */
export interface LateOutcomeObserved {
  readonly type: 'LateOutcomeObserved';
  readonly data: { readonly outcome: ResolvedOutcome; readonly billerReference?: string };
}
/** What closed the attempt and what was seen later cannot both be true: a person must look. */
export interface DoublePostSuspected {
  readonly type: 'DoublePostSuspected';
  readonly data: { readonly closedAs: ResolvedOutcome; readonly observed: ResolvedOutcome };
}

export type ResolvedOutcome = 'accepted' | 'declined' | 'not-executed';
