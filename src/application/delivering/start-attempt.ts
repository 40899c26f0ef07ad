import { type BillerProfile } from '../../domain/biller/biller-profile';
import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { isAnother, sameAmount, type Verdict } from '../../domain/dp-record/dp-record.decider';
import { type DeadLetterReason } from '../../domain/dp-record/dp-record.events';
import { type Pending } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type Instant, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { maskCardData } from '../../domain/policies/card-data';
import { type CallOutcome, closingEventOf } from '../../domain/policies/delivery-outcome';
import { idempotencyKeyOf } from '../../domain/policies/idempotency-key';
import { nextTry } from '../../domain/policies/retry-schedule';
import { validatedFields } from '../../domain/policies/validation';
import { judgedAlone, verdictOf } from '../fetching/discovery';
import { type Loaded } from '../history/history';
import { traceparentOf } from '../messaging/send-again';
import { type Permit, type PreparedCall } from '../ports/biller-gateway';
import { PortFailure } from '../ports/failures';
import { type WhyNotSent } from './claim-attempt';
import { closeAttempt, observeUnknown } from './close-attempt';
import { type DeliverRecordPorts, type DeliverRecordSettings } from './deliver-record.ports';
import { type RecordMoves } from './record-moves';
import { deadLettered, lookAgain, type StepResult } from './step-result';
import { type PendingVisit, pendingVisit } from './visit';

/** After so long a wait for a permit the row is read again before it is sent. */
const ROW_STALE_MS = 50;
const DESCRIPTION_LENGTH_MAX = 500;
const IDENTITY_CONFLICT = 'its row now means something else than what it was discovered with';

/** One that passed its gate, so it has a profile. */
type ReadyVisit = PendingVisit & { readonly profile: BillerProfile };

