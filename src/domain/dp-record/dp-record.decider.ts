import { accepted, alreadySo, type Decider, type Decision, refused } from '../decider';
import { type Instant } from '../instant';
import { sameMoney } from '../money';
import {
  type DeadLetterReason,
  type DoubtCause,
  type DpRecordDiscovered,
  type DpRecordEvent,
  type DpRecordRejected,
  type DpRecordSkipped,
  type DpRecordValidated,
  type ParkCause,
} from './dp-record.events';
import { type DpRecord, evolveDpRecord, type KnownDpRecord, unknownDpRecord } from './dp-record.state';
import { type RowStatus } from './row-status';

/** What validation said of a row; the events carry it as it is. */
export type Verdict = DpRecordValidated | DpRecordRejected | DpRecordSkipped;

export type DpRecordCommand =
  | { readonly type: 'DiscoverDpRecord'; readonly discovery: DpRecordDiscovered['data']; readonly verdict: Verdict }
  | { readonly type: 'RevalidateDpRecord'; readonly verdict: Verdict }
  | { readonly type: 'WithdrawDpRecord'; readonly at: Instant }
  | {
      readonly type: 'ParkDpRecord';
      readonly cause: ParkCause;
      readonly until: Instant;
      readonly attempt?: number;
      readonly keyFirstUsedAt?: Instant;
    }
  | {
      readonly type: 'ScheduleRetry';
      readonly attempt: number;
      readonly at: Instant;
      readonly spent: boolean;
      readonly keyFirstUsedAt?: Instant;
    }
  | { readonly type: 'HoldInDoubt'; readonly attempt: number; readonly cause: DoubtCause }
  /** The store that knew its attempts is lost; `attempt` is above every one that anything still tells of. */
  | { readonly type: 'HoldUnderLostHistory'; readonly discovery: DpRecordDiscovered['data']; readonly attempt: number }
  | { readonly type: 'RecordDelivered'; readonly attempt: number; readonly billerReference?: string }
  | { readonly type: 'RecordDeclined'; readonly attempt: number; readonly code?: string }
  | {
      readonly type: 'DeadLetterDpRecord';
      readonly reason: DeadLetterReason;
      readonly description: string;
      readonly attempt?: number;
      readonly keyFirstUsedAt?: Instant;
    }
  | {
      readonly type: 'RedriveDpRecord';
      readonly ordinal: number;
      readonly by: string;
      readonly claimedBy?: string;
      readonly reason: string;
      readonly at: Instant;
    }
  | { readonly type: 'ConfirmReconciled'; readonly status: RowStatus };

export type DpRecordRefusal =
  /** Another payment under a known id. */
  | 'identity-conflict'
  | 'record-unknown'
  | 'record-finished'
  | 'record-in-doubt'
  | 'record-dead-lettered'
  | 'record-not-dead-lettered'
  | 'attempt-out-of-order'
  | 'ordinal-out-of-order'
  | 'status-contradicts-stream';

type Result = Decision<DpRecordEvent, DpRecordRefusal>;
type CommandOf<T extends DpRecordCommand['type']> = Extract<DpRecordCommand, { type: T }>;

const TERMINAL: ReadonlySet<DpRecord['status']> = new Set([
  'delivered',
  'declined',
  'rejected',
  'skipped',
  'withdrawn',
] as const);

export const isFinished = (state: DpRecord): boolean => TERMINAL.has(state.status);

/** The row status that says the same as the stream; undefined while the record is under way. */
export function rowStatusOf(state: DpRecord): RowStatus | undefined {
  switch (state.status) {
    case 'unknown':
    case 'pending':
      return undefined;
    case 'in-doubt':
      return 'InDoubt';
    case 'delivered':
      return 'Delivered';
    case 'declined':
      return 'Declined';
    case 'rejected':
      return 'Rejected';
    case 'skipped':
      return 'Skipped';
    case 'withdrawn':
      return 'Withdrawn';
    case 'dead-lettered':
      return 'Failed';
  }
}

