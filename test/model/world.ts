import { type ClosingEvent } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import {
  absentAttempt,
  type DeliveryAttempt,
  evolveDeliveryAttempt,
} from '../../src/domain/delivery-attempt/delivery-attempt.state';
import { type DpRecordCommand } from '../../src/domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { type DpRecord, evolveDpRecord, unknownDpRecord } from '../../src/domain/dp-record/dp-record.state';
import { type RowStatus } from '../../src/domain/dp-record/row-status';
import { billerId, customerId, dpId, profileVersion, shardName } from '../../src/domain/identifiers';
import { type Instant, instantFromMs, msOf } from '../../src/domain/instant';
import { type CallOutcome } from '../../src/domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../src/domain/policies/in-doubt-resolution';
import { CALL_S, LOCK_S, type Rules } from './rules';

const instants: Instant[] = [];
export const at = (seconds: number): Instant => (instants[seconds] ??= instantFromMs(seconds * 1000));
export const secondsOf = (instant: Instant): number => msOf(instant) / 1000;

/** The versions a stream can have, each known by a number, so that a world is plain small data. */
class Streams<State, Event> {
  private readonly versions: { readonly revision: number; readonly state: State }[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly appended = new Map<string, number>();

  constructor(
    initial: State,
    private readonly evolve: (state: State, event: Event) => State,
  ) {
    this.numberOf(-1, initial);
  }

  state = (version: number): State => this.versions[version]!.state;

  append(version: number, events: readonly Event[]): number {
    const name = `${version}|${JSON.stringify(events)}`;
    let next = this.appended.get(name);
    if (next === undefined) {
      const { revision, state } = this.versions[version]!;
      next = this.numberOf(revision + events.length, events.reduce(this.evolve, state));
      this.appended.set(name, next);
    }
    return next;
  }

  private numberOf(revision: number, state: State): number {
    const name = `${revision}|${JSON.stringify(state)}`;
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    this.numbers.set(name, this.versions.length);
    return this.versions.push({ revision, state }) - 1;
  }
}

export const records = new Streams<DpRecord, DpRecordEvent>(unknownDpRecord, evolveDpRecord);
export const attempts = new Streams<DeliveryAttempt, DeliveryAttemptEvent>(absentAttempt, evolveDeliveryAttempt);
/** The version of a stream that does not exist. */
export const ABSENT = 0;

export interface Row {
  readonly status: RowStatus;
  readonly details: number;
  /** Its owner deleted it. */
  readonly gone: boolean;
}

export interface Message {
  readonly chain: string;
  readonly hop: number;
  readonly visibleAt: number;
  /** -1: not locked. */
  readonly lockedUntil: number;
}

export type Snapshot = { readonly record: number; readonly row: Row; readonly attempt?: number };
interface Call {
  readonly n: number;
  readonly attempt: number;
  readonly notAfter: number;
  readonly ofResend: boolean;
}
export type Consumer =
  { readonly doing: 'idle' } | ({ readonly chain: string; readonly hop: number; readonly lockedUntil: number } & Doing);
export type Doing =
  | { readonly doing: 'look'; readonly seen: Snapshot }
  | { readonly doing: 'stop-history-behind' }
  | { readonly doing: 'prepare'; readonly record: number; readonly n: number }
  | { readonly doing: 'start'; readonly record: number; readonly n: number; readonly statedAt: number }
  | {
      readonly doing: 'claim';
      readonly record: number;
      readonly n: number;
      readonly commands: readonly DpRecordCommand[];
    }
  | ({ readonly doing: 'send' } & Call)
  | ({ readonly doing: 'close'; readonly outcome: CallOutcome } & Call)
  | { readonly doing: 'ask'; readonly n: number; readonly attempt: number; readonly record: number }
  | {
      readonly doing: 'judge';
      readonly n: number;
      readonly attempt: number;
      readonly record: number;
      readonly answer: InquiryAnswer;
      readonly askedAt: number;
    }
  | {
      readonly doing: 'state-resend';
      readonly n: number;
      readonly attempt: number;
      readonly ordinal: number;
      readonly statedAt: number;
    }
  | {
      readonly doing: 'write-row';
      readonly record: number;
      readonly status: RowStatus;
      readonly details: number;
      readonly then: readonly DpRecordCommand[];
    }
  | { readonly doing: 'append-record'; readonly record: number; readonly commands: readonly DpRecordCommand[] }
  | {
      readonly doing: 'reopen';
      readonly n: number;
      readonly record: number;
      readonly commands: readonly DpRecordCommand[];
    }
  | { readonly doing: 'send-successor'; readonly until: number; readonly completed: boolean }
  | { readonly doing: 'complete'; readonly thenSuccessorAt?: number };

/** The whole world: plain data, never changed in place. */
export interface World {
  readonly now: number;
  readonly record: number;
  readonly attempts: readonly number[];
  readonly row: Row;
  readonly messages: readonly Message[];
  /** Ids the broker has accepted, for duplicate detection. */
  readonly sent: readonly string[];
  readonly consumers: readonly [Consumer, Consumer];
  readonly biller: Biller;
  readonly faultsLeft: number;
  /** How often time may still pass while a consumer is in the middle of its work or a message could be received. */
  readonly pausesLeft: number;
  readonly operatorActsLeft: number;
}

export interface Biller {
  readonly effects: number;
  readonly effectAt: number;
  /** Key and when it was first seen. */
  readonly keys: readonly (readonly [string, number])[];
  /** Requests that may still take effect, strictly before `until`. */
  readonly late: readonly { readonly key: string; readonly until: number }[];
}

export const biller = billerId('12');
export const record = dpId('100');

const discovery = {
  billerId: biller,
  dpId: record,
  shard: shardName('Shard-12'),
  dataType: 'Payments',
  customerId: customerId('7'),
  at: at(0),
} as const;

export function initialWorld(bounds: {
  readonly faults: number;
  readonly pauses: number;
  readonly operatorActs: number;
}): World {
  return {
    now: 0,
    record: records.append(ABSENT, [
      { type: 'DpRecordDiscovered', data: discovery },
      { type: 'DpRecordValidated', data: { validatedHash: 'hash' } },
    ]),
    attempts: [],
    row: { status: 'Published', details: 0, gone: false },
    messages: [{ chain: '', hop: 0, visibleAt: 0, lockedUntil: -1 }],
    sent: ['.0'],
    consumers: [{ doing: 'idle' }, { doing: 'idle' }],
    biller: { effects: 0, effectAt: -1, keys: [], late: [] },
    faultsLeft: bounds.faults,
    pausesLeft: bounds.pauses,
    operatorActsLeft: bounds.operatorActs,
  };
}

export const attemptOf = (world: World, n: number): number => world.attempts[n - 1] ?? ABSENT;

export function withAttempt(world: World, n: number, version: number): World {
  const next = [...world.attempts];
  next[n - 1] = version;
  return { ...world, attempts: next };
}

/** Sends a message; one whose id was accepted before is dropped and reported as accepted. */
export function withMessage(world: World, chain: string, hop: number, visibleAt: number): World {
  const id = `${chain}.${hop}`;
  if (world.sent.includes(id)) return world;
  return {
    ...world,
    messages: [...world.messages, { chain, hop, visibleAt: Math.max(visibleAt, world.now), lockedUntil: -1 }],
    sent: [...world.sent, id],
  };
}

/**
 * The event store is gone, the processes have stopped, and a person has accepted it (hold-lost-row.ts): a row without an
 * end is held under an attempt of its own. Calls may have left up to this moment, and the bus knows nothing of it.
 */
export function withHistoryLost(
  world: World,
  rules: Pick<Rules, 'decideRecord' | 'lostCallsMayBeUnderWay'>,
): World | undefined {
  if (world.row.gone || !['Published', 'Failed', 'InDoubt'].includes(world.row.status)) return undefined;
  const n = world.row.details + 1;
  let version = ABSENT;
  for (const command of [
    { type: 'HoldUnderLostHistory', discovery, attempt: n },
    { type: 'ConfirmReconciled', status: 'InDoubt' },
  ] as const) {
    const decision = rules.decideRecord(command, records.state(version));
    if (decision.outcome === 'refused') throw new Error(`a lost record refuses ${command.type}`);
    version = records.append(version, decision.events);
  }
  const notAfter = at(world.now + (rules.lostCallsMayBeUnderWay ? CALL_S : 0));
  const start = {
    billerId: biller,
    dpId: record,
    attempt: n,
    at: at(world.now),
    notAfter,
    idempotencyKey: 'key',
    requestHash: 'none',
    profileVersion: profileVersion('v1'),
    keyFirstUsedAt: at(0),
    underLostHistory: true,
  } as const;
  const started = attempts.append(ABSENT, [{ type: 'DeliveryAttemptStarted', data: start }]);
  // The numbers of a row's extra messages are drawn at the shard, which outlives the event store: none comes twice.
  const sent = world.sent.filter((id) => !id.startsWith('x'));
  const held = {
    ...world,
    sent,
    record: version,
    attempts: [],
    row: { ...world.row, status: 'InDoubt' },
    consumers: [{ doing: 'idle' }, { doing: 'idle' }],
  } as const;
  return withAttempt(held, n, started);
}

export const notSent: ClosingEvent = { type: 'DeliveryAttemptNotSent', data: { lateByMs: 0 } };
export const lockFrom = (now: number): number => now + LOCK_S;
