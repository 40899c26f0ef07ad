import { type KnownHistory } from '../../application/ports/history-witness';
import { type SqlServerConnection } from './sql-server-connection';
import { statement, tsql } from './sql-text';

/** One row for ever, made by the migration: a note replaces the one that it follows. */
export const KNOWN_HISTORY_STATEMENTS = {
  read: statement({}, tsql`SELECT h.Known FROM dbo.DpKnownHistory AS h;`),
  note: statement(
    { ordinal: 'count', known: 'json' },
    tsql`DECLARE @noted TABLE (Ordinal int NOT NULL);
UPDATE dbo.DpKnownHistory
SET Ordinal = @ordinal, Known = @known
OUTPUT inserted.Ordinal INTO @noted (Ordinal)
WHERE Ordinal = @ordinal - 1;
SELECT n.Ordinal FROM @noted AS n;`,
  ),
};

/** What a shard knows of its event store. */
export class SqlServerKnownHistory {
  constructor(private readonly connection: SqlServerConnection) {}

  async read(): Promise<KnownHistory | undefined> {
    const [lines] = await this.connection.run(
      'read what is known of the event store',
      KNOWN_HISTORY_STATEMENTS.read,
      {},
    );
    const known = lines![0]?.['Known'] as string | null | undefined;
    return known === null || known === undefined ? undefined : (JSON.parse(known) as readonly KnownHistory[])[0];
  }

  async note(next: KnownHistory): Promise<boolean> {
    const values = { ordinal: next.ordinal, known: [next] };
    const [lines] = await this.connection.run(
      'note how far the event store has come',
      KNOWN_HISTORY_STATEMENTS.note,
      values,
    );
    return lines!.length === 1;
  }
}