export const dpRecordDecider: Decider<DpRecord, DpRecordCommand, DpRecordEvent, DpRecordRefusal> = {
  initialState: unknownDpRecord,
  evolve: evolveDpRecord,
  isTerminal: isFinished,
  decide(command, state) {
    if (command.type === 'DiscoverDpRecord') return discover(command, state);
    if (command.type === 'HoldUnderLostHistory') return holdUnderLostHistory(command, state);
    if (state.status === 'unknown') return refused('record-unknown');
    switch (command.type) {
      case 'RevalidateDpRecord':
        return revalidate(command, state);
      case 'WithdrawDpRecord':
        return withdraw(command, state);
      case 'ParkDpRecord':
        return park(command, state);
      case 'ScheduleRetry':
        return scheduleRetry(command, state);
      case 'HoldInDoubt':
        return holdInDoubt(command, state);
      case 'RecordDelivered':
        return recordDelivered(command, state);
      case 'RecordDeclined':
        return recordDeclined(command, state);
      case 'DeadLetterDpRecord':
        return deadLetter(command, state);
      case 'RedriveDpRecord':
        return redrive(command, state);
      case 'ConfirmReconciled':
        return confirmReconciled(command, state);
    }
  },
};

function discover({ discovery, verdict }: CommandOf<'DiscoverDpRecord'>, state: DpRecord): Result {
  if (state.status === 'unknown')
    return accepted<DpRecordEvent>({ type: 'DpRecordDiscovered', data: discovery }, verdict);
  return isAnother(discovery, state) ? refused('identity-conflict') : alreadySo;
}

/** Where there is no payment to compare, the customer tells: an id used again must not pass for what it was. */
export const isAnother = (
  discovery: Pick<KnownDpRecord, 'dataType' | 'customerId'> & Partial<Pick<KnownDpRecord, 'paymentId'>>,
  state: KnownDpRecord,
): boolean =>
  state.paymentId !== discovery.paymentId ||
  state.dataType !== discovery.dataType ||
  (state.paymentId === undefined && state.customerId !== discovery.customerId);

/** Found and held in one: no verdict, since it was judged under the history that is lost. */
function holdUnderLostHistory({ discovery, attempt }: CommandOf<'HoldUnderLostHistory'>, state: DpRecord): Result {
  const held: DpRecordEvent = { type: 'DpRecordHeldInDoubt', data: { attempt, cause: 'history-lost' } };
  if (state.status === 'unknown') return accepted<DpRecordEvent>({ type: 'DpRecordDiscovered', data: discovery }, held);
  if (state.status === 'in-doubt' && state.attempt >= attempt) return alreadySo;
  if (isFinished(state)) return refused('record-finished');
  if (isAnother(discovery, state)) return refused('identity-conflict');
  if (attempt < state.nextAttempt) return refused('attempt-out-of-order');
  return accepted(held);
}

function revalidate({ verdict }: CommandOf<'RevalidateDpRecord'>, state: KnownDpRecord): Result {
  if (
    verdict.type === 'DpRecordValidated' &&
    state.status === 'pending' &&
    state.validatedHash === verdict.data.validatedHash
  )
    return alreadySo;
  if (verdict.type === 'DpRecordRejected' && state.status === 'rejected') return alreadySo;
  if (verdict.type === 'DpRecordSkipped' && state.status === 'skipped') return alreadySo;
  return whilePending(state, verdict);
}

function withdraw({ at }: CommandOf<'WithdrawDpRecord'>, state: KnownDpRecord): Result {
  if (state.status === 'withdrawn') return alreadySo;
  return whilePending(state, { type: 'DpRecordWithdrawn', data: { at } });
}

/** Once per cause; a throttled attempt instead once per attempt, since it is that attempt's consequence. */
function park({ cause, until, attempt, keyFirstUsedAt }: CommandOf<'ParkDpRecord'>, state: KnownDpRecord): Result {
  const concludes = cause === 'throttled' && attempt !== undefined;
  if (attempt !== undefined && attempt < state.nextAttempt) return alreadySo;
  if (!concludes && state.status === 'pending' && state.parked === cause) return alreadySo;
  if (attempt !== undefined && attempt > state.nextAttempt) return refused('attempt-out-of-order');
  const parked: DpRecordEvent = {
    type: 'DpRecordParked',
    data: {
      cause,
      until,
      ...(attempt === undefined ? {} : { attempt }),
      ...(keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt }),
    },
  };
  return concludes ? concludeNotExecuted(state, parked) : whilePending(state, parked);
}

