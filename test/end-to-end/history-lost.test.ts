import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { LedgerBooks } from '../../src/adapters/sandbox-biller/ledger-books';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { SqliteManifest } from '../../src/adapters/sqlite/sqlite-manifest';
import { startTicksOf } from '../../src/bootstrap/demo/process-table';
import { expectGolden, normalized } from '../support/command-line';
import { newDemoFolder, removeDemoFolder, RunningDemo } from '../support/running-demo';
import { until, WHOLE_RUN_MS } from '../support/until';

const PROGRAM = resolve(__dirname, '../../dist/bootstrap/command-line.main.js');
/** 12 billers take 60 calls a second at most: on the quickest machine most records are left when the first are booked. */
const PACED = ['--records', '300', '--per-second', '5'];
/** 12 calls a second: what is left lasts longer than any look at the event store takes to come. */
const SLOW = ['--records', '600', '--per-second', '1'];
const STARTED_WITHIN_MS = 300_000;

let folder: string;
beforeEach(() => (folder = newDemoFolder()));
afterEach(() => removeDemoFolder(folder));

const query = <Row>(file: string, sql: string): Row[] => {
  const database = new Database(join(folder, file), { readonly: true, timeout: 5_000 });
  try {
    return database.prepare(sql).all() as Row[];
  } finally {
    database.close();
  }
};
const effects = (): number => {
  try {
    return query<{ count: number }>('sandbox-ledger.sqlite', 'SELECT count(*) AS count FROM effects')[0]!.count;
  } catch {
    return 0; // Neither the file nor its tables are there yet.
  }
};
const doubled = (): readonly string[] => {
  const books = new LedgerBooks(join(folder, 'sandbox-ledger.sqlite'));
  const found = books.effects(undefined, 10_000).filter(({ count }) => count > 1);
  books.close();
  return found.map(({ reference }) => reference);
};
const statuses = (): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const file of readdirSync(join(folder, 'shards')).filter((name) => name.endsWith('.sqlite')))
    for (const { Status, count } of query<{ Status: string; count: number }>(
      `shards/${file}`,
      'SELECT Status, count(*) AS count FROM datapump GROUP BY Status',
    ))
      counts[Status] = (counts[Status] ?? 0) + count;
  return counts;
};
const SLOW_ROWS = `
  CREATE TRIGGER slow AFTER UPDATE OF Status ON datapump BEGIN
    SELECT (WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < 100000) SELECT max(n) FROM number);
  END`;
const inShards = (sql: string): void => {
  for (const file of readdirSync(join(folder, 'shards')).filter((name) => name.endsWith('.sqlite'))) {
    const database = new Database(join(folder, 'shards', file));
    database.exec(sql);
    database.close();
  }
};
const files = ['event-store.sqlite', 'event-store.sqlite-wal', 'event-store.sqlite-shm'];
const removeStore = (): void => files.forEach((file) => rmSync(join(folder, file), { force: true }));
const copyStore = (from: string, to: string): void => {
  mkdirSync(to, { recursive: true });
  for (const file of files) if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file));
};

const run = (...words: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [PROGRAM, '--config', join(folder, 'datapump.config.json'), ...words],
    { encoding: 'utf8', timeout: STARTED_WITHIN_MS },
  );
  return { status, output: stdout, errors: withoutLog(stderr) };
};

const withoutLog = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => !line.startsWith('{'))
    .join('\n');

