import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until, WHOLE_RUN_MS } from '../support/until';
import { type JobResult, type SeedJob } from './job';
import { digestOfProgram, KeptRun, type RunIdentity, wayOf, wayText } from './kept-run';
import { choicesOf, HELP, timeOf, UsageError } from './options';

const SIMULATE = resolve(__dirname, 'simulate.cjs');
const REGRESSIONS = 2;
const IDENTITY: RunIdentity = { code: 'a1', seeds: { from: 1, to: 10 }, job: {}, regressions: REGRESSIONS };
const TOTAL = REGRESSIONS + 10;

let folder: string;
let state: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kept-run-'));
  state = join(folder, 'deep/simulation.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const JOBS: readonly SeedJob[] = [
  { seed: 900 },
  { seed: 901 },
  ...Array.from({ length: 10 }, (_, at) => ({ seed: at + 1 })),
];
const resultOf = (job: SeedJob): JobResult => ({
  ...{
    job,
    violations: [],
    fired: { 'sql-slow': 1 },
    firedIds: [],
    firedStory: [],
    crashes: 1,
    rows: 1,
    ends: { Delivered: 1 },
  },
  ...{
    calls: 1,
    virtualMs: 1,
    traceHash: job.seed,
    lost: 0,
    doubled: 0,
    stuck: 0,
    differences: 0,
    suspected: 0,
    unbalanced: 0,
  },
  ...{ runs: 1, onSqlite: 0, onHttp: 0 },
});
const open = (
  order: { resume?: boolean; fresh?: boolean; evenIfChanged?: boolean } = {},
  identity = IDENTITY,
): KeptRun =>
  KeptRun.open(state, identity, { resume: false, fresh: false, evenIfChanged: false, total: TOTAL, ...order });
/** Some results of what is left, in the order of their places. */
const work = (run: KeptRun, places: readonly number[]): void => {
  const left = [...run.left(JOBS)];
  for (const place of places) run.add(resultOf(left.find((job) => job.place === place)!));
};

