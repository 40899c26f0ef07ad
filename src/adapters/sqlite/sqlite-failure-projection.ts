import { type Database } from 'better-sqlite3';
import { isDamage, PortFailure } from '../../application/ports/failures';
import { type Position } from '../../application/ports/event-store';
import {
  type BillerHealth,
  EXAMPLES_MAX,
  type Failure,
  type FailureProjection,
  type FailureStep,
} from '../../application/ports/failure-projection';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { openSqliteFile, readFailure } from './sqlite-file';

const SCHEMA = [
  `CREATE TABLE Health (BillerId TEXT PRIMARY KEY, Facts TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE Failure (
     BillerId TEXT NOT NULL, Stage TEXT NOT NULL, Kind TEXT NOT NULL, Status INTEGER NOT NULL, Text TEXT NOT NULL,
     Count INTEGER NOT NULL, FirstAt TEXT NOT NULL, LastAt TEXT NOT NULL, Examples TEXT NOT NULL,
     PRIMARY KEY (BillerId, Stage, Kind, Status, Text)
   ) WITHOUT ROWID;
   CREATE INDEX Failure_last ON Failure (LastAt);
   CREATE TABLE Progress (Only INTEGER PRIMARY KEY CHECK (Only = 1), Position TEXT NOT NULL);`,
];
/** Stands for "no status" in a key, where NULL would equal nothing. */
const NO_STATUS = 0;

interface FailureRow {
  readonly BillerId: BillerId;
  readonly Stage: string;
  readonly Kind: string;
  readonly Status: number;
  readonly Text: string;
  readonly Count: number;
  readonly FirstAt: Instant;
  readonly LastAt: Instant;
  readonly Examples: string;
}

/** How the calls to each biller go, and failures by fingerprint, in one SQLite file that may be deleted at any time. */
export class SqliteFailureProjection implements FailureProjection {
  private readonly database: Database;
  private readonly path: string;

  constructor(options: { readonly path: string }) {
    this.path = options.path;
    this.database = openSqliteFile({ path: options.path, kind: 'failures', schema: SCHEMA, synchronous: 'OFF' });
  }

  finish(): void {
    // It is small: nothing is left to make.
  }

  async position(): Promise<Position | undefined> {
    return this.trying('read its position', () => this.standsAt());
  }

  async advance(step: FailureStep): Promise<boolean> {
    return this.trying('note failures', () => this.database.transaction(() => this.advanceNow(step)).immediate());
  }

  async health(): Promise<readonly BillerHealth[]> {
    return this.trying('read the health of billers', () =>
      this.database
        .prepare<[], { readonly BillerId: BillerId; readonly Facts: string }>('SELECT * FROM Health ORDER BY BillerId')
        .all()
        .map(({ BillerId: billerId, Facts }) => ({
          ...NOTHING_KNOWN,
          ...(JSON.parse(Facts) as BillerHealth),
          billerId,
        })),
    );
  }

  async failures(query: Parameters<FailureProjection['failures']>[0]): Promise<readonly Failure[]> {
    const { billerId = null, since = null, max } = query;
    return this.trying('read failures', () =>
      this.database
        .prepare<{ billerId: string | null; since: string | null; max: number }, FailureRow>(
          `SELECT * FROM Failure WHERE (@billerId IS NULL OR BillerId = @billerId) AND (@since IS NULL OR LastAt >= @since)
           ORDER BY LastAt DESC, Count DESC, BillerId, Stage, Kind, Status, Text LIMIT @max`,
        )
        .all({ billerId, since, max })
        .map(failureOf),
    );
  }

  close(): void {
    this.database.close();
  }

  private advanceNow({ from, to, health, failures }: FailureStep): boolean {
    if (this.standsAt() !== from) return false;
    const note = this.database.prepare('INSERT OR REPLACE INTO Health VALUES (?, ?)');
    for (const { billerId, ...facts } of health) note.run(billerId, JSON.stringify(facts));
    const known = this.database
      .prepare<unknown[], string>(
        'SELECT Examples FROM Failure WHERE BillerId = ? AND Stage = ? AND Kind = ? AND Status = ? AND Text = ?',
      )
      .pluck();
    const add = this.database.prepare(
      `INSERT INTO Failure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET Count = Count + excluded.Count, FirstAt = min(FirstAt, excluded.FirstAt),
         LastAt = max(LastAt, excluded.LastAt), Examples = excluded.Examples`,
    );
    for (const { billerId, stage, kind, status = NO_STATUS, text, count, firstAt, lastAt, examples } of failures) {
      const key = [billerId, stage, kind, status, text];
      const before = JSON.parse(known.get(...key) ?? '[]') as readonly RecordKey[];
      const newest = [...new Set([...examples, ...before])].slice(0, EXAMPLES_MAX);
      add.run(...key, count, firstAt, lastAt, JSON.stringify(newest));
    }
    this.database.prepare('INSERT OR REPLACE INTO Progress VALUES (1, ?)').run(to);
    return true;
  }

  private standsAt(): Position | undefined {
    return this.database.prepare('SELECT Position FROM Progress').pluck().get() as Position | undefined;
  }

  /** It may be deleted at any time, so that is the remedy. */
  private trying<T>(step: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const failure = readFailure(`failed to ${step} in the projection of failures`, this.path, error);
      if (!isDamage(failure)) throw failure;
      throw new PortFailure(
        `${this.path} is damaged: stop what uses it and delete it, it is built anew from the event store`,
        { code: failure.code, retryable: false, facts: failure.facts, cause: error },
      );
    }
  }
}

/** JSON leaves out what is undefined. */
const NOTHING_KNOWN = {
  failingSince: undefined,
  failuresInRow: 0,
  lastError: undefined,
  lastAnswerAt: undefined,
  openAttempts: 0,
};

const failureOf = (row: FailureRow): Failure => ({
  billerId: row.BillerId,
  stage: row.Stage,
  kind: row.Kind,
  status: row.Status === NO_STATUS ? undefined : row.Status,
  text: row.Text,
  count: row.Count,
  firstAt: row.FirstAt,
  lastAt: row.LastAt,
  examples: JSON.parse(row.Examples) as readonly RecordKey[],
});
