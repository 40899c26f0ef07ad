import { type Database } from 'better-sqlite3';
import { type SealCopy } from '../../application/history/history-seal';
import { type SealWitness, type SetAside } from '../../application/ports/seal-witness';
import { type ShardName } from '../../domain/identifiers';
import { asideOfText, asideText, checkCopies, copyOfText, newCopies, shortCopyText } from '../shared/seal-copies';
import { type GroupCommit } from './group-commit';
import { readFailure } from './sqlite-file';

/** A migration of the shard's schema. Rows are only ever added; SetAside 1: from this number on copies no longer count. */
export const SEAL_TABLE = `
  CREATE TABLE HistorySeal (
    Seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    SealNumber INTEGER NOT NULL,
    SetAside   INTEGER NOT NULL,
    Seal       TEXT NOT NULL
  );
  CREATE INDEX HistorySeal_order ON HistorySeal (SetAside, SealNumber, Seq);`;

const ASIDES_MAX = 1_000;

interface SealRow {
  readonly SealNumber: number;
  readonly Seal: string;
}

/** Copies of the history's seals in a shard's file. */
export class SqliteSealWitness implements SealWitness {
  readonly name: string;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(
    private readonly database: Database,
    private readonly commits: GroupCommit,
    shard: ShardName,
  ) {
    this.name = `shard ${shard}`;
    this.statements = prepare(database);
  }

  get place(): string {
    return this.database.name;
  }

  keep(copies: readonly SealCopy[]): Promise<'kept' | 'refused'> {
    return this.commits.run(() => {
      const { newest, one, add } = this.statements;
      const added = newCopies(copies, newest.get()?.SealNumber ?? 0, (number) => copyOf(one.get(number)));
      if (added === 'refused') return added;
      for (const copy of added) add.run(copy.number, 0, shortCopyText(copy));
      return 'kept';
    }, 'keep copies of seals');
  }

  newest(): Promise<SealCopy | undefined> {
    return this.reading('read the newest seal', () => copyOf(this.statements.newest.get()));
  }

  read({ from, max }: { readonly from: number; readonly max: number }): Promise<readonly SealCopy[]> {
    return this.reading(
      'read the seals',
      () => (checkCopies(max), this.statements.page.all(from, max).flatMap((row) => copyOf(row) ?? [])),
    );
  }

  async setAside(aside: SetAside): Promise<void> {
    await this.commits.run(() => this.statements.add.run(aside.from, 1, asideText(aside)), 'set copies of seals aside');
  }

  asides(): Promise<readonly SetAside[]> {
    return this.reading('read what was set aside', () =>
      this.statements.asides.all(ASIDES_MAX).flatMap(({ Seal }) => asideOfText(String(Seal)) ?? []),
    );
  }

  private async reading<T>(step: string, query: () => T): Promise<T> {
    try {
      return query();
    } catch (error) {
      throw readFailure(`failed to ${step} in ${this.name}`, this.place, error);
    }
  }
}

const copyOf = (row: SealRow | undefined): SealCopy | undefined => row && copyOfText(row.SealNumber, String(row.Seal));

const COUNTS = `SetAside = 0
  AND NOT EXISTS (SELECT 1 FROM HistorySeal a WHERE a.SetAside = 1 AND a.SealNumber <= s.SealNumber AND a.Seq > s.Seq)
  AND NOT EXISTS (SELECT 1 FROM HistorySeal l WHERE l.SetAside = 0 AND l.SealNumber = s.SealNumber AND l.Seq > s.Seq)`;

const prepare = (database: Database) => ({
  newest: database.prepare<[], SealRow>(
    `SELECT SealNumber, Seal FROM HistorySeal s WHERE ${COUNTS} ORDER BY SealNumber DESC LIMIT 1`,
  ),
  one: database.prepare<[number], SealRow>(
    `SELECT SealNumber, Seal FROM HistorySeal s WHERE SealNumber = ? AND ${COUNTS}`,
  ),
  page: database.prepare<[number, number], SealRow>(
    `SELECT SealNumber, Seal FROM HistorySeal s WHERE SealNumber >= ? AND ${COUNTS} ORDER BY SealNumber LIMIT ?`,
  ),
  asides: database.prepare<[number], SealRow>(
    'SELECT SealNumber, Seal FROM HistorySeal WHERE SetAside = 1 ORDER BY Seq LIMIT ?',
  ),
  add: database.prepare<[number, number, string]>(
    'INSERT INTO HistorySeal (SealNumber, SetAside, Seal) VALUES (?, ?, ?)',
  ),
});
