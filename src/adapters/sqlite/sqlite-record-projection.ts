import { type Database } from 'better-sqlite3';
import { isDamage, PortFailure } from '../../application/ports/failures';
import { type Position } from '../../application/ports/event-store';
import {
  type FoundRecords,
  type ProjectedRecord,
  type ProjectedTotal,
  type ProjectionStep,
  type RecordProjection,
  type RecordQuery,
} from '../../application/ports/record-projection';
import { type RecordKey } from '../../domain/identifiers';
import { type Day } from '../../domain/instant';
import { sumOfAmounts } from '../shared/row-amount';
import { openSqliteFile, readFailure } from './sqlite-file';
import { entryOf, type RecordRow, SqliteRecordSearch } from './sqlite-record-search';

const SCHEMA = [
  `CREATE TABLE Record (
     RecordKey TEXT PRIMARY KEY, BillerId TEXT NOT NULL, DataType TEXT NOT NULL, Status TEXT NOT NULL,
     AmountMinor INTEGER, Currency TEXT
   ) WITHOUT ROWID;
   CREATE TABLE Progress (Only INTEGER PRIMARY KEY CHECK (Only = 1), Position TEXT NOT NULL);`,
  'CREATE TABLE Unread (Seq INTEGER PRIMARY KEY, What TEXT NOT NULL);',
  // It begins anew: what an older version noted lacks what is asked for now.
  `DROP TABLE Record;
   DELETE FROM Progress;
   DELETE FROM Unread;
   CREATE TABLE Record (
     Seq INTEGER PRIMARY KEY, RecordKey TEXT NOT NULL UNIQUE, Shard TEXT NOT NULL, BillerId TEXT NOT NULL, DataType TEXT NOT NULL,
     Status TEXT NOT NULL, AmountMinor INTEGER, Currency TEXT, Attempts INTEGER NOT NULL, Cause TEXT, Reference TEXT,
     CreatedAt TEXT NOT NULL, ChangedAt TEXT NOT NULL
   );
   CREATE TABLE Total (
     Day TEXT NOT NULL, Shard TEXT NOT NULL, BillerId TEXT NOT NULL, DataType TEXT NOT NULL, Status TEXT NOT NULL,
     Currency TEXT NOT NULL, Rows INTEGER NOT NULL, AmountMinor INTEGER NOT NULL,
     PRIMARY KEY (Day, Shard, BillerId, DataType, Status, Currency)
   ) WITHOUT ROWID;`,
];

/** By what records are searched. Made when a projection is whole: to keep them up while it is built costs twice the time. */
const INDICES = `
  CREATE INDEX IF NOT EXISTS Record_biller ON Record (BillerId, Status, CreatedAt);
  CREATE INDEX IF NOT EXISTS Record_status ON Record (Status, CreatedAt);
  CREATE INDEX IF NOT EXISTS Record_created ON Record (CreatedAt);
  CREATE INDEX IF NOT EXISTS Record_amount ON Record (AmountMinor);
  CREATE INDEX IF NOT EXISTS Record_reference ON Record (Reference);`;

/** What could not be read: more than so many need not be named. */
const UNREAD_MAX = 1_000;
/** "Carries no money" in a key, where NULL would equal nothing; a currency stands behind a mark, since it may be empty. */
const NO_CURRENCY = '';
const CURRENCY_MARK = '=';

/** Where each record stands, and totals by day, in one SQLite file that may be deleted at any time. */
export class SqliteRecordProjection implements RecordProjection {
  private readonly database: Database;
  private readonly path: string;
  private readonly searching: SqliteRecordSearch;

  /** `building`: without what only searches need, until `finish`. */
  constructor(options: { readonly path: string; readonly building?: boolean }) {
    this.path = options.path;
    this.database = openSqliteFile({ path: options.path, kind: 'projection', schema: SCHEMA, synchronous: 'OFF' });
    this.searching = new SqliteRecordSearch(this.database);
    if (!options.building) this.finish();
  }

  finish(): void {
    this.trying('index its records', () => this.database.exec(INDICES));
  }

  async position(): Promise<Position | undefined> {
    return this.trying('read its position', () => this.standsAt());
  }

  async find(records: readonly RecordKey[]): Promise<ReadonlyMap<RecordKey, ProjectedRecord>> {
    return this.trying('find records', () => {
      const one = this.database.prepare<[string], RecordRow>('SELECT * FROM Record WHERE RecordKey = ?');
      const found = records.flatMap((record) => one.get(record) ?? []).map(entryOf);
      return new Map(found.map((entry) => [entry.record, entry]));
    });
  }

  async unread(): Promise<readonly string[]> {
    return this.trying('read what could not be read', () =>
      this.database.prepare<[number], string>('SELECT What FROM Unread ORDER BY Seq LIMIT ?').pluck().all(UNREAD_MAX),
    );
  }

