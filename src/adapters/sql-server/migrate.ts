import { PortFailure } from '../../application/ports/failures';
import { type ShardName } from '../../domain/identifiers';
import {
  CREATE_VERSIONS_TABLE,
  MAPPED_VIEWS,
  MIGRATIONS,
  OWN_TABLES,
  SCHEMA_VERSION,
  type Migration,
} from './migrations';
import { rowKeyOfType, TEXT_KEY, type RowKey } from './row-key';
import { type Row, type Runner, type SqlServerConnection } from './sql-server-connection';
import { statement, tsql, type SqlText } from './sql-text';

/** How long a migration waits for another one of the same database: less than a request may take, else that limit speaks first. */
export const LOCK_TIMEOUT_MS = 20_000;

export const SCHEMA_STATEMENTS = {
  lock: statement(
    { lockTimeoutMs: 'count' },
    tsql`DECLARE @result int;
EXEC @result = sp_getapplock @Resource = N'datapump-migrations', @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = @lockTimeoutMs;
SELECT @result AS LockResult;`,
  ),
  /** What stands under the names that we use; the types of views' columns, since an id keeps the site's type. */
  names: statement(
    {},
    tsql`SELECT t.TABLE_NAME AS TableName, t.TABLE_TYPE AS TableType FROM INFORMATION_SCHEMA.TABLES AS t
WHERE t.TABLE_SCHEMA = N'dbo' AND LOWER(t.TABLE_NAME) IN (N'datapumpschema', N'datapumprow', N'datapumpcustomer', N'datapumppayment',
  N'datapumpbiller', N'datapump', N'customer', N'payment', N'billersettings', N'dpclaim', N'dpdetail', N'outbox', N'customercorrection', N'dphistoryseal', N'dpknownhistory');
SELECT c.TABLE_NAME AS TableName, c.COLUMN_NAME AS ColumnName, c.DATA_TYPE AS DataType FROM INFORMATION_SCHEMA.COLUMNS AS c
WHERE c.TABLE_SCHEMA = N'dbo' AND LOWER(c.TABLE_NAME) IN (N'datapumprow', N'datapumpcustomer', N'datapumppayment', N'datapumpbiller',
  N'datapumpschema', N'dpclaim', N'dpdetail', N'outbox', N'customercorrection', N'dphistoryseal', N'dpknownhistory');`,
  ),
  version: statement({}, tsql`SELECT MAX(v.Version) AS Version FROM dbo.DatapumpSchema AS v;`),
  addVersion: statement(
    { version: 'count', migration: 'id' },
    tsql`INSERT INTO dbo.DatapumpSchema (Version, Name, AppliedAt) VALUES (@version, @migration, SYSUTCDATETIME());`,
  ),
};

export interface SchemaState {
  /** 0: no migration has run here. */
  readonly version: number;
  readonly key: RowKey;
  /** What a person must put right before a migration or a start, each as a sentence. */
  readonly problems: readonly string[];
}

export interface MigrationPlan {
  readonly version: number;
  readonly target: number;
  readonly pending: readonly { readonly version: number; readonly name: string; readonly script: string }[];
  readonly problems: readonly string[];
  /** All that is pending, complete, for a person to run; empty where nothing is. */
  readonly script: string;
}

/** What applyMigrations would do, as text that a person can read and run by hand. Changes nothing. */
export async function planMigrations(connection: SqlServerConnection): Promise<MigrationPlan> {
  const state = await readSchema(connection);
  return {
    version: state.version,
    target: SCHEMA_VERSION,
    pending: pendingAfter(state.version).map((migration) => ({
      version: migration.version,
      name: migration.name,
      script: migration.batches(state.key).join('\nGO\n'),
    })),
    problems: [...newerSchema(state.version), ...state.problems],
    script: scriptByHand(state.version, state.key),
  };
}

/**
 * Brings the schema forward: everything in one transaction, under a lock of the database that a second migration waits
 * for. Already there: nothing is done. Answers the versions that were added.
 */
