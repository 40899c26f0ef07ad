import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Container } from 'inversify';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { PortFailure } from '../../src/application/ports/failures';
import { StartFailed, UsageProblems } from '../../src/bootstrap/command-line/problems';
import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { readNamedSecrets } from '../../src/bootstrap/configuration/read-named-secrets';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { type StartCheck } from '../../src/bootstrap/container/start-check';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { checkStart } from '../../src/bootstrap/processes/check-start';
import { installLastResort } from '../../src/bootstrap/processes/last-resort';
import { EventStorePeer } from '../support/wire-peers/event-store-grpc/event-store-peer';

const PROGRAM = resolve(__dirname, '../../dist/bootstrap/command-line.main.js');
/** What is not told at once is told when the 60 s of the wait for a server are over. */
const AT_ONCE_MS = 20_000;
const children: ChildProcess[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'datapump-start-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function containerWith(overrides: Partial<Settings>, check?: StartCheck): Container {
  const loaded = loadSettings({
    environment: {},
    overrides: {
      'Data:Folder': folder,
      'Billers:Folder': folder,
      'Log:Level': 'fatal',
      'Shards:Names': ['A'] as never,
      ...overrides,
    },
  });
  if ('problems' in loaded) throw new Error('the settings of this test are wrong');
  const container = createContainer(loaded.settings, 'test');
  if (check !== undefined) container.bind(TOKENS.startChecks).toConstantValue(check);
  return container;
}

async function startWith(overrides: Partial<Settings>, check?: StartCheck): Promise<unknown> {
  const container = containerWith(overrides, check);
  try {
    return await checkStart(container).catch((error: unknown) => error);
  } finally {
    await container.get(TOKENS.lifecycle).close();
  }
}

const failure = (retryable: boolean): PortFailure =>
  new PortFailure('failed to read X', { code: retryable ? 'connection-lost' : 'not-authorized', retryable });

describe('a blip at the start (issue 9, no 6)', () => {
  it.each([
    ['is thrown', () => Promise.reject(failure(true))],
    ['is told', () => Promise.resolve([{ text: 'out of reach', passing: true }])],
  ])('passes: what %s as passing is tried again until it is there', async (_name, blip) => {
    let looks = 0;
    const check = { settings: 'X:Y', problems: () => (++looks < 3 ? blip() : Promise.resolve([])) };
    expect(await startWith({ 'Start:WaitSeconds': 60 }, check)).toBeUndefined();
    expect(looks).toBe(3);
  });

  it('is no matter of configuration however long it lasts', async () => {
    const check = { settings: 'X:Y', problems: () => Promise.reject(failure(true)) };
    expect(await startWith({ 'Start:WaitSeconds': 1 }, check)).toMatchObject({
      name: 'StartFailed',
      problems: ['X:Y: failed to read X'],
    });
  });

  it('is not waited for beside a mistake, which is told at once with everything else', async () => {
    const check = { settings: 'X:Y', problems: () => Promise.reject(failure(true)) };
    const began = performance.now();
    const error = await startWith({ 'Start:WaitSeconds': 60, 'Billers:Folder': join(folder, 'nowhere') }, check);
    expect(error).toBeInstanceOf(UsageProblems);
    expect((error as UsageProblems).problems).toHaveLength(2);
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
  });

  it.each([[failure(false)], [new Error('broken')]])(
    'what is refused or broken is told at once: %s',
    async (thrown) => {
      const check = { settings: 'X:Y', problems: () => Promise.reject(thrown) };
      const began = performance.now();
      expect(await startWith({ 'Start:WaitSeconds': 60 }, check)).toBeInstanceOf(UsageProblems);
      expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    },
  );

  it('of an event store: the process starts once the server is there', async () => {
    const port = await freePort();
    const started = startWith({
      'Stack:EventStore': 'event-store-db',
      'EventStore:ConnectionString': `esdb://127.0.0.1:${port}?tls=false`,
      'Start:WaitSeconds': 60,
    });
    await pause(1_500);
    const peer = await EventStorePeer.start({ path: join(folder, 'peer.db'), port });
    expect(await started).toBeUndefined();
    await peer.stop();
  });

  it('of a vault: a named secret is asked for again, and a missing one is told at once', async () => {
    const loaded = loadSettings({
      environment: {},
      overrides: { 'Stack:Allowance': 'redis', 'Redis:UrlSecret': 'redis' },
    });
    if ('problems' in loaded) throw new Error('the settings of this test are wrong');
    let asked = 0;
    const patience = { clock: new SystemClock(), waitMs: 60_000, onWait: () => undefined };
    const source = (times: number, retryable: boolean) => () => ({
      secret: () => (asked++ < times ? Promise.reject(failure(retryable)) : Promise.resolve('redis://host')),
    });
    expect(await readNamedSecrets(loaded.settings, source(1, true), patience)).toMatchObject({
      problems: [],
      passing: [],
    });
    asked = 0;
    const over = await readNamedSecrets(loaded.settings, source(Infinity, true), { ...patience, waitMs: 0 });
    expect(over.passing).toEqual(['Redis:UrlSecret: failed to read X']);
    asked = 0;
    expect((await readNamedSecrets(loaded.settings, source(Infinity, false), patience)).problems).toHaveLength(1);
    expect(asked).toBe(1);
  });

  it('ends a process with exit code 1 and the reason, where it lasts', async () => {
    const { code, errors } = await ended(
      run(['run', 'scanner'], {
        Stack__EventStore: 'event-store-db',
        EventStore__ConnectionString: `esdb://127.0.0.1:${await freePort()}?tls=false`,
        Start__WaitSeconds: '1',
        Shards__Names: 'A',
      }),
    );
    expect(errors).toMatch(/waiting for what this process needs/);
    expect(errors.trim().split('\n').at(-1)).toMatch(/EventStore:ConnectionString: .*start the server/);
    expect(code).toBe(1);
  });
});

