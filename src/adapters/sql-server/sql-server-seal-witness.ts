import { type SealCopy } from '../../application/history/history-seal';
import { type SealWitness, type SetAside } from '../../application/ports/seal-witness';
import { type ShardName } from '../../domain/identifiers';
import {
  asideOfText,
  asideText,
  checkCopies,
  checkCopyCount,
  copyOfText,
  newCopies,
  shortCopyText,
} from '../shared/seal-copies';
import { type Row, type SqlServerConnection } from './sql-server-connection';
import { statement, tsql } from './sql-text';

const ASIDES_MAX = 1_000;

/** A copy counts until it is set aside; where two were kept of one number at the same time, the later one does. */
const COUNTS = tsql`s.SetAside = 0
  AND NOT EXISTS (SELECT 1 FROM dbo.DpHistorySeal AS a
    WHERE a.SetAside = 1 AND a.SealNumber <= s.SealNumber AND a.Seq > s.Seq)
  AND NOT EXISTS (SELECT 1 FROM dbo.DpHistorySeal AS l
    WHERE l.SetAside = 0 AND l.SealNumber = s.SealNumber AND l.Seq > s.Seq)`;

export const SEAL_STATEMENTS = {
  newest: statement(
    { rowsMax: 'count' },
    tsql`SELECT TOP (@rowsMax) s.SealNumber, s.Seal FROM dbo.DpHistorySeal AS s WHERE ${COUNTS} ORDER BY s.SealNumber DESC;`,
  ),
  page: statement(
    { first: 'count', rowsMax: 'count' },
    tsql`SELECT TOP (@rowsMax) s.SealNumber, s.Seal FROM dbo.DpHistorySeal AS s
WHERE s.SealNumber >= @first AND ${COUNTS} ORDER BY s.SealNumber;`,
  ),
  asides: statement(
    { rowsMax: 'count' },
    tsql`SELECT TOP (@rowsMax) s.SealNumber, s.Seal FROM dbo.DpHistorySeal AS s WHERE s.SetAside = 1 ORDER BY s.Seq;`,
  ),
  /** One statement, hence whole or not at all. */
  add: statement(
    { rows: 'json' },
    tsql`INSERT INTO dbo.DpHistorySeal (SealNumber, SetAside, Seal)
SELECT SealNumber, SetAside, Seal
FROM OPENJSON(@rows) WITH (SealNumber int '$.number', SetAside int '$.setAside', Seal nvarchar(max) '$.seal');`,
  ),
};

/** Copies of the history's seals in a shard's database. */
export class SqlServerSealWitness implements SealWitness {
  readonly name: string;
  readonly place: string;

  constructor(
    private readonly connection: SqlServerConnection,
    shard: ShardName,
    /** Looks at the schema before the first use. */
    private readonly checked: () => Promise<unknown>,
  ) {
    this.name = `shard ${shard}`;
    this.place = `dbo.DpHistorySeal of shard ${shard}`;
  }

  async keep(copies: readonly SealCopy[]): Promise<'kept' | 'refused'> {
    const added = await this.newOf(copies);
    if (added === 'refused') return added;
    if (added.length === 0) return 'kept';
    const rows = added.map((copy) => ({ number: copy.number, setAside: 0, seal: shortCopyText(copy) }));
    await this.connection.run('keep copies of seals', SEAL_STATEMENTS.add, { rows });
    return 'kept';
  }

  async setAside(aside: SetAside): Promise<void> {
    await this.checked();
    const rows = [{ number: aside.from, setAside: 1, seal: asideText(aside) }];
    await this.connection.run('set copies of seals aside', SEAL_STATEMENTS.add, { rows });
  }

  async asides(): Promise<readonly SetAside[]> {
    await this.checked();
    const [rows] = await this.connection.run('read what was set aside', SEAL_STATEMENTS.asides, {
      rowsMax: ASIDES_MAX,
    });
    return rows!.flatMap((row) => asideOfText(String(row['Seal'])) ?? []);
  }

  async newest(): Promise<SealCopy | undefined> {
    await this.checked();
    const [rows] = await this.connection.run('read the newest seal', SEAL_STATEMENTS.newest, { rowsMax: 1 });
    return rows!.map(copyOf)[0];
  }

  async read({ from, max }: { readonly from: number; readonly max: number }): Promise<readonly SealCopy[]> {
    checkCopies(max);
    await this.checked();
    const [rows] = await this.connection.run('read the seals', SEAL_STATEMENTS.page, { first: from, rowsMax: max });
    return rows!.map(copyOf);
  }

  private async newOf(copies: readonly SealCopy[]): Promise<readonly SealCopy[] | 'refused'> {
    checkCopyCount(copies);
    const newest = await this.newest();
    const from = copies[0]?.number ?? 1;
    const kept = new Map(
      (await this.read({ from, max: Math.max(1, copies.length) })).map((copy) => [copy.number, copy]),
    );
    return newCopies(copies, newest?.number ?? 0, (number) => kept.get(number));
  }
}

const copyOf = (row: Row): SealCopy => copyOfText(Number(row['SealNumber']), String(row['Seal']));