/** Rules 5 to 8: permit, fresh row, request and token; then the intent; then, in time, the call; then its outcome. */
export function startAttempt(ports: DeliverRecordPorts, settings: DeliverRecordSettings, moves: RecordMoves) {
  return async (visit: PendingVisit, signal: AbortSignal | undefined): Promise<StepResult> => {
    const ready = readyVisit(visit);
    const asked = ports.clock.monotonicMs();
    const permit = await ports.gateway.permit(ready.profile, {
      waitMs: settings.permitWaitMs,
      ...(visit.ratePerSecond === undefined ? {} : { ratePerSecond: visit.ratePerSecond }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!permit.granted) return turnedAway(ready, permit);
    try {
      const isStale = ports.clock.monotonicMs() - asked > ROW_STALE_MS;
      const row = isStale ? await visit.shard.findRow(visit.message.dpId) : visit.row;
      return await withPermit({ ...ready, row }, () => permit.release());
    } finally {
      permit.release();
    }
  };

  async function turnedAway(visit: ReadyVisit, permit: Extract<Permit, { granted: false }>): Promise<StepResult> {
    const now = await ports.shardClock.atLeast(visit.shard);
    if (permit.cause === 'throttled' && isTooOld(visit, now)) {
      const description = 'the biller went on asking to slow down until its time was over';
      return deadLetter(visit, { why: 'too-old', reason: 'TooOld', description }, now);
    }
    return moves.park(visit, { cause: permit.cause, until: plusMs(now, permit.retryAfterMs) }, now);
  }

  async function withPermit(visit: ReadyVisit, release: () => void): Promise<StepResult> {
    const fresh = await withFreshRow(visit);
    if ('next' in fresh) return fresh;
    const idempotencyKey = idempotencyKeyOf(visit.key, ports.digest);
    const prepared = await prepare(fresh.visit, fresh.row, idempotencyKey);
    if ('next' in prepared) return prepared;
    const called = await ownAndCall(fresh.visit, prepared.call, idempotencyKey);
    release();
    const attempt = await recordOutcome(fresh.visit, called.attempt, called.outcome);
    return lookAgain({ ...fresh.visit, attempt, attemptProfile: fresh.visit.profile });
  }

  /**
   * A result: the record was withdrawn, rejected, skipped or given up just now. A conflict ends a record in its stream and
   * its row, or the sweep would send it again for ever.
   */
  async function withFreshRow(visit: ReadyVisit): Promise<StepResult | { visit: ReadyVisit; row: DpRow }> {
    const { row, profile } = visit;
    const record = visit.record.state;
    const now = await ports.shardClock.atLeast(visit.shard);
    if (!row) {
      const owned = await moves.claim(visit, 'row-withdrawn', now);
      return lookAgain(await moves.decide(owned, [{ type: 'WithdrawDpRecord', at: now }], now));
    }
    // The row of another biller is not this record's to end.
    if (row.billerId !== record.billerId)
      return deadLettered({ reason: 'IdentityConflict', description: IDENTITY_CONFLICT });
    if (isAnother(row, record)) {
      const end = { why: 'identity-conflict', reason: 'IdentityConflict', description: IDENTITY_CONFLICT } as const;
      return deadLetter(visit, end, now);
    }
    const verdict = judged(row, record, profile);
    if (verdict === 'as-before') return { visit, row };
    const isValid = verdict.type === 'DpRecordValidated';
    const owned = isValid ? visit : await moves.claim(visit, 'row-not-valid', now);
    const decided = await moves.decide(owned, [{ type: 'RevalidateDpRecord', verdict }], now);
    return isValid ? { visit: readyVisit(pendingVisit(decided)), row } : lookAgain(decided);
  }

  /** Judging asks nobody: what breaks it is the row itself, here as at the fetcher, and would break it for ever. */
  function judged(row: DpRow, record: Pending, profile: BillerProfile): Verdict | 'as-before' {
    return judgedAlone(ports, row, () => {
      const isSame = ports.digest(validatedFields(row)) === record.validatedHash;
      if (isSame && sameAmount(record, row.payment?.amount)) return 'as-before';
      return verdictOf(row, profile, ports.digest);
    });
  }

  /** A result: the record has its end, or waits. */
  async function prepare(
    visit: ReadyVisit,
    row: DpRow,
    idempotencyKey: string,
  ): Promise<StepResult | { readonly call: PreparedCall }> {
    const { profile, key } = visit;
    const traceparent = traceparentOf(visit.received);
    try {
      const call = await ports.gateway.prepare({
        profile,
        row,
        idempotencyKey,
        ...(traceparent === undefined ? {} : { traceparent }),
      });
      return { call };
    } catch (error) {
      if (!(error instanceof PortFailure)) throw error;
      const now = await ports.shardClock.atLeast(visit.shard);
      // One line a record only where the record is the matter; the gateway tells of a biller's credentials once.
      ports.telemetry.count('delivery.prepare-failures', 1, { code: error.code });
      if (error.code === 'request-unbuildable') {
        ports.telemetry.warn('failed to prepare a call', { record: key, code: error.code });
        const description = maskCardData(error.message).slice(0, DESCRIPTION_LENGTH_MAX);
        return deadLetter(visit, { why: 'cannot-prepare', reason: 'CannotPrepare', description }, now);
      }
      // Its token endpoint is a part of the biller: left alone as long as the biller itself would be.
      const until = plusMs(now, error.retryAfterMs ?? profile.breaker.openMs);
      return moves.park(visit, { cause: 'token-unavailable', until }, now);
    }
  }

  async function deadLetter(visit: ReadyVisit, end: EndWithoutCall, now: Instant): Promise<StepResult> {
    const { why, reason, description } = end;
    const attempt = visit.record.state.nextAttempt;
    const owned = await moves.claim(visit, why, now);
    return lookAgain(await moves.decide(owned, [{ type: 'DeadLetterDpRecord', reason, description, attempt }], now));
  }

  /**
   * States the intent, then calls. The monotonic clock is read before the append: whatever delays the append, the
   * deadline does not move. A conflict leaves this function as it is: somebody else owns the attempt.
   */
  async function ownAndCall(
    { key, record: { state: record }, attempt: absent, profile, shard }: ReadyVisit,
    call: PreparedCall,
    idempotencyKey: string,
  ): Promise<{ readonly attempt: Loaded<DeliveryAttempt>; readonly outcome: CallOutcome }> {
    const number = record.nextAttempt;
    const since = ports.clock.monotonicMs();
    // Both bounds of the present: a key is at least as old as its start says, and an owner alive no longer than it says.
    const at = await ports.shardClock.atLeast(shard);
    const latest = await ports.shardClock.atMost(shard);
    const start = {
      billerId: record.billerId,
      dpId: record.dpId,
      attempt: number,
      at,
      notAfter: plusMs(latest, profile.timeoutMs),
      idempotencyKey,
      requestHash: call.requestHash,
      profileVersion: profile.version,
      ...(record.keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt: record.keyFirstUsedAt }),
      ...(record.amount === undefined ? {} : { amount: record.amount }),
    };
    const decision = deliveryAttemptDecider.decide({ type: 'StartAttempt', start }, absent.state);
    invariant(decision.outcome === 'accepted', `attempt ${number} of ${key} was absent and refused to start`);
    const attempt = await ports.history.appendToAttempt(key, number, absent, decision.events, at, 'own-knowledge');
    return { attempt, outcome: await call.send({ since, sendWithinMs: profile.timeoutMs }) };
  }

  /** What the biller said is appended first, whatever else is down: nothing is asked between the answer and its append. */
  async function recordOutcome(
    { key, record, shard }: ReadyVisit,
    attempt: Loaded<DeliveryAttempt>,
    outcome: CallOutcome,
  ): Promise<Loaded<DeliveryAttempt>> {
    const hand = { key, number: record.state.nextAttempt, attempt };
    const at = ports.shardClock.carried(shard);
    const closing = closingEventOf(outcome);
    if (closing) return closeAttempt(ports, hand, closing, at);
    return outcome.kind === 'unknown' ? observeUnknown(ports, hand, outcome, at) : attempt;
  }
}

/** How a record ends without a call: what its claimed attempt says, and what the record. */
interface EndWithoutCall {
  readonly why: WhyNotSent;
  readonly reason: DeadLetterReason;
  readonly description: string;
}

function readyVisit(visit: PendingVisit): ReadyVisit {
  const { profile } = visit;
  invariant(profile !== undefined, `record ${visit.key} passed its gate without a profile`);
  return { ...visit, profile };
}

/** Its age bounds how long a record asks a biller that throttles, whether it is the one that asks or waits for another. */
const isTooOld = ({ profile, record: { state } }: ReadyVisit, now: Instant): boolean =>
  nextTry(profile.retry, { openedAt: state.openedAt, now, spentTries: 0, chance: 0 }).retry === 'never';
