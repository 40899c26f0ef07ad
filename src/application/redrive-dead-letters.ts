import { type DataType } from '../domain/biller/data-type';
import { dpRecordDecider } from '../domain/dp-record/dp-record.decider';
import { parseRecordKey, type RecordKey } from '../domain/identifiers';
import { type Instant } from '../domain/instant';
import { crashPoint } from './crash-point';
import { type History } from './history';
import { type ChainLink, deadLetterChain, messageIdOf, recordMessage, redriveChain, sweepChain } from './message-chain';
import { type MessageContracts, type RecordMessage } from './messages';
import { type Chance } from './ports/chance';
import { VersionConflict } from './ports/failures';
import { type MessageBus, type PeekedMessage, type ReceivedMessage } from './ports/message-bus';
import { type Shards } from './ports/shard';
import { newTraceparent } from './relay-outbox';
import { type ShardClock } from './shard-clock';
import { type EventsTopology } from './topology';

export interface RedrivePorts {
  readonly history: History;
  readonly bus: MessageBus;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly contracts: MessageContracts;
  readonly chance: Chance;
}

export interface RedriveOrder {
  readonly dataType: DataType;
  /** Undefined: every dead letter of the data type. */
  readonly records: ReadonlySet<RecordKey> | undefined;
  readonly by: string;
  readonly reason: string;
  /** At most so many dead letters in one order. */
  readonly max: number;
}

export type Redriven = { readonly messageId: string; readonly record: RecordKey | undefined } & (
  | { readonly result: 'redriven'; readonly newMessageId: string }
  | { readonly result: 'left'; readonly why: string }
);

const RECEIVE_WAIT_MS = 500;
const RECEIVE_BATCH_MAX = 100;
const PEEK_MAX = 500;
const CONFLICTS_MAX = 5;

/** The dead letters as they lie there: nothing is locked or changed. */
export async function listDeadLetters(bus: MessageBus, settings: EventsTopology, dataType: DataType, max: number): Promise<readonly PeekedMessage[]> {
  const found: PeekedMessage[] = [];
  const source = { topic: settings.eventsTopic, subscription: settings.subscriptions[dataType], deadLetters: true };
  while (found.length < max) {
    const after = found.at(-1)?.sequenceNumber;
    const page = await bus.peek(source, { max: Math.min(PEEK_MAX, max - found.length), ...(after === undefined ? {} : { after }) });
    if (page.length === 0) break;
    found.push(...page);
  }
  return found;
}

/**
 * Rule 10: the stream first (only the next ordinal reopens the record), then the row, then a message under the
 * ordinal's own id, then the dead letter is taken away. Repeated after a crash anywhere, it ends in the same place.
 */
export function redriveDeadLetters(ports: RedrivePorts, settings: EventsTopology) {
  return async (order: RedriveOrder): Promise<readonly Redriven[]> => {
    const receiver = ports.bus.receiver({ topic: settings.eventsTopic, subscription: settings.subscriptions[order.dataType], deadLetters: true });
    const done: Redriven[] = [];
    const left: ReceivedMessage[] = [];
    try {
      while (done.length < order.max) {
        const batch = await receiver.receive({ max: Math.min(RECEIVE_BATCH_MAX, order.max - done.length), waitMs: RECEIVE_WAIT_MS });
        if (batch.length === 0) break;
        left.push(...batch);
        crashPoint('redrive.after-receive');
        for (const letter of batch) {
          const result = await redriveOne(ports, settings, order, letter);
          if (result.result === 'redriven') {
            left.splice(left.indexOf(letter), 1);
            await receiver.complete(letter);
            crashPoint('redrive.after-complete');
          }
          done.push(result);
        }
      }
    } finally {
      // What failed goes back too: the order can be repeated at once, not only when the locks have lapsed.
      await Promise.allSettled(left.map((letter) => receiver.abandon(letter)));
      await receiver.close();
    }
    return done;
  };
}

async function redriveOne(ports: RedrivePorts, settings: EventsTopology, order: RedriveOrder, letter: ReceivedMessage): Promise<Redriven> {
  const checked = ports.contracts.record(letter.body);
  if (!checked.valid) return { messageId: letter.messageId, record: undefined, result: 'left', why: `breaks its contract: ${checked.problems.join('; ')}` };
  const { message } = checked;
  const record = message.traceId;
  if (order.records && !order.records.has(record)) return { messageId: letter.messageId, record, result: 'left', why: 'not in the order' };
  const shard = ports.shards.all().find(({ name }) => name === message.source.shard) ?? (await ports.shards.ofBiller(message.billerId));
  if (!shard) return { messageId: letter.messageId, record, result: 'left', why: `no shard holds biller ${message.billerId}` };
  const opened = await openRecord(ports, record, order, await ports.shardClock.atLeast(shard));
  if ('why' in opened) return { messageId: letter.messageId, record, result: 'left', why: opened.why };
  crashPoint('redrive.after-opened');
  const ordinal = await shard.reopen(message.dpId);
  crashPoint('redrive.after-row-reopened');
  // A record that is open already (an earlier redrive died, or its message broke) gets an id from the row's own count.
  const link = opened.redrive === undefined ? openLink(ordinal, letter) : redriveChain(opened.redrive);
  await ports.bus.send(settings.eventsTopic, [again(ports, settings, message, letter, link)]);
  crashPoint('redrive.after-send');
  return { messageId: letter.messageId, record, result: 'redriven', newMessageId: messageIdOf(record, link) };
}

/** A row that has its result already takes no ordinal: then the letter itself names the id. */
const openLink = (ordinal: number | undefined, letter: PeekedMessage): ChainLink =>
  ordinal === undefined ? deadLetterChain(letter.sequenceNumber) : sweepChain(ordinal);

/** `redrive`: the ordinal this order just opened the record under; undefined: it was open already. */
async function openRecord(
  ports: RedrivePorts, record: RecordKey, order: RedriveOrder, at: Instant,
): Promise<{ readonly redrive: number | undefined } | { readonly why: string }> {
  for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
    const loaded = await ports.history.record(record);
    const { state } = loaded;
    if (state.status === 'unknown' || state.status === 'pending') return { redrive: undefined };
    const ordinal = state.redrives + 1;
    const decision = dpRecordDecider.decide({ type: 'RedriveDpRecord', ordinal, by: order.by, reason: order.reason, at }, state);
    if (decision.outcome === 'refused') return { why: `${decision.refusal}: the record is ${state.status}` };
    try {
      await ports.history.appendToRecord(record, loaded, decision.events, at);
      return { redrive: ordinal };
    } catch (error) {
      if (!(error instanceof VersionConflict)) throw error;
    }
  }
  return { why: 'the record moved too often while it was redriven' };
}

function again(ports: RedrivePorts, settings: EventsTopology, message: RecordMessage, letter: PeekedMessage, link: ChainLink) {
  return recordMessage(message, {
    link,
    tenant: String(letter.properties['tenant'] ?? message.billerId),
    traceparent: typeof letter.properties['traceparent'] === 'string' ? letter.properties['traceparent'] : newTraceparent(ports.chance),
    target: settings.subscriptions[message.eventType],
  });
}

/** Reads record keys from an operator's arguments; the texts that are none come back as problems. */
export function recordKeysOf(texts: readonly string[]): { keys: ReadonlySet<RecordKey>; problems: readonly string[] } {
  const problems = texts.filter((text) => !parseRecordKey(text));
  return { keys: new Set(texts as readonly RecordKey[]), problems };
}
