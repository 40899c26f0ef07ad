import { type Database } from 'better-sqlite3';
import { isDamage, PortFailure } from '../../application/ports/failures';
import { type Position } from '../../application/ports/event-store';
import {
  type ProjectedRecord,
  type ProjectedTotal,
  type RecordProjection,
  type RecordStatus,
} from '../../application/ports/record-projection';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { openSqliteFile, readFailure } from './sqlite-file';

const SCHEMA = [
  `CREATE TABLE Record (
     RecordKey TEXT PRIMARY KEY, BillerId TEXT NOT NULL, DataType TEXT NOT NULL, Status TEXT NOT NULL,
     AmountMinor INTEGER, Currency TEXT
   ) WITHOUT ROWID;
   CREATE TABLE Progress (Only INTEGER PRIMARY KEY CHECK (Only = 1), Position TEXT NOT NULL);`,
  'CREATE TABLE Unread (Seq INTEGER PRIMARY KEY, What TEXT NOT NULL);',
];

/** What could not be read: more than so many need not be named. */
const UNREAD_MAX = 1_000;

interface RecordRow {
  readonly RecordKey: RecordKey;
  readonly BillerId: BillerId;
  readonly DataType: DataType;
  readonly Status: RecordStatus;
  readonly AmountMinor: number | null;
  readonly Currency: string | null;
}

const entryOf = (row: RecordRow): ProjectedRecord => ({
  record: row.RecordKey,
  billerId: row.BillerId,
  dataType: row.DataType,
  status: row.Status,
  amount:
    row.AmountMinor === null || row.Currency === null
      ? undefined
      : { minorUnits: row.AmountMinor, currency: row.Currency },
});

/** Where each record stands, in one SQLite file that may be deleted at any time. */
export class SqliteRecordProjection implements RecordProjection {
  private readonly database: Database;
  private readonly path: string;

  constructor(options: { readonly path: string }) {
    this.path = options.path;
    this.database = openSqliteFile({ path: options.path, kind: 'projection', schema: SCHEMA, synchronous: 'OFF' });
  }

  async position(): Promise<Position | undefined> {
    return this.trying(
      'read its position',
      () => this.database.prepare('SELECT Position FROM Progress').pluck().get() as Position | undefined,
    );
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
      this.database.exec('BEGIN; DELETE FROM Record; DELETE FROM Progress; DELETE FROM Unread; COMMIT'),
    );
  }

  async advance(
    entries: readonly ProjectedRecord[],
    position: Position,
    unread: readonly string[] = [],
  ): Promise<void> {
    this.trying('note records', () => {
      const upsert = this.database.prepare('INSERT OR REPLACE INTO Record VALUES (?, ?, ?, ?, ?, ?)');
      const note = this.database.prepare('INSERT INTO Unread (What) VALUES (?)');
      const move = this.database.prepare('INSERT OR REPLACE INTO Progress VALUES (1, ?)');
      this.database
        .transaction(() => {
          for (const { record, billerId, dataType, status, amount } of entries) {
            upsert.run(record, billerId, dataType, status, amount?.minorUnits ?? null, amount?.currency ?? null);
          }
          for (const what of unread) note.run(what);
          move.run(position);
        })
        .immediate();
    });
  }

  async totals(): Promise<readonly ProjectedTotal[]> {
    return this.trying('sum its records', () => this.sums());
  }

  private sums(): readonly ProjectedTotal[] {
    const rows = this.database
      .prepare<[], Omit<RecordRow, 'RecordKey'> & { readonly Count: number }>(
        `SELECT BillerId, DataType, Status, Currency, count(*) AS Count, sum(AmountMinor) AS AmountMinor
         FROM Record GROUP BY BillerId, DataType, Status, Currency`,
      )
      .all();
    return rows.map((row) => ({
      billerId: row.BillerId,
      dataType: row.DataType,
      status: row.Status,
      count: row.Count,
      amount:
        row.AmountMinor === null || row.Currency === null
          ? undefined
          : { minorUnits: row.AmountMinor, currency: row.Currency },
    }));
  }

  async entries(after: RecordKey | undefined, max: number): Promise<readonly ProjectedRecord[]> {
    return this.trying('read its records', () =>
      this.database
        .prepare<[string, number], RecordRow>('SELECT * FROM Record WHERE RecordKey > ? ORDER BY RecordKey LIMIT ?')
        .all(after ?? '', max)
        .map(entryOf),
    );
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
