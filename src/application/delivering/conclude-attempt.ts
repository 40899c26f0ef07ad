import { type Closing } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type DpRecordCommand } from '../../domain/dp-record/dp-record.decider';
import { type Instant, msBetween, plusMs } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import {
  DEFAULT_RETRY_SCHEDULE,
  nextTry,
  type RetryDecision,
  waitAfterThrottle,
} from '../../domain/policies/retry-schedule';
import { sweepChain } from '../messaging/message-chain';
import { type DeliverRecordPorts } from './deliver-record.ports';
import { type RecordMoves } from './record-moves';
import { resultOfAttempt } from './row-result';
import { COMPLETED, lookAgain, READ_AGAIN, type StepResult } from './step-result';
import { type ClosedVisit, type KnownVisit, knownVisit } from './visit';

/** An attempt that was never sent, or was turned away by a throttle, is tried again after this. */
const NOT_SENT_WAIT_MS = 1_000;

type Effect = Extract<Closing, { as: 'accepted' | 'declined' }>;
type NoEffect = Exclude<Closing, Effect>;

/** Rule 9: the newest attempt is closed, the record draws the consequence. */
export function concludeAttempt(ports: DeliverRecordPorts, moves: RecordMoves) {
  return (visit: ClosedVisit, attempt: number, now: Instant): Promise<StepResult> => {
    const { closing } = visit.attempt.state;
    return closing.as === 'accepted' || closing.as === 'declined'
      ? writeResult(visit, attempt, closing, now)
      : tryAgain(visit, attempt, closing, now);
  };

  /**
   * The result goes to the shard first and to the record's stream then; both may be repeated. A record that is held in
   * doubt has no message of its own: nothing but the sweep finds it, by a row that says InDoubt. So there the stream
   * comes first and the row last, and a slow owner that meets such a row reads the record again before it writes its end.
   */
  async function writeResult(visit: ClosedVisit, attempt: number, closing: Effect, now: Instant): Promise<StepResult> {
    const { key, record, message } = visit;
    const to = closing.as === 'accepted' ? 'Delivered' : 'Declined';
    const command = resultCommand(attempt, closing);
    if (record.state.status === 'in-doubt') {
      const decided = await moves.decide(visit, [command], now);
      return lookAgain(decided);
    }
    const billerReference = closing.as === 'accepted' ? closing.billerReference : undefined;
    const code = closing.as === 'declined' ? closing.code : undefined;
    const result = resultOfAttempt(message.dpId, { attempt, outcome: to, billerReference, code, recordedAt: now });
    let written = await moves.writeRow(visit, {
      ...result,
      from: result.from.filter((status) => status !== 'InDoubt'),
    });
    if (written === 'refused') {
      const { revision } = await ports.history.record(key);
      if (revision !== record.revision) return READ_AGAIN;
      written = await moves.writeRow(visit, result);
    }
    if (written === 'refused')
      throw new InvariantViolation(`the row of ${key} refuses status ${to}, its present one allows no such change`);
    if (written === 'row-missing')
      ports.telemetry.warn('row missing while recording a result', { record: key, status: to });
    // Result and confirmation in one append: the shard already says the same.
    await moves.decide(visit, [command, { type: 'ConfirmReconciled', status: to }], now);
    return COMPLETED;
  }

  async function tryAgain(visit: ClosedVisit, attempt: number, closing: NoEffect, now: Instant): Promise<StepResult> {
    const { started } = visit.attempt.state;
    const isHeld = visit.record.state.status === 'in-doubt';
    const next = isHeld ? await whenFreed(visit, closing, now) : await whenAgain(visit, attempt, closing, now);
    // A call that reached the biller may have made it remember the key.
    const keyFirstUsedAt = closing.as === 'not-sent' ? {} : { keyFirstUsedAt: started.keyFirstUsedAt ?? started.at };
    if (next.retry === 'never') {
      const code = closing.as !== 'throttled' && closing.code !== undefined ? ` (${closing.code})` : '';
      const description = `attempt ${attempt} was ${closing.as}${code}, tries are bounded`;
      const end = { type: 'DeadLetterDpRecord', reason: next.reason, description, attempt, ...keyFirstUsedAt } as const;
      return lookAgain(await moves.decide(visit, [end], now));
    }
    // Row first: should this process die now, the sweep finds it. Its ordinal names a message id nobody has used.
    const ordinal = isHeld ? await visit.shard.reopen(visit.message.dpId) : undefined;
    const command: DpRecordCommand =
      closing.as === 'throttled' && !isHeld
        ? { type: 'ParkDpRecord', cause: 'throttled', until: next.at, attempt, ...keyFirstUsedAt }
        : { type: 'ScheduleRetry', attempt, at: next.at, spent: spendsTry(closing), ...keyFirstUsedAt };
    const decided = await moves.decide(visit, [command], now);
    if (isHeld && ordinal === undefined) return withdraw(knownVisit(decided), now);
    await moves.sendSuccessor(decided, next.at, ordinal === undefined ? undefined : sweepChain(ordinal, now));
    return COMPLETED;
  }

  /**
   * A record held in doubt, to be tried again, whose row is gone: no sweep finds it, and a successor of the message in
   * hand may have an id that the broker has seen. Nothing is owed any more, so it ends here, whatever gate is closed.
   */
  async function withdraw(visit: KnownVisit, now: Instant): Promise<StepResult> {
    const attempt = await ports.history.attempt(visit.key, visit.record.state.nextAttempt);
    const owned = await moves.claim({ ...visit, attempt }, 'row-withdrawn', now);
    return lookAgain(await moves.decide(owned, [{ type: 'WithdrawDpRecord', at: now }], now));
  }

  /** Freed from doubt it is tried at once, but where its biller, heard so late, asked to be left alone. */
  async function whenFreed({ shard }: ClosedVisit, closing: NoEffect, now: Instant): Promise<RetryDecision> {
    if (closing.as !== 'throttled') return { retry: 'at', at: now };
    return { retry: 'at', at: plusMs(await ports.shardClock.atMost(shard), closing.retryAfterMs) };
  }

  /** Age is judged by the time that it certainly is; a wait counts from the time that it is at the latest, so that none is cut short. */
  async function whenAgain(
    visit: ClosedVisit,
    attempt: number,
    closing: NoEffect,
    now: Instant,
  ): Promise<RetryDecision> {
    const next = waitOf(visit, attempt, closing, now);
    const lagMs = Math.max(0, msBetween(now, await ports.shardClock.atMost(visit.shard)));
    return next.retry === 'at' ? { retry: 'at', at: plusMs(next.at, lagMs) } : next;
  }

  function waitOf(
    { profile, record: { state: record } }: ClosedVisit,
    attempt: number,
    closing: NoEffect,
    now: Instant,
  ): RetryDecision {
    const schedule = profile?.retry ?? DEFAULT_RETRY_SCHEDULE;
    const facts = { openedAt: record.openedAt, now, chance: ports.chance.fraction() };
    if (spendsTry(closing)) return nextTry(schedule, { ...facts, spentTries: record.spentTries + 1 });
    // Neither a throttle nor a call that never left spends a try; age still bounds them.
    const age = nextTry(schedule, { ...facts, spentTries: 0 });
    if (age.retry === 'never') return age;
    const waitMs =
      closing.as === 'throttled' ? waitAfterThrottle(closing.retryAfterMs, attempt, facts.chance) : NOT_SENT_WAIT_MS;
    return { retry: 'at', at: plusMs(now, waitMs) };
  }
}

function resultCommand(attempt: number, closing: Effect): DpRecordCommand {
  if (closing.as === 'accepted') {
    const { billerReference } = closing;
    return { type: 'RecordDelivered', attempt, ...(billerReference === undefined ? {} : { billerReference }) };
  }
  const { code } = closing;
  return { type: 'RecordDeclined', attempt, ...(code === undefined ? {} : { code }) };
}

/** A call that was not sent because of what it was, not of when, would be the same again: tries bound it. */
const spendsTry = (closing: NoEffect): boolean =>
  closing.as === 'not-executed' || (closing.as === 'not-sent' && closing.code !== undefined);
