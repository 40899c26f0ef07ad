import { type DataType } from '../../domain/biller/data-type';
import { dpRecordDecider } from '../../domain/dp-record/dp-record.decider';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type History } from '../history/history';
import { deadLetterChain, messageIdOf, redriveChain } from '../messaging/message-chain';
import { type MessageContracts } from '../messaging/messages';
import { findShard, shardOfRecord } from '../messaging/find-shard';
import { recordAgainFor, traceparentOf } from '../messaging/send-again';
import { workOff } from '../messaging/work-off';
import { type BillerProfiles } from '../ports/biller-profiles';
import { lettersOf } from '../queries/list-dead-letters';
import { type OperatorOrder } from './operator-order';
import { type Chance } from '../ports/chance';
import { VersionConflict } from '../ports/failures';
import { type MessageBus, type ReceivedMessage } from '../ports/message-bus';
import { type Shards } from '../ports/shard';
import { newTraceparent } from '../scanning/relay-outbox';
import { type ShardClock } from '../shard-clock';
import { type EventsTopology } from '../messaging/topology';
import { transact } from '../history/transact';

export interface RedrivePorts {
  readonly history: History;
  readonly bus: MessageBus;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly profiles: BillerProfiles;
  readonly contracts: MessageContracts;
  readonly chance: Chance;
}

export interface RedriveOrder extends OperatorOrder {
  readonly dataType: DataType;
  /** Undefined: every dead letter of the data type. */
  readonly records: ReadonlySet<RecordKey> | undefined;
  /** At most so many dead letters in one order. */
  readonly max: number;
}

export type Redriven =
  | {
      readonly messageId: string;
      readonly record: RecordKey;
      readonly result: 'redriven';
      readonly newMessageId: string;
    }
  | {
      readonly messageId: string;
      readonly record: RecordKey | undefined;
      readonly result: 'left';
      readonly why: string;
    };

/**
 * Rule 10: the stream first (only the next ordinal reopens the record), then the row, then a message under the
 * ordinal's own id, then the dead letter is taken away. Repeated after a crash anywhere, it ends in the same place. An
 * order sends a record once: what dies again while it runs waits for the next.
 */
export function redriveDeadLetters(ports: RedrivePorts, settings: EventsTopology) {
  return (order: RedriveOrder): Promise<readonly Redriven[]> => {
    const sent = new Set<RecordKey>();
    return workOff(ports.bus, lettersOf(settings, order.dataType), order.max, async (letter) => {
      const result = await redriveOne(ports, settings, order, letter, sent);
      if (result.result === 'redriven') sent.add(result.record);
      return { result, done: result.result === 'redriven' };
    });
  };
}

async function redriveOne(
  ports: RedrivePorts,
  settings: EventsTopology,
  order: RedriveOrder,
  letter: ReceivedMessage,
  sent: ReadonlySet<RecordKey>,
): Promise<Redriven> {
  const checked = ports.contracts.record(letter);
  if (!checked.valid)
    return {
      messageId: letter.messageId,
      record: undefined,
      result: 'left',
      why: `breaks its contract: ${checked.problems.join('; ')}`,
    };
  const { message } = checked;
  const record = message.traceId;
  if (order.records && !order.records.has(record))
    return { messageId: letter.messageId, record, result: 'left', why: 'not in the order' };
  // What dies again at once would be sent by one order until its `max` is used up.
  if (sent.has(record))
    return { messageId: letter.messageId, record, result: 'left', why: 'this order sent the record already' };
  const found = await findShard(ports.shards, { billerId: message.billerId, shard: message.source.shard });
  if (!found)
    return { messageId: letter.messageId, record, result: 'left', why: `no shard holds biller ${message.billerId}` };
  const shard = shardOfRecord(ports.shards, (await ports.history.record(record)).state, found);
  const opened = await openRecord(ports, record, order, await ports.shardClock.atLeast(shard));
  if ('why' in opened) return { messageId: letter.messageId, record, result: 'left', why: opened.why };
  await shard.reopen(message.dpId);
  // A record that is open already (an earlier redrive died, or its message broke) is sent under the letter's own number:
  // the row's count starts anew with a row that was laid anew or restored, and the broker drops an id it knows.
  const link = opened.redrive === undefined ? deadLetterChain(letter.sequenceNumber) : redriveChain(opened.redrive);
  const again = await recordAgainFor(ports.profiles, settings, message, {
    link,
    traceparent: traceparentOf(letter) ?? newTraceparent(ports.chance),
  });
  await ports.bus.send(settings.eventsTopic, [again]);
  return { messageId: letter.messageId, record, result: 'redriven', newMessageId: messageIdOf(record, link) };
}

/** `redrive`: the ordinal this order just opened the record under; undefined: it was open already. */
async function openRecord(
  ports: RedrivePorts,
  record: RecordKey,
  order: RedriveOrder,
  at: Instant,
): Promise<{ readonly redrive: number | undefined } | { readonly why: string }> {
  return transact(async () => {
    const loaded = await ports.history.record(record);
    const { state } = loaded;
    if (state.status === 'unknown' || state.status === 'pending') return { redrive: undefined };
    const ordinal = state.redrives + 1;
    const decision = dpRecordDecider.decide(
      {
        type: 'RedriveDpRecord',
        ordinal,
        by: order.by,
        ...(order.claimedBy === undefined ? {} : { claimedBy: order.claimedBy }),
        reason: order.reason,
        at,
      },
      state,
    );
    if (decision.outcome === 'refused') return { why: `${decision.refusal}: the record is ${state.status}` };
    await ports.history.appendToRecord(record, loaded, decision.events, at);
    return { redrive: ordinal };
  }).catch((error: unknown) => {
    if (error instanceof VersionConflict) return { why: 'the record moved too often while it was redriven' };
    throw error;
  });
}
