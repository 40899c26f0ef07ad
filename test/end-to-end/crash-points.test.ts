import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const BOOTSTRAP = resolve(__dirname, '../../dist/bootstrap');
const CRASH_TEST = join(BOOTSTRAP, 'crash-test.main.js');
const COMMAND_LINE = join(BOOTSTRAP, 'command-line.main.js');
/** One of each process that works on records; `npm run crash-test` kills at all of them, three times. */
const SELECTION = ['relay.after-publish', 'fetcher.after-publish', 'consumer.after-send', 'doubt.after-resend-stated'];
const TEST_MS = 180_000;

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(
  program: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  return new Promise((end) => child.once('close', (code) => end({ code, output, errors })));
}

describe('a process killed at a named point', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'crash-points-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it(
    'and started again loses nothing and doubles nothing',
    async () => {
      const ended = await run(CRASH_TEST, [
        '--points',
        SELECTION.join(','),
        '--times',
        '1',
        '--at-once',
        '4',
        '--data',
        folder,
        '--json',
      ]);
      const { points, runs, kills, records, lost, doubled, failed } = JSON.parse(ended.output) as Record<
        string,
        number
      >;
      expect({ code: ended.code, points, runs, lost, doubled, failed }).toEqual({
        code: 0,
        points: 4,
        runs: 4,
        lost: 0,
        doubled: 0,
        failed: 0,
      });
      expect(kills).toBeGreaterThanOrEqual(SELECTION.length);
      expect(records).toBeGreaterThanOrEqual(SELECTION.length * 24);
    },
    TEST_MS,
  );

  it(
    'fails the run where the point was never reached',
    async () => {
      const ended = await run(CRASH_TEST, [
        '--points',
        'relay.after-mark',
        '--occurrence',
        '9999',
        '--times',
        '1',
        '--data',
        folder,
      ]);
      expect(ended.code).toBe(1);
      expect(ended.errors).toMatch(/relay\.after-mark.*FAILED.*\n {2}the point was never reached/);
    },
    TEST_MS,
  );

  it('is a matter of tests: production refuses to be armed', async () => {
    const armed = { DATAPUMP_CRASH_AT: 'relay.after-mark', Environment__Name: 'production' };
    const ended = await run(COMMAND_LINE, ['run', 'scanner', '--data', folder], armed);
    expect(ended.code).toBe(2);
    expect(ended.errors).toMatch(/DATAPUMP_CRASH_AT: is for tests, and Environment:Name is production/);
  });

  it.each(['relay.after-lunch', 'relay.after-mark#0', 'relay.after-mark#x'])('has to exist: %s', async (point) => {
    const ended = await run(COMMAND_LINE, ['run', 'scanner', '--data', folder], { DATAPUMP_CRASH_AT: point });
    expect(ended.code).toBe(2);
    expect(ended.errors).toMatch(/DATAPUMP_CRASH_AT: found relay\.after-\S+, expected a crash point/);
  });
});

it(
  'a rolling restart costs no record a second attempt',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rolling-restart-'));
    const ended = await run(CRASH_TEST, ['--rolling-restart', '--data', folder, '--json']);
    rmSync(folder, { recursive: true, force: true });
    const { records, restarts, attempts, slowestStopMs, ...rest } = JSON.parse(ended.output) as Record<string, number>;
    expect({ code: ended.code, ...rest }).toEqual({ code: 0, repeated: 0, open: 0, lost: 0, doubled: 0 });
    expect(attempts).toBe(records);
    expect(records).toBeGreaterThanOrEqual(500);
    // Each of the four processes at least once, while there was work left; none needed its whole grace time.
    expect(restarts).toBeGreaterThanOrEqual(4);
    expect(slowestStopMs).toBeLessThan(20_000);
  },
  TEST_MS,
);
