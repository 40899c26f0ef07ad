import { applyMigrations } from '../../src/adapters/sql-server/migrate';
import { SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { shardName } from '../../src/domain/identifiers';
import { createTestDatabase, NOT_RUN, SQL_SERVER, type TestDatabase } from '../support/sql-server-database';
import { WHOLE_RUN_MS } from '../support/until';
import { shardContract } from './shard.contract';
import { SQL_SERVER_TABLES } from './shard.seeds';

const NAME = shardName('Shard-1');

if (SQL_SERVER === undefined) {
  it.skip(`Shard laws on SQL Server, ${NOT_RUN}`, () => undefined);
} else {
  jest.setTimeout(WHOLE_RUN_MS);
  let database: TestDatabase;
  let refusesNulCharacter = false;

  beforeAll(async () => {
    database = await createTestDatabase();
    const connection = new SqlServerConnection({ name: NAME, connection: database.settings });
    await applyMigrations(connection);
    await connection.close();
    const stored = await database.batch(`SELECT N'a' + NCHAR(0) + N'b' AS Text`).catch(() => []);
    refusesNulCharacter = stored[0]?.['Text'] !== 'a\u0000b';
  });
  afterAll(() => database.drop());

  shardContract('SQL Server', async () => {
    await database.batch(
      [
        ...SQL_SERVER_TABLES.map((table) => `DELETE FROM dbo.${table};`),
        'UPDATE dbo.DpKnownHistory SET Ordinal = 0, Known = NULL;',
      ].join('\n'),
    );
    const open = () => new SqlServerShard({ name: NAME, connection: database.settings });
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
      refusesNulCharacter,
      close: async () => {
        await Promise.all(opened.map((each) => each.close()));
      },
    };
  });
}
