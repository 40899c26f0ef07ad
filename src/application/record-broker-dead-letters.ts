import { type DataType } from '../domain/biller/data-type';
import { type Instant } from '../domain/instant';
import { claimWithoutCall } from './claim-attempt';
import { decideRecord } from './delivery';
import { type History } from './history';
import { type MessageContracts } from './messages';
import { VersionConflict } from './ports/failures';
import { BROKER_DEAD_LETTER_REASON, type MessageBus, type PeekedMessage } from './ports/message-bus';
import { type Shards } from './ports/shard';
import { type Telemetry } from './ports/telemetry';
import { rowResultOf } from './row-result';
import { type ShardClock } from './shard-clock';
import { type EventsTopology } from './topology';

export interface RecordBrokerDeadLettersPorts {
  readonly history: History;
  readonly bus: MessageBus;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly contracts: MessageContracts;
  readonly telemetry: Telemetry;
}

const PEEK_MAX = 200;
const PAGES_PER_PASS_MAX = 50;
const CONFLICTS_MAX = 5;

/**
 * Dead letters that the broker made itself (a message delivered too often) are recorded, so that stream, row and broker
 * tell one story. With an open attempt nothing is concluded: the record goes to doubt by its own rules when the sweep
 * or a redrive brings it back. Looks without locking; remembers how far it looked while the process lives.
 */
export function recordBrokerDeadLetters(ports: RecordBrokerDeadLettersPorts, settings: EventsTopology) {
  const lookedUpTo = new Map<DataType, string>();
  return async (dataType: DataType): Promise<number> => {
    const source = { topic: settings.eventsTopic, subscription: settings.subscriptions[dataType], deadLetters: true };
    let recorded = 0;
    for (let page = 0; page < PAGES_PER_PASS_MAX; page++) {
      const after = lookedUpTo.get(dataType);
      const letters = await ports.bus.peek(source, { max: PEEK_MAX, ...(after === undefined ? {} : { after }) });
      for (const letter of letters) {
        if (letter.deadLetterReason === BROKER_DEAD_LETTER_REASON && (await recordOne(ports, letter))) recorded++;
        lookedUpTo.set(dataType, letter.sequenceNumber);
      }
      if (letters.length < PEEK_MAX) break;
    }
    return recorded;
  };
}

async function recordOne(ports: RecordBrokerDeadLettersPorts, letter: PeekedMessage): Promise<boolean> {
  const checked = ports.contracts.record(letter.body);
  if (!checked.valid) return false;
  const { message } = checked;
  const key = message.traceId;
  const shard = ports.shards.all().find(({ name }) => name === message.source.shard);
  if (!shard) return false;
  for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
    const record = await ports.history.record(key);
    const { state } = record;
    if (state.status !== 'pending') return false;
    const delivery = { key, record, attempt: await ports.history.attempt(key, state.nextAttempt) };
    if (delivery.attempt.state.status !== 'absent') return false;
    const now: Instant = await ports.shardClock.atLeast(shard);
    const description = `delivered ${letter.deliveryCount} times without being settled (message ${letter.messageId})`;
    try {
      await claimWithoutCall(ports, delivery, state, undefined, now);
      await decideRecord(ports, delivery, [{ type: 'DeadLetterDpRecord', reason: 'DeadLetteredByBroker', description, attempt: state.nextAttempt }], now);
      await shard.reconcile(rowResultOf(delivery.record.state, message.dpId, now));
      await decideRecord(ports, delivery, [{ type: 'ConfirmReconciled', status: 'Failed' }], now);
      ports.telemetry.warn('recorded a dead letter of the broker', { record: key });
      return true;
    } catch (error) {
      if (!(error instanceof VersionConflict)) throw error;
    }
  }
  return false;
}
