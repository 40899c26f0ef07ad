import { type Mutant } from './mutants';

const SQLITE = 'src/adapters/sqlite';

/** Defects of the SQLite adapters, which only seeds that run on them can find. */
export const MUTANTS_OF_SQL: readonly Mutant[] = [
  {
    name: 'claims without looking at the status',
    rule: 'the shard claims New rows only',
    file: `${SQLITE}/sqlite-shard-claiming.ts`,
    find: "FROM datapump WHERE Status = 'New' AND BillerId = ?",
    replace: 'FROM datapump WHERE BillerId = ?',
  },
  {
    name: 'never stamps an outbox row as published',
    rule: 'the outbox drains',
    file: `${SQLITE}/sqlite-shard-claiming.ts`,
    find: "'UPDATE Outbox SET PublishedAt = ? WHERE ChunkId = ? AND PublishedAt IS NULL'",
    replace: "'UPDATE Outbox SET PublishedAt = ? WHERE ChunkId = ? AND PublishedAt IS NOT NULL'",
  },
  {
    name: 'changes a status whatever stands there',
    rule: 'rule 9',
    file: `${SQLITE}/sqlite-shard-statuses.ts`,
    find: 'if (row === undefined || row.Status === to || !from.includes(row.Status)) continue;',
    replace: 'if (row === undefined || row.Status === to) continue;',
  },
  {
    name: 'reconciles the status and forgets the detail',
    rule: 'the details say what the stream says',
    file: `${SQLITE}/sqlite-shard-statuses.ts`,
    find: 'this.insertDetail.run(dpId, attempt, outcome, billerReference, code, recordedAt);',
    replace: '',
  },
  {
    name: 'sweeps rows in doubt only',
    rule: 'the row owns the duty',
    file: `${SQLITE}/sqlite-shard-statuses.ts`,
    find: "WHERE Status IN ('Queued', 'Published', 'InDoubt') AND ProgressAt < @before",
    replace: "WHERE Status IN ('InDoubt') AND ProgressAt < @before",
  },
  {
    name: 'reopens a row that has its end',
    rule: 'rule 9',
    file: `${SQLITE}/sqlite-shard-statuses.ts`,
    find: "WHERE DpId = ? AND Status IN ('Failed', 'InDoubt', 'Published') RETURNING",
    replace: 'WHERE DpId = ? RETURNING',
  },
  {
    name: 'finds no rows of a chunk',
    rule: 'every row comes to its end',
    file: `${SQLITE}/sqlite-shard-rows.ts`,
    find: 'SELECT * FROM datapump WHERE ChunkId = ? ORDER BY Seq LIMIT ?',
    replace: 'SELECT * FROM datapump WHERE ChunkId = ? ORDER BY Seq LIMIT ? - 5000',
  },
  {
    name: 'appends whatever the revision',
    rule: 'rule 2',
    file: `${SQLITE}/sqlite-event-store.ts`,
    find: "const first = expected === 'new' ? 0 : expected + 1; const last",
    replace: 'const first = (newest ?? -1) + 1; const last',
  },
  {
    name: 'takes an appended batch for a conflict when it is repeated',
    rule: 'an append may be repeated',
    file: `${SQLITE}/sqlite-event-store.ts`,
    find: 'if (streamId !== undefined && this.isSameBatch(streamId, first, events)) return last;',
    replace: '',
  },
  {
    name: 'takes any conflict for a repeated append',
    rule: 'rule 2',
    file: `${SQLITE}/sqlite-event-store.ts`,
    find: 'stored[0]?.batch_events === events.length && events.every(({ id }, index) => stored[index]?.id === id)',
    replace: 'stored[0]?.batch_events === events.length',
  },
  {
    name: 'brings back no message whose lock lapsed',
    rule: 'the queues drain',
    file: `${SQLITE}/sqlite-message-bus-tables.ts`,
    find: 'this.statements.release.run(queue.id, LOCKED, now, HOUSEKEEPING_MAX);',
    replace: '',
  },
  {
    name: 'makes no scheduled message ready',
    rule: 'the queues drain',
    file: `${SQLITE}/sqlite-message-bus-tables.ts`,
    find: 'this.statements.release.run(queue.id, SCHEDULED, now, HOUSEKEEPING_MAX);',
    replace: '',
  },
  {
    name: 'buries no message however often it was received',
    rule: 'poison ends among the dead letters',
    file: `${SQLITE}/sqlite-message-bus-tables.ts`,
    find: 'WHERE delivery_count >= ?)',
    replace: 'WHERE delivery_count >= ? + 1000000)',
  },
  {
    name: 'completes nothing and says it did',
    rule: 'the queues drain',
    file: `${SQLITE}/sqlite-message-bus-tables.ts`,
    find: 'return this.statements.complete.run(queue.id, seq, token, now).changes === 1;',
    replace: 'return token.length > 0 && seq > 0 && now > 0;',
  },
];
