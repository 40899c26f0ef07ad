import { type ResolvedOutcome } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { doubtBeginsAt } from '../../domain/policies/in-doubt-resolution';
import { closeAttempt } from '../delivering/close-attempt';
import { type History } from '../history/history';
import { sweepChain } from '../messaging/message-chain';
import { messageOf, type RecordMessage } from '../messaging/messages';
import { recordAgainFor } from '../messaging/send-again';
import { type OperatorOrder } from './operator-order';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Chance } from '../ports/chance';
import { type MessageBus } from '../ports/message-bus';
import { type Shard, type Shards } from '../ports/shard';
import { type Telemetry } from '../ports/telemetry';
import { newTraceparent } from '../scanning/relay-outbox';
import { type ShardClock } from '../shard-clock';
import { type EventsTopology } from '../messaging/topology';

export interface ResolveByOperatorPorts {
  readonly history: History;
  readonly bus: MessageBus;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly profiles: BillerProfiles;
  readonly chance: Chance;
  readonly telemetry: Telemetry;
}

export interface OperatorResolution extends OperatorOrder {
  readonly record: RecordKey;
  readonly outcome: ResolvedOutcome;
  /** What the person saw: a ticket, a statement line, a name at the biller. */
  readonly evidence: string;
  readonly billerReference?: string;
}

export type ResolveResult =
  { readonly result: 'resolved'; readonly attempt: number } | { readonly result: 'refused'; readonly why: string };

/**
 * A person closes the attempt, with evidence; the consumer draws the consequence. Resolving twice is resolving once: a
 * contradicting second word is kept as a late outcome and raises DoublePostSuspected.
 */
export function resolveByOperator(ports: ResolveByOperatorPorts, settings: EventsTopology) {
  return async (order: OperatorResolution): Promise<ResolveResult> => {
    const { state } = await ports.history.record(order.record);
    if (state.status !== 'in-doubt') return { result: 'refused', why: `the record is ${state.status}, not in doubt` };
    const shard = ports.shards.named(state.shard);
    const attempt = await ports.history.attempt(order.record, state.attempt);
    const resendsSeen = attempt.state.status === 'open' ? attempt.state.resends : 0;
    const now = await ports.shardClock.atLeast(shard);
    const early = order.outcome === 'not-executed' ? await stillOwned(ports, attempt.state, now) : undefined;
    if (early) return { result: 'refused', why: early };
    const evidence = `${order.evidence} (${order.reason})`;
    await closeAttempt(
      ports,
      { key: order.record, number: state.attempt, attempt },
      {
        type: 'DeliveryAttemptResolvedByOperator',
        data: {
          outcome: order.outcome,
          by: order.by,
          ...(order.claimedBy === undefined ? {} : { claimedBy: order.claimedBy }),
          evidence,
          ...(order.billerReference === undefined ? {} : { billerReference: order.billerReference }),
        },
      },
      now,
      resendsSeen,
    );
    await wake(ports, settings, shard, state, now);
    return { result: 'resolved', attempt: state.attempt };
  };
}

/** "Not executed" frees the next attempt: a person may not say so while the call, or its late effect, may be on its way. */
async function stillOwned(
  ports: Pick<ResolveByOperatorPorts, 'profiles'>,
  attempt: DeliveryAttempt,
  now: Instant,
): Promise<string | undefined> {
  if (attempt.status !== 'open') return undefined;
  const { billerId, profileVersion, underLostHistory } = attempt.started;
  const profile =
    (await ports.profiles.version(billerId, profileVersion)) ??
    (underLostHistory ? await ports.profiles.current(billerId) : undefined);
  if (!profile) return `profile version ${profileVersion} cannot be read, so nobody can say when the attempt is over`;
  const begins = doubtBeginsAt(attempt, { quarantineMs: profile.quarantineMs, capability: profile.capability });
  return now < begins
    ? `until ${begins} the call or a late effect of it may still be on its way; say not-executed after that`
    : undefined;
}

/** The consequence is the consumer's work: it gets a message under an id from the row's own count. */
async function wake(
  ports: ResolveByOperatorPorts,
  settings: EventsTopology,
  shard: Shard,
  state: Pick<RecordMessage, 'billerId' | 'dpId'> & { readonly dataType: RecordMessage['eventType'] },
  now: RecordMessage['occurredAt'],
): Promise<void> {
  const ordinal = await shard.reopen(state.dpId);
  if (ordinal === undefined) return;
  const message = messageOf({ ...state, shard: shard.name, occurredAt: now });
  const again = await recordAgainFor(ports.profiles, settings, message, {
    link: sweepChain(ordinal, now),
    traceparent: newTraceparent(ports.chance),
  });
  await ports.bus.send(settings.eventsTopic, [again]);
}
