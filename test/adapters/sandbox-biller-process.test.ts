import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { until } from '../support/until';

const MAIN = resolve(__dirname, '../../dist/bootstrap/sandbox-biller.main.js');
let directory: string;
const children: ChildProcess[] = [];

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build makes it`);
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sandbox-process-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function writeConfiguration(more: object = {}, billers: object = {}): string {
  const file = join(directory, 'sandbox.json');
  const biller = { billerId: '12', authentication: { kind: 'none' }, format: 'json', ...billers };
  writeFileSync(
    file,
    JSON.stringify({ ledgerFile: join(directory, 'ledger.db'), seed: 1, billers: [biller], ...more }),
  );
  return file;
}

async function start(configurationFile: string): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [MAIN, '--config', configurationFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const said = JSON.parse(line.toString()) as { event: string; port: number };
  expect(said.event).toBe('listening');
  return { child, port: said.port };
}

async function pay(port: number, reference: string, headers: Record<string, string> = {}): Promise<Response> {
  const body = JSON.stringify({ reference, account: 'A', amountMinorUnits: 100, currency: 'CZK' });
  return fetch(`http://127.0.0.1:${port}/b/12/payments`, { method: 'POST', body, headers });
}

function references(): readonly string[] {
  const database = new Database(join(directory, 'ledger.db'), { readonly: true });
  try {
    return database.prepare('SELECT reference FROM effects').pluck().all() as string[];
  } finally {
    database.close();
  }
}

const run = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

describe('the sandbox biller process', () => {
  it('survives kill -9 with every answered effect and every key in its ledger', async () => {
    const file = writeConfiguration({}, { idempotency: { retentionMs: 3_600_000 } });
    const first = await start(file);
    const answered: string[] = [];
    let sent = 0;
    const client = async () => {
      for (;;) {
        const reference = `12:${(sent += 1)}`;
        const response = await pay(first.port, reference, { 'idempotency-key': reference });
        const { status } = (await response.json()) as { status: string };
        if (status === 'accepted') answered.push(reference);
      }
    };
    const clients = Promise.allSettled(Array.from({ length: 16 }, client));
    await until('two hundred answers', () => answered.length >= 200);
    first.child.kill('SIGKILL');
    await clients;

    const standing = references();
    const missing = answered.filter((reference) => !standing.includes(reference));
    expect({ missing, doubled: standing.length - new Set(standing).size }).toEqual({ missing: [], doubled: 0 });

    const second = await start(file);
    for (const reference of answered.slice(-5)) {
      expect((await pay(second.port, reference, { 'idempotency-key': reference })).status).toBe(201);
    }
    expect(references().length).toBe(standing.length);
  });

  it('lands a late effect after kill -9 and a restart', async () => {
    const faults = { 'timeout-with-late-effect': 1 };
    const file = writeConfiguration({}, { faults, hangMs: 1, quarantineMs: 1_500 });
    const first = await start(file);
    await expect(pay(first.port, '12:1')).rejects.toThrow('fetch failed');
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await start(file);
    await until('the late effect has landed', () => references().length === 1);
  });

  it('ends with code 0 on SIGTERM, also when asked twice', async () => {
    const { child, port } = await start(writeConfiguration());
    await pay(port, '12:1');
    child.kill('SIGTERM');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(references()).toEqual(['12:1']);
  });

  it.each([
    ['no --config', () => [], 2, /--config is missing\nusage:/],
    ['an unknown flag', () => ['--confg', 'x'], 2, /Unknown option '--confg'/],
    ['a missing file', () => ['--config', join(directory, 'none.json')], 2, /none\.json: ENOENT/],
    [
      'a public host',
      () => ['--config', writeConfiguration({ host: '0.0.0.0' })],
      2,
      /host: must be one of 127\.0\.0\.1/,
    ],
    [
      'a ledger in no folder',
      () => ['--config', writeConfiguration({ ledgerFile: join(directory, 'no', 'x.db') })],
      2,
      /cannot open the ledger/,
    ],
  ])('refuses %s', (_what, args, code, message) => {
    const { status, stderr, stdout } = run(...args());
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('refuses a database that is not its own, one that is newer, and a file that is none', () => {
    const ledgerFile = join(directory, 'other.db');
    const file = writeConfiguration({ ledgerFile });
    const prepare = (...pragmas: string[]) => {
      rmSync(ledgerFile, { force: true });
      const database = new Database(ledgerFile);
      for (const sql of ['CREATE TABLE mine (a)', ...pragmas]) database.exec(sql);
      database.close();
    };
    prepare();
    expect(run('--config', file)).toMatchObject({ status: 2, stderr: expect.stringMatching(/not a sandbox ledger/) });
    prepare('PRAGMA application_id = 1396856908', 'PRAGMA user_version = 99');
    expect(run('--config', file)).toMatchObject({ status: 2, stderr: expect.stringMatching(/its version is 99/) });
    writeFileSync(ledgerFile, 'hello, this is not a database at all, is it? '.repeat(50));
    expect(run('--config', file)).toMatchObject({ status: 2, stderr: expect.stringMatching(/file is not a database/) });
  });

  it('ends with code 1 and gives no answer once its ledger cannot be written', async () => {
    const { child, port } = await start(writeConfiguration());
    expect((await pay(port, '12:1')).status).toBe(201);
    // A second writer that never lets go: the write gives up after its busy timeout.
    const blocker = new Database(join(directory, 'ledger.db'));
    blocker.exec('BEGIN IMMEDIATE');
    const [paid, [code]] = await Promise.all([
      pay(port, '12:2').catch((error: Error) => error.message),
      once(child, 'exit'),
    ]);
    blocker.exec('ROLLBACK');
    blocker.close();
    expect([paid, code]).toEqual(['fetch failed', 1]);
    expect(references()).toEqual(['12:1']);
  });
});
