import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { dpRecordDecider, type DpRecordCommand, isAnother } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { allowedPredecessors } from '../../domain/dp-record/row-status';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant, msBetween, plusMs } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import { type DoubtTerms } from '../../domain/policies/in-doubt-resolution';
import { type BillerControl } from '../operating/biller-control';
import { type Gate } from './biller-gate';
import { crashPoint } from '../crash-point';
import { type History, type Loaded } from '../history/history';
import { type ChainLink, linkOf, nextHop } from '../messaging/message-chain';
import { type MessageContracts, type RecordMessage } from '../messaging/messages';
import { recordAgain, traceparentOf } from '../messaging/send-again';
import { type BillerGateway } from '../ports/biller-gateway';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { type Digest } from '../ports/digest';
import { type MessageBus, type ReceivedMessage } from '../ports/message-bus';
import { type RowResult, type Shard, type Shards } from '../ports/shard';
import { type Telemetry } from '../ports/telemetry';
import { type ShardClock } from '../shard-clock';
import { type EventsTopology } from '../messaging/topology';

export interface DeliverRecordPorts {
  readonly history: History;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly bus: MessageBus;
  readonly profiles: BillerProfiles;
  readonly gateway: BillerGateway;
  readonly control: BillerControl;
  readonly contracts: MessageContracts;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly digest: Digest;
  readonly telemetry: Telemetry;
}

export interface DeliverRecordSettings extends EventsTopology {
  /** For how long the broker locks a message: with a message's lockedUntil it tells the broker's time. */
  readonly lockMs: number;
  /** How long a record may wait for the biller's permit before it is parked. */
  readonly permitWaitMs: number;
}

/** What is done with the message once its record is safe. */
export type Settlement =
  | { readonly settle: 'complete' }
  | { readonly settle: 'dead-letter'; readonly reason: string; readonly description: string };

/** One record in hand: what was read of it, and what became of it since. */
export interface Delivery {
  readonly key: RecordKey;
  readonly message: RecordMessage;
  readonly received: ReceivedMessage;
  /** By the monotonic clock of this process. */
  readonly receivedAtMs: number;
  readonly shard: Shard;
  record: Loaded<DpRecord>;
  attempt: Loaded<DeliveryAttempt>;
  row: DpRow | undefined;
  profile: BillerProfile | undefined;
  /** The profile as the open attempt's start named it. */
  attemptProfile: BillerProfile | undefined;
  gate: Gate | undefined;
  ratePerSecond: number | undefined;
  /** Throws where the operators' orders to this biller could not be read: called before anything that may reach it. */
  readonly demandControl: () => void;
}

/** A successor is never scheduled nearer than this, so that a skewed broker clock cannot make hops spin. */
const SUCCESSOR_WAIT_MIN_MS = 200;

export const termsOf = (profile: BillerProfile | undefined): DoubtTerms | undefined =>
  profile && { quarantineMs: profile.quarantineMs, capability: profile.capability };

/** Decides one command after the other on the record as read and appends all their events at once. */
export async function decideRecord(ports: Pick<DeliverRecordPorts, 'history'>, delivery: Pick<Delivery, 'key' | 'record'>, commands: readonly DpRecordCommand[], at: Instant): Promise<void> {
  let { state } = delivery.record;
  const events: DpRecordEvent[] = [];
  for (const command of commands) {
    const decision = dpRecordDecider.decide(command, state);
    if (decision.outcome === 'refused') {
      throw new InvariantViolation(`record ${delivery.key} refused ${command.type}: ${decision.refusal} (status ${state.status})`);
    }
    events.push(...decision.events);
    state = decision.events.reduce(dpRecordDecider.evolve, state);
  }
  delivery.record = await ports.history.appendToRecord(delivery.key, delivery.record, events, at);
}

/**
 * What the stream says, to the row. One whose id has come to mean something else gets no result of what it was: it is set
 * aside for a person and is no row of this record any more; the row of another biller is left alone.
 */
export async function writeRow(ports: DeliverRecordPorts, delivery: Delivery, result: RowResult): ReturnType<Shard['reconcile']> {
  const { row, shard, key } = delivery;
  const record = delivery.record.state;
  if (!row || record.status === 'unknown' || (row.billerId === record.billerId && !isAnother(row, record))) return shard.reconcile(result);
  ports.telemetry.error('identity conflict: the row of a known record means something else', undefined, { record: key });
  if (row.billerId === record.billerId) await shard.reconcile({ dpId: row.dpId, to: 'Failed', from: allowedPredecessors('Failed') });
  return 'row-missing';
}

/** Waits for a gate or an owner: told once per cause, then a successor. No attempt and no delivery count is spent. */
export async function park(ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, gate: Gate, now: Instant): Promise<Settlement> {
  await decideRecord(ports, delivery, [{ type: 'ParkDpRecord', cause: gate.cause, until: gate.until }], now);
  crashPoint('consumer.after-park-stated');
  await sendSuccessor(ports, settings, delivery, gate.until);
  ports.telemetry.count('delivery.parked', 1, { cause: gate.cause });
  return { settle: 'complete' };
}

/**
 * Accepted by the broker when this returns. `until` is by the shard's clock; the broker gets the same wait on its own
 * clock, which the lock of the message in hand tells: by the clock of this process, a broker that is ahead would hand
 * the successor out at once, and hops would spin until `until`. The row's sweep is put off as long.
 */
export async function sendSuccessor(ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, until: Instant, link?: ChainLink): Promise<void> {
  const { key, message, received, shard } = delivery;
  const waitMs = Math.max(SUCCESSOR_WAIT_MIN_MS, msBetween(await ports.shardClock.atLeast(shard), until));
  const successor = recordAgain(settings, message, delivery.profile, {
    link: link ?? nextHop(linkOf(key, received)),
    traceparent: traceparentOf(received),
    scheduledFor: plusMs(brokerNow(ports, settings, delivery), waitMs),
  });
  crashPoint('consumer.before-successor');
  await ports.bus.send(settings.eventsTopic, [successor]);
  crashPoint('consumer.after-successor');
  await shard.noteProgress(message.dpId, until);
  crashPoint('consumer.after-progress-noted');
}

const brokerNow = (ports: DeliverRecordPorts, settings: DeliverRecordSettings, { received, receivedAtMs }: Delivery): Instant =>
  plusMs(received.lockedUntil, ports.clock.monotonicMs() - receivedAtMs - settings.lockMs);
