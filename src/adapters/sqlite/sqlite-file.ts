import Database from 'better-sqlite3';
import { PortFailure } from '../../application/ports/failures';

/** What a file of ours holds. Its application_id says so, so that swapped paths are found before a byte is written. */
export type SqliteFileKind =
  'event-store' | 'bus' | 'shard' | 'allowance' | 'sandbox-ledger' | 'projection' | 'manifest';

/** Stored in files for ever: 'DP' in ASCII, then the kind's number. Add at the end, never renumber. */
const APPLICATION_ID: Record<SqliteFileKind, number> = {
  'event-store': 0x4450_0001,
  bus: 0x4450_0002,
  shard: 0x4450_0003,
  allowance: 0x4450_0004,
  'sandbox-ledger': 0x4450_0005,
  projection: 0x4450_0006,
  manifest: 0x4450_0007,
};

/** How long a statement waits for another process' lock. GroupCommit waits without blocking the thread instead. */
export const BUSY_TIMEOUT_MS = 5_000;
/** Switching a new file to WAL does not always honour busy_timeout, so opening tries again until that has passed. */
const OPEN_PAUSE_MS = 20;
const CACHE_KIB = 2_000;

export interface SqliteFileOptions {
  /** ':memory:' is for tests: one connection, nothing durable. */
  readonly path: string;
  readonly kind: SqliteFileKind;
  /** Forward-only migrations; the file's user_version is how many of them it has had. Add at the end only. */
  readonly schema: readonly string[];
  /** FULL: a commit survives the machine's death. OFF is for tests and measurements. */
  readonly synchronous?: 'FULL' | 'OFF';
}

/**
 * Opens a database file of ours, creating or migrating it as needed; safe when several processes do so at once.
 * A file that is not ours, or from a newer version, is refused and left exactly as it was.
 */
export function openSqliteFile(options: SqliteFileOptions): Database.Database {
  const deadline = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    let database: Database.Database | undefined;
    try {
      database = new Database(options.path, { timeout: BUSY_TIMEOUT_MS });
      prepareFile(database, options);
      return database;
    } catch (error) {
      database?.close();
      const failure = openingFailure(error, options);
      if (!(failure instanceof PortFailure) || failure.code !== 'storage-busy' || performance.now() >= deadline)
        throw failure;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS);
    }
  }
}

function prepareFile(database: Database.Database, options: SqliteFileOptions): void {
  // Before anything is changed: journal_mode alone would already rewrite a stranger's file.
  const before = database.transaction(() => checkedVersion(database, options))();
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${options.synchronous ?? 'FULL'}`);
  database.pragma('foreign_keys = ON');
  // The default of 16 MB a connection would fill as files grow, and a process has eight of them open: memory would
  // depend on the number of records. What is not in here is in the system's own cache.
  database.pragma(`cache_size = -${CACHE_KIB}`);
  if (before === options.schema.length) return;
  database
    .transaction(() => {
      // Read again under the write lock: another process may have migrated meanwhile.
      for (const migration of options.schema.slice(checkedVersion(database, options))) database.exec(migration);
      database.pragma(`application_id = ${APPLICATION_ID[options.kind]}`);
      database.pragma(`user_version = ${options.schema.length}`);
    })
    .immediate();
}

/** The file's version; 0 for a new one. Call it inside a transaction, so that its reads see one state. */
function checkedVersion(database: Database.Database, { path, kind, schema }: SqliteFileOptions): number {
  const applicationId = database.pragma('application_id', { simple: true }) as number;
  const version = database.pragma('user_version', { simple: true }) as number;
  if (applicationId !== APPLICATION_ID[kind]) {
    const tables = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
    if (applicationId === 0 && version === 0 && tables === 0) return 0;
    throw foreign(path, kind, `is ${describeApplication(applicationId)}`, undefined);
  }
  if (version > schema.length) {
    throw new PortFailure(
      `${path} is a datapump ${kind} file of version ${version}, and this program knows versions up to ${schema.length}: ` +
        'run the newer datapump that wrote it, or name another file',
      {
        code: 'storage-from-newer-version',
        retryable: false,
        facts: { path, kind, version, versionMax: schema.length },
      },
    );
  }
  return version;
}

function describeApplication(applicationId: number): string {
  const known = Object.entries(APPLICATION_ID).find(([, id]) => id === applicationId);
  return known
    ? `a datapump ${known[0]} file`
    : `a SQLite database of another program (application_id ${applicationId})`;
}

function foreign(path: string, kind: SqliteFileKind, found: string, cause: unknown): PortFailure {
  return new PortFailure(
    `${path} ${found}, expected a datapump ${kind} file or none: name another file in the configuration, or move this one away; it was not changed`,
    { code: 'storage-foreign', retryable: false, facts: { path, kind }, cause },
  );
}

function openingFailure(error: unknown, { path, kind }: SqliteFileOptions): unknown {
  if (sqliteCode(error) === 'SQLITE_NOTADB') return foreign(path, kind, 'is not a SQLite database', error);
  if (error instanceof TypeError || sqliteCode(error)?.startsWith('SQLITE_CANTOPEN')) {
    return new PortFailure(
      `failed to open ${path} as a datapump ${kind} file: expected an existing folder and a file this user may read and write; create the folder or correct the path and its permissions`,
      { code: 'storage-broken', retryable: false, facts: { path, kind }, cause: error },
    );
  }
  return storageFailure(`failed to open ${path} as a datapump ${kind} file`, path, error);
}

/**
 * Turns what SQLite or the file system threw into a PortFailure that names the step, the file and the remedy.
 * Anything else (VersionConflict, a broken belief, a PortFailure already) comes back as it is.
 */
export function storageFailure(step: string, path: string, error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  const failure = (
    kind: 'storage-full' | 'storage-busy' | 'storage-broken',
    retryable: boolean,
    remedy: string,
  ): PortFailure =>
    new PortFailure(`${step}: ${remedy}`, { code: kind, retryable, facts: { path, sqlite: code }, cause: error });
  if (STORAGE_FULL.has(code)) {
    return failure(
      'storage-full',
      true,
      `no room to write ${path}, expected free space on its disk; free some, work goes on by itself`,
    );
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return failure(
      'storage-busy',
      true,
      `${path} is locked by another process, expected its turn within ${BUSY_TIMEOUT_MS} ms; look for a process that hangs with this file open`,
    );
  }
  return failure(
    'storage-broken',
    false,
    `SQLite cannot use ${path} (${code}), expected a sound and writable file; check the disk and the permissions, or restore the file`,
  );
}

/** SHMSIZE: the wal-index beside the file could not grow, which is a full disk too. */
const STORAGE_FULL = new Set(['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT']);

/** By code, not by class: the native part keeps the Error of whoever loaded it first, and each jest file has its own. */
function sqliteCode(error: unknown): string | undefined {
  const code = typeof error === 'object' && error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && (code.startsWith('SQLITE_') || code === 'ENOSPC' || code === 'EDQUOT')
    ? code
    : undefined;
}
