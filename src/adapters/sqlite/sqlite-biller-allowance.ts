import { type Database, type Statement } from 'better-sqlite3';
import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type BillerId } from '../../domain/identifiers';
import { GroupCommit } from './group-commit';
import { openSqliteFile, prepared } from './sqlite-file';
import { checkTake } from '../shared/port-terms';

const ALLOWANCE_SCHEMA: readonly string[] = [
  'CREATE TABLE Bucket (BillerId TEXT PRIMARY KEY, Tokens REAL NOT NULL, FilledAtMs REAL NOT NULL) WITHOUT ROWID',
];

/** Of the machine, so equal in all its processes, and not moved when somebody sets the time. */
const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * One token bucket a biller, in a file that all processes of the machine share. Not synced to the disk: after the
 * machine's death the buckets count for nothing, and the file may be deleted.
 */
export class SqliteBillerAllowance implements BillerAllowance {
  private readonly database: Database;
  private readonly commits: GroupCommit;
  private readonly select: Statement<[BillerId], { readonly Tokens: number; readonly FilledAtMs: number }>;
  private readonly store: Statement<[BillerId, number, number]>;
  private readonly nowMs: () => number;

  constructor(options: { readonly path: string; readonly nowMs?: () => number }) {
    this.nowMs = options.nowMs ?? machineMs;
    this.database = openSqliteFile({
      path: options.path,
      kind: 'allowance',
      schema: ALLOWANCE_SCHEMA,
      synchronous: 'OFF',
    });
    this.commits = new GroupCommit(this.database);
    const { database } = this;
    const { select, store } = prepared(database, { path: options.path, kind: 'allowance' }, () => ({
      select: database.prepare<[BillerId], { readonly Tokens: number; readonly FilledAtMs: number }>(
        'SELECT Tokens, FilledAtMs FROM Bucket WHERE BillerId = ?',
      ),
      store: database.prepare<[BillerId, number, number]>(`
        INSERT INTO Bucket (BillerId, Tokens, FilledAtMs) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET Tokens = excluded.Tokens, FilledAtMs = excluded.FilledAtMs`),
    }));
    this.select = select;
    this.store = store;
  }

  async close(): Promise<void> {
    await this.commits.close();
    this.database.close();
  }

  async take(
    biller: BillerId,
    request: { readonly perSecond: number; readonly wanted: number },
  ): Promise<{ readonly granted: number; readonly retryAfterMs: number }> {
    checkTake(biller, request);
    const { perSecond, wanted } = request;
    return this.commits.run(() => this.grant(biller, perSecond, wanted));
  }

  private grant(
    biller: BillerId,
    perSecond: number,
    wanted: number,
  ): { readonly granted: number; readonly retryAfterMs: number } {
    // A rate below one a second must be able to save up one whole call.
    const capacity = Math.max(1, perSecond);
    // Read under the write lock: a time taken before waiting for it would lie in the past of another's bucket.
    const now = this.nowMs();
    const bucket = this.select.get(biller);
    // The machine's time starts anew when it boots: a bucket from its future gains nothing and counts on from now.
    const gained = bucket ? (Math.max(0, now - bucket.FilledAtMs) / 1_000) * perSecond : 0;
    const tokens = bucket ? Math.min(capacity, bucket.Tokens + gained) : capacity;
    const granted = Math.min(wanted, Math.floor(tokens));
    const left = tokens - granted;
    this.store.run(biller, left, now);
    return { granted, retryAfterMs: granted === wanted ? 0 : Math.max(1, Math.ceil(((1 - left) / perSecond) * 1_000)) };
  }
}
