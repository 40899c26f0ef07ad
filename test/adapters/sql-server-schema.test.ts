import { SqlServerKnownHistory } from '../../src/adapters/sql-server/known-history';
import {
  applyMigrations,
  checkedRowKey,
  judgeSchema,
  planMigrations,
  scriptByHand,
} from '../../src/adapters/sql-server/migrate';
import {
  CREATE_VERSIONS_TABLE,
  MAPPED_VIEWS,
  MIGRATIONS,
  OWN_TABLES,
  SCHEMA_VERSION,
} from '../../src/adapters/sql-server/migrations';
import { rowKeyOfType } from '../../src/adapters/sql-server/row-key';
import { SqlServerShardTotals } from '../../src/adapters/sql-server/shard-totals';
import { shardName } from '../../src/domain/identifiers';
import { type Line, scriptedSqlServer } from '../support/scripted-sql-server';

const SHARD = shardName('Shard-1');
const VERSIONED: Line = { TableName: 'DatapumpSchema', TableType: 'BASE TABLE' };
const LATER = SCHEMA_VERSION + 1;

/** A database at this version of the schema (undefined: none has run), with what else stands in it. */
function database(
  version: number | undefined,
  more: { readonly names?: readonly Line[]; readonly columns?: readonly Line[]; readonly lock?: number } = {},
) {
  const { names = [], columns = [], lock = 0 } = more;
  return scriptedSqlServer(({ step }) => {
    if (step === 'lock') return [[{ LockResult: String(lock) }]];
    if (step === 'read the schema version') return [[{ Version: version === 0 ? null : String(version) }]];
    if (step === 'read the schema') return [[...(version === undefined ? [] : [VERSIONED]), ...names], columns];
    return [];
  });
}
const viewOf = (columns: readonly Line[]) => ({
  names: Object.keys(MAPPED_VIEWS).map((view) => ({ TableName: view.toUpperCase(), TableType: 'view' })),
  columns,
});
const wholeViews = (idType: string): readonly Line[] =>
  Object.entries(MAPPED_VIEWS).flatMap(([view, { columns }]) =>
    columns.map((column) => ({
      TableName: view.toLowerCase(),
      ColumnName: column.toUpperCase(),
      DataType: column === 'DpId' ? idType : 'nvarchar',
    })),
  );
const FOREIGN = { names: [{ TableName: 'datapump', TableType: 'BASE TABLE' }] };

describe('the schema of a shard in SQL Server, before its first use (issue 9, no 16)', () => {
  it.each([
    ['none', undefined, 'storage-from-older-version', /version 0 and this program needs/],
    ['one without a version', 0, 'storage-from-older-version', /version 0 and this program needs/],
    ['an older one', SCHEMA_VERSION - 1, 'storage-from-older-version', /run `datapump migrate --plan`/],
    ['a newer one', LATER, 'storage-from-newer-version', /run the newer datapump that made it/],
  ])('%s is refused', async (_, version, code, text) => {
    const failure = await checkedRowKey(database(version).connection, SHARD).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code,
      retryable: false,
      facts: { problems: 1 },
      message: expect.stringMatching(text),
    });
    expect((failure as Error).message).toMatch(/^shard Shard-1: /);
  });

  it('the present one is taken, with the type that its ids have', async () => {
    for (const [type, key] of [
      ['bigint', 'bigint'],
      ['int', 'bigint'],
      ['uniqueidentifier', 'uniqueidentifier'],
      ['nvarchar', 'text'],
    ])
      expect((await checkedRowKey(database(SCHEMA_VERSION, viewOf(wholeViews(type!))).connection, SHARD)).name).toBe(
        key,
      );
  });

  it('tables of another program are refused whatever the version says, each in a sentence', async () => {
    await expect(checkedRowKey(database(SCHEMA_VERSION, FOREIGN).connection, SHARD)).rejects.toMatchObject({
      code: 'storage-foreign',
      message: expect.stringMatching(/^shard Shard-1: dbo\.\w+ stands already and the view/),
    });
    const lacking = viewOf(
      wholeViews('bigint').filter(({ ColumnName }) => ColumnName !== 'DPID' && ColumnName !== 'STATUS'),
    );
    await expect(checkedRowKey(database(SCHEMA_VERSION, lacking).connection, SHARD)).rejects.toThrow(
      /lacks DpId, .*Status|lacks .*DpId.*Status/,
    );
    const tables = {
      ...viewOf(wholeViews('bigint')),
      names: Object.keys(MAPPED_VIEWS).map((view) => ({ TableName: view, TableType: 'BASE TABLE' })),
    };
    await expect(checkedRowKey(database(SCHEMA_VERSION, tables).connection, SHARD)).rejects.toMatchObject({
      facts: { problems: Object.keys(MAPPED_VIEWS).length },
    });
  });
});

