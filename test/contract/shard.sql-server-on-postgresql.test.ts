jest.mock('mssql', (): unknown => jest.requireActual('../support/t-sql-on-postgresql/driver'));
import { type config as DriverConfig } from 'mssql';
import { applyMigrations, planMigrations } from '../../src/adapters/sql-server/migrate';
import { SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { BEYOND_EXACT } from '../../src/adapters/shared/row-amount';
import { billerId, shardName } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import {
  createPostgresqlDatabase,
  type PostgresqlDatabase,
  postgresqlUnderTest,
} from '../support/postgresql-under-test';
import { shardContract } from './shard.contract';
import { SQL_SERVER_TABLES } from './shard.seeds';

const NAME = shardName('Shard-1');
const POSTGRESQL = postgresqlUnderTest();

if (POSTGRESQL === undefined) {
  it.skip('Shard laws of the T-SQL on PostgreSQL, not run: no PostgreSQL answers', () => undefined);
} else {
  const settingsOf = ({ name }: PostgresqlDatabase): DriverConfig => ({ server: POSTGRESQL, database: name });
  const connectionTo = (database: PostgresqlDatabase) =>
    new SqlServerConnection({ name: NAME, connection: settingsOf(database) });
  let database: PostgresqlDatabase;

  beforeAll(async () => {
    database = await createPostgresqlDatabase(POSTGRESQL);
    const connection = connectionTo(database);
    await applyMigrations(connection);
    await connection.close();
  });
  afterAll(() => database.drop());

  it('migrates an empty database once, however often and by however many at the same time', async () => {
    const empty = await createPostgresqlDatabase(POSTGRESQL);
    const [first, second] = [connectionTo(empty), connectionTo(empty)];
    expect((await planMigrations(first)).pending).toHaveLength(6);
    expect((await Promise.all([applyMigrations(first), applyMigrations(second)])).flat()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await planMigrations(second)).toMatchObject({ pending: [], problems: [] });
    await Promise.all([first.close(), second.close()]);
    await empty.drop();
  });

  it('a row whose amount no number holds comes alone as one that validation refuses (issue 8, no 3)', async () => {
    const shard = new SqlServerShard({ name: NAME, connection: settingsOf(database) });
    const amount = { minorUnits: 150, currency: 'USD' };
    const import_ = (number: number) => ({
      source: 's', externalReference: String(number), billerId: billerId('b'), billerName: 'b', customerReference: 'c', accountNumber: '1',
      customerName: 'n', amount, invoiceType: 'i', paidAt: instant('2026-11-20T00:00:00.000Z'),
    }); // prettier-ignore
    await shard.importPayments([1, 2, 3].map(import_));
    await database.run(`UPDATE dbo.Payment SET AmountMinor = 9223372036854775807 WHERE ExternalReference = '1';
      UPDATE dbo.Payment SET AmountMinor = -9223372036854775808 WHERE ExternalReference = '2';`);
    const rows = await shard.rowsByStatus({ statuses: ['New'], max: 10 });
    expect(rows.map(({ payment }) => payment!.amount.minorUnits)).toEqual([BEYOND_EXACT, -BEYOND_EXACT, 150]);
    expect((await shard.totals()).map(({ count, amount: sum }) => [count, sum])).toEqual([[3, amount]]);
    const order = { by: 'op', reason: 'letter' };
    expect(await shard.correctCustomers([{ ...import_(1), accountNumber: '2' }], order)).toEqual([0]);
    await shard.close();
  });

  shardContract('the T-SQL on PostgreSQL', async () => {
    await database.run(
      [
        ...SQL_SERVER_TABLES.map((table) => `DELETE FROM dbo.${table};`),
        'UPDATE dbo.DpKnownHistory SET Ordinal = 0, Known = NULL;',
      ].join('\n'),
    );
    const open = () => new SqlServerShard({ name: NAME, connection: settingsOf(database) });
    const opened = [open()];
    const shard = opened[0]!;
    return {
      shard,
      another: async () => {
        const other = open();
        opened.push(other);
        return other;
      },
      seed: (seed) => shard.seed(seed),
      refusesNulCharacter: true,
      close: async () => {
        await Promise.all(opened.map((each) => each.close()));
      },
    };
  });
}
