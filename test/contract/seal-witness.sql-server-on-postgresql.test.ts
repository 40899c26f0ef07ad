jest.mock('mssql', (): unknown => jest.requireActual('../support/t-sql-on-postgresql/driver'));
import { type config as DriverConfig } from 'mssql';
import { applyMigrations } from '../../src/adapters/sql-server/migrate';
import { SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { shardName } from '../../src/domain/identifiers';
import {
  createPostgresqlDatabase,
  type PostgresqlDatabase,
  postgresqlUnderTest,
} from '../support/postgresql-under-test';
import { sealWitnessContract } from './seal-witness.contract';

const NAME = shardName('Shard-1');
const POSTGRESQL = postgresqlUnderTest();

if (POSTGRESQL === undefined) {
  it.skip('seal witness laws of the T-SQL on PostgreSQL, not run: no PostgreSQL answers', () => undefined);
} else {
  let database: PostgresqlDatabase;
  const settings = (): DriverConfig => ({ server: POSTGRESQL, database: database.name });

  beforeAll(async () => {
    database = await createPostgresqlDatabase(POSTGRESQL);
    const connection = new SqlServerConnection({ name: NAME, connection: settings() });
    await applyMigrations(connection);
    await connection.close();
  });
  afterAll(() => database.drop());

  sealWitnessContract('a shard in the T-SQL on PostgreSQL', async () => {
    await database.run('DELETE FROM dbo.DpHistorySeal;');
    const opened: SqlServerShard[] = [];
    const open = () => {
      const shard = new SqlServerShard({ name: NAME, connection: settings() });
      opened.push(shard);
      return shard.seals;
    };
    return {
      witness: open(),
      another: async () => open(),
      close: async () => {
        await Promise.all(opened.map((shard) => shard.close()));
      },
    };
  });
}
