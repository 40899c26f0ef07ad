import { isFinished } from '../../src/domain/dp-record/dp-record.decider';
import { type KnownDpRecord } from '../../src/domain/dp-record/dp-record.state';
import { doubtBeginsAt } from '../../src/domain/policies/in-doubt-resolution';
import { takeEffect } from './biller-model';
import { ConsumerModel, type Move, termsOf } from './consumer-model';
import { type BillerKind, CALL_S, LAG_S, RETENTION_S, type Rules } from './rules';
import {
  ABSENT,
  at,
  attemptOf,
  attempts,
  initialWorld,
  notSent,
  records,
  secondsOf,
  withAttempt,
  withHistoryLost,
  withMessage,
  type World,
} from './world';

export interface Verdict {
  readonly states: number;
  readonly ends: number;
  /** What is broken and the shortest way there; undefined where every law holds in every state. */
  readonly counterexample: { readonly broken: string; readonly trace: readonly string[] } | undefined;
}

/**
 * A way with more attempts is not followed further. Two consumers can hinder each other for ever only by an unfair
 * clock: one claims an attempt for a verdict, the other concludes the claim before the verdict is appended, and again.
 */
const ATTEMPTS_MAX = 4;

export interface Bounds {
  readonly faults: number;
  readonly pauses: number;
  readonly operatorActs: number;
  readonly statesMax: number;
}

/** Visits every reachable state breadth first; a counterexample is a shortest one. */
export function explore(rules: Rules, kind: BillerKind, options: Bounds): Verdict {
  const consumers = new ConsumerModel(rules, kind);
  const found = new Map<string, number>();
  const worlds: (World | undefined)[] = [];
  const cameFrom: number[] = [];
  const labels: string[] = [];
  const edgesFrom: number[] = [];
  const edgesTo: number[] = [];
  const ends: number[] = [];
  const visit = (world: World, from: number, label: string): number => {
    const canonical = canonicalForm(world);
    const name = JSON.stringify(canonical);
    const known = found.get(name);
    if (known !== undefined) return known;
    found.set(name, worlds.length);
    cameFrom.push(from);
    labels.push(label);
    return worlds.push(canonical) - 1;
  };
  const traceTo = (state: number): string[] => (state <= 0 ? [] : [...traceTo(cameFrom[state]!), labels[state]!]);

  visit(initialWorld(options), -1, '');
  for (let state = 0; state < worlds.length; state++) {
    const world = worlds[state]!;
    worlds[state] = undefined;
    const broken = brokenLaw(world);
    if (broken) return { states: worlds.length, ends: ends.length, counterexample: { broken, trace: traceTo(state) } };
    if (worlds.length > options.statesMax)
      throw new Error(`more than ${options.statesMax} states for ${kind}: lower the bounds`);
    if (isEnd(world) || world.attempts.length > ATTEMPTS_MAX) ends.push(state);
    if (world.attempts.length > ATTEMPTS_MAX) continue;
    for (const { label, to } of movesOf(world, consumers, rules, kind)) {
      edgesFrom.push(state);
      edgesTo.push(visit(to, state, `${world.now} s ${label}`));
    }
  }
  const stuck = deadEnd(worlds.length, edgesFrom, edgesTo, ends);
  return {
    states: worlds.length,
    ends: ends.length,
    counterexample: stuck === undefined ? undefined : { broken: 'no way leads to an end', trace: traceTo(stuck) },
  };
}

/** The two consumers are alike: which of them does what makes no difference. */
function canonicalForm(world: World): World {
  const late = world.biller.late.filter(({ until }) => world.now < until);
  const biller = late.length === world.biller.late.length ? world.biller : { ...world.biller, late };
  const [one, other] = world.consumers;
  return { ...world, biller, consumers: JSON.stringify(one) <= JSON.stringify(other) ? [one, other] : [other, one] };
}

function brokenLaw(world: World): string | undefined {
  const state = records.state(world.record) as KnownDpRecord;
  if (world.biller.effects > 1) return 'posted twice';
  if (world.consumers.some(({ doing }) => doing === 'stop-history-behind'))
    return 'a healthy record is stopped as history behind';
  if (state.status === 'delivered' && world.biller.effects === 0) return 'told as delivered without an effect';
  if (
    state.status !== 'delivered' &&
    (isFinished(state) || state.status === 'dead-lettered') &&
    world.biller.effects > 0
  )
    return `told as ${state.status} with an effect`;
  if (world.messages.length === 0 && !isAtRest(world)) return 'no message is left for an unfinished record';
  return undefined;
}

