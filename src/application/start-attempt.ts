import { deliveryAttemptDecider } from '../domain/delivery-attempt/delivery-attempt.decider';
import { type DpRecord } from '../domain/dp-record/dp-record.state';
import { type DpRow } from '../domain/dp-record/dp-row';
import { type BillerProfile } from '../domain/biller/biller-profile';
import { plusMs } from '../domain/instant';
import { invariant } from '../domain/invariant';
import { closingEventOf, type CallOutcome } from '../domain/policies/delivery-outcome';
import { validatedFields } from '../domain/policies/validation';
import { sameAmount } from '../domain/dp-record/dp-record.decider';
import { claimWithoutCall } from './claim-attempt';
import { closeAttempt, observeUnknown } from './close-attempt';
import { crashPoint } from './crash-point';
import { decideRecord, type Delivery, type DeliverRecordPorts, type DeliverRecordSettings, park, type Settlement, traceparentOf } from './delivery';
import { verdictOf } from './discover-record';
import { type Permit, type PreparedCall } from './ports/biller-gateway';
import { PortFailure } from './ports/failures';

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

async function withPermit(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, profile: BillerProfile, attempt: number, permit: Granted,
): Promise<Settlement | undefined> {
  const row = await freshRow(ports, delivery, profile);
  if (row === undefined) return undefined;
  if (row === 'identity-conflict') {
    return { settle: 'dead-letter', reason: 'IdentityConflict', description: `${delivery.key} now points to another payment than the one it was discovered with` };
  }
  const prepared = await prepare(ports, settings, delivery, profile, row);
  if ('settlement' in prepared) return prepared.settlement;
  crashPoint('consumer.after-prepare');
  const outcome = await ownAndCall(ports, delivery, profile, attempt, prepared.call);
  crashPoint('consumer.after-send');
  permit.release();
  await recordOutcome(ports, delivery, attempt, outcome);
  return undefined;
}

/** Undefined: the record was withdrawn, rejected or skipped just now, its stream says so. */
async function freshRow(ports: DeliverRecordPorts, delivery: Delivery, profile: BillerProfile): Promise<DpRow | 'identity-conflict' | undefined> {
  const { row } = delivery;
  const record = delivery.record.state as Pending;
  const now = await ports.shardClock.atLeast(delivery.shard);
  if (!row) {
    await claimWithoutCall(ports, delivery, record, profile.version, now);
    await decideRecord(ports, delivery, [{ type: 'WithdrawDpRecord', at: now }], now);
    return undefined;
  }
  if (row.paymentId !== record.paymentId || row.billerId !== record.billerId) return 'identity-conflict';
  if (ports.digest(validatedFields(row)) === record.validatedHash && sameAmount(record, row.payment?.amount)) return row;
  const verdict = verdictOf(row, profile, ports.digest);
  if (verdict.type !== 'DpRecordValidated') await claimWithoutCall(ports, delivery, record, profile.version, now);
  await decideRecord(ports, delivery, [{ type: 'RevalidateDpRecord', verdict }], now);
  return verdict.type === 'DpRecordValidated' ? row : undefined;
}

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
    ports.telemetry.warn('failed to prepare a call', { record: delivery.key, code: error.code });
    if (error.code === 'request-unbuildable') {
      const description = error.message.slice(0, 500);
      const record = delivery.record.state as Pending;
      await claimWithoutCall(ports, delivery, record, profile.version, now);
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
  const at = await ports.shardClock.atMost(delivery.shard);
  const decision = deliveryAttemptDecider.decide(
    {
      type: 'StartAttempt',
      start: {
        billerId: record.billerId, dpId: record.dpId, attempt, at,
        notAfter: plusMs(at, profile.timeoutMs),
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

async function recordOutcome(ports: DeliverRecordPorts, delivery: Delivery, attempt: number, outcome: CallOutcome): Promise<void> {
  ports.telemetry.count('delivery.calls', 1, { outcome: outcome.kind });
  const at = await ports.shardClock.atLeast(delivery.shard);
  const closing = closingEventOf(outcome);
  if (closing) {
    await closeAttempt(ports, delivery, attempt, closing, at);
    crashPoint('consumer.after-close');
  } else if (outcome.kind === 'unknown') {
    await observeUnknown(ports, delivery, attempt, outcome.code, at);
    crashPoint('consumer.after-unknown-stated');
  }
}
