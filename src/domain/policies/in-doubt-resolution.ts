import { type DoubtCapability } from '../biller/biller-profile';
import { type OpenAttempt } from '../delivery-attempt/delivery-attempt.state';
import { type ResolvedOutcome } from '../delivery-attempt/delivery-attempt.events';
import { type DoubtCause } from '../dp-record/dp-record.events';
import { type Instant, latest, msOf, plusMs } from '../instant';
import { type Money, sameMoney } from '../money';

/*
 * The doubt ladder: ask the biller → send identical bytes again under the same key → a person. Never a guess.
 * Everything is judged by the profile version stored in the attempt's start, and by the shard database's clock.
 */

export const PENDING_ANSWERS_MAX = 40;
const UNAVAILABLE_ANSWERS_BEFORE_RESEND = 3;
export const UNAVAILABLE_ANSWERS_MAX = 40;
export const RESENDS_MAX = 6;
const WAIT_FIRST_MS = 1_000;
const WAIT_MAX_MS = 15 * 60_000;

/** What the stored profile version says of doubt. */
export interface DoubtTerms {
  readonly quarantineMs: number;
  readonly capability: DoubtCapability;
}

export type DoubtStep =
  /** Its owner, or its effect, may still be on the way. */
  | { readonly step: 'wait'; readonly until: Instant }
  | { readonly step: 'inquire' }
  /** `before`: no byte of it may leave from then on; the key could be forgotten when it arrives. */
  | { readonly step: 'resend'; readonly before: Instant; readonly ordinal: number }
  | { readonly step: 'operator'; readonly cause: DoubtCause };

/** Until then the attempt's owner may be alive or its effect late: nobody else touches it. */
export const doubtBeginsAt = (attempt: OpenAttempt, terms: DoubtTerms): Instant =>
  plusMs(attempt.ownedUntil, terms.quarantineMs);

/** The one rule for an open attempt: what to do next about its doubt. */
export function resolveDoubt(attempt: OpenAttempt, terms: DoubtTerms, now: Instant): DoubtStep {
  const begins = doubtBeginsAt(attempt, terms);
  const from = attempt.leaveAloneUntil === undefined ? begins : latest(begins, attempt.leaveAloneUntil);
  if (now < from) return { step: 'wait', until: from };
  const { inquiry } = terms.capability;
  if (!inquiry) return afterInquiry(attempt, terms, now, 'neither-inquiry-nor-keys');
  const { pending, cannotTell, unavailable } = attempt.inquiries;
  if (cannotTell > 0) return afterInquiry(attempt, terms, now, 'inquiry-cannot-tell');
  if (pending >= PENDING_ANSWERS_MAX) return { step: 'operator', cause: 'still-pending' };
  if (unavailable >= UNAVAILABLE_ANSWERS_MAX) return afterInquiry(attempt, terms, now, 'inquiry-unavailable');
  // By turns: neither a silent inquiry nor a resend without an answer is repeated alone until it is used up.
  if (unavailable >= UNAVAILABLE_ANSWERS_BEFORE_RESEND && (unavailable + attempt.resends) % 2 === 1) {
    const resend = resendStep(attempt, terms, now);
    if (resend) return resend;
  }
  return { step: 'inquire' };
}

function afterInquiry(attempt: OpenAttempt, terms: DoubtTerms, now: Instant, otherwise: DoubtCause): DoubtStep {
  const resend = resendStep(attempt, terms, now);
  if (resend) return resend;
  if (!terms.capability.keys) return { step: 'operator', cause: otherwise };
  return { step: 'operator', cause: attempt.resends >= RESENDS_MAX ? 'resends-used-up' : 'key-retention-over' };
}

/**
 * A resend is allowed only while the biller certainly remembers the key: counted from the key's FIRST use, and so
 * early that even an effect as late as the quarantine allows still meets the remembered key.
 */
function resendStep(attempt: OpenAttempt, terms: DoubtTerms, now: Instant): DoubtStep | undefined {
  const { keys } = terms.capability;
  if (!keys || attempt.resends >= RESENDS_MAX) return undefined;
  const firstUse = attempt.started.keyFirstUsedAt ?? attempt.started.at;
  const before = plusMs(firstUse, keys.retentionMs - keys.marginMs - terms.quarantineMs);
  return now < before ? { step: 'resend', before, ordinal: attempt.resends + 1 } : undefined;
}

/** What a biller answered when asked about an attempt. */
export type InquiryAnswer =
  | { readonly answer: 'delivered'; readonly billerReference: string | undefined; readonly amount: Money | undefined }
  | { readonly answer: 'declined'; readonly code: string | undefined }
  | { readonly answer: 'pending' }
  | { readonly answer: 'absent' }
  | { readonly answer: 'cannot-tell' }
  /** No usable answer: a timeout, an error, an open breaker. */
  | { readonly answer: 'unavailable' };

export type InquiryJudgement =
  | { readonly judged: 'closed'; readonly outcome: ResolvedOutcome }
  | { readonly judged: 'noted'; readonly answer: 'pending' | 'cannot-tell' | 'unavailable' }
  /** An "absent" that may only be the inquiry's own lag. */
  | { readonly judged: 'too-early'; readonly until: Instant }
  | { readonly judged: 'operator'; readonly cause: DoubtCause };

/** `askedAt`: when the question left, since an answer speaks of the past. */
export function judgeInquiry(
  answer: InquiryAnswer,
  attempt: OpenAttempt,
  terms: DoubtTerms,
  askedAt: Instant,
): InquiryJudgement {
  switch (answer.answer) {
    case 'delivered':
      return answer.amount && attempt.started.amount && !sameMoney(answer.amount, attempt.started.amount)
        ? { judged: 'operator', cause: 'another-amount' }
        : { judged: 'closed', outcome: 'accepted' };
    case 'declined':
      return { judged: 'closed', outcome: 'declined' };
    case 'absent': {
      // It knew of the call before: an answer that contradicts itself is for a person.
      if (attempt.inquiries.pending > 0) return { judged: 'operator', cause: 'inquiry-contradicts-itself' };
      const trustedFrom = plusMs(doubtBeginsAt(attempt, terms), terms.capability.inquiry?.lagMs ?? 0);
      return askedAt < trustedFrom
        ? { judged: 'too-early', until: trustedFrom }
        : { judged: 'closed', outcome: 'not-executed' };
    }
    case 'pending':
    case 'cannot-tell':
    case 'unavailable':
      return { judged: 'noted', answer: answer.answer };
  }
}

/** When to look again after an answer that settled nothing: doubling, bounded. */
export function nextLookAt(attempt: OpenAttempt, now: Instant): Instant {
  const { pending, cannotTell, unavailable } = attempt.inquiries;
  const looks = pending + cannotTell + unavailable + attempt.resends;
  return plusMs(now, Math.min(WAIT_MAX_MS, WAIT_FIRST_MS * 2 ** Math.min(looks, 20)));
}

/** Whether a resend stated now would still be safe when its last byte may leave. */
export const resendFits = (before: Instant, notAfter: Instant): boolean => msOf(notAfter) < msOf(before);
