import { type Database, type Statement } from 'better-sqlite3';
import { instant, type Instant } from '../../domain/instant';

/** The database's clock. It waits where the machine's clock is set back, so that a later stamp is never the smaller. */
export class SqliteShardClock {
  private newest: Instant | undefined;
  private readonly read: Statement<[], string>;

  constructor(database: Database) {
    this.read = database.prepare<[], string>(`SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`).pluck();
  }

  now(): Instant {
    const present = instant(this.read.get()!);
    if (this.newest === undefined || present > this.newest) this.newest = present;
    return this.newest;
  }
}
