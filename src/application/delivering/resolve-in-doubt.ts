import { type BillerProfile } from '../../domain/biller/biller-profile';
import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptResolvedByInquiry } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type OpenAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type DoubtCause } from '../../domain/dp-record/dp-record.events';
import { type Instant, latest, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type CallOutcome, closingEventOfResend, saneRetryAfterMs } from '../../domain/policies/delivery-outcome';
import {
  doubtBeginsAt,
  type DoubtStep,
  type DoubtTerms,
  type InquiryAnswer,
  judgeInquiry,
  nextLookAt,
  resendFits,
  resolveDoubt,
} from '../../domain/policies/in-doubt-resolution';
import { traceparentOf } from '../messaging/send-again';
import { type PreparedCall } from '../ports/biller-gateway';
import { PortFailure } from '../ports/failures';
import { closeAttempt, observeUnknown } from './close-attempt';
import { type DeliverRecordPorts, type DeliverRecordSettings } from './deliver-record.ports';
import { type RecordMoves } from './record-moves';
import { lookAgain, type StepResult } from './step-result';
import { type OpenVisit, termsOf } from './visit';

/** An attempt in doubt, with what the profile of its start says of doubts. */
interface Doubt {
  readonly number: number;
  readonly attempt: OpenAttempt;
  readonly profile: BillerProfile;
  readonly terms: DoubtTerms;
}
type Resend = Extract<DoubtStep, { step: 'resend' }>;

/**
 * The doubt ladder, by the profile version stored in the attempt's start: ask, resend identical bytes under the same
 * key, or hold for a person. Nothing here guesses.
 */
