import { type BillerId } from '../../domain/identifiers';
import { type Instant, msBetween, plusMs } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import { type DeliveryStep, nextDeliveryStep } from '../../domain/policies/delivery-step';
import { type BillerControlState, uncontrolled } from '../operating/biller-control';
import { GATE_LOOK_AGAIN_MS, gateOf } from './biller-gate';
import { concludeAttempt } from './conclude-attempt';
import { crashPoint } from '../crash-point';
import { decideRecord, type Delivery, type DeliverRecordPorts, type DeliverRecordSettings, park, sendSuccessor, type Settlement, termsOf, writeRow } from './delivery';
import { discoverRecord } from '../fetching/discover-record';
import { type RecordMessage } from '../messaging/messages';
import { strangeTenant } from '../messaging/check-tenant';
import { findShard, shardOfRecord } from '../messaging/find-shard';
import { VersionConflict } from '../ports/failures';
import { type ReceivedMessage } from '../ports/message-bus';
import { type Shard } from '../ports/shard';
import { rowResultOf } from './row-result';
import { resolveInDoubt } from './resolve-in-doubt';
import { startAttempt } from './start-attempt';

/** A record takes at most this many steps in one visit; then its message comes back. */
const STEPS_MAX = 16;
/** A message that came before its time, by the shard's clock, is held this long before it hops again. */
const EARLY_HOP_PAUSE_MS = 1_000;

/**
 * DESIGN §4. One message in, one settlement out. Every write is at the revision that was read; a conflict means that
 * somebody else moved the record, so everything is read again. A successor is accepted by the broker before the
 * settlement is returned: send first, then complete.
 */
export function deliverRecord(ports: DeliverRecordPorts, settings: DeliverRecordSettings) {
  return async (received: ReceivedMessage, signal?: AbortSignal): Promise<Settlement> => {
    const receivedAtMs = ports.clock.monotonicMs();
    const checked = ports.contracts.record(received);
    if (!checked.valid) {
      return { settle: 'dead-letter', reason: 'InvalidContract', description: checked.problems.join('; ').slice(0, 1_000) };
    }
    const { message } = checked;
    const shard = await findShard(ports.shards, { billerId: message.billerId, shard: message.source.shard });
    if (!shard) {
      return { settle: 'dead-letter', reason: 'ShardUnknown', description: `no shard ${message.source.shard} and none that holds biller ${message.billerId}` };
    }
    let delivery = await load(ports, shard, message, received, receivedAtMs);
    crashPoint('consumer.after-load');
    const strange = delivery.profile && (await strangeTenant(ports.profiles, delivery.profile, received));
    if (strange !== undefined) return { settle: 'dead-letter', reason: 'InvalidContract', description: strange };
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      try {
        const settlement = await takeStep(ports, settings, delivery, signal);
        if (settlement === 'read-again') delivery = await load(ports, shard, message, received, receivedAtMs);
        else if (settlement) return settlement;
      } catch (error) {
        if (!(error instanceof VersionConflict)) throw error;
        ports.telemetry.count('delivery.conflicts');
        delivery = await load(ports, shard, message, received, receivedAtMs);
      }
    }
    await sendSuccessor(ports, settings, delivery, plusMs(await ports.shardClock.atLeast(shard), GATE_LOOK_AGAIN_MS));
    return { settle: 'complete' };
  };
}

async function load(
  ports: DeliverRecordPorts, found: Shard, message: RecordMessage, received: ReceivedMessage, receivedAtMs: number,
): Promise<Delivery> {
  const key = message.traceId;
  const [record, rowFound, profile, control] = await Promise.all([
    ports.history.record(key),
    found.findRow(message.dpId),
    ports.profiles.current(message.billerId),
    readControl(ports, message.billerId),
  ]);
  const shard = shardOfRecord(ports.shards, record.state, found);
  const row = shard === found ? rowFound : await shard.findRow(message.dpId);
  const number = record.state.status === 'unknown' ? 1 : record.state.status === 'in-doubt' ? record.state.attempt : record.state.nextAttempt;
  // After the row, never before it: a result that reaches the row between two reads in the other order would look like a
  // shard that knows more than its stream.
  const attempt = await ports.history.attempt(key, number);
  const attemptProfile =
    attempt.state.status === 'open' ? await ports.profiles.version(message.billerId, attempt.state.started.profileVersion) : undefined;
  const gate = gateOf(profile, control.state, await ports.shardClock.atLeast(shard));
  return {
    key, message, received, receivedAtMs, shard, record, attempt, row, profile, attemptProfile, gate,
    ratePerSecond: control.state.ratePerSecond, demandControl: control.demand,
  };
}

