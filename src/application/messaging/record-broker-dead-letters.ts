import { type DataType } from '../../domain/biller/data-type';
import { rowStatusOf } from '../../domain/dp-record/dp-record.decider';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type RowStatus, UNFINISHED_STATUSES } from '../../domain/dp-record/row-status';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant, plusMs } from '../../domain/instant';
import { maskCardData } from '../../domain/policies/card-data';
import { claimWithoutCall } from '../delivering/claim-attempt';
import { decideRecord } from '../history/decide-record';
import { type History, type Loaded } from '../history/history';
import { deadLetterChain } from './message-chain';
import { type MessageContracts, type RecordMessage } from './messages';
import { findShard, shardOfRecord } from './find-shard';
import { recordAgainFor, traceparentOf } from './send-again';
import { type BillerProfiles } from '../ports/biller-profiles';
import { BROKER_DEAD_LETTER_REASON, type MessageBus, type PeekedMessage } from '../ports/message-bus';
import { type Shard, type Shards } from '../ports/shard';
import { type Telemetry } from '../ports/telemetry';
import { rowResultOf } from '../delivering/row-result';
import { type ShardClock } from '../shard-clock';
import { type EventsTopology } from './topology';
import { VersionConflict } from '../ports/failures';
import { transact } from '../history/transact';

export interface RecordBrokerDeadLettersPorts {
  readonly history: History;
  readonly bus: MessageBus;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly profiles: BillerProfiles;
  readonly contracts: MessageContracts;
  readonly telemetry: Telemetry;
}

const WAKE_AFTER_MS = 5 * 60_000;
/** Rows that the sweep gives a new message. */
const SWEPT: ReadonlySet<RowStatus> = new Set([...UNFINISHED_STATUSES, 'InDoubt']);
const PEEK_MAX = 200;
const PAGES_PER_PASS_MAX = 50;
/** Letters remembered as handled; beyond that all are looked at again, which does no harm. */
const HANDLED_MAX = 20_000;

/**
 * Dead letters that the broker made itself (a message delivered too often) are recorded, so that stream, row and broker
 * tell one story. With an open attempt nothing is concluded: the record goes to doubt by its own rules when the sweep
 * or a redrive brings it back; where no sweep would, it gets a message. Looks without locking, from the
 * beginning each time: a message sent early may be dead-lettered late, behind a letter that was looked at before.
 */
export function recordBrokerDeadLetters(ports: RecordBrokerDeadLettersPorts, settings: EventsTopology) {
  const handled = new Set<string>();
  const told = new Set<string>();
  const resumeAfter = new Map<DataType, string>();
  return async (dataType: DataType): Promise<number> => {
    const source = { topic: settings.eventsTopic, subscription: settings.subscriptions[dataType], deadLetters: true };
    let recorded = 0;
    for (let page = 0; page < PAGES_PER_PASS_MAX; page++) {
      const after = resumeAfter.get(dataType);
      const letters = await ports.bus.peek(source, { max: PEEK_MAX, ...(after === undefined ? {} : { after }) });
      for (const letter of letters) {
        const known = `${dataType}:${letter.sequenceNumber}`;
        if (letter.deadLetterReason === BROKER_DEAD_LETTER_REASON && !handled.has(known)) {
          const what = await recordOne(ports, settings, letter);
          if (what === 'recorded') recorded++;
          if (what === 'shard-unknown') tellOnce(letter, known);
          else if (what !== 'moved-too-often') remember(handled, known);
        }
      }
      if (letters.length === PEEK_MAX) resumeAfter.set(dataType, letters.at(-1)!.sequenceNumber);
      else {
        resumeAfter.delete(dataType);
        break;
      }
    }
    return recorded;
  };

  /** It stays listed and is looked at again: the shard may come. */
  function tellOnce({ messageId, correlationId }: PeekedMessage, known: string): void {
    if (told.has(known)) return;
    remember(told, known);
    ports.telemetry.warn('a dead letter of the broker is of no shard here, it stays listed', {
      messageId,
      billerId: correlationId ?? '-',
    });
  }
}

