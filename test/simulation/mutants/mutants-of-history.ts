import { type Mutant } from './mutant';

const RULE = 'the stores know each other';
const GUARD = 'src/application/history/history-guard.ts';
const CHECK = 'src/application/history/check-history.ts';
const ACCEPT = 'src/application/operating/accept-history-loss.ts';
const HOLD = 'src/application/delivering/hold-lost-row.ts';
const AIM = {
  aim: {
    kinds: ['store-restored', 'shard-restored', 'bus-restored', 'biller-refused', 'biller-timeout-with-effect'],
  },
} as const;

/** Defects of who knows which history, and of what becomes of rows whose history is lost. */
export const MUTANTS_OF_HISTORY: readonly Mutant[] = [
  {
    name: 'notes no mark in the shards',
    rule: RULE,
    file: GUARD,
    find: 'mark: head, notedAt: now',
    replace: 'mark: undefined, notedAt: now',
    shows: /^doubled/,
    ...AIM,
  },
  {
    name: 'takes an older copy of the event store for whole',
    rule: RULE,
    file: CHECK,
    find: "return known.mark && !(await eventStore.holds(known.mark)) ? 'behind' : undefined;",
    replace: 'return undefined;',
    shows: /^doubled/,
    ...AIM,
  },
  {
    name: 'takes any event store for its own',
    rule: RULE,
    file: CHECK,
    find: 'const fault = await faultOf(ports, identity, known, shards.find((shard) => shard === witness));',
    replace:
      'const fault = known?.loss ? await faultOf(ports, identity, known, shards.find((shard) => shard === witness)) : undefined;',
    shows: /^doubled/,
    ...AIM,
  },
  {
    name: 'leaves the rows of a lost history as they are',
    rule: RULE,
    file: ACCEPT,
    find: "const HELD_STATUSES: readonly RowStatus[] = ['Queued', 'Published', 'Failed', 'InDoubt'];",
    replace: "const HELD_STATUSES: readonly RowStatus[] = ['Failed', 'InDoubt'];",
    shows: /^doubled/,
    ...AIM,
  },
  {
    name: 'claims the new rows of a shard that was restored with its event store',
    rule: RULE,
    file: ACCEPT,
    find: "if (restored) return ['New', ...HELD_STATUSES];",
    replace: 'if (restored) return HELD_STATUSES;',
    shows: /^doubled/,
    ...AIM,
  },
  {
    name: 'takes no shard for restored',
    rule: RULE,
    file: ACCEPT,
    find: 'if (await eventStore.isAfter(other.known.mark.position, known.mark.position)) return true;',
    replace: '',
    shows: /^doubled/,
    ...AIM,
  },
  {
    name: 'holds a record without an attempt that a person could close',
    rule: RULE,
    file: HOLD,
    find: "if (found.attempt.state.status === 'absent') await startForTheLost(ports, key, found, row, now);",
    replace: '',
    shows: /^stuck|hung/,
    ...AIM,
  },
  {
    name: 'holds a record and not its row',
    rule: RULE,
    file: HOLD,
    find: 'record = await ports.history.appendToRecord(key, record, decision.events, now);\n  await shard.reconcile(rowResultOf(record.state, row.dpId, now));',
    replace: 'record = await ports.history.appendToRecord(key, record, decision.events, now);',
    // Whoever meets such a record in the swarm puts its row right: seeds showed it in one of hundreds.
    shows: /a row .* is held/,
    suites: ['test/application/accept-history-loss'],
  },
  {
    name: 'ends the acceptance without a shard that is out of reach',
    rule: RULE,
    file: ACCEPT,
    find: 'if (missing.length === 0) return look;',
    replace: 'if (missing.length >= 0) return look;',
    shows: /^stuck|hung/,
    aim: { kinds: ['store-restored', 'sql-connection-lost', 'sql-outage', 'sql-commit-unknown'] },
  },
];
