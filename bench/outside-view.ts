import { join } from 'node:path';
import Database from 'better-sqlite3';
import { NOT_YET, shardNames } from './job-files';
import { commitsOf } from './process-costs';

/** The files that the processes leave: looked at from outside, and cheaply, so that looking is no load. */
export class Outside {
  private readonly shards;
  private readonly bus;
  readonly files: Readonly<Record<string, string>>;

  constructor(dataFolder: string) {
    this.files = {
      'event-store': join(dataFolder, 'event-store.sqlite'),
      bus: join(dataFolder, 'bus.sqlite'),
      ...Object.fromEntries(shardNames.map((name) => [name, join(dataFolder, 'shards', `${name}.sqlite`)])),
    };
    this.shards = shardNames.map((name) => {
      const database = new Database(this.files[name]);
      return {
        database,
        unfinished: database
          .prepare<[string], number>(
            `
          SELECT EXISTS (SELECT 1 FROM datapump WHERE Status IN ('Queued', 'Published', 'InDoubt'))
            OR EXISTS (SELECT 1 FROM datapump WHERE Status = 'New' AND DueAt < ?)`,
          )
          .pluck(),
      };
    });
    this.bus = new Database(this.files['bus']);
  }

  isDrained(): boolean {
    if (this.shards.some(({ unfinished }) => unfinished.get(NOT_YET) === 1)) return false;
    return this.bus.prepare('SELECT NOT EXISTS (SELECT 1 FROM message)').pluck().get() === 1;
  }

  delivered(): number {
    return this.shards.reduce(
      (sum, { database }) =>
        sum + (database.prepare(`SELECT count(*) FROM datapump WHERE Status = 'Delivered'`).pluck().get() as number),
      0,
    );
  }

  makeDue(): void {
    for (const { database } of this.shards)
      database.prepare('UPDATE datapump SET DueAt = CreatedAt WHERE DueAt = ?').run(NOT_YET);
  }

  /** The instant of the first claim after an instant: where the work began. */
  firstClaimMs(after: string): number {
    const found = this.shards.flatMap(
      ({ database }) =>
        database
          .prepare<[string], string | null>('SELECT min(CreatedAt) FROM Outbox WHERE CreatedAt >= ?')
          .pluck()
          .get(after) ?? [],
    );
    return Math.min(...found.map(Date.parse));
  }

  commits(): Readonly<Record<string, number>> {
    return Object.fromEntries(Object.entries(this.files).map(([name, file]) => [name, commitsOf(file)]));
  }

  close(): void {
    for (const { database } of this.shards) database.close();
    this.bus.close();
  }
}

/** The bus' tables are there once its first process has made them. */
export function isBus(file: string): boolean {
  try {
    const database = new Database(file, { readonly: true, fileMustExist: true });
    try {
      return database.prepare(`SELECT count(*) FROM sqlite_schema WHERE name = 'message'`).pluck().get() === 1;
    } finally {
      database.close();
    }
  } catch {
    return false;
  }
}
