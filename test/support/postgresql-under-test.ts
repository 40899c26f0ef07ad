import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';

/** DATAPUMP_TEST_POSTGRESQL or the PostgreSQL of this machine; undefined where none lets us in. */
export function postgresqlUnderTest(): string | undefined {
  const url = process.env['DATAPUMP_TEST_POSTGRESQL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
  // In a process of its own: suites are declared before anything asynchronous can run.
  const look = `new (require('pg').Client)(${JSON.stringify(url)}).connect().then(() => process.exit(0), () => process.exit(1))`;
  return spawnSync(process.execPath, ['-e', look], { timeout: 30_000, cwd: __dirname }).status === 0 ? url : undefined;
}

/** The same server and login, another database. */
export function databaseUrl(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

export interface PostgresqlDatabase {
  readonly name: string;
  run(text: string): Promise<void>;
  drop(): Promise<void>;
}

/** A database of its own on that server, with what the translation of T-SQL needs. */
export async function createPostgresqlDatabase(url: string): Promise<PostgresqlDatabase> {
  const name = `datapump_test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const within = async (database: string | undefined, text: string): Promise<void> => {
    const client = new Client(database === undefined ? url : databaseUrl(url, database));
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };
  await within(undefined, `CREATE DATABASE ${name}`);
  await within(
    name,
    `CREATE SCHEMA dbo;
     CREATE FUNCTION spelt(anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS
       $$ SELECT CASE WHEN pg_typeof($1) = 'uuid'::regtype THEN upper($1::text) ELSE $1::text END $$;
     CREATE FUNCTION named(data_type text) RETURNS text LANGUAGE sql IMMUTABLE AS
       $$ SELECT CASE data_type WHEN 'character varying' THEN 'nvarchar' WHEN 'uuid' THEN 'uniqueidentifier' ELSE data_type END $$`,
  );
  return {
    name,
    run: (text) => within(name, text),
    drop: () => within(undefined, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}
