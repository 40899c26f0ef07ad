import { randomUUID } from 'node:crypto';
import { ConnectionPool, type config as DriverConfig } from 'mssql';

/** The server that tests may use: a connection string whose login may create and drop databases. */
export const SQL_SERVER = process.env['DATAPUMP_TEST_MSSQL'];
export const NOT_RUN = 'not run: DATAPUMP_TEST_MSSQL names no server';

export interface TestDatabase {
  readonly settings: DriverConfig;
  /** As a person at the database would; for arranging and looking, never for what is tested. */
  batch(text: string): Promise<readonly Record<string, unknown>[]>;
  drop(): Promise<void>;
}

const settingsOf = (database: string | undefined): DriverConfig => {
  const given = ConnectionPool.parseConnectionString(SQL_SERVER!) as DriverConfig;
  return { ...given, ...(database !== undefined && { database }), requestTimeout: 60_000 };
};

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `datapump_test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const server = await new ConnectionPool(settingsOf(undefined)).connect();
  await server.request().batch(`CREATE DATABASE ${name}`);
  const settings = settingsOf(name);
  const pool = await new ConnectionPool(settings).connect();
  return {
    settings,
    batch: async (text) => (await pool.request().batch<Record<string, unknown>>(text)).recordset ?? [],
    drop: async () => {
      await pool.close();
      await server.request().batch(`DROP DATABASE ${name}`);
      await server.close();
    },
  };
}