describe('run all (issue 9, no 6)', () => {
  it.each([
    [2, /gave up: fetcher ended over its configuration \(exit code 2\)/],
    [7, /gave up: fetcher ended 2 times .* exit code 7/],
  ])('ends with exit code 1, and the reason last, when a child keeps ending with %d', async (childCode, reason) => {
    const die = `if (process.argv.includes('fetcher')) setTimeout(() => process.exit(${childCode}), 300);`;
    writeFileSync(join(folder, 'die.cjs'), die);
    const { code, errors } = await ended(
      run(['run', 'all'], {
        NODE_OPTIONS: `--require ${join(folder, 'die.cjs')}`,
        Supervisor__RestartMax: '1',
        Shards__Names: 'A',
      }),
    );
    expect(errors.trim().split('\n').at(-1)).toMatch(reason);
    expect(code).toBe(1);
  });
});

describe('an error that nobody caught (issue 9, no 4)', () => {
  it.each([
    ['a rejected promise', "Promise.reject(new Error('outer', { cause: new Error('inner') }))"],
    ['a thrown error', "throw new Error('outer', { cause: new Error('inner') })"],
  ])('%s: is told with its causes, the process drains and ends with exit code 1', async (_name, fault) => {
    // In the midst of its work, which begins with this line of its log.
    const faulty = `const { write } = process.stderr;
        process.stderr.write = function (text, ...more) {
          if (String(text).includes('"msg":"started"')) setTimeout(() => { ${fault}; }, 100);
          return write.call(this, text, ...more);
        };`;
    writeFileSync(join(folder, 'fault.cjs'), faulty);
    const { code, errors } = await ended(
      run(['run', 'scanner'], { NODE_OPTIONS: `--require ${join(folder, 'fault.cjs')}`, Shards__Names: 'A' }),
    );
    expect(errors).toMatch(/outer\n\s+caused by Error: inner/);
    expect(errors).toContain('"msg":"stopped"');
    expect(code).toBe(1);
  });

  it('ends the process within the limit where draining does not', async () => {
    const listeners = new Map<string, (fault: unknown) => void>();
    const exits: number[] = [];
    let drains = 0;
    installLastResort({
      process: {
        on: (name: string, listener: (fault: unknown) => void) => void listeners.set(name, listener),
      } as never,
      drain: () => void drains++,
      limitMs: 50,
      tell: () => undefined,
      exit: (code) => void exits.push(code),
    });
    listeners.get('unhandledRejection')!(new Error('one'));
    listeners.get('uncaughtException')!('not even an error');
    await pause(150);
    expect([drains, exits]).toEqual([1, [1]]);
  });
});

function run(words: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  const env = { ...process.env, Data__Folder: folder, Billers__Folder: folder, ...environment };
  const child = spawn(process.execPath, [PROGRAM, ...words], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

const ended = (child: ChildProcess): Promise<{ readonly code: number | null; readonly errors: string }> =>
  new Promise((end) => {
    let errors = '';
    child.stdout!.on('data', (text: Buffer) => (errors += text.toString()));
    child.stderr!.on('data', (text: Buffer) => (errors += text.toString()));
    child.once('close', (code) => end({ code, errors }));
  });

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const freePort = (): Promise<number> =>
  new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address ? address.port : 0));
    });
  });

it('a start that failed is no usage problem', () => {
  expect(new StartFailed(['x'], 1)).not.toBeInstanceOf(UsageProblems);
});
