import { type Database } from 'better-sqlite3';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type RecordKey, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';
import { openSqliteFile } from './sqlite-file';

/** What a record's end must be, written down before any process could influence it. */
export interface ManifestRecord {
  readonly record: RecordKey;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly end: PlannedEnd;
  /** Undefined: the data type carries no money, or the row points to no payment. */
  readonly amount: Money | undefined;
}

/** In doubt is never planned: it is allowed where the proof finds the fault or the kill that caused it. */
export type PlannedEnd = 'delivered' | 'declined' | 'rejected' | 'skipped' | 'deadLettered';

export interface ManifestBiller {
  readonly billerId: BillerId;
  readonly name: string;
  readonly template: string;
  readonly shard: ShardName;
  readonly keys: boolean;
  readonly inquiry: boolean;
}

/** A process that ended without warning, at some time between the two. */
export interface Kill {
  readonly process: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly cause: 'chaos' | 'interruption';
}

/** A process the demo started. Ids are used again: the start time (in ticks since boot) tells ours from a stranger. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly startTicks: string;
}

const SCHEMA = [
  `CREATE TABLE State (Name TEXT PRIMARY KEY, Value TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE Biller (BillerId TEXT PRIMARY KEY, Name TEXT NOT NULL, Template TEXT NOT NULL, Shard TEXT NOT NULL,
     Keys INTEGER NOT NULL, Inquiry INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE Record (RecordKey TEXT PRIMARY KEY, BillerId TEXT NOT NULL, DataType TEXT NOT NULL, PlannedEnd TEXT NOT NULL,
     AmountMinor INTEGER, Currency TEXT) WITHOUT ROWID;
   CREATE TABLE Kill (Seq INTEGER PRIMARY KEY, Process TEXT NOT NULL, FromAt TEXT NOT NULL, ToAt TEXT NOT NULL, Cause TEXT NOT NULL);
   CREATE TABLE Child (Pid INTEGER PRIMARY KEY, Name TEXT NOT NULL, StartTicks TEXT NOT NULL);`,
];

/** The demo's own book, in a file of its own: the plan, what each record's end must be, and whom the demo killed. */
export class SqliteManifest {
  private readonly database: Database;

  constructor(options: { readonly path: string }) {
    this.database = openSqliteFile({ path: options.path, kind: 'manifest', schema: SCHEMA });
  }

  state(name: string): string | undefined {
    return this.database.prepare('SELECT Value FROM State WHERE Name = ?').pluck().get(name) as string | undefined;
  }

  setState(name: string, value: string): void {
    this.database.prepare('INSERT OR REPLACE INTO State VALUES (?, ?)').run(name, value);
  }

  addBillers(billers: readonly ManifestBiller[]): void {
    const insert = this.database.prepare('INSERT OR IGNORE INTO Biller VALUES (?, ?, ?, ?, ?, ?)');
    this.database.transaction(() => {
      for (const { billerId, name, template, shard, keys, inquiry } of billers)
        insert.run(billerId, name, template, shard, keys ? 1 : 0, inquiry ? 1 : 0);
    })();
  }

  billers(): readonly ManifestBiller[] {
    const rows = this.database.prepare('SELECT * FROM Biller ORDER BY BillerId').all() as {
      BillerId: BillerId;
      Name: string;
      Template: string;
      Shard: ShardName;
      Keys: number;
      Inquiry: number;
    }[];
    return rows.map((row) => ({
      billerId: row.BillerId,
      name: row.Name,
      template: row.Template,
      shard: row.Shard,
      keys: row.Keys === 1,
      inquiry: row.Inquiry === 1,
    }));
  }

  /** One transaction. A record that stands already stays as it is: an interrupted seeding is repeated from its start. */
  addRecords(records: readonly ManifestRecord[]): void {
    const insert = this.database.prepare('INSERT OR IGNORE INTO Record VALUES (?, ?, ?, ?, ?, ?)');
    this.database.transaction(() => {
      for (const { record, billerId, dataType, end, amount } of records) {
        insert.run(record, billerId, dataType, end, amount?.minorUnits ?? null, amount?.currency ?? null);
      }
    })();
  }

  /** In the order of their keys. */
  records(after: RecordKey | undefined, max: number): readonly ManifestRecord[] {
    const rows = this.database
      .prepare('SELECT * FROM Record WHERE RecordKey > ? ORDER BY RecordKey LIMIT ?')
      .all(after ?? '', max) as {
      RecordKey: RecordKey;
      BillerId: BillerId;
      DataType: DataType;
      PlannedEnd: PlannedEnd;
      AmountMinor: number | null;
      Currency: string | null;
    }[];
    return rows.map((row) => ({
      record: row.RecordKey,
      billerId: row.BillerId,
      dataType: row.DataType,
      end: row.PlannedEnd,
      amount:
        row.AmountMinor === null || row.Currency === null
          ? undefined
          : { minorUnits: row.AmountMinor, currency: row.Currency },
    }));
  }

  addKill({ process, from, to, cause }: Kill): void {
    this.database
      .prepare('INSERT INTO Kill (Process, FromAt, ToAt, Cause) VALUES (?, ?, ?, ?)')
      .run(process, from, to, cause);
  }

  kills(): readonly Kill[] {
    return this.database
      .prepare('SELECT Process AS process, FromAt AS "from", ToAt AS "to", Cause AS cause FROM Kill ORDER BY Seq')
      .all() as Kill[];
  }

  addChild({ name, pid, startTicks }: Child): void {
    this.database.prepare('INSERT OR REPLACE INTO Child VALUES (?, ?, ?)').run(pid, name, startTicks);
  }

  children(): readonly Child[] {
    return this.database
      .prepare('SELECT Name AS name, Pid AS pid, StartTicks AS startTicks FROM Child')
      .all() as Child[];
  }

  forgetChildren(): void {
    this.database.prepare('DELETE FROM Child').run();
  }

  close(): void {
    this.database.close();
  }
}