export function resolveInDoubt(ports: DeliverRecordPorts, settings: DeliverRecordSettings, moves: RecordMoves) {
  return async (visit: OpenVisit, now: Instant): Promise<StepResult> => {
    const doubt = doubtOf(visit);
    const step = resolveDoubt(doubt.attempt, doubt.terms, now);
    switch (step.step) {
      case 'wait':
        return moves.park(visit, { cause: 'attempt-open', until: step.until }, now);
      case 'operator':
        return holdInDoubt(visit, doubt, step.cause, now);
      case 'inquire':
      case 'resend':
        if (visit.gate) return moves.park(visit, visit.gate, now);
        return step.step === 'inquire' ? inquire(visit, doubt) : resend(visit, doubt, step, now);
    }
  };

  async function inquire(visit: OpenVisit, doubt: Doubt): Promise<StepResult> {
    const { idempotencyKey, amount } = doubt.attempt.started;
    const askedAt = await ports.shardClock.atLeast(visit.shard);
    const answer = await ports.gateway.inquire({
      profile: doubt.profile,
      record: visit.key,
      row: visit.row,
      idempotencyKey,
      ...(amount === undefined ? {} : { amount }),
      timeoutMs: doubt.profile.timeoutMs,
    });
    ports.telemetry.count('doubt.inquiries', 1, { answer: answer.answer });
    const judgement = judgeInquiry(answer, doubt.attempt, doubt.terms, askedAt);
    const now = ports.shardClock.carried(visit.shard);
    switch (judgement.judged) {
      case 'closed': {
        const closing = resolvedByInquiry(judgement.outcome, answer);
        const attempt = await closeAttempt(ports, handOf(visit, doubt), closing, now, doubt.attempt.resends);
        return lookAgain({ ...visit, attempt });
      }
      case 'too-early':
        return moves.park(visit, { cause: 'doubt-unresolved', until: judgement.until }, now);
      case 'operator':
        return holdInDoubt(visit, doubt, judgement.cause, now);
      case 'noted': {
        const attempt = await noteInquiry(visit, doubt, judgement.answer, now);
        if (judgement.answer === 'cannot-tell') return lookAgain({ ...visit, attempt });
        const until = nextLookAt(doubt.attempt, now);
        return moves.park({ ...visit, attempt }, { cause: 'doubt-unresolved', until }, now);
      }
    }
  }

  function noteInquiry(visit: OpenVisit, doubt: Doubt, answer: 'pending' | 'cannot-tell' | 'unavailable', at: Instant) {
    const { pending, cannotTell, unavailable } = doubt.attempt.inquiries;
    const observation = pending + cannotTell + unavailable + 1;
    const decision = deliveryAttemptDecider.decide({ type: 'RecordInquiry', answer, at, observation }, doubt.attempt);
    invariant(decision.outcome === 'accepted', `an open attempt of ${visit.key} refuses an inquiry's answer`);
    return ports.history.appendToAttempt(visit.key, doubt.number, visit.attempt, decision.events, at);
  }

  /** Identical bytes under the same key, stated in the stream before they leave, and only while the key is remembered. */
  async function resend(visit: OpenVisit, doubt: Doubt, step: Resend, now: Instant): Promise<StepResult> {
    const { profile } = doubt;
    const permit = await ports.gateway.permit(profile, {
      waitMs: settings.permitWaitMs,
      ...(visit.ratePerSecond === undefined ? {} : { ratePerSecond: visit.ratePerSecond }),
    });
    if (!permit.granted)
      return moves.park(visit, { cause: permit.cause, until: plusMs(now, permit.retryAfterMs) }, now);
    try {
      const call = await sameBytes(visit, doubt);
      if (call === 'unavailable') {
        const until = plusMs(now, profile.breaker.openMs);
        return await moves.park(visit, { cause: 'token-unavailable', until }, now);
      }
      if (call === 'bytes-changed') return await holdInDoubt(visit, doubt, 'bytes-changed', now);
      const since = ports.clock.monotonicMs();
      const at = await ports.shardClock.atMost(visit.shard);
      const notAfter = plusMs(at, profile.timeoutMs);
      if (!resendFits(step.before, notAfter)) return await holdInDoubt(visit, doubt, 'key-retention-over', now);
      const stated = await stateResend(visit, doubt, { at, notAfter, ordinal: step.ordinal });
      const outcome = await call.send({ since, sendWithinMs: profile.timeoutMs });
      ports.telemetry.count('doubt.resends', 1, { outcome: outcome.kind });
      return await recordResend({ ...visit, attempt: stated }, doubt, outcome);
    } finally {
      permit.release();
    }
  }

  async function stateResend(
    { key, attempt }: OpenVisit,
    doubt: Doubt,
    resend: { readonly at: Instant; readonly notAfter: Instant; readonly ordinal: number },
  ): Promise<OpenVisit['attempt']> {
    const decision = deliveryAttemptDecider.decide({ type: 'StateResend', ...resend }, doubt.attempt);
    invariant(decision.outcome === 'accepted', `an open attempt of ${key} refuses resend ${resend.ordinal}`);
    const { state, revision } = await ports.history.appendToAttempt(
      key,
      doubt.number,
      attempt,
      decision.events,
      resend.at,
    );
    invariant(state.status === 'open', `a resend of ${key} left its attempt ${state.status}`);
    return { state, revision };
  }

  async function recordResend(visit: OpenVisit, doubt: Doubt, outcome: CallOutcome): Promise<StepResult> {
    const hand = handOf(visit, doubt);
    const closing = closingEventOfResend(outcome);
    const answeredAt = ports.shardClock.carried(visit.shard);
    if (closing) {
      const attempt = await closeAttempt(ports, hand, closing, answeredAt);
      return lookAgain({ ...visit, attempt });
    }
    const code = 'code' in outcome && outcome.code !== undefined ? outcome.code : outcome.kind;
    const asked = outcome.kind === 'throttled' ? { retryAfterMs: saneRetryAfterMs(outcome.retryAfterMs) } : {};
    // A wait counts from when it was heard, at the latest: a sample that was long under way lags behind.
    const heardAt = ports.shardClock.carriedAtMost(visit.shard);
    const seen = { ...('answer' in outcome ? outcome : {}), ...asked, code: `resend-${code}` };
    const attempt = await observeUnknown(ports, hand, seen, heardAt);
    const after = attempt.state;
    if (after.status !== 'open') return lookAgain({ ...visit, attempt });
    const mayLook = latest(after.leaveAloneUntil ?? answeredAt, nextLookAt(after, answeredAt));
    const until = latest(doubtBeginsAt(after, doubt.terms), mayLook);
    return moves.park({ ...visit, attempt }, { cause: 'attempt-open', until }, answeredAt);
  }

  async function sameBytes(visit: OpenVisit, doubt: Doubt): Promise<PreparedCall | 'bytes-changed' | 'unavailable'> {
    const row = await visit.shard.findRow(visit.message.dpId);
    if (!row) return 'bytes-changed';
    const { idempotencyKey, requestHash } = doubt.attempt.started;
    const traceparent = traceparentOf(visit.received);
    try {
      const call = await ports.gateway.prepare({
        profile: doubt.profile,
        row,
        idempotencyKey,
        ...(traceparent === undefined ? {} : { traceparent }),
      });
      return call.requestHash === requestHash ? call : 'bytes-changed';
    } catch (error) {
      if (!(error instanceof PortFailure)) throw error;
      return error.code === 'request-unbuildable' ? 'bytes-changed' : 'unavailable';
    }
  }

  /** Listed for a person: stream first, then the row; the loop reconciles it and completes the message. */
  async function holdInDoubt(visit: OpenVisit, doubt: Doubt, cause: DoubtCause, now: Instant): Promise<StepResult> {
    const held = await moves.decide(visit, [{ type: 'HoldInDoubt', attempt: doubt.number, cause }], now);
    ports.telemetry.warn('record held in doubt', { record: visit.key, attempt: doubt.number, cause });
    return lookAgain(held);
  }
}

function doubtOf({ attempt: { state: attempt }, attemptProfile: profile }: OpenVisit): Doubt {
  const terms = termsOf(profile);
  if (!profile || !terms) {
    // Law 3 of BillerProfiles says this cannot be; without its profile nothing about the attempt may be judged.
    const { profileVersion, billerId } = attempt.started;
    throw new PortFailure(`failed to read profile version ${profileVersion} of biller ${billerId}`, {
      code: 'profile-missing',
      retryable: true,
    });
  }
  return { number: attempt.started.attempt, attempt, profile, terms };
}

const handOf = ({ key, attempt }: OpenVisit, { number }: Doubt) => ({ key, number, attempt });

type ByInquiry = DeliveryAttemptResolvedByInquiry;

function resolvedByInquiry(outcome: ByInquiry['data']['outcome'], answer: InquiryAnswer): ByInquiry {
  const reference = answer.answer === 'delivered' ? answer.billerReference : undefined;
  const code = answer.answer === 'declined' ? answer.code : undefined;
  return {
    type: 'DeliveryAttemptResolvedByInquiry',
    data: {
      outcome,
      ...(reference === undefined ? {} : { billerReference: reference }),
      ...(code === undefined ? {} : { code }),
    },
  };
}