/** Orders that cannot be read stop calls, as a pause does, and nothing else: what is known already is still written down. */
async function readControl({ control }: DeliverRecordPorts, biller: BillerId): Promise<{ readonly state: BillerControlState; readonly demand: () => void }> {
  try {
    return { state: await control.state(biller), demand: () => undefined };
  } catch (error) {
    const demand = (): never => {
      throw error;
    };
    return { state: uncontrolled, demand };
  }
}

/** Undefined: look again at what is in hand. */
async function takeStep(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, signal: AbortSignal | undefined,
): Promise<Settlement | 'read-again' | undefined> {
  const now = await ports.shardClock.atLeast(delivery.shard);
  const step = nextDeliveryStep({
    record: delivery.record.state,
    attempt: delivery.attempt.state,
    row: delivery.row,
    doubtTerms: termsOf(delivery.attemptProfile),
    gate: delivery.gate,
    now,
  });
  switch (step.step) {
    case 'complete':
      return settlementOf(delivery);
    case 'discover':
      return discoverRecord(ports, settings, delivery, now);
    case 'reconcile-row':
      return reconcileRow(ports, delivery, step, now);
    case 'conclude':
      return concludeAttempt(ports, settings, delivery, step.attempt, now);
    case 'await-owner':
      return park(ports, settings, delivery, { cause: 'attempt-open', until: step.until }, now);
    case 'resolve-doubt':
      delivery.demandControl();
      return resolveInDoubt(ports, settings, delivery, now);
    case 'park':
      return park(ports, settings, delivery, step, now);
    case 'come-back':
      return comeBack(ports, settings, delivery, step.until, now);
    case 'start-attempt':
      delivery.demandControl();
      await claimUnclaimed(delivery);
      return startAttempt(ports, settings, delivery, step.attempt, signal);
    case 'stop-history-behind':
      return {
        settle: 'dead-letter',
        reason: 'HistoryBehind',
        description: `shard ${delivery.shard.name} holds a result for ${delivery.key} that the event store does not know`,
      };
  }
}

/** A row whose discovery stood before its claim did: nothing is called for while the shard says that it was never taken. */
async function claimUnclaimed({ row, shard, message: { dpId } }: Delivery): Promise<void> {
  if (row?.status === 'New') await shard.changeStatuses([{ dpId, to: 'Queued', from: ['New'] }]);
}

/** The message of a dead-lettered record goes where an operator finds and redrives it. */
function settlementOf({ record, key }: Delivery): Settlement {
  return record.state.status === 'dead-lettered'
    ? { settle: 'dead-letter', reason: record.state.reason, description: `record ${key} is dead-lettered, its stream tells why` }
    : { settle: 'complete' };
}

/** The stream is finished or held; the row follows. A row that is gone has nothing left to say. */
async function reconcileRow(ports: DeliverRecordPorts, delivery: Delivery, step: Extract<DeliveryStep, { step: 'reconcile-row' }>, now: Instant): Promise<undefined> {
  const result = await writeRow(ports, delivery, rowResultOf(delivery.record.state, delivery.message.dpId, now));
  if (result === 'refused') {
    throw new InvariantViolation(`the row of ${delivery.key} refuses status ${step.status}, its present one allows no such change`);
  }
  delivery.row = result === 'row-missing' || !delivery.row ? undefined : { ...delivery.row, status: step.status };
  if (result === 'row-missing' && step.status !== 'Withdrawn') ports.telemetry.warn('row missing while reconciling', { record: delivery.key, status: step.status });
  crashPoint('consumer.after-row-reconciled');
  await decideRecord(ports, delivery, [{ type: 'ConfirmReconciled', status: step.status }], now);
  crashPoint('consumer.after-row-confirmed');
  return undefined;
}

async function comeBack(ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, until: Instant, now: Instant): Promise<Settlement | undefined> {
  const waitMs = msBetween(now, until);
  const cameEarly = delivery.received.properties['hop'] !== 0;
  if (cameEarly) await ports.clock.sleep(Math.min(waitMs, EARLY_HOP_PAUSE_MS));
  if (cameEarly && waitMs <= EARLY_HOP_PAUSE_MS) return undefined;
  await sendSuccessor(ports, settings, delivery, until);
  return { settle: 'complete' };
}