  async reset(): Promise<void> {
    this.trying('forget its records', () =>
      this.database.exec(
        'BEGIN IMMEDIATE; DELETE FROM Record; DELETE FROM Total; DELETE FROM Progress; DELETE FROM Unread; COMMIT',
      ),
    );
  }

  async advance(step: ProjectionStep): Promise<boolean> {
    return this.trying('note records', () => this.database.transaction(() => this.advanceNow(step)).immediate());
  }

  private advanceNow({ from, to, entries, changes, unread = [] }: ProjectionStep): boolean {
    if (this.standsAt() !== from) return false;
    const upsert = this.database.prepare(
      `INSERT INTO Record (RecordKey, Shard, BillerId, DataType, Status, AmountMinor, Currency, Attempts, Cause, Reference, CreatedAt, ChangedAt)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (RecordKey) DO UPDATE SET Shard = excluded.Shard, BillerId = excluded.BillerId, DataType = excluded.DataType,
         Status = excluded.Status, AmountMinor = excluded.AmountMinor, Currency = excluded.Currency, Attempts = excluded.Attempts,
         Cause = excluded.Cause, Reference = excluded.Reference, CreatedAt = excluded.CreatedAt, ChangedAt = excluded.ChangedAt`,
    );
    for (const entry of entries) {
      const { record, shard, billerId, dataType, status, amount, attempts, cause, reference } = entry;
      const money = [amount?.minorUnits ?? null, amount?.currency ?? null];
      const { createdAt, changedAt } = entry;
      upsert.run(
        record, shard, billerId, dataType, status, ...money, attempts, cause ?? null, reference ?? null, createdAt, changedAt,
      ); // prettier-ignore
    }
    const change = this.database.prepare(
      `INSERT INTO Total VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET Rows = Rows + excluded.Rows, AmountMinor = AmountMinor + excluded.AmountMinor`,
    );
    for (const { day, shard, billerId, dataType, status, count, amount } of changes) {
      const currency = amount ? CURRENCY_MARK + amount.currency : NO_CURRENCY;
      change.run(day, shard, billerId, dataType, status, currency, count, amount?.minorUnits ?? 0);
    }
    const note = this.database.prepare('INSERT INTO Unread (What) VALUES (?)');
    for (const what of unread) note.run(what);
    this.database.prepare('INSERT OR REPLACE INTO Progress VALUES (1, ?)').run(to);
    return true;
  }

  async totals(day?: Day): Promise<readonly ProjectedTotal[]> {
    return this.trying('sum its records', () =>
      this.database
        .prepare<{ day: string | null }, TotalRow>(
          `SELECT * FROM Total WHERE (@day IS NULL OR Day = @day) AND (Rows <> 0 OR AmountMinor <> 0)
           ORDER BY Day, Shard, BillerId, DataType, Status, Currency`,
        )
        .safeIntegers()
        .all({ day: day ?? null })
        .map(totalOf),
    );
  }

  async entries(after: RecordKey | undefined, max: number): Promise<readonly ProjectedRecord[]> {
    return this.trying('read its records', () =>
      this.database
        .prepare<[string, number], RecordRow>('SELECT * FROM Record WHERE RecordKey > ? ORDER BY RecordKey LIMIT ?')
        .all(after ?? '', max)
        .map(entryOf),
    );
  }

  async search(query: RecordQuery): Promise<FoundRecords> {
    return this.trying('search its records', () => this.searching.search(query));
  }

  private standsAt(): Position | undefined {
    return this.database.prepare('SELECT Position FROM Progress').pluck().get() as Position | undefined;
  }

  /** It may be deleted at any time, so that is the remedy. */
  private trying<T>(step: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const failure = readFailure(`failed to ${step} in the record projection`, this.path, error);
      if (!isDamage(failure)) throw failure;
      throw new PortFailure(
        `${this.path} is damaged: stop what uses it and delete it, it is built anew from the event store`,
        {
          code: failure.code,
          retryable: false,
          facts: failure.facts,
          cause: error,
        },
      );
    }
  }

  close(): void {
    this.database.close();
  }
}

interface TotalRow {
  readonly Day: Day;
  readonly Shard: ProjectedTotal['shard'];
  readonly BillerId: ProjectedTotal['billerId'];
  readonly DataType: ProjectedTotal['dataType'];
  readonly Status: ProjectedTotal['status'];
  readonly Currency: string;
  readonly Rows: bigint;
  readonly AmountMinor: bigint;
}

const totalOf = (row: TotalRow): ProjectedTotal => ({
  day: row.Day,
  shard: row.Shard,
  billerId: row.BillerId,
  dataType: row.DataType,
  status: row.Status,
  count: Number(row.Rows),
  amount:
    row.Currency === NO_CURRENCY
      ? undefined
      : {
          minorUnits: sumOfAmounts(row.AmountMinor, `the ${row.Status} records of biller ${row.BillerId}`),
          currency: row.Currency.slice(CURRENCY_MARK.length),
        },
});
