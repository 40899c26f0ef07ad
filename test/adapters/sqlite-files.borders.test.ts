import { openSqliteFile, storageFailure } from '../../src/adapters/sqlite/sqlite-file';
import { GroupCommit } from '../../src/adapters/sqlite/group-commit';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { APPEND_EVENTS_MAX, type NewEvent, READ_EVENTS_MAX } from '../../src/application/ports/event-store';
import { PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { type StreamName } from '../../src/domain/identifiers';
import { type Instant } from '../../src/domain/instant';

const stream = (name: string): StreamName => name as StreamName;
const event = (id: string, data: unknown = { id }): NewEvent => ({
  id,
  type: 'Happened',
  data,
  metadata: { by: `process-${id}`, at: '2026-11-20T08:00:00.000Z' as Instant },
});
const events = (count: number, from = 0): readonly NewEvent[] =>
  Array.from({ length: count }, (_, index) => event(`e${from + index}`));

describe('what SQLite and the disk say, by code (issue 9, no 16)', () => {
  it.each([
    ['SQLITE_FULL', 'storage-full', true],
    ['SQLITE_IOERR_WRITE', 'storage-full', true],
    ['SQLITE_IOERR_SHMSIZE', 'storage-full', true],
    ['ENOSPC', 'storage-full', true],
    ['EDQUOT', 'storage-full', true],
    ['SQLITE_BUSY', 'storage-busy', true],
    ['SQLITE_BUSY_SNAPSHOT', 'storage-busy', true],
    ['SQLITE_BUSY_RECOVERY', 'storage-busy', true],
    ['SQLITE_LOCKED', 'storage-busy', true],
    ['SQLITE_LOCKED_SHAREDCACHE', 'storage-busy', true],
    ['SQLITE_READONLY', 'storage-broken', false],
    ['SQLITE_IOERR_READ', 'storage-broken', false],
    ['SQLITE_ERROR', 'storage-broken', false],
    ['SQLITE_CONSTRAINT_UNIQUE', 'storage-broken', false],
  ])('%s is %s', (code, kind, retryable) => {
    const cause = Object.assign(new Error('x'), { code });
    const failure = storageFailure('failed to try', '/a/file', cause) as PortFailure;
    expect(failure).toBeInstanceOf(PortFailure);
    expect(failure).toMatchObject({
      code: kind,
      retryable,
      facts: { path: '/a/file', sqlite: code },
      cause,
      message: expect.stringMatching(/^failed to try: .*\/a\/file/),
    });
  });

  it('SQLITE_CORRUPT is storage-damaged, with what to do', () => {
    const cause = Object.assign(new Error('x'), { code: 'SQLITE_CORRUPT' });
    expect(storageFailure('failed to try', '/a/file', cause)).toMatchObject({
      code: 'storage-damaged',
      retryable: false,
      facts: { path: '/a/file' },
    });
  });

  it.each([
    new Error('plain'),
    Object.assign(new Error('x'), { code: 'ENOENT' }),
    Object.assign(new Error('x'), { code: 5 }),
    new VersionConflict(stream('a-1'), 'new', 1),
    'text',
    undefined,
    null,
  ])('%s is handed on as it is', (error) => {
    expect(storageFailure('failed', '/a', error)).toBe(error);
  });
});

describe('the SQLite event store at its bounds (issue 9, no 16)', () => {
  let store: SqliteEventStore;
  beforeEach(() => {
    store = new SqliteEventStore({ path: ':memory:' });
  });
  afterEach(() => store.close().catch(() => undefined));
  const ids = async (name: string) =>
    (await store.readStream(stream(name))).map(({ id, revision }) => `${id}@${revision}`);

  it('takes as many events as an append holds, and refuses none and one more', async () => {
    expect(await store.append(stream('a-1'), 'new', events(APPEND_EVENTS_MAX))).toEqual({
      revision: APPEND_EVENTS_MAX - 1,
    });
    for (const count of [0, APPEND_EVENTS_MAX + 1])
      await expect(store.append(stream('a-2'), 'new', events(count))).rejects.toThrow(
        `1 to ${APPEND_EVENTS_MAX} events, got ${count}`,
      );
    for (const revision of [-1, 0.5, NaN])
      await expect(store.append(stream('a-2'), revision, events(1))).rejects.toThrow('expected revision');
    await expect(store.append(stream('a-2'), 'new', [event('x'), event('x')])).rejects.toThrow('one event id twice');
    await expect(store.append(stream('a-2'), 'new', [{ ...event('x'), data: undefined }])).rejects.toThrow(
      'is not JSON',
    );
    expect(await ids('a-2')).toEqual([]);
  });

  it.each([0, -1, 1.5, READ_EVENTS_MAX + 1])('refuses a page of %p', async (max) => {
    await expect(store.readStream(stream('a-1'), { max })).rejects.toThrow(`1 to ${READ_EVENTS_MAX}`);
    await expect(store.readAll({ max })).rejects.toThrow(`1 to ${READ_EVENTS_MAX}`);
  });

  it('takes a page of one and of the most, from the revision named', async () => {
    await store.append(stream('a-1'), 'new', events(3));
    expect((await store.readStream(stream('a-1'), { fromRevision: 1, max: 1 })).map(({ id }) => id)).toEqual(['e1']);
    expect(await store.readStream(stream('a-1'), { fromRevision: 3, max: READ_EVENTS_MAX })).toEqual([]);
    expect(await store.readStream(stream('none-1'))).toEqual([]);
  });

  it.each<[string, 'new' | number, readonly NewEvent[], number | 'conflict']>([
    ['the same again', 'new', events(2), 1],
    ['a part of it', 'new', events(1), 'conflict'],
    ['an extension of it', 'new', events(3), 'conflict'],
    ['its second half alone', 0, events(1, 1), 'conflict'],
    ['others of its number', 'new', events(2, 7), 'conflict'],
    ['it in another order', 'new', [...events(2)].reverse(), 'conflict'],
    ['one of its ids at the end', 1, events(1), 'conflict'],
    ['one beyond the end', 2, events(1, 7), 'conflict'],
    ['new ones at the end', 1, events(2, 7), 3],
  ])('after an append of two: %s', async (_, expected, again, answer) => {
    await store.append(stream('a-1'), 'new', events(2));
    const appended = store.append(stream('a-1'), expected, again);
    if (answer === 'conflict')
      await expect(appended).rejects.toMatchObject({ name: 'VersionConflict', expected, actual: 1 });
    else expect(await appended).toEqual({ revision: answer });
    expect(await ids('a-1')).toHaveLength(answer === 3 ? 4 : 2);
    expect(await store.append(stream('a-2'), 'new', events(2))).toEqual({ revision: 1 });
  });

  it('a stream that has no event conflicts with every revision, and says that it is new', async () => {
    await expect(store.append(stream('a-1'), 0, events(1))).rejects.toMatchObject({
      name: 'VersionConflict',
      actual: 'new',
    });
    expect((await store.readAll({ max: 10 })).events).toEqual([]);
  });

  it('reads all in order, after a place, of the categories named', async () => {
    for (const [index, name] of ['a-1', 'b-1', 'a-2', 'c-1', 'b-1-x'].entries())
      await store.append(stream(name), name === 'never' ? 0 : 'new', events(1, index));
    const page = async (more: object, max = 10) =>
      (await store.readAll({ max, ...more })).events.map(({ stream: name }) => name);
    expect(await page({})).toEqual(['a-1', 'b-1', 'a-2', 'c-1', 'b-1-x']);
    expect(await page({ categories: ['b', 'a', 'b'] })).toEqual(['a-1', 'b-1', 'a-2', 'b-1-x']);
    expect(await page({ categories: ['b', 'a'] }, 3)).toEqual(['a-1', 'b-1', 'a-2']);
    expect(await page({ categories: [] })).toEqual([]);
    const { next } = await store.readAll({ max: 2 });
    expect(await page({ after: next })).toEqual(['a-2', 'c-1', 'b-1-x']);
    expect(await page({ after: next, categories: ['b'] })).toEqual(['b-1-x']);
    const { events: none, next: stays } = await store.readAll({ max: 2, after: '5' as never });
    expect([none, stays]).toEqual([[], '5']);
    expect((await store.readAll({ max: 1, categories: ['none'] })).next).toBeUndefined();
    for (const after of ['-1', 'x', '1.5'])
      await expect(store.readAll({ max: 1, after: after as never })).rejects.toThrow('a position is one');
  });

  it('stores what was handed over, not what the caller made of it later', async () => {
    const data = { amount: 1 };
    const appended = store.append(stream('a-1'), 'new', [event('e', data)]);
    data.amount = 2;
    await appended;
    expect((await store.readStream(stream('a-1')))[0]!.data).toEqual({ amount: 1 });
  });

  it('finishes what it took before it closes, and takes nothing more', async () => {
    const appended = store.append(stream('a-1'), 'new', events(1));
    await store.close();
    expect(await appended).toEqual({ revision: 0 });
    await expect(store.append(stream('a-1'), 0, events(1, 1))).rejects.toMatchObject({
      code: 'closed',
      retryable: false,
    });
  });
});

describe('group commit at its bounds (issue 9, no 16)', () => {
  it('takes so many waiting operations and no more, says why, and works on', async () => {
    const database = openSqliteFile({ path: ':memory:', kind: 'bus', schema: ['CREATE TABLE line (number INTEGER)'] });
    const group = new GroupCommit(database);
    let refused = 0;
    const all = Array.from({ length: 65_537 }, (_, number) =>
      group
        .run(() => number)
        .catch((error: PortFailure) => {
          expect(error).toMatchObject({ code: 'storage-busy', retryable: true, facts: { path: ':memory:' } });
          refused++;
          return -1;
        }),
    );
    const answers = await Promise.all(all);
    expect(refused).toBe(1);
    expect(answers.slice(0, -1).every((answer, number) => answer === number)).toBe(true);
    expect(answers.at(-1)).toBe(-1);
    expect(await group.run(() => 7)).toBe(7);
    await group.drain();
    database.close();
  });

  it('a group ends after its time, so that what waits for the event loop gets its turn', async () => {
    const database = openSqliteFile({ path: ':memory:', kind: 'bus', schema: ['CREATE TABLE line (number INTEGER)'] });
    const group = new GroupCommit(database);
    const began: number[] = [];
    const slow = (): void => {
      began.push(performance.now());
      while (performance.now() - began.at(-1)! < 15) continue;
    };
    const turns: number[] = [];
    let running = true;
    const turn = (): void => {
      turns.push(performance.now());
      if (running) setImmediate(turn);
    };
    turn();
    await Promise.all(Array.from({ length: 6 }, () => group.run(slow)));
    running = false;
    expect(turns.filter((each) => each > began[0]! && each < began.at(-1)!).length).toBeGreaterThanOrEqual(2);
    database.close();
  });
});
