import {
  connectionSettings,
  DEFAULT_LIMITS,
  insecureSettings,
  poolSettings,
} from '../../src/adapters/sql-server/connection-settings';
import { importResult, planImport } from '../../src/adapters/shared/import-plan';
import { judgeSchema, schemaScript } from '../../src/adapters/sql-server/migrate';
import { MAPPED_VIEWS } from '../../src/adapters/sql-server/migrations';
import { numberEnds, rowKeyOfType, ROW_KEYS, TEXT_KEY } from '../../src/adapters/sql-server/row-key';
import { derivedId } from '../../src/adapters/shared/derived-id';
import { type PaymentImport } from '../../src/application/ports/payment-imports';
import { billerId, dpId, type DpId } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';

describe('a connection string', () => {
  it('names server, port, database and login, and encrypts unless it says otherwise', () => {
    expect(
      connectionSettings(`Server=tcp:db.example,1444;Database=s1;User ID=app;Password='a;b'`, 'Shard-1'),
    ).toMatchObject({
      server: 'db.example',
      port: 1444,
      database: 's1',
      user: 'app',
      password: 'a;b',
      options: { encrypt: true },
    });
    expect(connectionSettings('Server=h;Database=d;User ID=u;Password=p;Encrypt=false', 'x').options!.encrypt).toBe(
      false,
    );
  });

  it.each([
    'User ID=app;Password=p',
    'Server=other;Database=other;User ID=app;Password=p;',
    'Data Source=tcp:other,1999;Initial Catalog=other;User ID=app;Password=p',
    'Data Source=other\\instance;Initial Catalog=other;UID=app;PWD=p;Encrypt=false',
  ])('leads to the database that the shard registry names, whatever the login says: %s', (text) => {
    const settings = connectionSettings(text, 'Shard-1', { server: 'tcp:db.example,1444', database: 's1' });
    expect(settings).toMatchObject({ server: 'db.example', port: 1444, database: 's1', user: 'app', password: 'p' });
    expect(settings.options?.instanceName).toBeUndefined();
    expect(connectionSettings(text, 'Shard-1', { server: 'db.example', database: 's1' }).port).toBe(1433);
  });

  it('can ask for the managed identity instead of a login', () => {
    const settings = connectionSettings('Server=h;Database=d;Authentication=Active Directory Default', 'Shard-1');
    expect(settings.authentication).toEqual({ type: 'azure-active-directory-default', options: {} });
  });

  it('tells all that is wrong at once, and never the password', () => {
    const refused = (text: string): string => {
      try {
        connectionSettings(text, 'Shard-1');
      } catch (error) {
        return (error as Error).message;
      }
      return 'taken';
    };
    expect(refused('User ID=app;Password=hunter2')).toBe(
      'the connection string of Shard-1 cannot be used: Server is missing; Database is missing; correct the secret that holds it',
    );
    expect(refused('Server=h;Database=d')).toMatch(/User ID and Password are missing/);
    for (const [port, taken] of [
      [0, false],
      [1, true],
      [65_535, true],
      [65_536, false],
      [99_999, false],
    ] as const)
      expect(refused(`Server=h,${port};Database=d;User ID=u;Password=hunter2`)).toMatch(
        taken ? /^taken$/ : /1 to 65535/,
      );
    for (const text of ['hunter2', '', 'Server=np:h;Password=hunter2', `Server=h;Password='hunter2`]) {
      expect(refused(text)).toMatch(/cannot be used/);
      expect(refused(text)).not.toMatch(/hunter2/);
    }
  });

  it('keeps its login, and takes our limits and UTC', () => {
    const settings = connectionSettings('Server=h;Database=d;User ID=u;Password=p;Max Pool Size=99', 'x');
    expect(poolSettings(settings, DEFAULT_LIMITS)).toMatchObject({
      user: 'u',
      connectionTimeout: 15_000,
      requestTimeout: 30_000,
      pool: { min: 0, max: 10 },
      options: { encrypt: true, useUTC: true, appName: 'datapump' },
    });
    expect(insecureSettings(settings)).toEqual([]);
    expect(
      insecureSettings(
        connectionSettings('Server=h;Database=d;User ID=u;Password=p;Encrypt=false;TrustServerCertificate=true', 'x'),
      ),
    ).toHaveLength(2);
  });
});

