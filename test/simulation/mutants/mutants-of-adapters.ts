import { type Mutant } from './mutant';

const SQLITE_BUS = ['test/adapters/sqlite-bus', 'test/contract/message-bus\\.sqlite'];
const EVENT_STORE_DB = ['test/adapters/event-store-db\\.'];
const SQL_SERVER = ['test/adapters/sql-server-(answers|rows|pure|failures|coalescer)'];
const SERVICE_BUS = ['test/adapters/service-bus'];

type Patch = readonly [name: string, file: string, find: string, replace: string];

/** Defects that seeds do not reach, or not in their time: each is hunted by the suites of its own adapter. */
const huntedBy = (suites: readonly string[], patches: readonly Patch[]): readonly Mutant[] =>
  patches.map(([name, file, find, replace]) => ({
    name,
    rule: 'an adapter keeps the laws of its port',
    file: `src/adapters/${file}`,
    find,
    replace,
    suites,
    // Whichever of its laws says so.
    shows: /./,
  }));

export const MUTANTS_OF_ADAPTERS: readonly Mutant[] = [
  ...huntedBy(SQLITE_BUS, [
    [
      'halves the window of duplicate detection',
      'sqlite/sqlite-message-bus-tables.ts',
      'const window = topic.duplicateDetectionWindowMs;',
      'const window = topic.duplicateDetectionWindowMs / 2;',
    ],
    [
      'forgets message ids at half of the window',
      'sqlite/sqlite-message-bus-tables.ts',
      'statements.forget.run(topic.name, now - window, messages.length + PURGE_EXTRA);',
      'statements.forget.run(topic.name, now - window / 2, messages.length + PURGE_EXTRA);',
    ],
    [
      'renews a lock without its token',
      'sqlite/sqlite-message-bus-tables.ts',
      '`UPDATE message SET due_at = ? WHERE ${locked}`',
      '`UPDATE message SET due_at = ? WHERE queue = ? AND seq = ? AND ? IS NOT NULL AND due_at > ?`',
    ],
    [
      'completes a message without its token',
      'sqlite/sqlite-message-bus-tables.ts',
      '`DELETE FROM message WHERE ${locked}`',
      '`DELETE FROM message WHERE queue = ? AND seq = ? AND ? IS NOT NULL AND due_at > ?`',
    ],
    [
      'releases one message fewer at each pass',
      'sqlite/sqlite-message-bus-tables.ts',
      'this.statements.release.run(queue.id, LOCKED, now, HOUSEKEEPING_MAX);',
      'this.statements.release.run(queue.id, LOCKED, now, HOUSEKEEPING_MAX - 1);',
    ],
    [
      'sweeps a living message away at each pass',
      'sqlite/sqlite-message-bus-tables.ts',
      'statements.dropOld.run(queue.id, messages.length + PURGE_EXTRA, now - queue.timeToLiveMs);',
      'statements.dropOld.run(queue.id, 1, now + 1);',
    ],
  ]),
  ...huntedBy(EVENT_STORE_DB, [
    [
      'takes refused credentials for an outage',
      'event-store-db/event-store-failure.ts',
      "type === 'access-denied' || status === GRPC.unauthenticated || status === GRPC.permissionDenied",
      "type === 'access-denied' && status === GRPC.unauthenticated",
    ],
    [
      'takes a timeout of the server for an outage',
      'event-store-db/event-store-failure.ts',
      "status === GRPC.deadlineExceeded || // The server gave up waiting, as it says; the two vendors' clients name that differently.\n status === GRPC.aborted",
      'status === GRPC.deadlineExceeded',
    ],
    [
      'takes a connection that is short of something for a message that is too large',
      'event-store-db/event-store-failure.ts',
      '(status === GRPC.resourceExhausted && isTooLarge(cause, bytes))',
      '(status === GRPC.resourceExhausted && bytes >= 0 && isTooLarge(cause, 2 * APPEND_BYTES_MAX))',
    ],
    [
      'takes a deleted stream for an outage',
      'event-store-db/event-store-failure.ts',
      "if (type === 'stream-deleted')",
      "if (type === 'stream-is-deleted')",
    ],
    [
      'repeats for ever what no EventStoreDB answered',
      'event-store-db/event-store-failure.ts',
      'if (status === GRPC.unimplemented || status === GRPC.invalidArgument)',
      'if (status === GRPC.unimplemented && type === undefined && bytes < 0)',
    ],
    [
      'gives a change of leaders up at once',
      'event-store-db/streams-wire.ts',
      'if (!isNotLeader(failure) || repeats >= NOT_LEADER_REPEATS_MAX || over.aborted) throw failure;',
      'if (!isNotLeader(failure) || repeats >= 0 || over.aborted) throw failure;',
    ],
  ]),
  ...huntedBy(SQL_SERVER, [
    [
      'gives results in the order that the server says them',
      'sql-server/shard-statuses.ts',
      "for (const line of lines!) answers[line['Place'] as number] = line['Answer'] as Reconciled;",
      "for (const [at, line] of lines!.entries()) answers[at] = line['Answer'] as Reconciled;",
    ],
    [
      'gives ordinals in the order that the server says them',
      'sql-server/shard-statuses.ts',
      "for (const line of lines!) ordinals[line['Place'] as number] = line['SweepCount'] as number;",
      "for (const [at, line] of lines!.entries()) ordinals[at] = line['SweepCount'] as number;",
    ],
    [
      'names the rows that were asked for, not those that changed',
      'sql-server/shard-statuses.ts',
      "return lines!.map((line) => changes[line['Place'] as number]!.dpId);",
      'return lines!.map((_, at) => changes[at]!.dpId);',
    ],
    [
      'gives rows in the order that the server says them',
      'sql-server/shard-rows.ts',
      '.sort((a, b) => a.place - b.place || (a.line.Attempt ?? 0) - (b.line.Attempt ?? 0));',
      '.sort((a, b) => (a.line.Attempt ?? 0) - (b.line.Attempt ?? 0));',
    ],
  ]),
  ...huntedBy(SERVICE_BUS, [
    [
      'takes a lost lock for something to repeat',
      'service-bus/service-bus-failures.ts',
      "const LOCK_LOST: Kind = { code: 'lock-lost', retryable: false };",
      "const LOCK_LOST: Kind = { code: 'lock-lost', retryable: true };",
    ],
    [
      'sends a batch again where a topic takes none',
      'service-bus/service-bus-message-bus.ts',
      'await sendAlone(ofBatch); } } await sendAlone(outgoing.scheduled);',
      'await send(batch); } } await sendAlone(outgoing.scheduled);',
    ],
    [
      'loses what a look brought that nobody waits for',
      'service-bus/service-bus-receiver.ts',
      "this.settleOnce(message, 'alone', (receiver, sdk) => receiver.abandonMessage(sdk)).catch(() => undefined);",
      'void message;',
    ],
    [
      'settles an abandon beside a complete',
      'service-bus/service-bus-receiver.ts',
      "return this.settle('abandon', message, 'alone',",
      "return this.settle('abandon', message, 'shared',",
    ],
  ]),
];
