import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { WHOLE_RUN_MS } from '../support/until';
import { Summary, vacuities } from './summary';

const SIMULATE = resolve(__dirname, 'simulate.cjs');

interface Told {
  readonly onSqlite: number;
  readonly onHttp: number;
  readonly lost: number;
  readonly doubled: number;
  readonly stuck: number;
  readonly replayDifferences: number;
  readonly faultsPerSeed: number;
  readonly crashesPerSeed: number;
  readonly traceHash: number;
  readonly vacuities: readonly string[];
  readonly failed: readonly unknown[];
  readonly everyCall: { readonly seeds: number; readonly failed: readonly unknown[] };
}

function simulate(...options: readonly string[]): Told {
  const { stdout, stderr } = spawnSync(process.execPath, [SIMULATE, '--json', ...options], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (stdout === '') throw new Error(`the simulator said nothing: ${stderr}`);
  return JSON.parse(stdout) as Told;
}

it(
  'loses, doubles, strands and misreports nothing over the swarm, and tried every kind of fault',
  () => {
    const told = simulate('--seeds', '1..500');
    expect(told).toMatchObject({ failed: [], vacuities: [], lost: 0, doubled: 0, stuck: 0, replayDifferences: 0 });
    expect(told.faultsPerSeed).toBeGreaterThanOrEqual(40);
    expect(told.crashesPerSeed).toBeGreaterThanOrEqual(7);
    expect(told.onSqlite).toBeGreaterThanOrEqual(50);
    expect(told.onHttp).toBeGreaterThanOrEqual(50);
  },
  WHOLE_RUN_MS,
);

it('calls a run empty in which no seed was on the SQLite adapters or through the HTTP gateway, unless that was asked for', () => {
  const summary = Object.assign(new Summary(), { seeds: 200 });
  expect(vacuities(summary, { usual: true })).toContain('none of 200 seeds ran on the SQLite adapters');
  expect(vacuities(summary, { usual: true })).toContain('none of 200 seeds ran through the HTTP gateway');
  expect(vacuities(summary, { usual: false }).join()).not.toMatch(/SQLite|HTTP|token-(refused|unclear|silent)/);
});

/** A decision's id changes with what is asked and how often: a run of ids that no longer strike shows nothing, and nobody sees it. */
it('repeats no defect by the ids of its faults', () => {
  const seeds = JSON.parse(readFileSync(resolve(__dirname, 'regression-seeds.json'), 'utf8')) as readonly {
    readonly job: object;
  }[];
  expect(seeds.filter(({ job }) => 'only' in job || 'rows' in job)).toEqual([]);
});

it(
  'runs a seed twice the same way, on any number of threads',
  () => {
    const first = simulate('--seeds', '31..42', '--workers', '1');
    expect(first.traceHash).not.toBe(0);
    expect(simulate('--seeds', '31..42', '--workers', '2').traceHash).toBe(first.traceHash);
    expect(simulate('--seeds', '32..43').traceHash).not.toBe(first.traceHash);
  },
  WHOLE_RUN_MS,
);

it(
  'stands each call failing once, and from then on, with every kind of fault',
  () => {
    const { everyCall } = simulate('--seeds', '1..1', '--every-call');
    expect(everyCall.failed).toEqual([]);
    expect(everyCall.seeds).toBeGreaterThan(1_000);
  },
  WHOLE_RUN_MS,
);