function isAtRest(world: World): boolean {
  const state = records.state(world.record) as KnownDpRecord;
  if (state.status === 'in-doubt') return world.row.gone || world.row.status === 'InDoubt' || state.reconciled;
  return (isFinished(state) || state.status === 'dead-lettered') && state.reconciled;
}

const isEnd = (world: World): boolean =>
  world.messages.length === 0 && world.consumers.every(({ doing }) => doing === 'idle') && isAtRest(world);

function movesOf(world: World, consumers: ConsumerModel, rules: Rules, kind: BillerKind): readonly Move[] {
  const moves = [
    ...consumers.moves(world, 0),
    ...consumers.moves(world, 1),
    ...lateEffects(world, kind),
    ...operatorActs(world, rules, kind),
  ];
  const next = nextTime(world, kind);
  const busy =
    world.consumers.some(({ doing }) => doing !== 'idle') ||
    world.messages.some(({ visibleAt, lockedUntil }) => visibleAt <= world.now && lockedUntil < world.now);
  if (next !== undefined && (!busy || world.pausesLeft > 0)) {
    moves.push({
      label: `time passes to ${next} s`,
      to: { ...world, now: next, pausesLeft: world.pausesLeft - (busy ? 1 : 0) },
    });
  }
  if (rules.losesHistory && world.faultsLeft > 0) {
    const lost = withHistoryLost({ ...world, faultsLeft: world.faultsLeft - 1 }, rules);
    if (lost) moves.push({ label: 'the event store is lost, and that is accepted', to: lost });
  }
  if (world.faultsLeft > 0 && !rules.onlyCallsFail)
    moves.push(...surroundings({ ...world, faultsLeft: world.faultsLeft - 1 }, rules));
  return moves;
}

/** The next moment at which anything can differ. */
function nextTime(world: World, kind: BillerKind): number | undefined {
  const times: number[] = [];
  for (const { visibleAt, lockedUntil } of world.messages) times.push(visibleAt, lockedUntil + 1);
  for (const version of world.attempts) {
    const attempt = attempts.state(version);
    if (attempt.status !== 'open') continue;
    const begins = secondsOf(doubtBeginsAt(attempt, termsOf(kind)));
    times.push(
      secondsOf(attempt.ownedUntil) + 1,
      begins,
      ...(kind === 'inquiry' || kind === 'both' ? [begins + LAG_S] : []),
    );
  }
  for (const { until } of world.biller.late) times.push(until - 1);
  for (const [, seenAt] of world.biller.keys) times.push(seenAt + RETENTION_S - CALL_S - 1, seenAt + RETENTION_S);
  const later = times.filter((time) => time > world.now);
  return later.length === 0 ? undefined : Math.min(...later);
}

const lateEffects = (world: World, kind: BillerKind): readonly Move[] =>
  world.biller.late.map(({ key }, index) => ({
    label: 'a late request takes effect',
    to: {
      ...world,
      biller: takeEffect(
        { ...world.biller, late: world.biller.late.filter((_, place) => place !== index) },
        key,
        world.now,
        kind,
      ),
    },
  }));

/** Faults around the consumers: locks are lost, the row is deleted, the broker dead-letters. */
function surroundings(world: World, rules: Rules): readonly Move[] {
  const moves: Move[] = [];
  const state = records.state(world.record) as KnownDpRecord;
  world.messages.forEach((message, index) => {
    const others = world.messages.filter((_, place) => place !== index);
    if (message.lockedUntil >= world.now)
      moves.push({ label: 'lock lost', to: { ...world, messages: [...others, { ...message, lockedUntil: -1 }] } });
    else if (message.visibleAt <= world.now)
      moves.push({ label: 'the broker dead-letters the message', to: deadLettered(world, others, rules) });
  });
  if (state.status === 'pending' && !world.row.gone)
    moves.push({ label: 'the row is deleted', to: { ...world, row: { ...world.row, gone: true } } });
  return moves;
}

