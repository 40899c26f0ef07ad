import { type Closing, type ClosedAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type KnownDpRecord } from '../../domain/dp-record/dp-record.state';
import { type Instant, msBetween, plusMs } from '../../domain/instant';
import { invariant, InvariantViolation } from '../../domain/invariant';
import { DEFAULT_RETRY_SCHEDULE, nextTry, type RetryDecision, waitAfterThrottle } from '../../domain/policies/retry-schedule';
import { claimWithoutCall } from './claim-attempt';
import { crashPoint } from '../crash-point';
import { decideRecord, type Delivery, type DeliverRecordPorts, type DeliverRecordSettings, sendSuccessor, type Settlement, writeRow } from './delivery';
import { sweepChain } from '../messaging/message-chain';
import { resultOfAttempt } from './row-result';
import { type DpRecordCommand } from '../../domain/dp-record/dp-record.decider';

/** An attempt that was never sent, or was turned away by a throttle, is tried again after this. */
const NOT_SENT_WAIT_MS = 1_000;

/**
 * Rule 9: the newest attempt is closed, the record draws the consequence. Undefined: look again at what is in hand.
 */
export async function concludeAttempt(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, attempt: number, now: Instant,
): Promise<Settlement | 'read-again' | undefined> {
  const { state } = delivery.attempt;
  invariant(state.status === 'closed', `attempt ${attempt} of ${delivery.key} is concluded while ${state.status}`);
  const { closing } = state;
  switch (closing.as) {
    case 'accepted':
    case 'declined':
      return writeResult(ports, delivery, attempt, closing, now);
    case 'throttled':
    case 'not-executed':
    case 'not-sent':
      return tryAgain(ports, settings, delivery, attempt, state, now);
  }
}

/**
 * The result goes to the shard first and to the record's stream then; both may be repeated. A record that is held in
 * doubt has no message of its own: nothing but the sweep finds it, by a row that says InDoubt. So there the stream comes
 * first and the row last, and a slow owner that meets such a row reads the record again before it writes its end.
 */
async function writeResult(
  ports: DeliverRecordPorts, delivery: Delivery, attempt: number, closing: Extract<Closing, { as: 'accepted' | 'declined' }>, now: Instant,
): Promise<Settlement | 'read-again' | undefined> {
  const to = closing.as === 'accepted' ? 'Delivered' : 'Declined';
  const billerReference = closing.as === 'accepted' ? closing.billerReference : undefined;
  const code = closing.as === 'declined' ? closing.code : undefined;
  const command: DpRecordCommand =
    closing.as === 'accepted'
      ? { type: 'RecordDelivered', attempt, ...(billerReference === undefined ? {} : { billerReference }) }
      : { type: 'RecordDeclined', attempt, ...(code === undefined ? {} : { code }) };
  if (delivery.record.state.status === 'in-doubt') {
    await decideRecord(ports, delivery, [command], now);
    ports.telemetry.count('delivery.results', 1, { status: to });
    return undefined;
  }
  const result = resultOfAttempt(delivery.message.dpId, { attempt, outcome: to, billerReference, code, recordedAt: now });
  crashPoint('consumer.before-result-row');
  let written = await writeRow(ports, delivery, { ...result, from: result.from.filter((status) => status !== 'InDoubt') });
  if (written === 'refused') {
    const { revision } = await ports.history.record(delivery.key);
    if (revision !== delivery.record.revision) return 'read-again';
    written = await writeRow(ports, delivery, result);
  }
  if (written === 'refused') throw new InvariantViolation(`the row of ${delivery.key} refuses status ${to}, its present one allows no such change`);
  if (written === 'row-missing') ports.telemetry.warn('row missing while recording a result', { record: delivery.key, status: to });
  crashPoint('consumer.after-result-row');
  // Result and confirmation in one append: the shard already says the same.
  await decideRecord(ports, delivery, [command, { type: 'ConfirmReconciled', status: to }], now);
  crashPoint('consumer.after-result-stated');
  ports.telemetry.count('delivery.results', 1, { status: to });
  return { settle: 'complete' };
}