describe('an id of the database', () => {
  const [, bigint, guid] = ROW_KEYS as [typeof TEXT_KEY, typeof TEXT_KEY, typeof TEXT_KEY];
  it.each<[typeof TEXT_KEY, string, boolean]>([
    [bigint, '0', true],
    [bigint, '-5', true],
    [bigint, '9223372036854775807', true],
    [bigint, '9223372036854775808', false],
    [bigint, '-9223372036854775808', true],
    [bigint, '-9223372036854775809', false],
    [bigint, '007', false],
    [bigint, '+7', false],
    [bigint, '1e3', false],
    [bigint, '', false],
    [bigint, 'ABC', false],
    [guid, '2F1C7A5E-0000-4000-8000-00000000ABCD', true],
    [guid, '2f1c7a5e-0000-4000-8000-00000000abcd', false],
    [guid, '7', false],
    [TEXT_KEY, "o'hara;--", true],
    [TEXT_KEY, 'x'.repeat(65), false],
  ])('of type $name: %s', (key, text, spelt) => {
    expect(key.spells(text as DpId)).toBe(spelt);
  });

  it('has the type of the site’s column, or is refused by name', () => {
    expect(['nvarchar', 'BIGINT', 'int', 'uniqueidentifier'].map((type) => rowKeyOfType(type).name)).toEqual([
      'text',
      'bigint',
      'bigint',
      'uniqueidentifier',
    ]);
    expect(() => rowKeyOfType('float')).toThrow(/the type float, expected bigint/);
  });

  it('makes a range of numbers of two numbers, within what the type holds', () => {
    const ends = (key: typeof TEXT_KEY, from: string, to: string) => numberEnds(key, from as DpId, to as DpId);
    expect(ends(TEXT_KEY, '009', '010')).toEqual({ from: '9', to: '10' });
    expect(ends(bigint, '000', '99999999999999999999')).toEqual({ from: '0', to: '9223372036854775807' });
    expect(ends(bigint, '9', '9z')).toBeUndefined();
  });
});

describe('the schema', () => {
  const whole = Object.entries(MAPPED_VIEWS);
  const names = whole.map(([view]) => ({ TableName: view, TableType: 'VIEW' }));
  const columns = whole.flatMap(([view, { columns: all }]) =>
    all.map((column) => ({ TableName: view, ColumnName: column, DataType: 'bigint' })),
  );

  it('takes the type of the ids from the site’s view, whatever case the engine gives names', () => {
    expect(judgeSchema([], [])).toEqual({ versioned: false, key: TEXT_KEY, problems: [] });
    const folded = columns.map((row) => ({
      ...row,
      TableName: row.TableName.toLowerCase(),
      ColumnName: row.ColumnName.toLowerCase(),
    }));
    expect(judgeSchema([...names, { TableName: 'DatapumpSchema', TableType: 'BASE TABLE' }], folded)).toMatchObject({
      versioned: true,
      key: { name: 'bigint' },
      problems: [],
    });
  });

  it('tells all that a site’s views lack', () => {
    const few = columns.filter(({ ColumnName }) => !['Seq', 'DueAt', 'Dba'].includes(ColumnName));
    expect(judgeSchema(names, few).problems).toEqual([
      'the view dbo.DatapumpRow lacks Seq, DueAt: add them to it',
      'the view dbo.DatapumpBiller lacks Dba: add them to it',
    ]);
    expect(judgeSchema([{ TableName: 'DatapumpRow', TableType: 'BASE TABLE' }], columns).problems[0]).toMatch(
      /is no view/,
    );
    expect(judgeSchema([{ TableName: 'Customer', TableType: 'BASE TABLE' }], []).problems).toEqual([
      expect.stringMatching(/^dbo\.Customer stands already and the view dbo\.DatapumpCustomer does not/),
    ]);
  });

  it('can be read as one script', () => {
    expect(schemaScript().split('\nGO\n')).toHaveLength(11);
    expect(schemaScript(ROW_KEYS[1])).toContain('CREATE TABLE dbo.DpClaim (\n    DpId bigint NOT NULL');
  });
});

describe('an import', () => {
  const nothing = { payments: new Map(), accounts: new Map<string, string>(), billers: new Set<string>() };
  const payment = (number: number, change: Partial<PaymentImport> = {}): PaymentImport => ({
    source: 'orders',
    externalReference: `o-${number}`,
    billerId: billerId('YZ'),
    billerName: 'Bank',
    customerReference: 'c',
    accountNumber: '0001',
    customerName: 'Jana',
    amount: { minorUnits: 100 + number, currency: 'CZK' },
    invoiceType: 'household',
    paidAt: instant('2026-01-01T08:00:00.000Z'),
    ...change,
  });

  it('adds biller and customer once, and counts what repeats within the call as known', () => {
    const { seed, fates } = planImport([payment(1), payment(2), payment(1)], nothing);
    expect(importResult(fates)).toEqual({ added: 2, known: 1, knownAt: [2], conflicts: [] });
    expect([seed.billers.length, seed.customers.length, seed.payments.length, seed.rows.length]).toEqual([1, 1, 2, 2]);
  });

  it('sees a contradiction within the call as it would in the tables', () => {
    const { fates } = planImport(
      [payment(1), payment(1, { amount: { minorUnits: 1, currency: 'CZK' } }), payment(2, { accountNumber: '0002' })],
      nothing,
    );
    expect(importResult(fates)).toEqual({
      added: 1,
      known: 0,
      knownAt: [],
      conflicts: [
        { index: 1, why: 'another-payment' },
        { index: 2, why: 'another-account' },
      ],
    });
  });

  it('derives ids that a message can carry, and different ones for what only looks alike', () => {
    const pairs = [
      ['a', 'b.c'],
      ['a.b', 'c'],
      ['a', 'B.c'],
      ['a', 'x:1'],
      ['a', 'x 1'],
      ['a', 'b'.repeat(54)],
      ['a', 'b'.repeat(55)],
      ['a', ''],
    ];
    const ids = pairs.map(([source, name]) => derivedId(source!, name!));
    expect(new Set(ids).size).toBe(pairs.length);
    for (const id of ids) expect(dpId(id)).toBe(id);
  });
});
