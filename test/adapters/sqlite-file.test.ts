import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { type SqliteFileKind, openSqliteFile } from '../../src/adapters/sqlite/sqlite-file';

describe('opening a SQLite file', () => {
  let folder: string;
  let path: string;
  const open = (schema: readonly string[] = ['CREATE TABLE a (x)'], kind: SqliteFileKind = 'shard') =>
    openSqliteFile({ path, kind, schema });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-file-'));
    path = join(folder, 'a.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const failureOf = (work: () => unknown): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    throw new Error('expected a failure');
  };

  it('creates it durable: WAL and synchronous FULL', () => {
    const database = open();
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(database.pragma('synchronous', { simple: true })).toBe(2);
    database.close();
  });

  it('migrates forward only, each step once', () => {
    open(['CREATE TABLE a (x)']).close();
    open(['CREATE TABLE a (x)', 'CREATE TABLE b (x)']).close();
    const database = open(['CREATE TABLE a (x)', 'CREATE TABLE b (x)']);
    expect(database.prepare('SELECT name FROM sqlite_schema ORDER BY name').pluck().all()).toEqual(['a', 'b']);
    database.close();
  });

  it('leaves a file as it was when a migration fails', () => {
    open(['CREATE TABLE a (x)']).close();
    expect(() => open(['CREATE TABLE a (x)', 'CREATE TABLE b (x); CREATE TABLE a (x)'])).toThrow();
    const database = open(['CREATE TABLE a (x)']);
    expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['a']);
    database.close();
  });

  it('refuses a file from a newer version and says what to do', () => {
    open(['CREATE TABLE a (x)', 'CREATE TABLE b (x)']).close();
    expect(failureOf(() => open())).toMatchObject({
      code: 'storage-from-newer-version',
      retryable: false,
      message: expect.stringMatching(/a\.db is a datapump shard file of version 2.*up to 1.*newer datapump/),
    });
  });

  it('refuses a text file, unchanged', () => {
    writeFileSync(path, 'billerId,amount\n'.repeat(200));
    expect(failureOf(() => open())).toMatchObject({
      code: 'storage-foreign',
      message: expect.stringMatching(/a\.db is not a SQLite database, expected a datapump shard file/),
    });
    expect(readFileSync(path, 'utf8')).toBe('billerId,amount\n'.repeat(200));
  });

  it("refuses another program's database, unchanged to the byte", () => {
    const stranger = new Database(path);
    stranger.exec('CREATE TABLE theirs (x)');
    stranger.close();
    const before = readFileSync(path);
    expect(failureOf(() => open())).toMatchObject({
      code: 'storage-foreign',
      message: expect.stringContaining('another program'),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses a datapump file of another kind and names both kinds', () => {
    open().close();
    expect(failureOf(() => open(undefined, 'bus'))).toMatchObject({
      code: 'storage-foreign',
      message: expect.stringMatching(/is a datapump shard file, expected a datapump bus file/),
    });
  });

  it('names a folder that is missing', () => {
    path = join(folder, 'no/such/a.db');
    expect(failureOf(() => open())).toMatchObject({
      code: 'storage-broken',
      message: expect.stringContaining('create the folder'),
    });
  });
});