export async function applyMigrations(connection: SqlServerConnection): Promise<readonly number[]> {
  return connection.transaction('migrate the schema', async (runner) => {
    const [answer] = await runner.run('lock', SCHEMA_STATEMENTS.lock, { lockTimeoutMs: LOCK_TIMEOUT_MS });
    // 0 granted, 1 granted after waiting; below: timed out, cancelled, deadlock, bad call.
    if (Number(answer![0]!['LockResult']) < 0) {
      throw new PortFailure(
        `failed to migrate the schema: another migration of this database has not ended within ${LOCK_TIMEOUT_MS} ms; wait for it, then run this one again`,
        { code: 'storage-busy', retryable: true },
      );
    }
    const { version, key, problems } = await readSchema(runner);
    refuse([...newerSchema(version), ...problems], 'storage-foreign');
    await runner.batch(CREATE_VERSIONS_TABLE);
    const pending = pendingAfter(version);
    for (const migration of pending) {
      for (const batch of migration.batches(key)) await runner.batch(batch);
      await runner.run('note the version', SCHEMA_STATEMENTS.addVersion, {
        version: migration.version,
        migration: migration.name,
      });
    }
    return pending.map((migration) => migration.version);
  });
}

/** Before the first use: the type of the ids here; refuses a schema that this program does not fit. */
export async function checkedRowKey(runner: Runner, shard: ShardName): Promise<RowKey> {
  const { version, key, problems } = await readSchema(runner);
  const named = (all: readonly string[]): readonly string[] => all.map((problem) => `shard ${shard}: ${problem}`);
  if (version > SCHEMA_VERSION) refuse(named(newerSchema(version)), 'storage-from-newer-version');
  refuse(named(problems), 'storage-foreign');
  if (version < SCHEMA_VERSION) {
    const older = `the schema has version ${version} and this program needs ${SCHEMA_VERSION}: run \`datapump migrate --plan\`, then \`--apply\``;
    refuse(named([older]), 'storage-from-older-version');
  }
  return key;
}

const pendingAfter = (version: number): readonly Migration[] => MIGRATIONS.filter((each) => each.version > version);

const newerSchema = (version: number): readonly string[] =>
  version > SCHEMA_VERSION
    ? [
        `the schema has version ${version} and this program knows versions up to ${SCHEMA_VERSION}: run the newer datapump that made it`,
      ]
    : [];

function refuse(
  problems: readonly string[],
  code: 'storage-foreign' | 'storage-from-newer-version' | 'storage-from-older-version',
): void {
  if (problems.length === 0) return;
  throw new PortFailure(problems.join('; '), { code, retryable: false, facts: { problems: problems.length } });
}

async function readSchema(runner: Runner): Promise<SchemaState> {
  const [names, columns] = await runner.run('read the schema', SCHEMA_STATEMENTS.names, {});
  const state = judgeSchema(names!, columns!);
  if (!state.versioned) return { version: 0, key: state.key, problems: state.problems };
  const [versions] = await runner.run('read the schema version', SCHEMA_STATEMENTS.version, {});
  return { version: Number(versions![0]!['Version'] ?? 0), key: state.key, problems: state.problems };
}

