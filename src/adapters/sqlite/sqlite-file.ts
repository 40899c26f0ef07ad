import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { damagedFailure } from '../shared/damage';
import { createPrivately } from '../shared/private-file';
import { Database } from '../shared/sqlite-driver';
import { PortFailure } from '../../application/ports/failures';

/** What a file of ours holds. Its application_id says so, so that swapped paths are found before a byte is written. */
export type SqliteFileKind =
  | 'event-store'
  | 'bus'
  | 'shard'
  | 'allowance'
  | 'sandbox-ledger'
  | 'projection'
  | 'manifest'
  | 'answer-snippets'
  | 'history-witness'
  | 'failures';

/** Stored in files for ever: 'DP' in ASCII, then the kind's number. Add at the end, never renumber. */
const APPLICATION_ID: Record<SqliteFileKind, number> = {
  'event-store': 0x4450_0001,
  bus: 0x4450_0002,
  shard: 0x4450_0003,
  allowance: 0x4450_0004,
  'sandbox-ledger': 0x4450_0005,
  projection: 0x4450_0006,
  manifest: 0x4450_0007,
  'answer-snippets': 0x4450_0008,
  'history-witness': 0x4450_0009,
  failures: 0x4450_000a,
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
export function openSqliteFile(options: SqliteFileOptions): Database {
  const deadline = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    let database: Database | undefined;
    try {
      createPrivately(options.path);
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

function prepareFile(database: Database, options: SqliteFileOptions): void {
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
function checkedVersion(database: Database, { path, kind, schema }: SqliteFileOptions): number {
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
    `${path} ${found}, expected a datapump ${kind} file or none: name another file in the configuration, or move this one away; it was not changed. If it is yours, its beginning is damaged: restore it from a backup`,
    { code: 'storage-foreign', retryable: false, facts: { path, kind }, cause },
  );
}

function openingFailure(error: unknown, { path, kind }: SqliteFileOptions): unknown {
  // A database of ours whose first bytes are damaged cannot be told from any other file.
  if (sqliteCode(error) === 'SQLITE_NOTADB' && !beginsAsDatabase(path))
    return foreign(path, kind, 'is not a SQLite database', error);
  if (isNoDriver(error)) {
    return new PortFailure(
      `SQLite cannot be loaded by Node ${process.versions.node}: its driver was installed for another Node, system or processor; install again on this one: npm ci`,
      { code: 'storage-broken', retryable: false, facts: { path, kind }, cause: error },
    );
  }
  if (error instanceof TypeError || sqliteCode(error)?.startsWith('SQLITE_CANTOPEN')) {
    return new PortFailure(
      `failed to open ${path} as a datapump ${kind} file: expected an existing folder and a file this user may read and write; create the folder or correct the path and its permissions`,
      { code: 'storage-broken', retryable: false, facts: { path, kind }, cause: error },
    );
  }
  return storageFailure(`failed to open ${path} as a datapump ${kind} file`, path, error);
}

/** The library of the driver is looked for when the first file is opened. */
const isNoDriver = (error: unknown): boolean =>
  error instanceof Error &&
  ((error as NodeJS.ErrnoException).code === 'ERR_DLOPEN_FAILED' ||
    error.message.startsWith('Could not locate the bindings file'));

/**
 * Turns what SQLite or the file system threw into a PortFailure that names the step, the file and the remedy.
 * Anything else (VersionConflict, a broken belief, a PortFailure already) comes back as it is.
 */
export function storageFailure(step: string, path: string, error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  if (isDamaged(error)) return damagedFailure(step, { path }, code, error);
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

/** What lies in the file is not what SQLite wrote: a damaged disk, a copy that was cut short, another hand. */
export function isDamaged(error: unknown): boolean {
  const code = sqliteCode(error) ?? '';
  return (
    code.startsWith('SQLITE_CORRUPT') ||
    code === 'SQLITE_NOTADB' ||
    code === 'SQLITE_FORMAT' ||
    code === 'SQLITE_IOERR_SHORT_READ'
  );
}

/** The same of a read: there JSON that is none, and integers beyond what a number holds, are what lies in the file. */
export const readFailure = (step: string, path: string, error: unknown): unknown =>
  error instanceof Error && MISREAD.has(error.name)
    ? damagedFailure(step, { path }, error.name, error)
    : storageFailure(step, path, error);

/** By name: each jest file has its own classes. */
const MISREAD: ReadonlySet<string> = new Set(['SyntaxError', 'RangeError']);

/** A value or a page that SQLite or the driver cannot read. */
export const isMisread = (error: unknown): boolean =>
  isDamaged(error) || (error instanceof Error && MISREAD.has(error.name));

const MAGIC = 'SQLite format 3\0';

function beginsAsDatabase(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const first = Buffer.alloc(MAGIC.length);
    readSync(file, first, 0, first.length, 0);
    return first.toString('latin1') === MAGIC;
  } finally {
    closeSync(file);
  }
}

/**
 * Runs what prepares statements over an opened file. A schema that is not ours any more, though the file says so, shows
 * there and nowhere earlier; the file is closed again then.
 */
export function prepared<T>(database: Database, options: Pick<SqliteFileOptions, 'path' | 'kind'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    database.close();
    const code = sqliteCode(error);
    if (code === 'SQLITE_ERROR')
      throw damagedFailure(
        `failed to open ${options.path} as a datapump ${options.kind} file`,
        { path: options.path, table: 'sqlite_schema' },
        code,
        error,
      );
    throw openingFailure(error, { ...options, schema: [] });
  }
}

/**
 * Whether the file at a path is still the one that was opened. A file that is deleted or replaced under an open
 * connection lives on without a name: what is written there is gone with the last process, and nobody hears of it.
 */
export class OpenedFile {
  private readonly file: string | undefined;

  constructor(private readonly path: string) {
    this.file = fileAt(path);
  }

  /** Throws PortFailure 'storage-replaced'. Costs one look at the folder (microseconds). */
  demandSame(): void {
    if (this.file === undefined || fileAt(this.path) === this.file) return;
    throw new PortFailure(
      `${this.path} was deleted or replaced while it was open, expected it to stay: stop all processes, put the right file back, then start again (docs/runbooks/history-lost.md)`,
      { code: 'storage-replaced', retryable: false, facts: { path: this.path } },
    );
  }
}

/** Undefined: no file, as with ':memory:'. */
function fileAt(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}/${found.ino}`;
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