async function tryAgain(
  ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, attempt: number, closed: ClosedAttempt, now: Instant,
): Promise<Settlement | undefined> {
  const record = delivery.record.state as KnownDpRecord;
  const held = record.status === 'in-doubt';
  const { closing } = closed;
  const next = held ? await whenFreed(ports, delivery, closing, now) : await whenAgain(ports, delivery, record, attempt, closing, now);
  // A call that reached the biller may have made it remember the key.
  const keyFirstUsedAt = closing.as === 'not-sent' ? {} : { keyFirstUsedAt: closed.started.keyFirstUsedAt ?? closed.started.at };
  if (next.retry === 'never') {
    const description = `attempt ${attempt} was ${closing.as}${'code' in closing && closing.code !== undefined ? ` (${closing.code})` : ''}, tries are bounded`;
    await decideRecord(ports, delivery, [{ type: 'DeadLetterDpRecord', reason: next.reason, description, attempt, ...keyFirstUsedAt }], now);
    crashPoint('consumer.after-dead-letter-stated');
    return undefined;
  }
  // Row first: should this process die now, the sweep finds it. Its ordinal names a message id nobody has used.
  const ordinal = held ? await delivery.shard.reopen(delivery.message.dpId) : undefined;
  if (held) crashPoint('consumer.after-row-reopened');
  const command: DpRecordCommand =
    closing.as === 'throttled' && !held
      ? { type: 'ParkDpRecord', cause: 'throttled', until: next.at, attempt, ...keyFirstUsedAt }
      : { type: 'ScheduleRetry', attempt, at: next.at, spent: spendsTry(closing), ...keyFirstUsedAt };
  await decideRecord(ports, delivery, [command], now);
  crashPoint('consumer.after-retry-stated');
  if (held && ordinal === undefined) return withdraw(ports, delivery, now);
  await sendSuccessor(ports, settings, delivery, next.at, ordinal === undefined ? undefined : sweepChain(ordinal));
  return { settle: 'complete' };
}

/**
 * A record held in doubt, to be tried again, whose row is gone: no sweep finds it, and a successor of the message in hand
 * may have an id that the broker has seen. Nothing is owed any more, so it ends here, whatever gate is closed.
 */
async function withdraw(ports: DeliverRecordPorts, delivery: Delivery, now: Instant): Promise<undefined> {
  const record = delivery.record.state as KnownDpRecord;
  delivery.attempt = await ports.history.attempt(delivery.key, record.nextAttempt);
  await claimWithoutCall(ports, delivery, record, delivery.profile?.version, now, 'row-withdrawn');
  await decideRecord(ports, delivery, [{ type: 'WithdrawDpRecord', at: now }], now);
  return undefined;
}

/** A call that was not sent because of what it was, not of when, would be the same again: tries bound it. */
const spendsTry = (closing: Closing): boolean =>
  closing.as === 'not-executed' || (closing.as === 'not-sent' && closing.code !== undefined);

/** Freed from doubt it is tried at once, but where its biller, heard so late, asked to be left alone. */
const whenFreed = async (ports: DeliverRecordPorts, delivery: Delivery, closing: Closing, now: Instant): Promise<Extract<RetryDecision, { retry: 'at' }>> =>
  ({ retry: 'at', at: closing.as === 'throttled' ? plusMs(await ports.shardClock.atMost(delivery.shard), closing.retryAfterMs) : now });

/** Age is judged by the time that it certainly is; a wait counts from the time that it is at the latest, so that none is cut short. */
async function whenAgain(
  ports: DeliverRecordPorts, delivery: Delivery, record: KnownDpRecord, attempt: number, closing: Closing, now: Instant,
): Promise<RetryDecision> {
  const next = waitOf(ports, delivery, record, attempt, closing, now);
  const lagMs = Math.max(0, msBetween(now, await ports.shardClock.atMost(delivery.shard)));
  return next.retry === 'at' ? { retry: 'at', at: plusMs(next.at, lagMs) } : next;
}

function waitOf(ports: DeliverRecordPorts, delivery: Delivery, record: KnownDpRecord, attempt: number, closing: Closing, now: Instant): RetryDecision {
  const schedule = delivery.profile?.retry ?? DEFAULT_RETRY_SCHEDULE;
  const facts = { openedAt: record.openedAt, now, chance: ports.chance.fraction() };
  if (spendsTry(closing)) return nextTry(schedule, { ...facts, spentTries: record.spentTries + 1 });
  // Neither a throttle nor a call that never left spends a try; age still bounds them.
  const age = nextTry(schedule, { ...facts, spentTries: 0 });
  if (age.retry === 'never') return age;
  return { retry: 'at', at: plusMs(now, closing.as === 'throttled' ? waitAfterThrottle(closing.retryAfterMs, attempt, facts.chance) : NOT_SENT_WAIT_MS) };
}