/** The broker's own dead letter is recorded: in doubt with an open attempt, else as dead-lettered; its successor reconciles. */
function deadLettered(world: World, others: World['messages'], rules: Rules): World {
  const ordinal = world.sent.filter((id) => id.startsWith('d')).length;
  const next = withMessage({ ...world, messages: others }, `d${ordinal}`, 0, world.now);
  const state = records.state(world.record) as KnownDpRecord;
  const attempt = attempts.state(attemptOf(world, state.nextAttempt));
  if (state.status !== 'pending' || attempt.status === 'closed') return next;
  if (attempt.status === 'open') {
    const held = rules.decideRecord({ type: 'HoldInDoubt', attempt: state.nextAttempt, cause: 'still-pending' }, state);
    return held.outcome === 'accepted' ? { ...next, record: records.append(world.record, held.events) } : next;
  }
  const decision = rules.decideRecord(
    {
      type: 'DeadLetterDpRecord',
      reason: 'DeadLetteredByBroker',
      description: '',
      ...(rules.claimsAttemptBeforeVerdict ? { attempt: state.nextAttempt } : {}),
    },
    state,
  );
  if (decision.outcome === 'refused') return next;
  const recorded = { ...next, record: records.append(world.record, decision.events) };
  if (!rules.claimsAttemptBeforeVerdict) return recorded;
  const claimed = attempts.append(ABSENT, [
    { type: 'DeliveryAttemptStarted', data: claimOf(state, world.now) },
    notSent,
  ]);
  return withAttempt(recorded, state.nextAttempt, claimed);
}

const claimOf = ({ billerId, dpId, nextAttempt }: KnownDpRecord, now: number) => ({
  billerId,
  dpId,
  attempt: nextAttempt,
  at: at(now),
  notAfter: at(now),
  idempotencyKey: 'key',
  requestHash: 'none',
  profileVersion: 'v1' as never,
});

/** A person resolves by the biller's own books, or redrives; both give the record a new message. */
function operatorActs(world: World, rules: Rules, kind: BillerKind): readonly Move[] {
  if (world.operatorActsLeft === 0) return [];
  const state = records.state(world.record) as KnownDpRecord;
  const acted = withMessage(
    { ...world, operatorActsLeft: world.operatorActsLeft - 1 },
    state.status === 'in-doubt' ? `x${state.nextAttempt}` : `r${world.sent.filter((id) => id.startsWith('r')).length}`,
    0,
    world.now,
  );
  if (state.status === 'dead-lettered' && state.reconciled) {
    const decision = rules.decideRecord(
      { type: 'RedriveDpRecord', ordinal: state.redrives + 1, by: 'a person', reason: '', at: at(world.now) },
      state,
    );
    if (decision.outcome === 'refused') return [];
    return [
      {
        label: 'operator redrives',
        to: {
          ...acted,
          record: records.append(world.record, decision.events),
          row: { ...world.row, status: 'Published' },
        },
      },
    ];
  }
  if (state.status !== 'in-doubt') return [];
  const version = attemptOf(world, state.nextAttempt);
  const attempt = attempts.state(version);
  if (
    attempt.status === 'open' &&
    rules.operatorWaitsForQuarantine &&
    at(world.now) < doubtBeginsAt(attempt, termsOf(kind))
  )
    return [];
  const outcome = world.biller.effects > 0 ? 'accepted' : 'not-executed';
  const decision = rules.decideAttempt(
    {
      type: 'CloseAttempt',
      closing: { type: 'DeliveryAttemptResolvedByOperator', data: { outcome, by: 'a person', evidence: 'books' } },
      ...(attempt.status === 'open' ? { resendsSeen: attempt.resends } : {}),
    },
    attempt,
  );
  if (decision.outcome === 'refused') return [];
  return [
    {
      label: `operator resolves: ${outcome}`,
      to:
        decision.events.length === 0
          ? acted
          : withAttempt(acted, state.nextAttempt, attempts.append(version, decision.events)),
    },
  ];
}

/** A state from which no end can be reached; the earliest one found. */
function deadEnd(
  states: number,
  from: readonly number[],
  to: readonly number[],
  ends: readonly number[],
): number | undefined {
  const heads = new Int32Array(states).fill(-1);
  const next = new Int32Array(from.length);
  for (let edge = 0; edge < from.length; edge++) {
    next[edge] = heads[to[edge]!]!;
    heads[to[edge]!] = edge;
  }
  const reaches = new Uint8Array(states);
  const todo = [...ends];
  for (const end of ends) reaches[end] = 1;
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    for (let edge = heads[state]!; edge >= 0; edge = next[edge]!) {
      const before = from[edge]!;
      if (reaches[before] === 0) {
        reaches[before] = 1;
        todo.push(before);
      }
    }
  }
  const stuck = reaches.indexOf(0);
  return stuck < 0 ? undefined : stuck;
}
