import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptResolvedByInquiry } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type OpenAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type DoubtCause } from '../../domain/dp-record/dp-record.events';
import { type Instant, latest, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { closingEventOfResend, saneRetryAfterMs } from '../../domain/policies/delivery-outcome';
import {
  doubtBeginsAt, type DoubtStep, type DoubtTerms, type InquiryAnswer, judgeInquiry, nextLookAt, resendFits, resolveDoubt,
} from '../../domain/policies/in-doubt-resolution';
import { closeAttempt, observeUnknown } from './close-attempt';
import { crashPoint } from '../crash-point';
import { decideRecord, type Delivery, type DeliverRecordPorts, type DeliverRecordSettings, park, type Settlement, termsOf } from './delivery';
import { traceparentOf } from '../messaging/send-again';
import { type PreparedCall } from '../ports/biller-gateway';
import { PortFailure } from '../ports/failures';

interface Doubt {
  readonly number: number;
  readonly attempt: OpenAttempt;
  readonly profile: BillerProfile;
  readonly terms: DoubtTerms;
}

/**
 * The doubt ladder, by the profile version stored in the attempt's start: ask, resend identical bytes under the same
 * key, or hold for a person. Nothing here guesses. Undefined: look again, the attempt or the record has moved.
 */
export async function resolveInDoubt(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, now: Instant,
): Promise<Settlement | undefined> {
  const attempt = delivery.attempt.state;
  invariant(attempt.status === 'open', `attempt of ${delivery.key} is resolved while ${attempt.status}`);
  const profile = delivery.attemptProfile;
  const terms = termsOf(profile);
  if (!profile || !terms) {
    // Law 3 of BillerProfiles says this cannot be; without its profile nothing about the attempt may be judged.
    throw new PortFailure(`failed to read profile version ${attempt.started.profileVersion} of biller ${attempt.started.billerId}`, { code: 'profile-missing', retryable: true });
  }
  const doubt: Doubt = { number: attempt.started.attempt, attempt, profile, terms };
  const step = resolveDoubt(attempt, terms, now);
  switch (step.step) {
    case 'wait':
      return park(ports, settings, delivery, { cause: 'attempt-open', until: step.until }, now);
    case 'operator':
      return holdInDoubt(ports, delivery, doubt, step.cause, now);
    case 'inquire':
    case 'resend':
      if (delivery.gate) return park(ports, settings, delivery, delivery.gate, now);
      return step.step === 'inquire' ? inquire(ports, settings, delivery, doubt) : resend(ports, settings, delivery, doubt, step, now);
  }
}

async function inquire(ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, doubt: Doubt): Promise<Settlement | undefined> {
  const askedAt = await ports.shardClock.atLeast(delivery.shard);
  crashPoint('doubt.before-inquiry');
  const answer = await ports.gateway.inquire({
    profile: doubt.profile,
    record: delivery.key,
    row: delivery.row,
    idempotencyKey: doubt.attempt.started.idempotencyKey,
    timeoutMs: doubt.profile.timeoutMs,
  });
  crashPoint('doubt.after-inquiry');
  ports.telemetry.count('doubt.inquiries', 1, { answer: answer.answer });
  const judgement = judgeInquiry(answer, doubt.attempt, doubt.terms, askedAt);
  const now = ports.shardClock.carried(delivery.shard);
  switch (judgement.judged) {
    case 'closed':
      await closeAttempt(ports, delivery, doubt.number, resolvedByInquiry(judgement.outcome, answer), now, doubt.attempt.resends);
      crashPoint('doubt.after-inquiry-closed');
      return undefined;
    case 'too-early':
      return park(ports, settings, delivery, { cause: 'doubt-unresolved', until: judgement.until }, now);
    case 'operator':
      return holdInDoubt(ports, delivery, doubt, judgement.cause, now);
    case 'noted': {
      const { pending, cannotTell, unavailable } = doubt.attempt.inquiries;
      const decision = deliveryAttemptDecider.decide(
        { type: 'RecordInquiry', answer: judgement.answer, at: now, observation: pending + cannotTell + unavailable + 1 },
        doubt.attempt,
      );
      invariant(decision.outcome === 'accepted', `an open attempt of ${delivery.key} refuses an inquiry's answer`);
      delivery.attempt = await ports.history.appendToAttempt(delivery.key, doubt.number, delivery.attempt, decision.events, now);
      if (judgement.answer === 'cannot-tell') return undefined;
      return park(ports, settings, delivery, { cause: 'doubt-unresolved', until: nextLookAt(doubt.attempt, now) }, now);
    }
  }
}

function resolvedByInquiry(outcome: DeliveryAttemptResolvedByInquiry['data']['outcome'], answer: InquiryAnswer): DeliveryAttemptResolvedByInquiry {
  const reference = answer.answer === 'delivered' ? answer.billerReference : undefined;
  const code = answer.answer === 'declined' ? answer.code : undefined;
  return {
    type: 'DeliveryAttemptResolvedByInquiry',
    data: { outcome, ...(reference === undefined ? {} : { billerReference: reference }), ...(code === undefined ? {} : { code }) },
  };
}

/** Identical bytes under the same key, stated in the stream before they leave, and only while the key is remembered. */
async function resend(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, doubt: Doubt, step: Extract<DoubtStep, { step: 'resend' }>, now: Instant,
): Promise<Settlement | undefined> {
  const permit = await ports.gateway.permit(doubt.profile, {
    waitMs: settings.permitWaitMs,
    ...(delivery.ratePerSecond === undefined ? {} : { ratePerSecond: delivery.ratePerSecond }),
  });
  if (!permit.granted) return park(ports, settings, delivery, { cause: permit.cause, until: plusMs(now, permit.retryAfterMs) }, now);
  try {
    const call = await sameBytes(ports, delivery, doubt);
    if (call === 'unavailable') return await park(ports, settings, delivery, { cause: 'token-unavailable', until: plusMs(now, doubt.profile.breaker.openMs) }, now);
    if (call === 'bytes-changed') return await holdInDoubt(ports, delivery, doubt, 'bytes-changed', now);
    const since = ports.clock.monotonicMs();
    const at = await ports.shardClock.atMost(delivery.shard);
    const notAfter = plusMs(at, doubt.profile.timeoutMs);
    if (!resendFits(step.before, notAfter)) return await holdInDoubt(ports, delivery, doubt, 'key-retention-over', now);
    const decision = deliveryAttemptDecider.decide({ type: 'StateResend', at, notAfter, ordinal: step.ordinal }, doubt.attempt);
    invariant(decision.outcome === 'accepted', `an open attempt of ${delivery.key} refuses resend ${step.ordinal}`);
    crashPoint('doubt.before-resend-stated');
    delivery.attempt = await ports.history.appendToAttempt(delivery.key, doubt.number, delivery.attempt, decision.events, at);
    crashPoint('doubt.after-resend-stated');
    const outcome = await call.send({ since, sendWithinMs: doubt.profile.timeoutMs });
    crashPoint('doubt.after-resend');
    ports.telemetry.count('doubt.resends', 1, { outcome: outcome.kind });
    const closing = closingEventOfResend(outcome);
    const answeredAt = ports.shardClock.carried(delivery.shard);
    if (closing) {
      await closeAttempt(ports, delivery, doubt.number, closing, answeredAt);
      crashPoint('doubt.after-resend-closed');
      return undefined;
    }
    const code = 'code' in outcome && outcome.code !== undefined ? outcome.code : outcome.kind;
    const asked = outcome.kind === 'throttled' ? { retryAfterMs: saneRetryAfterMs(outcome.retryAfterMs) } : {};
    // A wait counts from when it was heard, at the latest: a sample that was long under way lags behind.
    const heardAt = ports.shardClock.carriedAtMost(delivery.shard);
    await observeUnknown(ports, delivery, doubt.number, { ...('answer' in outcome ? outcome : {}), ...asked, code: `resend-${code}` }, heardAt);
    const after = delivery.attempt.state;
    if (after.status !== 'open') return undefined;
    const until = latest(doubtBeginsAt(after, doubt.terms), latest(after.leaveAloneUntil ?? answeredAt, nextLookAt(after, answeredAt)));
    return await park(ports, settings, delivery, { cause: 'attempt-open', until }, answeredAt);
  } finally {
    permit.release();
  }
}

async function sameBytes(ports: DeliverRecordPorts, delivery: Delivery, doubt: Doubt): Promise<PreparedCall | 'bytes-changed' | 'unavailable'> {
  const row = await delivery.shard.findRow(delivery.message.dpId);
  if (!row) return 'bytes-changed';
  const traceparent = traceparentOf(delivery.received);
  try {
    const call = await ports.gateway.prepare({
      profile: doubt.profile, row, idempotencyKey: doubt.attempt.started.idempotencyKey, ...(traceparent === undefined ? {} : { traceparent }),
    });
    return call.requestHash === doubt.attempt.started.requestHash ? call : 'bytes-changed';
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    return error.code === 'request-unbuildable' ? 'bytes-changed' : 'unavailable';
  }
}

/** Listed for a person: stream first, then the row; the loop reconciles it and completes the message. */
async function holdInDoubt(ports: DeliverRecordPorts, delivery: Delivery, doubt: Doubt, cause: DoubtCause, now: Instant): Promise<undefined> {
  await decideRecord(ports, delivery, [{ type: 'HoldInDoubt', attempt: doubt.number, cause }], now);
  crashPoint('doubt.after-hold-stated');
  ports.telemetry.warn('record held in doubt', { record: delivery.key, attempt: doubt.number, cause });
  ports.telemetry.count('delivery.held-in-doubt', 1, { cause });
  return undefined;
}


