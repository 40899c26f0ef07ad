import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type Instant, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { closingEventOf, type CallOutcome } from '../../domain/policies/delivery-outcome';
import { maskCardData } from '../../domain/policies/card-data';
import { nextTry } from '../../domain/policies/retry-schedule';
import { validatedFields } from '../../domain/policies/validation';
import { isAnother, sameAmount, type Verdict } from '../../domain/dp-record/dp-record.decider';
import { claimWithoutCall } from './claim-attempt';
import { closeAttempt, observeUnknown } from './close-attempt';
import { crashPoint } from '../crash-point';
import { decideRecord, type Delivery, type DeliverRecordPorts, type DeliverRecordSettings, park, type Settlement } from './delivery';
import { traceparentOf } from '../messaging/send-again';
import { judgedAlone, verdictOf } from '../fetching/discover-record';
import { type Permit, type PreparedCall } from '../ports/biller-gateway';
import { PortFailure } from '../ports/failures';

/** After so long a wait for a permit the row is read again before it is sent. */
const ROW_STALE_MS = 50;

type Pending = Extract<DpRecord, { status: 'pending' }>;
type Granted = Extract<Permit, { granted: true }>;

/** Rules 5 to 8: permit, fresh row, request and token; then the intent; then, in time, the call; then its outcome. */
export async function startAttempt(
  ports: DeliverRecordPorts,
  settings: DeliverRecordSettings,
  delivery: Delivery,
  attempt: number,
  signal: AbortSignal | undefined,
): Promise<Settlement | undefined> {
  const { profile } = delivery;
  invariant(profile !== undefined, `record ${delivery.key} passed its gate without a profile`);
  const asked = ports.clock.monotonicMs();
  const permit = await ports.gateway.permit(profile, {
    waitMs: settings.permitWaitMs,
    ...(delivery.ratePerSecond === undefined ? {} : { ratePerSecond: delivery.ratePerSecond }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!permit.granted) {
    const now = await ports.shardClock.atLeast(delivery.shard);
    if (permit.cause === 'throttled' && isTooOld(profile, delivery.record.state as Pending, now)) return giveUpThrottled(ports, delivery, profile, now);
    return park(ports, settings, delivery, { cause: permit.cause, until: plusMs(now, permit.retryAfterMs) }, now);
  }
  try {
    crashPoint('consumer.after-permit');
    if (ports.clock.monotonicMs() - asked > ROW_STALE_MS) delivery.row = await delivery.shard.findRow(delivery.message.dpId);
    return await withPermit(ports, settings, delivery, profile, attempt, permit);
  } finally {
    permit.release();
  }
}

/** Its age bounds how long a record asks a biller that throttles, whether it is the one that asks or waits for another. */
const isTooOld = (profile: BillerProfile, { openedAt }: Pending, now: Instant): boolean =>
  nextTry(profile.retry, { openedAt, now, spentTries: 0, chance: 0 }).retry === 'never';

async function giveUpThrottled(ports: DeliverRecordPorts, delivery: Delivery, profile: BillerProfile, now: Instant): Promise<undefined> {
  const record = delivery.record.state as Pending;
  await claimWithoutCall(ports, delivery, record, profile.version, now, 'too-old');
  const description = 'the biller went on asking to slow down until its time was over';
  await decideRecord(ports, delivery, [{ type: 'DeadLetterDpRecord', reason: 'TooOld', description, attempt: record.nextAttempt }], now);
  return undefined;
}

async function withPermit(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, profile: BillerProfile, attempt: number, permit: Granted,
): Promise<Settlement | undefined> {
  const row = await freshRow(ports, delivery, profile);
  if (row === undefined) return undefined;
  if (row === 'identity-conflict') return { settle: 'dead-letter', reason: 'IdentityConflict', description: IDENTITY_CONFLICT };
  const prepared = await prepare(ports, settings, delivery, profile, row);
  if ('settlement' in prepared) return prepared.settlement;
  crashPoint('consumer.after-prepare');
  const outcome = await ownAndCall(ports, delivery, profile, attempt, prepared.call);
  crashPoint('consumer.after-send');
  permit.release();
  await recordOutcome(ports, delivery, attempt, outcome);
  return undefined;
}

const IDENTITY_CONFLICT = 'its row now means something else than what it was discovered with';

/**
 * Undefined: the record was withdrawn, rejected, skipped or given up just now, its stream says so. A conflict ends a record in
 * its stream and its row, or the sweep would send it again for ever; the row of another biller is not this record's to end.
 */
async function freshRow(ports: DeliverRecordPorts, delivery: Delivery, profile: BillerProfile): Promise<DpRow | 'identity-conflict' | undefined> {
  const { row } = delivery;
  const record = delivery.record.state as Pending;
  const now = await ports.shardClock.atLeast(delivery.shard);
  if (!row) {
    await claimWithoutCall(ports, delivery, record, profile.version, now, 'row-withdrawn');
    await decideRecord(ports, delivery, [{ type: 'WithdrawDpRecord', at: now }], now);
    return undefined;
  }
  if (row.billerId !== record.billerId) return 'identity-conflict';
  if (isAnother(row, record)) {
    await claimWithoutCall(ports, delivery, record, profile.version, now, 'identity-conflict');
    await decideRecord(ports, delivery, [{ type: 'DeadLetterDpRecord', reason: 'IdentityConflict', description: IDENTITY_CONFLICT, attempt: record.nextAttempt }], now);
    return undefined;
  }
  const verdict = judged(ports, row, record, profile);
  if (verdict === 'as-before') return row;
  if (verdict.type !== 'DpRecordValidated') await claimWithoutCall(ports, delivery, record, profile.version, now, 'row-not-valid');
  await decideRecord(ports, delivery, [{ type: 'RevalidateDpRecord', verdict }], now);
  return verdict.type === 'DpRecordValidated' ? row : undefined;
}

/** Judging asks nobody: what breaks it is the row itself, here as at the fetcher, and would break it for ever. */
const judged = (ports: DeliverRecordPorts, row: DpRow, record: Pending, profile: BillerProfile): Verdict | 'as-before' =>
  judgedAlone(ports, row, () =>
    ports.digest(validatedFields(row)) === record.validatedHash && sameAmount(record, row.payment?.amount) ? 'as-before' : verdictOf(row, profile, ports.digest));

/** The key is the record's, the same for every attempt: a biller with keys then dedupes across attempts too. */
export const idempotencyKeyOf = (ports: Pick<DeliverRecordPorts, 'digest'>, delivery: Pick<Delivery, 'key'>): string =>
  ports.digest(`datapump:${delivery.key}`).slice(0, 32);

async function prepare(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, profile: BillerProfile, row: DpRow,
): Promise<{ readonly call: PreparedCall } | { readonly settlement: Settlement | undefined }> {
  const traceparent = traceparentOf(delivery.received);
  try {
    const call = await ports.gateway.prepare({
      profile, row, idempotencyKey: idempotencyKeyOf(ports, delivery), ...(traceparent === undefined ? {} : { traceparent }),
    });
    return { call };
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    const now = await ports.shardClock.atLeast(delivery.shard);
    // One line a record only where the record is the matter; the gateway tells of a biller's credentials once.
    ports.telemetry.count('delivery.prepare-failures', 1, { code: error.code });
    if (error.code === 'request-unbuildable') {
      ports.telemetry.warn('failed to prepare a call', { record: delivery.key, code: error.code });
      const description = maskCardData(error.message).slice(0, 500);
      const record = delivery.record.state as Pending;
      await claimWithoutCall(ports, delivery, record, profile.version, now, 'cannot-prepare');
      await decideRecord(ports, delivery, [{ type: 'DeadLetterDpRecord', reason: 'CannotPrepare', description, attempt: record.nextAttempt }], now);
      return { settlement: undefined };
    }
    // Its token endpoint is a part of the biller: left alone as long as the biller itself would be.
    const until = plusMs(now, error.retryAfterMs ?? profile.breaker.openMs);
    return { settlement: await park(ports, settings, delivery, { cause: 'token-unavailable', until }, now) };
  }
}

/**
 * States the intent, then calls. The monotonic clock is read before the append: whatever delays the append, the
 * deadline does not move. A conflict leaves this function as it is: somebody else owns the attempt.
 */
async function ownAndCall(
  ports: DeliverRecordPorts, delivery: Delivery, profile: BillerProfile, attempt: number, call: PreparedCall,
): Promise<CallOutcome> {
  const record = delivery.record.state as Pending;
  const since = ports.clock.monotonicMs();
  // Both bounds of the present: a key is at least as old as its start says, and an owner alive no longer than it says.
  const at = await ports.shardClock.atLeast(delivery.shard);
  const latest = await ports.shardClock.atMost(delivery.shard);
  const decision = deliveryAttemptDecider.decide(
    {
      type: 'StartAttempt',
      start: {
        billerId: record.billerId, dpId: record.dpId, attempt, at,
        notAfter: plusMs(latest, profile.timeoutMs),
        idempotencyKey: idempotencyKeyOf(ports, delivery),
        requestHash: call.requestHash,
        profileVersion: profile.version,
        ...(record.keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt: record.keyFirstUsedAt }),
        ...(record.amount === undefined ? {} : { amount: record.amount }),
      },
    },
    delivery.attempt.state,
  );
  invariant(decision.outcome === 'accepted', `attempt ${attempt} of ${delivery.key} was absent and refused to start`);
  crashPoint('consumer.before-start-stated');
  delivery.attempt = await ports.history.appendToAttempt(delivery.key, attempt, delivery.attempt, decision.events, at, 'own-knowledge');
  crashPoint('consumer.after-start-stated');
  delivery.attemptProfile = profile;
  return call.send({ since, sendWithinMs: profile.timeoutMs });
}

/** What the biller said is appended first, whatever else is down: nothing is asked between the answer and its append. */
async function recordOutcome(ports: DeliverRecordPorts, delivery: Delivery, attempt: number, outcome: CallOutcome): Promise<void> {
  ports.telemetry.count('delivery.calls', 1, { outcome: outcome.kind });
  const at = ports.shardClock.carried(delivery.shard);
  const closing = closingEventOf(outcome);
  if (closing) {
    await closeAttempt(ports, delivery, attempt, closing, at);
    crashPoint('consumer.after-close');
  } else if (outcome.kind === 'unknown') {
    await observeUnknown(ports, delivery, attempt, outcome, at);
    crashPoint('consumer.after-unknown-stated');
  }
}
