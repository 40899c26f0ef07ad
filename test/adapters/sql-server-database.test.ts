import { applyMigrations, planMigrations } from '../../src/adapters/sql-server/migrate';
import { SCHEMA_VERSION } from '../../src/adapters/sql-server/migrations';
import { SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { allowedPredecessors } from '../../src/domain/dp-record/row-status';
import { billerId, chunkId, dpId, shardName } from '../../src/domain/identifiers';
import { plusMs } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';
import { createTestDatabase, NOT_RUN, SQL_SERVER, type TestDatabase } from '../support/sql-server-database';
import { WHOLE_RUN_MS } from '../support/until';

const NAME = shardName('Shard-1');

/** A billing platform's own tables: a number as id, money as decimal, a trigger, and Status words of its own column. */
const SITE = [
  `CREATE TABLE dbo.PayQueue (Id bigint IDENTITY(100, 1) NOT NULL PRIMARY KEY, Biller int NOT NULL, Person bigint NOT NULL,
     Pay bigint NULL, State nvarchar(16) NOT NULL DEFAULT N'New', Made datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME())`,
  `CREATE TABLE dbo.PayQueueLog (Id bigint NOT NULL, State nvarchar(16) NOT NULL)`,
  `CREATE TRIGGER PayQueueChanged ON dbo.PayQueue AFTER UPDATE AS
     INSERT INTO dbo.PayQueueLog (Id, State) SELECT i.Id, i.State FROM inserted AS i`,
  `CREATE TABLE dbo.Pays (Id bigint NOT NULL PRIMARY KEY, Person bigint NOT NULL, Biller int NOT NULL, Amount decimal(18, 2) NOT NULL)`,
  `CREATE VIEW dbo.DatapumpRow AS SELECT Id AS Seq, Id AS DpId, CONVERT(nvarchar(64), Biller) AS BillerId,
     N'Payments' AS EventType, Person AS CustomerId, Pay AS PaymentId, State AS Status, Made AS CreatedAt, Made AS DueAt FROM dbo.PayQueue`,
  `CREATE VIEW dbo.DatapumpPayment AS SELECT Id AS PaymentId, Person AS CustomerId, CONVERT(nvarchar(64), Biller) AS BillerId,
     CAST(Amount * 100 AS bigint) AS AmountMinor, N'USD' AS Currency, N'water' AS InvoiceType, CAST('2026-01-01' AS datetime2(3)) AS PaidAt,
     CAST(NULL AS nvarchar(10)) AS AchReturnCode, CAST(NULL AS nvarchar(10)) AS Source, CAST(NULL AS nvarchar(10)) AS ExternalReference FROM dbo.Pays`,
  `CREATE VIEW dbo.DatapumpCustomer AS SELECT Person AS CustomerId, CONVERT(nvarchar(64), Biller) AS BillerId, N'001' AS AccountNumber,
     N'Jana' AS Name, CAST(NULL AS nvarchar(10)) AS Email, CAST(0 AS bit) AS Paperless, CAST(0 AS bit) AS AutoPay FROM dbo.Pays`,
  `CREATE VIEW dbo.DatapumpBiller AS SELECT DISTINCT CONVERT(nvarchar(64), Biller) AS BillerId, N'Water' AS Dba, CAST(1 AS bit) AS Active FROM dbo.Pays`,
];

if (SQL_SERVER === undefined) {
  it.skip(`SQL Server migrations and mapped tables, ${NOT_RUN}`, () => undefined);
} else {
  jest.setTimeout(WHOLE_RUN_MS);
  let database: TestDatabase;
  let connection: SqlServerConnection;
  let shard: SqlServerShard;
  beforeEach(async () => {
    database = await createTestDatabase();
    connection = new SqlServerConnection({ name: NAME, connection: database.settings });
    shard = new SqlServerShard({ name: NAME, connection: database.settings });
  });
  afterEach(async () => {
    await shard.close();
    await connection.close();
    await database.drop();
  });

  it('migrates a new database once, however often and by however many at the same time', async () => {
    await expect(shard.now()).rejects.toMatchObject({ code: 'storage-from-older-version' });
    expect((await planMigrations(connection)).pending.map((each) => each.version)).toEqual([1, 2, 3, 4]);
    const another = new SqlServerConnection({ name: NAME, connection: database.settings });
    const applied = await Promise.all([applyMigrations(connection), applyMigrations(another)]);
    expect(applied.flat()).toEqual([1, 2, 3, 4]);
    await another.close();
    expect(await planMigrations(connection)).toEqual({
      version: SCHEMA_VERSION,
      target: SCHEMA_VERSION,
      pending: [],
      problems: [],
    });
    expect(await shard.billers()).toEqual([]);
  });

  it('runs the same batches twice without harm', async () => {
    const { pending } = await planMigrations(connection);
    await applyMigrations(connection);
    for (const batch of pending.flatMap(({ script }) => script.split('\nGO\n'))) await database.batch(batch);
    expect(await shard.totals()).toEqual([]);
  });

  it('refuses a schema from a newer program', async () => {
    await applyMigrations(connection);
    await database.batch(`INSERT INTO dbo.DatapumpSchema VALUES (${SCHEMA_VERSION + 1}, N'later', SYSUTCDATETIME())`);
    await expect(shard.now()).rejects.toMatchObject({ code: 'storage-from-newer-version', retryable: false });
    await expect(applyMigrations(connection)).rejects.toMatchObject({ retryable: false });
  });

  it('works on a site’s own tables through views, with numbers as ids and a trigger on the rows', async () => {
    for (const batch of SITE) await database.batch(batch);
    await database.batch(`INSERT INTO dbo.Pays (Id, Person, Biller, Amount) VALUES (7, 9007199254740993, 12, 12.34);
      INSERT INTO dbo.PayQueue (Biller, Person, Pay) VALUES (12, 9007199254740993, 7), (12, 1, NULL), (13, 1, NULL);`);
    expect(await applyMigrations(connection)).toEqual([1, 2, 3, 4]);
    const [chunk] = await shard.claim({
      billers: [billerId('12')],
      rowsMax: 10,
      plan: (rows) => planChunks(rows, 10),
      newChunkId: () => chunkId('c1'),
    });
    expect(chunk).toMatchObject({ billerId: '12', dpStart: '100', dpEnd: '101', rows: 2 });
    expect((await shard.rowsOfChunk(chunkId('c1')))[0]).toMatchObject({
      dpId: '100',
      status: 'Queued',
      customer: { customerId: '9007199254740993' },
      payment: { paymentId: '7', amount: { minorUnits: 1234, currency: 'USD' } },
      biller: { dba: 'Water' },
    });
    const detail = { attempt: 1, outcome: 'Delivered', billerReference: 'R', code: undefined } as const;
    const now = await shard.now();
    const delivered = {
      to: 'Delivered',
      from: allowedPredecessors('Delivered'),
      detail: { ...detail, recordedAt: now },
    } as const;
    expect(
      await Promise.all(['100', '0100', 'x'].map((id) => shard.reconcile({ dpId: dpId(id), ...delivered }))),
    ).toEqual(['applied', 'row-missing', 'row-missing']);
    expect(await shard.findRow(dpId('100'))).toMatchObject({ status: 'Delivered', details: [{ attempt: 1 }] });
    expect(await shard.findRow(dpId('0100'))).toBeUndefined();
    expect((await shard.takeStalled({ before: plusMs(now, 60_000), max: 10 })).map((row) => row.dpId)).toEqual(['101']);
    expect(await database.batch('SELECT State FROM dbo.PayQueueLog WHERE Id = 100 ORDER BY State')).toEqual([
      { State: 'Delivered' },
      { State: 'Queued' },
    ]);
    await expect(shard.importPayments([])).rejects.toMatchObject({ code: 'storage-foreign' });
  });

  it('says which table needs a view, instead of making a second one beside it', async () => {
    await database.batch('CREATE TABLE dbo.Customer (Id int NOT NULL)');
    expect((await planMigrations(connection)).problems).toEqual([expect.stringContaining('dbo.DatapumpCustomer')]);
    await expect(applyMigrations(connection)).rejects.toMatchObject({ code: 'storage-foreign' });
    expect(await database.batch(`SELECT OBJECT_ID(N'dbo.DpClaim') AS Id`)).toEqual([{ Id: null }]);
  });
}
