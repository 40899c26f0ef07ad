import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionPool, type config as DriverConfig } from 'mssql';

/** The server that tests may use: a connection string whose login may create and drop databases. */
export const SQL_SERVER = process.env['DATAPUMP_TEST_MSSQL'];
export const NOT_RUN = 'not run: DATAPUMP_TEST_MSSQL names no server';

/** A server notices a moment later than its client that a connection was closed, and drops no database in use. */
const DROPS_MAX = 20;
const DROP_PAUSE_MS = 250;

export interface TestDatabase {
  readonly settings: DriverConfig;
  /** As a person at the database would; for arranging and looking, never for what is tested. */
  batch(text: string): Promise<readonly Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** The settings that a connection string holds, for one database of its server. */
export const settingsOf = (connectionString: string, database: string | undefined): DriverConfig => {
  const given = ConnectionPool.parseConnectionString(connectionString) as DriverConfig;
  return { ...given, ...(database !== undefined && { database }), requestTimeout: 60_000 };
};

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `datapump_test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const server = await new ConnectionPool(settingsOf(SQL_SERVER!, undefined)).connect();
  await server.request().batch(`CREATE DATABASE ${name}`);
  const settings = settingsOf(SQL_SERVER!, name);
  const pool = await new ConnectionPool(settings).connect();
  return {
    settings,
    batch: async (text) => (await pool.request().batch<Record<string, unknown>>(text)).recordset ?? [],
    drop: async () => {
      await pool.close();
      await dropDatabase(server, name);
      await server.close();
    },
  };
}

export async function dropDatabase(server: ConnectionPool, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await server.request().batch(`DROP DATABASE ${name}`);
      return;
    } catch (error) {
      if (tries >= DROPS_MAX) throw error;
      await delay(DROP_PAUSE_MS);
    }
  }
}
