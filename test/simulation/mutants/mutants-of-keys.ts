import { type FaultKind } from '../world/faults';
import { type Mutant } from './mutant';

const RULE = 'a key is as old as its first use';
const STATE = 'src/domain/dp-record/dp-record.state.ts';
const DECIDER = 'src/domain/dp-record/dp-record.decider.ts';
const CONCLUDE = 'src/application/delivering/conclude-attempt.ts';

/** A second call under a key that the biller may have forgotten by then; or what follows from it. */
const shows =
  /sent again \d+ ms after its key was first used|sent again where the biller does not remember its key|^doubled/;

/** What keeps the second use of a key away from the first, and the third from the second. */
const APART: readonly FaultKind[] = ['operator-pauses', 'bus-late', 'store-outage'];
const UNCLEAR: readonly FaultKind[] = [
  'biller-timeout-with-effect',
  'biller-timeout-late-effect',
  'biller-500-after-effect',
];
const aim = (...kinds: readonly FaultKind[]) => ({
  aim: { capability: 'keys', kinds: [...kinds, ...APART, ...UNCLEAR] } as const,
});
const AFTER_REFUSAL = aim('biller-busy', 'biller-unauthorized');
const AFTER_THROTTLE = aim('biller-throttled');
const AFTER_REDRIVE = aim('biller-busy', 'biller-throttled', 'operator-redrives-twice');

/** Each place that hands on when a record's key was first used, forgotten. */
export const MUTANTS_OF_KEYS: readonly Mutant[] = [
  {
    name: 'forgets the first use of a key at a retry',
    rule: RULE,
    file: STATE,
    find: 'spentTries: state.spentTries + (event.data.spent ? 1 : 0), keyFirstUsedAt: state.keyFirstUsedAt ?? event.data.keyFirstUsedAt };',
    replace: 'spentTries: state.spentTries + (event.data.spent ? 1 : 0) };',
    shows,
    ...AFTER_REFUSAL,
  },
  {
    name: 'forgets the first use of a key at a throttle',
    rule: RULE,
    file: STATE,
    find: '? event.data.attempt + 1 : state.nextAttempt, keyFirstUsedAt: state.keyFirstUsedAt ?? event.data.keyFirstUsedAt };',
    replace: '? event.data.attempt + 1 : state.nextAttempt };',
    shows,
    ...AFTER_THROTTLE,
  },
  {
    name: 'forgets the first use of a key at a dead letter',
    rule: RULE,
    file: STATE,
    find: 'nextAttempt: event.data.attempt === undefined ? state.nextAttempt : event.data.attempt + 1, keyFirstUsedAt: state.keyFirstUsedAt ?? event.data.keyFirstUsedAt };',
    replace: 'nextAttempt: event.data.attempt === undefined ? state.nextAttempt : event.data.attempt + 1 };',
    shows,
    ...AFTER_REDRIVE,
  },
  {
    name: 'takes the key of a redriven record for unused',
    rule: RULE,
    file: STATE,
    find: 'openedAt: event.data.at, spentTries: 0,',
    replace: 'openedAt: event.data.at, keyFirstUsedAt: undefined, spentTries: 0,',
    shows,
    ...AFTER_REDRIVE,
  },
  {
    name: 'schedules a retry without the first use of its key',
    rule: RULE,
    file: DECIDER,
    find: 'data: { attempt, at, spent, ...(keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt }) },',
    replace: 'data: { attempt, at, spent, ...(keyFirstUsedAt === undefined ? {} : {}) },',
    shows,
    ...AFTER_REFUSAL,
  },
  {
    name: 'dead-letters without the first use of the key',
    rule: RULE,
    file: DECIDER,
    find: '...(attempt === undefined ? {} : { attempt }), ...(keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt }), }, };\n  return attempt === undefined ? whilePending',
    replace:
      '...(attempt === undefined ? {} : { attempt }), ...(keyFirstUsedAt === undefined ? {} : {}), }, };\n  return attempt === undefined ? whilePending',
    shows,
    ...AFTER_REDRIVE,
  },
  {
    name: 'takes a throttled call for one that used no key',
    rule: RULE,
    file: CONCLUDE,
    find: "closing.as === 'not-sent' ? {}",
    replace: "closing.as === 'not-sent' || closing.as === 'throttled' ? {}",
    shows,
    ...AFTER_THROTTLE,
  },
  {
    name: 'takes a refused call for one that used no key',
    rule: RULE,
    file: CONCLUDE,
    find: "closing.as === 'not-sent' ? {}",
    replace: "closing.as === 'not-sent' || closing.as === 'not-executed' ? {}",
    shows,
    ...AFTER_REFUSAL,
  },
  {
    name: 'starts an attempt as if its key were new',
    rule: RULE,
    file: 'src/application/delivering/start-attempt.ts',
    find: '...(record.keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt: record.keyFirstUsedAt }),',
    replace: '',
    shows,
    ...AFTER_REFUSAL,
  },
  {
    name: 'dates the first use of a key by the latest that it can be',
    rule: RULE,
    file: 'src/application/delivering/start-attempt.ts',
    find: 'const at = await ports.shardClock.atLeast(shard); const latest',
    replace: 'const at = await ports.shardClock.atMost(shard); const latest',
    shows,
    ...aim('sql-slow', 'biller-busy'),
  },
  {
    name: "counts a key's retention from the attempt in doubt",
    rule: RULE,
    file: 'src/domain/policies/in-doubt-resolution.ts',
    find: 'attempt.started.keyFirstUsedAt ?? attempt.started.at;',
    replace: 'attempt.started.at;',
    shows,
    ...AFTER_REFUSAL,
  },
];
