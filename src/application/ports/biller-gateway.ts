import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type ParkCause } from '../../domain/dp-record/dp-record.events';
import { type RecordKey } from '../../domain/identifiers';
import { type Money } from '../../domain/money';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../domain/policies/in-doubt-resolution';

/**
 * Speaks a biller's HTTP API as its profile describes it.
 *
 * Laws:
 *  1  prepare sends nothing to the business endpoint; what it throws is not an attempt. Equal row, profile and key
 *     give the equal requestHash.
 *  2  send puts at most one business request on the wire per call; one 401 is answered by one token refresh and one
 *     repetition inside the same deadline.
 *  3  send looks at the clock right before the first byte: when `sendWithinMs` has passed since `since`
 *     (Clock.monotonicMs), it sends nothing and answers 'not-sent'.
 *  4  send and inquire always answer, never throw, and never later than their deadline.
 *  5  Whatever may have reached the biller and was not answered in the profile's words is 'unknown'.
 *  6  No answer body is logged or returned beyond the reference and the code that the profile names. Of an answer that settles
 *     nothing a masked, short piece goes to AnswerSnippets, and its status, media type and the piece's name are returned.
 *  7  A response over the size cap, and a redirect, is not followed or read on: 'unknown'.
 *  8  admission tells, without waiting, whether the breaker is open; permit waits for a place within the biller's concurrency and
 *     rate, at most `waitMs`, and answers a park cause where there is none. A permit is given back exactly once.
 *  9  A profile that names an Idempotency header is spoken with the key in it, once and whole, or not at all: prepare
 *     refuses what it can foresee ('request-unbuildable'), send answers 'not-sent' with a code, and nothing leaves.
 * 10  Reading an answer and judging it, and building a request, take a bounded time; no other biller's call waits for it longer.
 * 11  After two throttles with no call that worked between them, and after a credential that could not be had, nothing of
 *     that biller is called until the wait is over: at least as long as a sane Retry-After says (an hour at most), growing
 *     without one. Then one call finds out. A single throttle tells what it asked for, and is its record's matter alone.
 * 12  An answer that settles nothing, but is one, does not open the breaker.
 */
export interface BillerGateway {
  prepare(request: PrepareRequest): Promise<PreparedCall>;
  inquire(request: InquireRequest): Promise<InquiryAnswer>;
  permit(
    profile: BillerProfile,
    options: { readonly waitMs: number; readonly ratePerSecond?: number; readonly signal?: AbortSignal },
  ): Promise<Permit>;
}

export interface InquireRequest {
  readonly profile: BillerProfile;
  readonly record: RecordKey;
  /** Undefined where it has vanished. */
  readonly row: DpRow | undefined;
  readonly idempotencyKey: string;
  /** What the attempt called for; undefined where no money moves, or where its start does not say. */
  readonly amount?: Money;
  readonly timeoutMs: number;
}

export interface PrepareRequest {
  readonly profile: BillerProfile;
  readonly row: DpRow;
  readonly idempotencyKey: string;
  readonly traceparent?: string;
}

export interface PreparedCall {
  /** SHA-256 over method, URL and body; never over credentials. */
  readonly requestHash: string;
  send(timing: SendTiming): Promise<CallOutcome>;
  /** What was on the wire, for whoever watches; nothing is judged by it. */
  seen?(): CallOnTheWire;
}

export interface CallOnTheWire {
  readonly method: string;
  /** Of the newest answer; undefined where none came. */
  readonly httpStatus: number | undefined;
}

export interface SendTiming {
  /** Clock.monotonicMs taken before the intent was appended. */
  readonly since: number;
  /** No byte leaves later than this after `since`; the answer is awaited until then too. */
  readonly sendWithinMs: number;
}

export type Permit =
  | { readonly granted: true; release(): void }
  | {
      readonly granted: false;
      readonly cause: Extract<ParkCause, 'breaker-open' | 'allowance-used-up' | 'throttled' | 'token-unavailable'>;
      readonly retryAfterMs: number;
    };
