import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { datapump, demandBuilt, type Said } from '../support/command-line';
import { OperatorWorld } from '../support/operator-world';
import { until, WHOLE_RUN_MS } from '../support/until';

const PROGRAM = resolve(__dirname, '../../dist/bootstrap/command-line.main.js');
const STORE = ['event-store.sqlite', 'event-store.sqlite-wal', 'event-store.sqlite-shm'];
const SEALED_WITHIN_MS = 300_000;

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

describe('datapump history (issue 8, nos 4 and 13)', () => {
  let world: OperatorWorld;
  let data: string;
  const run = (...words: readonly string[]): Promise<Said> => datapump(words, { folder: world.folder });
  const json = async (...words: readonly string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await run(...words, '--json')).stdout) as Record<string, unknown>;
  const store = <Answer>(work: (database: Database) => Answer): Answer => {
    const database = new Database(join(data, 'event-store.sqlite'));
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  const sealsInStore = (): number =>
    store((database) =>
      database.prepare(`SELECT count(*) FROM event WHERE type = 'HistorySealed'`).pluck().get(),
    ) as number;
  const copy = (from: string, to: string): void => {
    mkdirSync(to, { recursive: true });
    for (const file of STORE) {
      rmSync(join(to, file), { force: true });
      if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file));
    }
  };
  /** A scanner as it is deployed, until it has sealed what is new; it notes how far the store has come. */
  async function scanAndSeal(): Promise<void> {
    const before = sealsInStore();
    const scanner = spawn(process.execPath, [PROGRAM, 'run', 'scanner'], {
      cwd: world.folder,
      env: { PATH: process.env['PATH'], Seal__EverySeconds: '1', Log__Level: 'warn' },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let errors = '';
    scanner.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const ended = once(scanner, 'exit');
    await until('what is new is sealed', () => scanner.exitCode !== null || sealsInStore() > before, SEALED_WITHIN_MS);
    scanner.kill('SIGTERM');
    expect([(await ended)[0], errors]).toEqual([0, '']);
    expect(sealsInStore()).toBeGreaterThan(before);
  }

  beforeEach(async () => {
    world = new OperatorWorld();
    data = join(world.folder, 'data');
    await run('load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json');
    await world.holdAndGiveUp();
    await scanAndSeal();
  });
  afterEach(() => world.dispose());

  it('verify says what it read and ends with 0, names an event that was changed and ends with 1, and wants an instant', async () => {
    const sound = await run('history', 'verify');
    expect(sound.code).toBe(0);
    expect(sound.stdout).toMatch(/^read \d+ events and seals 1 to 1$[^]*^the history is what was sealed$/m);
    expect(await json('history', 'verify')).toMatchObject({ agrees: true, differencesFound: 0 });

    const since = await run('history', 'verify', '--since', '2030-01-01T00:00:00Z');
    expect(since.code).toBe(0);
    expect(await run('history', 'verify', '--since', 'yesterday')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--since: found "yesterday", expected an instant/) as string,
    });

    const changed = store((database) => {
      const event = database
        .prepare(
          `SELECT event.position, stream.name, event.data FROM event JOIN stream ON stream.id = event.stream WHERE stream.name LIKE 'deliveryAttempt-%' LIMIT 1`,
        )
        .get() as { position: number; name: string; data: string };
      database
        .prepare('UPDATE event SET data = ? WHERE position = ?')
        .run(event.data.replace('key-1', 'key-2'), event.position);
      return event.name;
    });
    const told = await run('history', 'verify');
    expect(told.code).toBe(1);
    expect(told.stdout).toContain(`${changed}@0`);
    expect(told.stdout).toMatch(/changed/);
    expect(await json('history', 'verify')).toMatchObject({ agrees: false, differencesFound: 1 });
  });

  it('set-aside finds nothing to do where no copy knows more', async () => {
    const said = await run('history', 'set-aside', '--apply', '--reason', 'to be sure');
    expect([said.code, said.stderr]).toEqual([0, '']);
    expect(said.stdout).toContain('no copy knows more: there is nothing to set aside');
  });

  it('set-aside is refused where the copies differ otherwise than by an older backup', async () => {
    store((database) => {
      const { position, data: seal } = database
        .prepare(`SELECT position, data FROM event WHERE type = 'HistorySealed' ORDER BY position DESC LIMIT 1`)
        .get() as { position: number; data: string };
      const hash = /[0-9a-f]{64}/.exec(seal)![0];
      const forged = `${hash.startsWith('0') ? '1' : '0'}${hash.slice(1)}`;
      database.prepare('UPDATE event SET data = ? WHERE position = ?').run(seal.replaceAll(hash, forged), position);
    });
    const said = await run('history', 'set-aside', '--apply', '--reason', 'to be sure');
    expect(said.code).toBe(3);
    expect(said.stderr).toMatch(/that is no older backup; docs\/runbooks\/history-tampered\.md/);
  });

  it('an older backup: refused at the start, accepted, its seals set aside, and work and sealing go on', async () => {
    const older = join(world.folder, 'older');
    copy(data, older);
    await run('biller', 'pause', 'AB', '--apply', '--reason', 'to have a history');
    await scanAndSeal();
    copy(older, data);

    const refused = await run('run', 'scanner');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/is behind/)]);
    expect((await run('history', 'verify')).code).toBe(1);

    const plan = await run('history', 'accept-loss');
    expect([plan.code, (await run('run', 'scanner')).code]).toEqual([0, 2]);
    const accepted = await run('history', 'accept-loss', '--apply', '--reason', 'the disk broke');
    expect([accepted.code, accepted.stderr]).toEqual([0, '']);

    const looked = await run('history', 'set-aside');
    expect(looked.code).toBe(0);
    expect(looked.stdout.match(/knows 1 seal more, /g)).toHaveLength(
      readdirSync(join(data, 'shards')).filter((file) => file.endsWith('.sqlite')).length + 1,
    );
    expect(looked.stdout).toMatch(/nothing (was|is) changed/i);
    expect((await run('history', 'set-aside', '--apply')).code).toBe(2);
    expect((await run('history', 'verify')).code).toBe(1);
    expect(await json('history', 'set-aside', '--apply', '--reason', 'an older backup')).toMatchObject({
      applied: true,
    });
    expect(readFileSync(join(data, 'seals', readdirSync(join(data, 'seals')).sort()[0]!), 'utf8')).toContain(
      'an older backup',
    );
    expect((await run('history', 'set-aside')).stdout).toContain('there is nothing to set aside');

    await scanAndSeal();
    const verified = await run('history', 'verify');
    expect(verified.code).toBe(0);
    expect(verified.stdout).toMatch(/set aside/);
    const listed = await json('in-doubt', 'list');
    expect((listed['records'] as { cause: string }[]).map(({ cause }) => cause)).toContain('history-lost');
  });
});
