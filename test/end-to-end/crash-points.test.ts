import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until, WHOLE_RUN_MS } from '../support/until';

const BOOTSTRAP = resolve(__dirname, '../../dist/bootstrap');
const CRASH_TEST = join(BOOTSTRAP, 'crash-test.main.js');
const COMMAND_LINE = join(BOOTSTRAP, 'command-line.main.js');
/** One of each process that works on records, and of each order; `npm run crash-test` kills at all points, three times. */
const SELECTION = [
  'scanner.after-claim',
  'relay.after-publish',
  'sweep.after-records-sent',
  'fetcher.after-publish',
  'consumer.after-send',
  'redrive.after-opened',
  'resolve.after-close',
];

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

class Running {
  output = '';
  errors = '';
  readonly ended: Promise<Ended>;
  private readonly child;

  constructor(program: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [program, ...words], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.on('data', (text: Buffer) => (this.output += text.toString()));
    this.child.stderr.on('data', (text: Buffer) => (this.errors += text.toString()));
    this.ended = new Promise((end) =>
      this.child.once('close', (code) => end({ code, output: this.output, errors: this.errors })),
    );
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }
}

const run = (...words: ConstructorParameters<typeof Running>): Promise<Ended> => new Running(...words).ended;

describe('the crash test', () => {
  const folder = mkdtempSync(join(tmpdir(), 'crash-points-'));
  let selection: Promise<Ended>;
  let unreached: Promise<Ended>;
  // Side by side: most of the time they wait for locks to lapse.
  beforeAll(() => {
    const whole = ['--points', SELECTION.join(','), '--rolling-restart', '--at-once', String(SELECTION.length + 1)];
    selection = run(CRASH_TEST, [...whole, '--times', '1', '--data', join(folder, 'selection'), '--json']);
    const never = ['--points', 'relay.after-mark', '--occurrence', '9999'];
    unreached = run(CRASH_TEST, [...never, '--times', '1', '--data', join(folder, 'unreached')]);
  });
  afterAll(async () => {
    await Promise.all([selection, unreached]);
    rmSync(folder, { recursive: true, force: true });
  }, WHOLE_RUN_MS);

  it(
    'kills processes at named points and restarts them as a deployment does: nothing is lost, doubled or repeated',
    async () => {
      const ended = await selection;
      const { results, points, trials, lost, doubled, failed } = JSON.parse(ended.output) as {
        readonly points: number;
        readonly trials: number;
        readonly lost: number;
        readonly doubled: number;
        readonly failed: number;
        readonly results: readonly { name: string; kills: number; restarts: number; records: number; note?: string }[];
      };
      expect({ errors: ended.errors, code: ended.code, points, trials, lost, doubled, failed }).toMatchObject({
        code: 0,
        points: SELECTION.length,
        trials: SELECTION.length + 1,
        lost: 0,
        doubled: 0,
        failed: 0,
      });
      const rolling = results.find(({ name }) => name === 'rolling-restart')!;
      const cases = results.filter((result) => result !== rolling);
      expect(cases.map(({ name }) => name).sort()).toEqual([...SELECTION].sort());
      for (const { kills, records } of cases) {
        expect(kills).toBe(1);
        expect(records).toBeGreaterThanOrEqual(24);
      }
      // Each of the four processes at least once, while there was work left.
      expect(rolling.restarts).toBeGreaterThanOrEqual(4);
      expect(rolling.records).toBeGreaterThanOrEqual(250);
      expect(rolling.note).toMatch(new RegExp(`^${rolling.records} attempts, 0 repeated`));
      // Nothing is left of a run in which all went well.
      expect(readdirSync(join(folder, 'selection'))).toEqual([]);
    },
    WHOLE_RUN_MS,
  );

  it(
    'fails where a point was never reached, and keeps what it saw',
    async () => {
      const ended = await unreached;
      expect(ended.code).toBe(1);
      const told = /relay\.after-mark #1: 0 killed.*FAILED, see (\S+)\n {2}the point was never reached/.exec(
        ended.errors,
      );
      expect(existsSync(join(told![1]!, 'processes.log'))).toBe(true);
    },
    WHOLE_RUN_MS,
  );

  it(
    'leaves no process and no folder behind on Ctrl-C',
    async () => {
      const data = join(folder, 'interrupted');
      const running = new Running(CRASH_TEST, ['--points', 'relay.after-mark', '--times', '2', '--data', data]);
      await until('processes work on its data', () => processesOver(data).length >= 6);
      running.interrupt();
      const ended = await running.ended;
      expect(ended.code).toBe(1);
      expect(ended.errors).toMatch(/interrupted after 0 of 2 trials, 0 of them failed/);
      expect(processesOver(data)).toEqual([]);
      expect(readdirSync(data)).toEqual([]);
    },
    WHOLE_RUN_MS,
  );

  it('says every problem of its options, and what they are', async () => {
    const ended = await run(CRASH_TEST, ['--points', 'relay.after-lunch', '--times', '0']);
    expect(ended.code).toBe(2);
    expect(ended.errors).toMatch(/--points: found relay\.after-lunch, expected some of:\n {2}scanner\.before-claim\n/);
    expect(ended.errors).toMatch(/--times: found 0, expected a whole number from 1 to 100/);
    expect((await run(CRASH_TEST, ['--lunch'])).code).toBe(2);
    const help = await run(CRASH_TEST, ['--help']);
    expect({ code: help.code, errors: help.errors }).toEqual({ code: 0, errors: '' });
    expect(help.output).toMatch(/--rolling-restart/);
  });
});

describe('a crash point', () => {
  it('is a matter of tests: production refuses to be armed', async () => {
    const armed = { DATAPUMP_CRASH_AT: 'relay.after-mark', Environment__Name: 'production' };
    const ended = await run(COMMAND_LINE, ['run', 'scanner', '--data', tmpdir()], armed);
    expect(ended.code).toBe(2);
    expect(ended.errors).toMatch(/DATAPUMP_CRASH_AT: is for tests, and Environment:Name is production/);
  });

  it('has to exist', async () => {
    const wrong = ['relay.after-lunch', 'relay.after-mark#0', 'relay.after-mark#x'];
    const start = (point: string) =>
      run(COMMAND_LINE, ['run', 'scanner', '--data', tmpdir()], { DATAPUMP_CRASH_AT: point });
    for (const { code, errors } of await Promise.all(wrong.map(start))) {
      expect(code).toBe(2);
      expect(errors).toMatch(/DATAPUMP_CRASH_AT: found relay\.after-\S+, expected a crash point/);
    }
  });
});

/** Those whose environment or arguments name the folder, beside the crash test itself. */
function processesOver(data: string): readonly string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        if (words.some((word) => word.endsWith('crash-test.main.js'))) return [];
        const about = `${words.join(' ')} ${readFileSync(`/proc/${pid}/environ`, 'utf8')}`;
        return about.includes(data) ? [words.slice(1).join(' ')] : [];
      } catch {
        return [];
      }
    });
}