function scheduleRetry(
  { attempt, at, spent, keyFirstUsedAt }: CommandOf<'ScheduleRetry'>,
  state: KnownDpRecord,
): Result {
  if (attempt < state.nextAttempt) return alreadySo;
  if (attempt > state.nextAttempt) return refused('attempt-out-of-order');
  return concludeNotExecuted(state, {
    type: 'DpRecordRetryScheduled',
    data: { attempt, at, spent, ...(keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt }) },
  });
}

function holdInDoubt({ attempt, cause }: CommandOf<'HoldInDoubt'>, state: KnownDpRecord): Result {
  if (state.status === 'in-doubt') return alreadySo;
  if (attempt !== state.nextAttempt) return refused('attempt-out-of-order');
  return whilePending(state, { type: 'DpRecordHeldInDoubt', data: { attempt, cause } });
}

function recordDelivered({ attempt, billerReference }: CommandOf<'RecordDelivered'>, state: KnownDpRecord): Result {
  if (state.status === 'delivered') return alreadySo;
  return resultOf(attempt, state, {
    type: 'DpRecordDelivered',
    data: { attempt, ...(billerReference === undefined ? {} : { billerReference }) },
  });
}

function recordDeclined({ attempt, code }: CommandOf<'RecordDeclined'>, state: KnownDpRecord): Result {
  if (state.status === 'declined') return alreadySo;
  return resultOf(attempt, state, {
    type: 'DpRecordDeclined',
    data: { attempt, ...(code === undefined ? {} : { code }) },
  });
}

/** A result may come while the record is under way or held in doubt, and only from the newest attempt. */
function resultOf(attempt: number, state: KnownDpRecord, event: DpRecordEvent): Result {
  if (isFinished(state)) return refused('record-finished');
  if (state.status === 'dead-lettered') return refused('record-dead-lettered');
  if (attempt !== state.nextAttempt) return refused('attempt-out-of-order');
  return accepted(event);
}

function deadLetter(
  { reason, description, attempt, keyFirstUsedAt }: CommandOf<'DeadLetterDpRecord'>,
  state: KnownDpRecord,
): Result {
  if (state.status === 'dead-lettered') return alreadySo;
  if (attempt !== undefined && attempt < state.nextAttempt) return alreadySo;
  if (attempt !== undefined && attempt > state.nextAttempt) return refused('attempt-out-of-order');
  const deadLettered: DpRecordEvent = {
    type: 'DpRecordDeadLettered',
    data: {
      reason,
      description,
      ...(attempt === undefined ? {} : { attempt }),
      ...(keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt }),
    },
  };
  return attempt === undefined ? whilePending(state, deadLettered) : concludeNotExecuted(state, deadLettered);
}

function redrive({ ordinal, by, claimedBy, reason, at }: CommandOf<'RedriveDpRecord'>, state: KnownDpRecord): Result {
  if (ordinal <= state.redrives) return alreadySo;
  if (state.status !== 'dead-lettered') return refused('record-not-dead-lettered');
  if (ordinal !== state.redrives + 1) return refused('ordinal-out-of-order');
  return accepted<DpRecordEvent>({
    type: 'DpRecordRedriven',
    data: { ordinal, by, ...(claimedBy === undefined ? {} : { claimedBy }), reason, at },
  });
}

function confirmReconciled({ status }: CommandOf<'ConfirmReconciled'>, state: KnownDpRecord): Result {
  if (rowStatusOf(state) !== status) return refused('status-contradicts-stream');
  if (state.reconciled) return alreadySo;
  return accepted<DpRecordEvent>({ type: 'DpRecordReconciled', data: { status } });
}

/** What follows from an attempt without effect, under way or held in doubt: it may have been closed after the hold. */
function concludeNotExecuted(state: KnownDpRecord, event: DpRecordEvent): Result {
  if (isFinished(state)) return refused('record-finished');
  if (state.status === 'dead-lettered') return refused('record-dead-lettered');
  return accepted(event);
}

function whilePending(state: KnownDpRecord, event: DpRecordEvent): Result {
  if (isFinished(state)) return refused('record-finished');
  if (state.status === 'in-doubt') return refused('record-in-doubt');
  if (state.status === 'dead-lettered') return refused('record-dead-lettered');
  return accepted(event);
}

/** The row's present payment against the one the record was discovered with. */
export const sameAmount = (state: KnownDpRecord, amount: DpRecordDiscovered['data']['amount']): boolean =>
  state.amount === undefined || amount === undefined ? state.amount === amount : sameMoney(state.amount, amount);