describe('a kept run of seeds (issue 9)', () => {
  it('goes on after what it knows without a gap, whatever came early, and counts nothing twice', () => {
    const first = open();
    work(first, [0, 1, 3, 5, 2]);
    first.save();
    expect(first.done).toBe(4);
    const second = open({ resume: true });
    expect([...second.left(JOBS)].map(({ place }) => place)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    work(second, [4, 5, 6, 7, 8, 9, 10, 11]);
    second.save();
    const whole = open({ resume: true });
    expect([...whole.left(JOBS)]).toEqual([]);
    expect(whole.summary).toMatchObject({ seeds: TOTAL, crashes: TOTAL, ends: { Delivered: TOTAL } });
    expect(whole.summary.traceHash).toBe(900 + 901 + 55);
    expect(whole.summary.faults['sql-slow']).toBe(TOTAL);
    expect(wayOf(whole, { total: TOTAL, from: 1, to: 10, state })).toMatchObject({
      cameTo: 10,
      isWhole: true,
      parts: 3,
    });
  });

  it('says how far it came', () => {
    const run = open();
    work(run, [0]);
    const tell = (): string => wayText(wayOf(run, { total: TOTAL, from: 1, to: 10, state: 's.json' })).join('\n');
    expect(tell()).toBe(
      'came not yet to seed 1 of 1..10 in 1 part; kept in s.json\ngo on with the same command and --resume',
    );
    work(run, [1, 2, 3, 4]);
    expect(tell()).toMatch(/^came to seed 3 of 1\.\.10 in 1 part; kept in s\.json\n/);
  });

  it('is not thrown away by the way, and begun again where it is whole or where that is said', () => {
    const run = open();
    work(run, [0, 1, 2]);
    run.save();
    expect(() => open()).toThrow(/not finished: go on with --resume, or begin again with --fresh/);
    expect(open({ fresh: true }).done).toBe(0);
    const again = open();
    work(
      again,
      Array.from({ length: TOTAL }, (_, place) => place),
    );
    again.save();
    expect(open().done).toBe(0);
  });

  it.each<[string, Partial<RunIdentity>, RegExp]>([
    ['another version of the code', { code: 'b2' }, /another version of the code/],
    [
      'another kind of billers',
      { job: { capability: 'keys' } },
      /other options: .*"seeds":"1\.\.10".* now .*"capability":"keys"/,
    ],
    ['more seeds', { seeds: { from: 1, to: 20 } }, /other options: .*1\.\.10.* now .*1\.\.20/],
  ])('does not go on with %s unless that is said', (_what, changes, says) => {
    const run = open();
    work(run, [0, 1, 2]);
    run.save();
    expect(() => open({ resume: true }, { ...IDENTITY, ...changes })).toThrow(says);
    expect(() => open({ resume: true }, { ...IDENTITY, ...changes })).toThrow(
      /--fresh, or go on all the same with --even-if-changed/,
    );
    const changed = open({ resume: true, evenIfChanged: true }, { ...IDENTITY, ...changes });
    expect(changed.done).toBe(3);
    expect(changed.changed).toEqual('code' in changes ? [{ code: 'a1', done: 3 }] : []);
  });

  it('never goes on where its places would mean other seeds, and runs no seed twice for a regression seed that was added', () => {
    const run = open();
    work(run, [0, 1, 2]);
    run.save();
    const other = { ...IDENTITY, seeds: { from: 5, to: 10 } };
    expect(() => open({ resume: true, evenIfChanged: true }, other)).toThrow(/begin again with --fresh$/);
    const added = open(
      { resume: true, evenIfChanged: true },
      { ...IDENTITY, code: 'b2', regressions: REGRESSIONS + 1 },
    );
    expect(added.done).toBe(4);
  });

  it.each([['text'], ['{"form":7}'], ['']])('refuses a file that holds no run: %p', (text) => {
    open().save();
    writeFileSync(state, text);
    expect(() => open({ resume: true })).toThrow(/is not the state of a run/);
    expect(open({ fresh: true }).done).toBe(0);
  });

  it('knows a program by its files', () => {
    writeFileSync(join(folder, 'a.js'), '1');
    const before = digestOfProgram(folder);
    writeFileSync(join(folder, 'note.txt'), 'x');
    expect(digestOfProgram(folder)).toBe(before);
    writeFileSync(join(folder, 'a.js'), '2');
    expect(digestOfProgram(folder)).not.toBe(before);
  });
});

describe('the options of the simulator', () => {
  const NOW = new Date(2026, 10, 21, 19, 30);
  it('takes an instant, a time of the day or a duration', () => {
    expect(timeOf('2026-11-22T06:00:00Z', NOW)).toBe(Date.UTC(2026, 10, 22, 6));
    expect(timeOf('90m', NOW)).toBe(NOW.getTime() + 5_400_000);
    expect(timeOf('20:00', NOW)).toBe(new Date(2026, 10, 21, 20).getTime());
    expect(timeOf('06:00', NOW)).toBe(new Date(2026, 10, 22, 6).getTime());
    for (const wrong of ['soon', '25:00', '2026-11-22', '10', '']) expect(timeOf(wrong, NOW)).toBeNaN();
  });

  it('says every problem at once', () => {
    const words = [
      '--seeds',
      '9..1',
      '--until',
      'soon',
      '--resume',
      '--fresh',
      '--kinds',
      'odd',
      '--capability',
      'some',
      '--workers',
      'x',
      '--rows',
      '1,b',
      '--sample',
      'few',
      '--parts',
      'src/domain,shared',
      '--named',
      'no such defect',
    ];
    const refusal = ((): UsageError => {
      try {
        choicesOf(words);
      } catch (error) {
        return error as UsageError;
      }
      throw new Error('nothing was refused');
    })();
    expect(refusal.problems.map((problem) => problem.split(':')[0])).toEqual([
      '--seeds', '--workers', '--until', '--resume and --fresh', '--sample', '--parts', '--sample', '--named', '--rows', '--capability', '--kinds',
    ]); // prettier-ignore
    expect(() => choicesOf(['--lunch'])).toThrow(UsageError);
  });

  it('are all in the help text', () => {
    for (const option of [
      'seeds',
      'until',
      'resume',
      'fresh',
      'even-if-changed',
      'state',
      'json',
      'workers',
      'mutants',
      'story',
    ])
      expect(HELP).toContain(`--${option}`);
  });
});

describe('npm run simulate with --resume', () => {
  const SEEDS = ['--seeds', '1..20', '--workers', '1'];
  const start = (
    ...words: readonly string[]
  ): { child: ChildProcess; ended: Promise<{ code: number | null; output: string; errors: string }> } => {
    const child = spawn(process.execPath, [SIMULATE, ...SEEDS, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, output, errors })) };
  };
  const kept = ['--resume', '--state'];

  it(
    'comes to the same sums after Ctrl-C and kill -9 as in one go',
    async () => {
      const interrupted = start(...kept, state);
      await until('its way is written down', () => existsSync(state), WHOLE_RUN_MS / 4);
      interrupted.child.kill('SIGINT');
      const first = await interrupted.ended;
      expect([first.code, first.errors]).toEqual([130, '']);
      expect(first.output).toMatch(
        /^came (not yet )?to seed \d+ of 1\.\.20 in 1 part; kept in .*\ngo on with the same command and --resume$/m,
      );

      const before = readFileSync(state, 'utf8');
      const killed = start(...kept, state);
      await until('it has come further', () => readFileSync(state, 'utf8') !== before, WHOLE_RUN_MS / 4);
      killed.child.kill('SIGKILL');
      await killed.ended;

      const over = await start(...kept, state, '--until', '2026-01-01T00:00:00Z', '--json').ended;
      expect([over.code, (JSON.parse(over.output) as { kept: object }).kept]).toEqual([
        0,
        expect.objectContaining({ isWhole: false, parts: 3 }),
      ]);

      const last = await start(...kept, state, '--json').ended;
      const inOneGo = await start('--json').ended;
      expect([last.code, inOneGo.code]).toEqual([0, 0]);
      const {
        kept: way,
        seconds: _seconds,
        seedsPerSecond: _rate,
        ...sums
      } = JSON.parse(last.output) as Record<string, unknown>;
      const {
        seconds: _otherSeconds,
        seedsPerSecond: _otherRate,
        ...expected
      } = JSON.parse(inOneGo.output) as Record<string, unknown>;
      expect(sums).toEqual(expected);
      expect(way).toMatchObject({ cameTo: 20, isWhole: true, parts: 4 });
    },
    WHOLE_RUN_MS,
  );
});
