import { randomBytes } from 'node:crypto';
import { ConnectionPool } from 'mssql';
import { sqlServerFailure } from '../../../src/adapters/sql-server/sql-server-failure';
import { type ShardAddresses } from '../../../src/bootstrap/configuration/shard-registry-setting';
import { dropDatabase, settingsOf } from '../sql-server-database';

export interface DemoDatabases {
  readonly registry: ShardAddresses;
  /** Environment variables that hold the login. */
  readonly secrets: Readonly<Record<string, string>>;
  drop(): Promise<void>;
}

const SETTING = 'DATAPUMP_TEST_MSSQL';

/** The server that the setting names cannot be used as it is named. */
export class NoServer extends Error {}

/** A database a shard on the server that the connection string names, with names of their own; dropped at the end. */
export async function createDemoDatabases(connectionString: string, shards: readonly string[]): Promise<DemoDatabases> {
  const settings = usable(connectionString);
  const run = randomBytes(4).toString('hex');
  const databases = shards.map((shard, index) => ({ shard, database: `datapump_demo_${run}_${index + 1}` }));
  const forEachDatabase = async (work: (pool: ConnectionPool, database: string) => Promise<unknown>): Promise<void> => {
    const pool = new ConnectionPool(settings);
    try {
      await pool.connect();
      for (const { database } of databases) await work(pool, database);
    } catch (error) {
      const place = { shard: SETTING, server: settings.server, database: settings.database ?? 'of the login' };
      throw new NoServer(
        `${SETTING}: ${(sqlServerFailure('create or drop databases', place, error) as Error).message}`,
      );
    } finally {
      await pool.close();
    }
  };
  await forEachDatabase((pool, database) => pool.request().batch(`CREATE DATABASE ${database}`));
  const server = settings.port === undefined ? settings.server : `${settings.server},${settings.port}`;
  return {
    registry: Object.fromEntries(
      databases.map(({ shard, database }) => [shard, { server, database, secret: 'demo-sql-server' }]),
    ),
    secrets: { DATAPUMP_SECRET_DEMO_SQL_SERVER: connectionString },
    drop: () => forEachDatabase(dropDatabase),
  };
}

function usable(connectionString: string): ReturnType<typeof settingsOf> {
  try {
    return settingsOf(connectionString, undefined);
  } catch (error) {
    throw new NoServer(`${SETTING}: ${(error as Error).message}`);
  }
}