/** The same, and the test goes on meanwhile: the start of a process is most of what it takes. */
const runBeside = async (...words: readonly string[]): Promise<ReturnType<typeof run>> => {
  const child = spawn(process.execPath, [PROGRAM, '--config', join(folder, 'datapump.config.json'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  const [output, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { status, output, errors: withoutLog(stderr) };
};

const newestEvent = (): number =>
  query<{ position: number }>('event-store.sqlite', 'SELECT max(position) AS position FROM event')[0]!.position;
const markOfShard = (): number => {
  const [{ Known }] = query<{ Known: string }>('shards/Shard-1.sqlite', 'SELECT Known FROM KnownHistory') as [
    { Known: string },
  ];
  return Number((JSON.parse(Known) as { mark?: { position: string } }).mark?.position ?? 0);
};

/**
 * Stopped as soon as so many effects are booked, and the rest is left, however quick the machine is. What no mark has
 * reached would be lost unseen: a scanner alone, which posts nothing, works until the shards have seen all of it.
 */
async function killedWhenMarked(wanted: number): Promise<void> {
  await killedAt(wanted);
  const newest = newestEvent();
  const scanner = spawn(
    process.execPath,
    [PROGRAM, '--config', join(folder, 'datapump.config.json'), 'run', 'scanner'],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  const ended = once(scanner, 'exit');
  await until('the shards have seen it', () => markOfShard() >= newest, STARTED_WITHIN_MS);
  scanner.kill('SIGTERM');
  await ended;
}

async function killedAt(wanted: number): Promise<void> {
  const demo = new RunningDemo(folder, existsSync(folder) ? ['--resume'] : PACED);
  await until(`${wanted} effects are booked`, () => effects() >= wanted, STARTED_WITHIN_MS);
  const manifest = new SqliteManifest({ path: join(folder, 'manifest.sqlite') });
  const children = manifest.children();
  manifest.close();
  demo.kill();
  await demo.ended;
  await until(
    'its processes are gone',
    () => !children.some(({ pid, startTicks }) => startTicksOf(pid) === startTicks),
  );
  const { Queued = 0, Published = 0 } = statuses();
  expect(Queued + Published).toBeGreaterThan(0);
}

const plain = (text: string): string =>
  normalized(text, folder)
    .replace(/event store [0-9a-f]{8}/g, 'event store <identity>')
    .replace(/event \d+ of \S+ is/g, 'event <revision> of <stream> is');

describe('an event store that is deleted in the middle of a run (issue 8, no 4)', () => {
  it(
    'is refused at every start, and when its loss is accepted, every payment ends delivered once or in doubt',
    async () => {
      await killedWhenMarked(60);
      const posted = effects();
      removeStore();
      const starts = [
        ['run', 'scanner'],
        ['run', 'consumer', '--type', 'payments'],
        ['run', 'all', '--until-drained'],
      ];
      for (const refused of await Promise.all(starts.map((words) => runBeside(...words)))) {
        expect(refused.status).toBe(2);
        expectGolden('history-lost/new', plain(refused.errors));
      }
      const resumed = await new RunningDemo(folder, ['--resume']).ended;
      expect([resumed.code, effects()]).toEqual([2, posted]);

      expect(run('history', 'accept-loss').output).toMatch(
        /rows are held in doubt, for a person; none of them is posted before/,
      );
      expect(run('history', 'accept-loss', '--apply').status).toBe(2);
      // Each row takes its time: some are left when the first are seen, however late that is.
      inShards(SLOW_ROWS);
      const killed = spawn(
        process.execPath,
        [
          PROGRAM,
          '--config',
          join(folder, 'datapump.config.json'),
          'history',
          'accept-loss',
          '--apply',
          '--reason',
          'the disk broke',
        ],
        { stdio: 'ignore' },
      );
      await until('the first rows are held', () => (statuses()['InDoubt'] ?? 0) > 0);
      killed.kill('SIGKILL');
      await once(killed, 'exit');
      inShards('DROP TRIGGER slow');
      const during = run('run', 'scanner');
      expect(during.status).toBe(2);
      const done = run('history', 'accept-loss', '--apply', '--reason', 'the disk broke');
      expect([done.status, done.output]).toEqual([0, expect.stringMatching(/take this event store for theirs/)]);
      expect(run('history', 'accept-loss', '--apply', '--reason', 'again').status).toBe(3);

      const demo = await new RunningDemo(folder, ['--resume']).ended;
      expect(demo.output + demo.errors).not.toMatch(/refused|not the event store/);
      expect(doubled()).toEqual([]);
      const { New = 0, Queued = 0, Published = 0, InDoubt = 0 } = statuses();
      expect([New, Queued, Published]).toEqual([0, 0, 0]);
      expect(InDoubt).toBeGreaterThan(0);
      const listed = JSON.parse(run('in-doubt', 'list', '--max', '10000', '--json').output) as {
        records: readonly { cause: string }[];
      };
      expect(listed.records.filter(({ cause }) => cause === 'history-lost').length).toBeGreaterThan(0);
    },
    WHOLE_RUN_MS,
  );

  it(
    'under running processes: nothing more is posted from it, and they end with code 2',
    async () => {
      const demo = new RunningDemo(folder, SLOW);
      await until('the first effects are booked', () => effects() >= 30, STARTED_WITHIN_MS);
      removeStore();
      const ended = await demo.ended;
      expect([ended.code, ended.errors]).toEqual([2, expect.stringMatching(/deleted or replaced while it was open/)]);
      expect(doubled()).toEqual([]);
      expect(run('run', 'scanner').status).toBe(2);
    },
    WHOLE_RUN_MS,
  );
});

it(
  'an older copy of the event store, and that of another installation, are refused at start (issue 8, no 4)',
  async () => {
    await killedWhenMarked(20);
    const older = join(folder, '..', 'older');
    copyStore(folder, older);
    await killedWhenMarked(effects() + 20);
    const right = join(folder, '..', 'right');
    copyStore(folder, right);
    const posted = effects();
    removeStore();
    copyStore(older, folder);
    const behind = run('run', 'all');
    expect([behind.status, effects()]).toEqual([2, posted]);
    expectGolden('history-lost/behind', plain(behind.errors));

    removeStore();
    const another = new SqliteEventStore({ path: join(folder, 'event-store.sqlite') });
    await another.append('dpRecord-999:1' as StreamName, 'new', [
      { id: 'a-1', type: 'DpRecordDiscovered', data: {}, metadata: { by: 'another', at: instantFromMs(0) } },
    ]);
    await another.close();
    const other = run('run', 'all');
    expect([other.status, effects()]).toEqual([2, posted]);
    expectGolden('history-lost/other', plain(other.errors));

    removeStore();
    copyStore(right, folder);
    const back = await new RunningDemo(folder, ['--resume']).ended;
    expect([back.code, back.errors]).toEqual([0, expect.anything()]);
  },
  WHOLE_RUN_MS,
);
