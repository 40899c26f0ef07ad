import { type Database, type Statement } from 'better-sqlite3';
import { type KnownHistory } from '../../application/ports/history-witness';

/** One row for ever: a note replaces the one that it follows. */
export const KNOWN_HISTORY_SCHEMA = `
  CREATE TABLE KnownHistory (Ordinal INTEGER NOT NULL, Known TEXT);
  INSERT INTO KnownHistory (Ordinal) VALUES (0);`;

/** What a file of ours knows of its event store. `note` runs inside the caller's write transaction. */
export class SqliteKnownHistory {
  private readonly select: Statement<[], string | null>;
  private readonly replace: Statement<[{ ordinal: number; known: string }]>;

  constructor(database: Database) {
    this.select = database.prepare<[], string | null>('SELECT Known FROM KnownHistory').pluck();
    this.replace = database.prepare(
      'UPDATE KnownHistory SET Ordinal = @ordinal, Known = @known WHERE Ordinal = @ordinal - 1',
    );
  }

  read(): KnownHistory | undefined {
    const known = this.select.get();
    return known === null || known === undefined ? undefined : (JSON.parse(known) as KnownHistory);
  }

  note(next: KnownHistory): boolean {
    return this.replace.run({ ordinal: next.ordinal, known: JSON.stringify(next) }).changes === 1;
  }
}
