import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database } from 'better-sqlite3';
import { GroupCommit } from '../../src/adapters/sqlite/group-commit';
import { openSqliteFile } from '../../src/adapters/sqlite/sqlite-file';

const SCHEMA = ['CREATE TABLE line (text TEXT NOT NULL UNIQUE)'];

describe('group commit', () => {
  let folder: string;
  let database: Database;
  let other: Database;
  let group: GroupCommit;
  const add = (text: string): void => void database.prepare('INSERT INTO line VALUES (?)').run(text);
  const lines = (): unknown => other.prepare('SELECT text FROM line ORDER BY rowid').pluck().all();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-group-'));
    const open = () => openSqliteFile({ path: join(folder, 'a.db'), kind: 'bus', schema: SCHEMA });
    database = open();
    other = open();
    group = new GroupCommit(database, { operationsMax: 10 });
  });
  afterEach(() => {
    database.close();
    other.close();
    rmSync(folder, { recursive: true });
  });

  it('runs operations of one turn in one commit, in order, and resolves when others can see them', async () => {
    const version = (): unknown => other.pragma('data_version', { simple: true });
    const before = version();
    const results = await Promise.all(['a', 'b', 'c'].map((text) => group.run(() => (add(text), text.toUpperCase()))));
    expect(results).toEqual(['A', 'B', 'C']);
    expect(lines()).toEqual(['a', 'b', 'c']);
    expect(version()).not.toBe(before);
    let atSecond: unknown;
    await Promise.all([group.run(() => add('d')), group.run(() => (add('e'), (atSecond = lines())))]);
    expect(atSecond).toEqual(['a', 'b', 'c']);
  });

  it('takes back the writes of an operation that throws and of no other', async () => {
    const results = await Promise.allSettled([
      group.run(() => add('first')),
      group.run(() => {
        add('half');
        throw new RangeError('no');
      }),
      group.run(() => (add('half'), add('first'))),
      group.run(() => add('last')),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { name: 'RangeError' } });
    expect(lines()).toEqual(['first', 'last']);
  });

  it('splits a rush into groups of at most operationsMax, so that later operations see earlier commits', async () => {
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 25 }, (_, index) =>
        group.run(() => (add(`${index}`), seen.push((lines() as unknown[]).length))),
      ),
    );
    expect(seen[9]).toBe(0);
    expect(seen[10]).toBe(10);
    expect(seen[24]).toBe(20);
  });

  it('refuses the whole group with storage-full where the disk is full, keeps nothing, and works again with room', async () => {
    const pages = database.pragma('page_count', { simple: true }) as number;
    database.pragma(`max_page_count = ${pages + 2}`);
    const results = await Promise.allSettled([
      group.run(() => add('small')),
      group.run(() => add('x'.repeat(100_000)), 'add a large line'),
    ]);
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'storage-full', retryable: true } });
    expect((results[1] as PromiseRejectedResult).reason.message).toMatch(
      /failed to add a large line: no room to write .*a\.db.*free space/,
    );
    expect(lines()).toEqual(results[0].status === 'fulfilled' ? ['small'] : []);
    database.pragma('max_page_count = 1000000');
    await group.run(() => add('after'));
    expect(lines()).toContain('after');
  });

  it('waits for another writer without stopping the event loop', async () => {
    other.exec('BEGIN IMMEDIATE');
    // The lock is given back by a turn of the loop: whoever stops the loop while it waits gets none.
    let turns = 0;
    const ticking = setInterval(() => ++turns === 20 && other.exec('COMMIT'), 5);
    await group.run(() => add('patient')).finally(() => clearInterval(ticking));
    expect(turns).toBeGreaterThanOrEqual(20);
    expect(lines()).toEqual(['patient']);
  });

  it('gives up with storage-busy when the lock is held for too long', async () => {
    other.exec('BEGIN IMMEDIATE');
    await expect(group.run(() => add('never'))).rejects.toMatchObject({ code: 'storage-busy', retryable: true });
    other.exec('COMMIT');
    await group.run(() => add('later'));
    expect(lines()).toEqual(['later']);
  });

  it('closes after what it has taken, and takes nothing more', async () => {
    const last = group.run(() => add('last'));
    await group.close();
    await last;
    await expect(group.run(() => add('late'))).rejects.toMatchObject({ code: 'closed' });
    expect(lines()).toEqual(['last']);
  });
});
