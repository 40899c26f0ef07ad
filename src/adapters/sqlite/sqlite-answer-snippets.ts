import { type Database, type Statement } from 'better-sqlite3';
import { type AnswerSnippets, FORGOTTEN_PER_CALL_MAX } from '../../application/ports/answer-snippets';
import { type Instant, msBetween } from '../../domain/instant';
import { openSqliteFile, prepared, readFailure } from './sqlite-file';

const SCHEMA = [
  `CREATE TABLE Snippet (Name TEXT PRIMARY KEY, Text TEXT NOT NULL, KeptAt TEXT NOT NULL) WITHOUT ROWID;
   CREATE INDEX SnippetByAge ON Snippet (KeptAt);`,
];
/** A biller that answers in the same words all day costs a write an hour. */
const WRITTEN_AGAIN_MS = 3_600_000;
const KNOWN_MAX = 1_000;

/** A file of this machine on every stack: it may be deleted at any time, and is not synced to the disk. */
export class SqliteAnswerSnippets implements AnswerSnippets {
  private readonly database: Database;
  private readonly found: Statement<[string], string>;
  private readonly written = new Map<string, Instant>();

  constructor(options: { readonly path: string }) {
    this.database = openSqliteFile({ path: options.path, kind: 'answer-snippets', schema: SCHEMA, synchronous: 'OFF' });
    // What is forgotten must not stay in the file's free pages.
    this.database.pragma('secure_delete = ON');
    this.found = prepared(this.database, { path: options.path, kind: 'answer-snippets' }, () =>
      this.database.prepare<[string], string>('SELECT Text FROM Snippet WHERE Name = ?').pluck(),
    );
  }

  async keep({
    name,
    text,
    at,
  }: {
    readonly name: string;
    readonly text: string;
    readonly at: Instant;
  }): Promise<void> {
    const before = this.written.get(name);
    const sinceMs = before === undefined ? Infinity : msBetween(before, at);
    if (sinceMs >= 0 && sinceMs < WRITTEN_AGAIN_MS) return;
    this.database
      .prepare('INSERT INTO Snippet VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET KeptAt = max(KeptAt, excluded.KeptAt)')
      .run(name, text, at);
    this.written.set(name, at);
    if (this.written.size > KNOWN_MAX) this.written.delete(this.written.keys().next().value!);
  }

  async find(name: string): Promise<string | undefined> {
    try {
      return this.found.get(name);
    } catch (error) {
      throw readFailure(`failed to find answer ${name}`, this.database.name, error);
    }
  }

  async forget(before: Instant): Promise<number> {
    const { changes } = this.database
      .prepare('DELETE FROM Snippet WHERE Name IN (SELECT Name FROM Snippet WHERE KeptAt < ? ORDER BY KeptAt LIMIT ?)')
      .run(before, FORGOTTEN_PER_CALL_MAX);
    if (changes > 0) this.written.clear();
    return changes;
  }

  close(): void {
    this.database.close();
  }
}
