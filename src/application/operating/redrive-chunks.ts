import { awaitsFetch } from '../fetching/fetch-rows';
import { type ChunkMessage, type MessageContracts } from '../messaging/messages';
import { findShard } from '../messaging/find-shard';
import { chunkAgain } from '../messaging/send-again';
import { workOff } from '../messaging/work-off';
import { type OperatorOrders } from './operator-orders';
import { type Chance } from '../ports/chance';
import { type MessageBus, type ReceivedMessage } from '../ports/message-bus';
import { type Shard, type Shards } from '../ports/shard';
import { lettersOf } from '../queries/list-dead-letters';
import { newTraceparent } from '../scanning/relay-outbox';
import { type ShardClock } from '../shard-clock';
import { type EventsTopology, OUTBOX_TOPIC } from '../messaging/topology';

export interface RedriveChunksPorts {
  readonly orders: OperatorOrders;
  readonly bus: MessageBus;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly contracts: MessageContracts;
  readonly chance: Chance;
}

export interface RedriveChunksOrder {
  /** Message ids of dead letters; undefined: every dead chunk. */
  readonly messageIds: ReadonlySet<string> | undefined;
  readonly by: string;
  readonly claimedBy?: string;
  readonly reason: string;
  readonly max: number;
}

export type RedrivenChunk = { readonly messageId: string } & (
  | { readonly result: 'redriven'; readonly newMessageId: string; readonly rows: number }
  | { readonly result: 'left'; readonly why: string }
);

/** A foreign chunk names a range: so many of its rows are counted, for the order's own words. */
const ROWS_COUNTED_MAX = 5_000;
/** So that the longest id, with a 64-bit number behind it, fits a broker's 128 characters. */
const ID_BEGINS_MAX = 100;

/**
 * A dead chunk's rows still wait to be fetched. Who ordered it and why is stated first, then the chunk goes again under an
 * id that only this letter has, then the letter is taken away. Repeated after a crash anywhere it ends in the same place:
 * the order stands once, the broker drops the repeated id, and a chunk that is fetched twice finds its records' verdicts.
 */
export function redriveChunks(ports: RedriveChunksPorts, settings: EventsTopology) {
  return (order: RedriveChunksOrder): Promise<readonly RedrivenChunk[]> =>
    workOff(ports.bus, lettersOf(settings, 'Chunks'), order.max, async (letter) => {
      const result = await redriveOne(ports, order, letter);
      return { result, done: result.result === 'redriven' };
    });
}

async function redriveOne(
  ports: RedriveChunksPorts,
  order: RedriveChunksOrder,
  letter: ReceivedMessage,
): Promise<RedrivenChunk> {
  const { messageId } = letter;
  const left = (why: string): RedrivenChunk => ({ messageId, result: 'left', why });
  if (order.messageIds && !order.messageIds.has(messageId)) return left('not in the order');
  const checked = ports.contracts.chunk(letter);
  if (!checked.valid) return left(`breaks its contract: ${checked.problems.join('; ')}`);
  const { message } = checked;
  const shard = await findShard(ports.shards, { billerId: message.billerId, shard: message.shard });
  if (!shard) return left(`no shard holds biller ${message.billerId}`);
  const rows = (await rowsOf(shard, message)).filter(awaitsFetch).length;
  const newMessageId = redrivenId(message, letter);
  const { by, claimedBy, reason } = order;
  const at = await ports.shardClock.atLeast(shard);
  await ports.orders.state(message.billerId, {
    type: 'ChunkRedriven',
    data: { messageId, newMessageId, rows, by, ...(claimedBy === undefined ? {} : { claimedBy }), reason, at },
  });
  await ports.bus.send(OUTBOX_TOPIC, [
    chunkAgain(message, { messageId: newMessageId, traceparent: newTraceparent(ports.chance) }),
  ]);
  return { messageId, result: 'redriven', newMessageId, rows };
}

const rowsOf = (shard: Shard, { chunkId, billerId, eventType, dpStart, dpEnd }: ChunkMessage) =>
  chunkId === undefined
    ? shard.rowsInRange({ billerId, dataType: eventType, from: dpStart, to: dpEnd, max: ROWS_COUNTED_MAX })
    : shard.rowsOfChunk(chunkId);

/** A sequence number is its topic's own: no sweep, no relay and no other redrive makes this id. */
const redrivenId = ({ chunkId, messageId }: ChunkMessage, { sequenceNumber }: ReceivedMessage): string =>
  `${(chunkId ?? messageId).slice(0, ID_BEGINS_MAX)}:d${sequenceNumber}`;
