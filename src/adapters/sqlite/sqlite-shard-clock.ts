import { type Database } from 'better-sqlite3';
import { instant, instantFromMs, type Instant } from '../../domain/instant';

/** The database's clock. It waits where the machine's clock is set back, so that a later stamp is never the smaller. */
export class SqliteShardClock {
  private newest: Instant | undefined;
  private readonly read: () => Instant;

  /** `nowMs`: milliseconds since 1970, instead of the database's own time. */
  constructor(database: Database, nowMs?: () => number) {
    const select = database.prepare<[], string>(`SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`).pluck();
    this.read = nowMs ? () => instantFromMs(nowMs()) : () => instant(select.get()!);
  }

  now(): Instant {
    const present = this.read();
    if (this.newest === undefined || present > this.newest) this.newest = present;
    return this.newest;
  }
}
