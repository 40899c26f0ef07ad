import { type Instant, msBetween, plusMs } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { nextDeliveryStep } from '../../domain/policies/delivery-step';
import { strangeTenant } from '../messaging/check-tenant';
import { findShard } from '../messaging/find-shard';
import { COMPLETE, type Settlement } from '../messaging/settlement';
import { VersionConflict } from '../ports/failures';
import { type ReceivedMessage } from '../ports/message-bus';
import { GATE_LOOK_AGAIN_MS } from './biller-gate';
import { concludeAttempt } from './conclude-attempt';
import { type DeliverRecordPorts, type DeliverRecordSettings } from './deliver-record.ports';
import { discoverRecord } from './discover-record';
import { recordMoves } from './record-moves';
import { resolveInDoubt } from './resolve-in-doubt';
import { rowResultOf } from './row-result';
import { startAttempt } from './start-attempt';
import { COMPLETED, deadLettered, lookAgain, READ_AGAIN, type StepResult } from './step-result';
import { closedVisit, type MessageInHand, openVisit, pendingVisit, readVisits, termsOf, type Visit } from './visit';

/** A record takes at most this many steps in one visit; then its message comes back. */
const STEPS_MAX = 16;
/** A message that came before its time, by the shard's clock, is held this long before it hops again. */
const EARLY_HOP_PAUSE_MS = 1_000;
const PROBLEMS_LENGTH_MAX = 1_000;

/**
 * The protocol of docs/ARCHITECTURE.md, rule by rule. One message in, one settlement out. Every write is at the revision
 * that was read; a conflict means that somebody else moved the record, so everything is read again. A successor is
 * accepted by the broker before the settlement is returned: send first, then complete.
 */
export function deliverRecord(ports: DeliverRecordPorts, settings: DeliverRecordSettings) {
  const read = readVisits(ports);
  const moves = recordMoves(ports, settings);
  const discover = discoverRecord(ports, moves);
  const start = startAttempt(ports, settings, moves);
  const conclude = concludeAttempt(ports, moves);
  const resolve = resolveInDoubt(ports, settings, moves);

  return async (received: ReceivedMessage, signal?: AbortSignal): Promise<Settlement> => {
    const hand = await takeInHand(ports, received);
    if ('settle' in hand) return hand;
    let visit = await read(hand);
    const strange = visit.profile && (await strangeTenant(ports.profiles, visit.profile, received));
    if (strange !== undefined) return { settle: 'dead-letter', reason: 'InvalidContract', description: strange };
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      const result = await takeStep(visit, signal).catch(afterConflict);
      if (result.next === 'settle') return result.settlement;
      visit = result.next === 'look-again' ? result.visit : await read(hand);
    }
    await moves.sendSuccessor(visit, plusMs(await ports.shardClock.atLeast(visit.shard), GATE_LOOK_AGAIN_MS));
    return COMPLETE;
  };

  function afterConflict(error: unknown): StepResult {
    if (!(error instanceof VersionConflict)) throw error;
    ports.telemetry.count('delivery.conflicts');
    return READ_AGAIN;
  }

  /** The ten rules, as nextDeliveryStep chooses among them. */
  async function takeStep(visit: Visit, signal: AbortSignal | undefined): Promise<StepResult> {
    const now = await ports.shardClock.atLeast(visit.shard);
    const step = nextDeliveryStep({
      record: visit.record.state,
      attempt: visit.attempt.state,
      row: visit.row,
      doubtTerms: termsOf(visit.attemptProfile),
      gate: visit.gate,
      now,
    });
    switch (step.step) {
      case 'complete':
        return settle(visit);
      case 'discover':
        return discover(visit, now);
      case 'reconcile-row':
        return reconcileRow(visit, step.status, now);
      case 'conclude':
        return conclude(closedVisit(visit), step.attempt, now);
      case 'await-owner':
        return moves.park(visit, { cause: 'attempt-open', until: step.until }, now);
      case 'resolve-doubt':
        visit.demandControl();
        return resolve(openVisit(visit), now);
      case 'park':
        return moves.park(visit, step, now);
      case 'come-back':
        return comeBack(visit, step.until, now);
      case 'start-attempt':
        visit.demandControl();
        await claimUnclaimed(visit);
        return start(pendingVisit(visit), signal);
      case 'stop-history-behind':
        return deadLettered({
          reason: 'HistoryBehind',
          description: `shard ${visit.shard.name} holds a result for ${visit.key} that the event store does not know`,
        });
    }
  }

  /** The stream is finished or held; the row follows. A row that is gone has nothing left to say. */
  async function reconcileRow(visit: Visit, status: RowStatus, now: Instant): Promise<StepResult> {
    const { key, row, message, record } = visit;
    const result = await moves.writeRow(visit, rowResultOf(record.state, message.dpId, now));
    if (result === 'refused')
      throw new InvariantViolation(`the row of ${key} refuses status ${status}, its present one allows no such change`);
    if (result === 'row-missing' && status !== 'Withdrawn')
      ports.telemetry.warn('row missing while reconciling', { record: key, status });
    const confirmed = await moves.decide(visit, [{ type: 'ConfirmReconciled', status }], now);
    return lookAgain({ ...confirmed, row: result === 'row-missing' || !row ? undefined : { ...row, status } });
  }

  async function comeBack(visit: Visit, until: Instant, now: Instant): Promise<StepResult> {
    const waitMs = msBetween(now, until);
    const cameEarly = visit.received.properties['hop'] !== 0;
    if (cameEarly) await ports.clock.sleep(Math.min(waitMs, EARLY_HOP_PAUSE_MS));
    if (cameEarly && waitMs <= EARLY_HOP_PAUSE_MS) return lookAgain(visit);
    await moves.sendSuccessor(visit, until);
    return COMPLETED;
  }
}

/** A settlement where the message cannot be of a record of ours. */
async function takeInHand(ports: DeliverRecordPorts, received: ReceivedMessage): Promise<MessageInHand | Settlement> {
  const receivedAtMs = ports.clock.monotonicMs();
  const checked = ports.contracts.record(received);
  if (!checked.valid) {
    const description = checked.problems.join('; ').slice(0, PROBLEMS_LENGTH_MAX);
    return { settle: 'dead-letter', reason: 'InvalidContract', description };
  }
  const { message } = checked;
  const told = message.source.shard;
  const shard = await findShard(ports.shards, { billerId: message.billerId, shard: told });
  if (!shard) {
    const description = `no shard ${told} and none that holds biller ${message.billerId}`;
    return { settle: 'dead-letter', reason: 'ShardUnknown', description };
  }
  return { message, received, receivedAtMs, shard };
}

/** A row whose discovery stood before its claim did: nothing is called for while the shard says that it was never taken. */
async function claimUnclaimed({ row, shard, message: { dpId } }: Visit): Promise<void> {
  if (row?.status === 'New') await shard.changeStatuses([{ dpId, to: 'Queued', from: ['New'] }]);
}

/** The message of a dead-lettered record goes where an operator finds and redrives it. */
function settle({ record: { state }, key }: Visit): StepResult {
  return state.status === 'dead-lettered'
    ? deadLettered({ reason: state.reason, description: `record ${key} is dead-lettered, its stream tells why` })
    : COMPLETED;
}