/** Names compare without case: engines keep or fold it as they like. Pure. */
export function judgeSchema(names: readonly Row[], columns: readonly Row[]) {
  const lower = (text: unknown): string => String(text).toLowerCase();
  const kindOf = new Map(names.map((row) => [lower(row['TableName']), lower(row['TableType'])]));
  const typesOf = (view: string) =>
    new Map(
      columns
        .filter((row) => lower(row['TableName']) === lower(view))
        .map((row) => [lower(row['ColumnName']), String(row['DataType'])]),
    );
  const problems: string[] = [];
  for (const [view, { table, columns: wanted }] of Object.entries(MAPPED_VIEWS)) {
    const stands = kindOf.get(lower(view));
    if (stands === undefined) {
      if (kindOf.has(lower(table)))
        problems.push(
          `dbo.${table} stands already and the view dbo.${view} does not: write that view over it as docs/SQL-SERVER.md shows`,
        );
      continue;
    }
    if (stands !== 'view') problems.push(`dbo.${view} is no view: give that table another name`);
    const types = typesOf(view);
    const missing = wanted.filter((column) => !types.has(lower(column)));
    if (missing.length > 0) problems.push(`the view dbo.${view} lacks ${missing.join(', ')}: add them to it`);
  }
  const type = typesOf('DatapumpRow').get('dpid');
  for (const [table, wanted] of Object.entries(OWN_TABLES)) {
    const stands = kindOf.get(lower(table));
    const types = typesOf(table);
    // Not there, or nobody told of its columns.
    if (stands === undefined || types.size === 0) continue;
    const missing = wanted.filter((column) => !types.has(lower(column)));
    const known = new Set(wanted.map(lower));
    const foreign = [...types.keys()].filter((column) => !known.has(column));
    const faults = [
      ...(stands === 'view' ? ['is a view'] : []),
      ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
      ...(foreign.length > 0 ? [`has ${foreign.join(', ')}`] : []),
      ...wrongKey(types.get('dpid'), type),
    ];
    if (faults.length > 0)
      problems.push(
        `dbo.${table} stands already and is not the table of datapump (it ${faults.join('; it ')}): give it another name, or let the shard's views lie in a database of their own`,
      );
  }
  return { versioned: kindOf.has('datapumpschema'), key: type === undefined ? TEXT_KEY : rowKeyOfType(type), problems };
}

/** The ids of our own tables have the type of the site's, or every look-up would convert its index. */
function wrongKey(own: string | undefined, ofRows: string | undefined): readonly string[] {
  if (own === undefined || ofRows === undefined) return [];
  const integers = ['int', 'bigint'];
  const [ours, theirs] = [own.toLowerCase(), ofRows.toLowerCase()];
  const same = ours === theirs || (integers.includes(ours) && integers.includes(theirs));
  return same ? [] : [`has ids of type ${own} where the rows have ${ofRows}`];
}

/** Filtered indexes are refused, then and at every later write, where these are set otherwise; sqlcmd turns the first off. */
const SESSION = tsql`SET QUOTED_IDENTIFIER ON;
SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON;
SET NUMERIC_ROUNDABORT OFF;
SET XACT_ABORT ON;`;

/**
 * What applyMigrations does after `version`, for a person who runs it by hand: each step in a transaction of its own that
 * also notes its version, and each of them twice without harm. Needs no connection.
 */
export function scriptByHand(version: number, key: RowKey): string {
  const steps = pendingAfter(version).map((migration) =>
    [
      `-- ${migration.version}: ${migration.name}`,
      'BEGIN TRANSACTION;',
      // A tool may go on after a step that failed: the next one must not count as done where this one is not.
      ...(migration.version > 1
        ? [
            `IF NOT EXISTS (SELECT 1 FROM dbo.DatapumpSchema WHERE Version = ${migration.version - 1})`,
            `  THROW 50001, N'step ${migration.version - 1} has not been done: look for its error above', 1;`,
          ]
        : []),
      ...migration.batches(key),
      `IF NOT EXISTS (SELECT 1 FROM dbo.DatapumpSchema WHERE Version = ${migration.version})`,
      `  INSERT INTO dbo.DatapumpSchema (Version, Name, AppliedAt) VALUES (${migration.version}, N'${migration.name.replaceAll("'", "''")}', SYSUTCDATETIME());`,
      'COMMIT TRANSACTION;',
    ].join('\n'),
  );
  if (steps.length === 0) return '';
  return [SESSION, CREATE_VERSIONS_TABLE, ...steps].join('\nGO\n');
}

/** The whole of a fresh schema as one script, for a review. */
export const schemaScript = (key: RowKey = TEXT_KEY): string =>
  [CREATE_VERSIONS_TABLE, ...MIGRATIONS.flatMap(({ batches }): readonly SqlText[] => batches(key))].join('\nGO\n');