describe('migrating a shard in SQL Server', () => {
  const applied = (asked: ReturnType<typeof database>['asked']) =>
    asked
      .filter(({ step }) => step === 'note the version')
      .map(({ values }) => [values['version'], values['migration']]);
  const all = MIGRATIONS.map(({ version, name }) => [version, name]);

  it.each([
    [undefined, all],
    [0, all],
    [1, all.slice(1)],
    [SCHEMA_VERSION - 1, all.slice(-1)],
    [SCHEMA_VERSION, []],
  ])('from version %p it adds what is missing, in one transaction, and notes each', async (version, expected) => {
    const { asked, batches, transactions, connection } = database(version);
    expect(await applyMigrations(connection)).toEqual(expected.map(([number]) => number));
    expect(applied(asked)).toEqual(expected);
    expect(transactions).toEqual(['migrate the schema']);
    expect(asked[0]!.step).toBe('lock');
    const wanted = MIGRATIONS.filter(({ version: each }) => each > (version ?? 0));
    expect(batches.length).toBeGreaterThanOrEqual(1 + wanted.length);
    const plan = await planMigrations(connection);
    expect(plan).toMatchObject({ version: version ?? 0, target: SCHEMA_VERSION, problems: [] });
    expect(plan.pending.map(({ version: number, name }) => [number, name])).toEqual(expected);
    // The first batch makes the table of versions, which a plan leaves to the program.
    expect(plan.pending.map(({ script }) => script).join('\nGO\n')).toBe(batches.slice(1).join('\nGO\n'));
  });

  it.each([-1, -2, -3, -999])('a lock that another holds (%d) stops it, to be tried again', async (lock) => {
    const { batches, asked, connection } = database(undefined, { lock });
    await expect(applyMigrations(connection)).rejects.toMatchObject({ code: 'storage-busy', retryable: true });
    expect([batches, asked.length]).toEqual([[], 1]);
  });

  it('a lock that was waited for is a lock', async () => {
    expect(await applyMigrations(database(SCHEMA_VERSION, { lock: 1 }).connection)).toEqual([]);
  });

  it.each([
    ['a newer schema', database(LATER), /run the newer datapump/],
    ['tables of another program', database(undefined, FOREIGN), /stands already/],
  ])('%s is left as it is', async (_, { batches, connection }, text) => {
    await expect(applyMigrations(connection)).rejects.toMatchObject({
      code: 'storage-foreign',
      message: expect.stringMatching(text),
    });
    expect(batches).toEqual([]);
    expect((await planMigrations(connection)).problems).toEqual([expect.stringMatching(text)]);
  });
});

describe('the script for a person to run', () => {
  const key = rowKeyOfType('bigint');

  it.each([0, 3, SCHEMA_VERSION - 1])(
    'holds after version %d all that a migration does, and notes each step',
    (version) => {
      const script = scriptByHand(version, key);
      const parts = script.split('\nGO\n');
      expect(parts[0]).toMatch(/^SET QUOTED_IDENTIFIER ON;/);
      expect(parts[0]).toContain('SET XACT_ABORT ON;');
      expect(parts[1]).toBe(CREATE_VERSIONS_TABLE);
      const pending = MIGRATIONS.filter((migration) => migration.version > version);
      expect(parts).toHaveLength(2 + pending.length);
      pending.forEach((migration, index) => {
        const part = parts[2 + index]!;
        for (const batch of migration.batches(key)) expect(part).toContain(batch);
        expect(part).toMatch(/^-- \d+: .*\nBEGIN TRANSACTION;[^]*\nCOMMIT TRANSACTION;$/);
        expect(part).toContain(`VALUES (${migration.version}, N'${migration.name}', SYSUTCDATETIME());`);
        // A tool that goes on after an error must not note what comes after it.
        expect(part.includes(`WHERE Version = ${migration.version - 1})\n  THROW`)).toBe(migration.version > 1);
      });
    },
  );

  it('is empty where nothing is pending, and stands whole in a plan', async () => {
    expect(scriptByHand(SCHEMA_VERSION, key)).toBe('');
    const plan = await planMigrations(database(2, viewOf(wholeViews('bigint'))).connection);
    expect(plan.script).toBe(scriptByHand(2, key));
  });
});