function remember(letters: Set<string>, known: string): void {
  if (letters.size >= HANDLED_MAX) letters.clear();
  letters.add(known);
}

/** 'moved-too-often': other writers came in between each time; it is looked at again. */
type Recorded = 'recorded' | 'nothing-to-record' | 'shard-unknown' | 'moved-too-often';

async function recordOne(
  ports: RecordBrokerDeadLettersPorts,
  settings: EventsTopology,
  letter: PeekedMessage,
): Promise<Recorded> {
  const checked = ports.contracts.record(letter);
  if (!checked.valid) return 'nothing-to-record';
  const { message } = checked;
  const key = message.traceId;
  const found = await findShard(ports.shards, { billerId: message.billerId, shard: message.source.shard });
  if (!found) return 'shard-unknown';
  return transact<Recorded>(async () => {
    const record = await ports.history.record(key);
    const { state } = record;
    if (state.status === 'unknown') return 'nothing-to-record';
    const shard = shardOfRecord(ports.shards, state, found);
    const attempt = await ports.history.attempt(key, state.nextAttempt);
    const now: Instant = await ports.shardClock.atLeast(shard);
    const settled = rowStatusOf(state);
    if ((settled === undefined || state.status === 'in-doubt') && attempt.state.status !== 'absent') {
      const row = await shard.findRow(message.dpId);
      if (row === undefined || !SWEPT.has(row.status)) await wake(ports, settings, message, letter, now);
      return 'nothing-to-record';
    }
    const description = `delivered ${letter.deliveryCount} times without being settled (message ${maskCardData(letter.messageId)})`;
    if (settled !== undefined) {
      if (!state.reconciled) await confirm(ports, shard, { key, record }, message, settled, now);
      return 'nothing-to-record';
    }
    await claimWithoutCall(ports.history, { key, record: state, attempt }, undefined, now, 'given-up-by-broker');
    const end = {
      type: 'DeadLetterDpRecord',
      reason: 'DeadLetteredByBroker',
      description,
      attempt: state.nextAttempt,
    } as const;
    const ended = await decideRecord(ports.history, { key, record }, [end], now);
    await confirm(ports, shard, { key, record: ended }, message, 'Failed', now);
    ports.telemetry.warn('recorded a dead letter of the broker', { record: key });
    return 'recorded';
  }).catch((error: unknown) => {
    if (error instanceof VersionConflict) return 'moved-too-often';
    throw error;
  });
}

/** An earlier look, or the message's own handler, may have died between the stream and the row. */
async function confirm(
  ports: RecordBrokerDeadLettersPorts,
  shard: Shard,
  hand: { readonly key: RecordKey; readonly record: Loaded<DpRecord> },
  { dpId }: RecordMessage,
  status: RowStatus,
  at: Instant,
): Promise<void> {
  await shard.reconcile(rowResultOf(hand.record.state, dpId, at));
  await decideRecord(ports.history, hand, [{ type: 'ConfirmReconciled', status }], at);
}

/**
 * The record has an attempt whose consequence nobody has drawn, and the sweep passes over its row: a result stands there
 * already, or the row is gone. Only a message of its own brings the stream up; at the pace of a sweep, so that a record
 * that kills its handler does not do so without a pause.
 */
async function wake(
  ports: RecordBrokerDeadLettersPorts,
  settings: EventsTopology,
  message: RecordMessage,
  letter: PeekedMessage,
  now: Instant,
): Promise<void> {
  const again = await recordAgainFor(ports.profiles, settings, message, {
    link: deadLetterChain(letter.sequenceNumber),
    traceparent: traceparentOf(letter),
    scheduledFor: plusMs(now, WAKE_AFTER_MS),
  });
  await ports.bus.send(settings.eventsTopic, [again]);
}
