import { type DoubtCapability } from '../../src/domain/biller/biller-profile';
import { deliveryAttemptDecider } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { dpRecordDecider } from '../../src/domain/dp-record/dp-record.decider';
import { type CallOutcome, closingEventOf, closingEventOfResend } from '../../src/domain/policies/delivery-outcome';
import { nextDeliveryStep } from '../../src/domain/policies/delivery-step';
import { judgeInquiry, resendFits, resolveDoubt } from '../../src/domain/policies/in-doubt-resolution';

/** Everything the model obeys. The checks run the real functions; a mutation replaces one of them by a broken one. */
export interface Rules {
  readonly nextDeliveryStep: typeof nextDeliveryStep;
  readonly resolveDoubt: typeof resolveDoubt;
  readonly judgeInquiry: typeof judgeInquiry;
  readonly resendFits: typeof resendFits;
  readonly decideAttempt: typeof deliveryAttemptDecider.decide;
  readonly decideRecord: typeof dpRecordDecider.decide;
  readonly closingEvent: (outcome: CallOutcome, ofResend: boolean) => ReturnType<typeof closingEventOf>;
  readonly idempotencyKey: (attempt: number) => string;
  /** Spends the faults on calls and inquiries alone: fewer states, for bounds further out. */
  readonly onlyCallsFail: boolean;
  /** Looks at the monotonic clock right before the first byte. */
  readonly looksAtClockBeforeSending: boolean;
  readonly sendsSuccessorBeforeCompleting: boolean;
  /** The id of a start is drawn by each claimant; shared ids make the second append an idempotent success. */
  readonly drawsStartIdAfresh: boolean;
  /** A record ends without an attempt only after its next attempt's number was taken (started and not sent). */
  readonly claimsAttemptBeforeVerdict: boolean;
  /** An inquiry's answer is appended at the revision that stood when it was asked. */
  readonly appendsInquiryAtRevisionRead: boolean;
  /** A person resolves an attempt only once its owner and its effect cannot be under way any more. */
  readonly operatorWaitsForQuarantine: boolean;
  /** A record leaves doubt for another attempt only after a message with an id never used before stands in the bus. */
  readonly leavesDoubtWithNewMessage: boolean;
  /** The start that stands for a lost history gives the calls that may have left before it their time. */
  readonly lostCallsMayBeUnderWay: boolean;
  /** Lost histories alone go wrong, beside calls: fewer states. */
  readonly losesHistory: boolean;
  /** With the row read before the attempt, a result in the row has its closing in the attempt. At once: fewer states. */
  readonly reads: 'all-at-once' | 'row-before-attempt' | 'attempt-before-row';
}

export const realRules: Rules = {
  nextDeliveryStep,
  resolveDoubt,
  judgeInquiry,
  resendFits,
  decideAttempt: deliveryAttemptDecider.decide,
  decideRecord: dpRecordDecider.decide,
  closingEvent: (outcome, ofResend) => (ofResend ? closingEventOfResend(outcome) : closingEventOf(outcome)),
  idempotencyKey: () => 'key',
  onlyCallsFail: false,
  looksAtClockBeforeSending: true,
  sendsSuccessorBeforeCompleting: true,
  drawsStartIdAfresh: true,
  claimsAttemptBeforeVerdict: true,
  appendsInquiryAtRevisionRead: true,
  operatorWaitsForQuarantine: true,
  leavesDoubtWithNewMessage: true,
  lostCallsMayBeUnderWay: true,
  losesHistory: false,
  reads: 'all-at-once',
};

/** All times of the model in seconds. */
export const CALL_S = 1;
export const LOCK_S = 3;
export const QUARANTINE_S = 2;
export const LAG_S = 2;
export const RETENTION_S = 10;
const MARGIN_S = 1;

export type BillerKind = 'keys' | 'inquiry' | 'both' | 'neither';
export const BILLER_KINDS: readonly BillerKind[] = ['keys', 'inquiry', 'both', 'neither'];

export const capabilityOf = (kind: BillerKind): DoubtCapability => ({
  inquiry: kind === 'inquiry' || kind === 'both' ? { lagMs: LAG_S * 1000 } : undefined,
  keys: kind === 'keys' || kind === 'both' ? { retentionMs: RETENTION_S * 1000, marginMs: MARGIN_S * 1000 } : undefined,
});
