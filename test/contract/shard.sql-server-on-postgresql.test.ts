jest.mock('mssql', (): unknown => jest.requireActual('../support/t-sql-on-postgresql/driver'));
import { type config as DriverConfig } from 'mssql';
import { applyMigrations, planMigrations } from '../../src/adapters/sql-server/migrate';
import { SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { shardName } from '../../src/domain/identifiers';
import {
  createPostgresqlDatabase,
  type PostgresqlDatabase,
  postgresqlUnderTest,
} from '../support/postgresql-under-test';
import { shardContract } from './shard.contract';

const NAME = shardName('Shard-1');
const TABLES = ['DpDetail', 'DpClaim', 'Outbox', 'datapump', 'Payment', 'Customer', 'BillerSettings'];
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
    expect((await planMigrations(first)).pending).toHaveLength(3);
    expect((await Promise.all([applyMigrations(first), applyMigrations(second)])).flat()).toEqual([1, 2, 3]);
    expect(await planMigrations(second)).toMatchObject({ pending: [], problems: [] });
    await Promise.all([first.close(), second.close()]);
    await empty.drop();
  });

  shardContract('the T-SQL on PostgreSQL', async () => {
    await database.run(TABLES.map((table) => `DELETE FROM dbo.${table};`).join('\n'));
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