describe('a table that has the name of one of ours', () => {
  const own = (table: string, columns: readonly string[], idType = 'nvarchar', tableType = 'BASE TABLE') =>
    judgeSchema(
      [...viewOf([]).names, { TableName: table, TableType: tableType }],
      [
        ...wholeViews('nvarchar'),
        ...columns.map((column) => ({
          TableName: table,
          ColumnName: column,
          DataType: column === 'DpId' ? idType : 'nvarchar',
        })),
      ],
    ).problems;

  it.each(Object.entries(OWN_TABLES))('%s is ours where it has exactly our columns', (table, columns) => {
    expect(own(table, columns)).toEqual([]);
    expect(own(table.toUpperCase(), columns)).toEqual([]);
    expect(own(table, columns.slice(1))).toEqual([expect.stringContaining(`it lacks ${columns[0]}`)]);
    expect(own(table, [...columns, 'Legacy'])).toEqual([expect.stringContaining('it has legacy')]);
    expect(own(table, columns, 'nvarchar', 'VIEW')).toEqual([expect.stringContaining('it is a view')]);
  });

  it.each(['DpClaim', 'DpDetail'])('%s is not ours where its ids are of another type than the rows', (table) => {
    expect(own(table, OWN_TABLES[table]!, 'bigint')).toEqual([
      expect.stringMatching(/is not the table of datapump \(it has ids of type bigint where the rows have nvarchar\)/),
    ]);
  });

  it('stops a migration and a start before anything is written', async () => {
    const foreign = {
      names: [...viewOf([]).names, { TableName: 'Outbox', TableType: 'BASE TABLE' }],
      columns: [...wholeViews('bigint'), { TableName: 'Outbox', ColumnName: 'Id', DataType: 'bigint' }],
    };
    const { batches, connection } = database(undefined, foreign);
    await expect(applyMigrations(connection)).rejects.toMatchObject({ code: 'storage-foreign' });
    expect(batches).toEqual([]);
    await expect(checkedRowKey(database(SCHEMA_VERSION, foreign).connection, SHARD)).rejects.toMatchObject({
      code: 'storage-foreign',
      message: expect.stringContaining('dbo.Outbox stands already'),
    });
  });
});

describe('what a shard in SQL Server tells beside its rows', () => {
  it('what it knows of the event store, and whether a note was the next one', async () => {
    const history = { ordinal: 3, identity: 'i' };
    for (const [lines, known] of [
      [[], undefined],
      [[{ Known: null }], undefined],
      [[{ Known: JSON.stringify([history]) }], history],
    ] as const)
      expect(await new SqlServerKnownHistory(scriptedSqlServer(() => [lines]).connection).read()).toEqual(known);
    const next = { ...history, ordinal: 4 } as unknown as Parameters<SqlServerKnownHistory['note']>[0];
    for (const [lines, noted] of [
      [[{ Ordinal: 4 }], true],
      [[], false],
    ] as const) {
      const { asked, connection } = scriptedSqlServer(() => [lines]);
      expect(await new SqlServerKnownHistory(connection).note(next)).toBe(noted);
      expect(asked[0]!.values).toEqual({ ordinal: 4, known: [next] });
    }
  });

  it('a clock that never goes back', async () => {
    const times = ['08:00:00.500', '07:59:59.000', '08:00:00.499', '08:00:00.501'].map((time) => `2026-11-20T${time}Z`);
    const totals = new SqlServerShardTotals(
      scriptedSqlServer((_, call) => [[{ PresentTime: new Date(times[call]!) }]]).connection,
    );
    const told: string[] = [];
    for (const _ of times) told.push(await totals.now());
    expect(told).toEqual([times[0], times[0], times[0], times[3]]);
  });

  it('totals, and rows whose time never comes only where there are some', async () => {
    const line = {
      BillerId: 'water',
      EventType: 'Payments',
      Status: 'New',
      Currency: 'USD',
      RowsCounted: '2',
      MinorUnits: '300',
      OldestAt: new Date('2026-11-20T08:00:00.000Z'),
    };
    const { connection } = scriptedSqlServer(() => [
      [
        { ...line, NeverDue: '0' },
        { ...line, NeverDue: '1' },
      ],
    ]);
    const total = {
      billerId: 'water',
      dataType: 'Payments',
      status: 'New',
      count: 2,
      amount: { minorUnits: 300, currency: 'USD' },
      oldestAt: '2026-11-20T08:00:00.000Z',
    };
    expect(await new SqlServerShardTotals(connection).totals()).toEqual([total, { ...total, neverDue: 1 }]);
  });

  it('totals of sound rows, and of those that are none their number and what they hold (issue 8, no 16)', async () => {
    const line = { BillerId: 'water', EventType: 'Payments', Status: 'New', Currency: 'USD', RowsCounted: '2', MinorUnits: '300', OldestAt: new Date('2026-11-20T08:00:00.000Z'), NeverDue: '0' }; // prettier-ignore
    const none = [
      { BillerId: 'wa ter' },
      { BillerId: 'wa\u200bter' },
      { BillerId: null },
      { EventType: 'payments' },
      { EventType: null },
      { Status: 'Publishes' },
      { Status: '' },
    ];
    const { connection } = scriptedSqlServer(() => [[line, ...none.map((more) => ({ ...line, ...more }))]]);
    const totals = await new SqlServerShardTotals(connection).totals();
    expect(totals.map(({ billerId, dataType, status }) => [billerId, dataType, status])).toEqual([
      ['water', 'Payments', 'New'],
    ]);
    expect(totals.damaged).toEqual([
      expect.stringMatching(
        /^14 rows have an id, a biller, a type or a status that is none .*: \["wa ter","Payments","New"\], .*, …$/,
      ),
    ]);
  });
});
