import { type Database } from 'better-sqlite3';
import { type HistoryWitness, type KnownHistory } from '../../application/ports/history-witness';
import { GroupCommit } from './group-commit';
import { openSqliteFile, prepared, readFailure } from './sqlite-file';
import { KNOWN_HISTORY_SCHEMA, SqliteKnownHistory } from './sqlite-known-history';

/**
 * A witness in a file of its own, which no backup of the stores holds: where all of them are restored to one instant, it
 * alone remembers more. Keep it on another disk than the stores where there is one.
 */
export class SqliteHistoryWitness implements HistoryWitness {
  readonly name: string;
  private readonly database: Database;
  private readonly commits: GroupCommit;
  private readonly known: SqliteKnownHistory;

  constructor({ path }: { readonly path: string }) {
    this.name = path;
    this.database = openSqliteFile({ path, kind: 'history-witness', schema: [KNOWN_HISTORY_SCHEMA] });
    this.commits = new GroupCommit(this.database);
    this.known = prepared(
      this.database,
      { path, kind: 'history-witness' },
      () => new SqliteKnownHistory(this.database),
    );
  }

  async knownHistory(): Promise<KnownHistory | undefined> {
    try {
      return this.known.read();
    } catch (error) {
      throw readFailure('failed to read what is known of the event store', this.name, error);
    }
  }

  noteHistory(next: KnownHistory): Promise<boolean> {
    return this.commits.run(() => this.known.note(next), 'note how far the event store has come');
  }

  async close(): Promise<void> {
    await this.commits.close();
    this.database.close();
  }
}
