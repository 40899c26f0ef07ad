import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { brokenAssumptionJobs, judgeBrokenAssumptions } from './assumptions';
import { type JobResult, runJob, type SeedJob } from './job';
import { type Build, huntMutants } from './mutants/hunt';
import { runJobs, WORKERS } from './pool';
import { repeatCommand, shrink } from './shrink';
import { Summary, vacuities } from './summary';
import { BROKEN_ASSUMPTIONS, type BrokenAssumptionName } from './world/broken-assumptions';
import { FAULT_KINDS, type FaultKind } from './world/faults';
import { type Capability } from './world/scenario';

export interface Surroundings {
  readonly build: Build;
  /** The folder of the program that runs. */
  readonly built: string;
  readonly root: string;
}

const EVERY_CALL_PARTS = 64;
const TOLD_MAX = 3;

const OPTIONS = {
  seeds: { type: 'string', default: '1..200' },
  json: { type: 'boolean', default: false },
  mutants: { type: 'boolean', default: false },
  /** With --mutants: only those whose name holds this. */
  named: { type: 'string' },
  'every-call': { type: 'boolean', default: false },
  assumptions: { type: 'boolean', default: false },
  workers: { type: 'string', default: String(WORKERS) },
  story: { type: 'boolean', default: false },
  only: { type: 'string' },
  rows: { type: 'string' },
  capability: { type: 'string' },
  /** The only kinds of faults that strike, each at its highest rate. */
  kinds: { type: 'string' },
  /** The name of an assumption. */
  broken: { type: 'string' },
  /** All seeds on the SQLite adapters, or with --no-sqlite none; else one in ten. */
  sqlite: { type: 'boolean' },
} as const;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Regression seeds first, then the swarm, then what else was asked for. The exit code is 1 where a law was broken. */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS, allowNegative: true });
  const [from = 1, to = from] = values.seeds.split('..').map(Number);
  const workers = Number(values.workers);
  const tell = (line: string): void => (values.json ? undefined : say(line));
  if (values.mutants) return huntMutants(surroundings, { workers, say, json: values.json, named: values.named ?? '' });

  const extra = {
    ...(values.only === undefined ? {} : { only: values.only.split(',').filter((id) => id !== 'none') }),
    ...(values.rows === undefined ? {} : { rows: values.rows.split(',').map(Number) }),
    ...(values.capability === undefined ? {} : { capability: values.capability as Capability }),
    ...(values.kinds === undefined ? {} : { kinds: kindsOf(values.kinds) }),
    ...(values.sqlite === undefined ? {} : { sqlite: values.sqlite }),
    ...(values.broken === undefined ? {} : { broken: brokenAssumption(values.broken) }),
  };
  const usual = Object.keys(extra).length === 0;
  if (values.story) return tellStory({ seed: from, ...extra });

  const started = performance.now();
  const summary = new Summary();
  const regressions = (
    JSON.parse(readFileSync(join(surroundings.root, 'test/simulation/regression-seeds.json'), 'utf8')) as readonly {
      readonly job: SeedJob;
    }[]
  ).map(({ job }) => job);
  const swarm = function* (): Generator<SeedJob> {
    if (usual) yield* regressions;
    for (let seed = from; seed <= to; seed++) yield { seed, ...extra };
  };
  await runJobs(surroundings.built, swarm(), { workers, onResult: (result) => summary.add(result) });
  const seconds = (performance.now() - started) / 1_000;

  const everyCall = new Summary();
  if (values['every-call']) {
    const jobs = Array.from({ length: EVERY_CALL_PARTS }, (_, part) => ({
      seed: 1,
      everyCall: { part, parts: EVERY_CALL_PARTS },
      ...(values.sqlite === undefined ? {} : { sqlite: values.sqlite }),
    }));
    await runJobs(surroundings.built, jobs, { workers, onResult: (result) => everyCall.add(result) });
  }
  const broken: JobResult[] = [];
  if (values.assumptions)
    await runJobs(surroundings.built, brokenAssumptionJobs(), {
      workers,
      onResult: (result) => void broken.push(result),
    });
  const assumptions = values.assumptions ? judgeBrokenAssumptions(broken) : undefined;
  const empty = [...vacuities(summary, { usual }), ...(assumptions?.unexpected ?? [])];
  const failed = [...summary.failed, ...everyCall.failed, ...(assumptions?.undetected ?? [])];

  if (values.json) {
    say(
      JSON.stringify(
        {
          ...summary.toJSON(),
          seconds,
          seedsPerSecond: summary.seeds / seconds,
          everyCall: everyCall.toJSON(),
          assumptions: assumptions?.lines ?? [],
          vacuities: empty,
        },
        undefined,
        2,
      ),
    );
  } else {
    say(
      `${summary.seeds} seeds (${summary.onSqlite} on the SQLite adapters) in ${seconds.toFixed(1)} s (${(summary.seeds / seconds).toFixed(0)} a second), ${summary.rows} rows, ${summary.calls} calls, ${(summary.virtualMs / 3_600_000).toFixed(0)} hours of virtual time`,
    );
    say(
      `${summary.faultsPerSeed.toFixed(1)} faults and ${(summary.crashes / summary.seeds).toFixed(1)} crashes per seed`,
    );
    say(
      `${summary.lost} lost, ${summary.doubled} doubled, ${summary.stuck} stuck, ${summary.differences} replay differences, ${summary.failed.length} seeds broke a law`,
    );
    say(`faults: ${listed(summary.faults)}`);
    say(`ends: ${listed(summary.ends)}`);
    if (values['every-call'])
      say(
        `every call: ${everyCall.seeds} runs (${everyCall.onSqlite} on the SQLite adapters), ${everyCall.failed.length} parts with violations`,
      );
    for (const line of assumptions?.lines ?? []) say(line);
    for (const line of empty) say(`empty: ${line}`);
    for (const result of failed.slice(0, TOLD_MAX)) await tellFailure(result, tell);
    if (failed.length > TOLD_MAX)
      say(
        `also failed: ${failed
          .slice(TOLD_MAX, 40)
          .map(({ job }) => job.seed)
          .join(', ')}`,
      );
  }
  return failed.length > 0 || empty.length > 0 ? 1 : 0;
}

function kindsOf(list: string): readonly FaultKind[] {
  const kinds = list.split(',');
  const unknown = kinds.filter((kind) => !(FAULT_KINDS as readonly string[]).includes(kind));
  if (unknown.length > 0) throw new Error(`no kind of fault is called ${unknown.join(', ')}`);
  return kinds as FaultKind[];
}

function brokenAssumption(name: string): BrokenAssumptionName {
  if (!(name in BROKEN_ASSUMPTIONS))
    throw new Error(`--broken takes one of ${Object.keys(BROKEN_ASSUMPTIONS).join(', ')}, found ${name}`);
  return name as BrokenAssumptionName;
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

async function tellFailure(failed: JobResult, tell: (line: string) => void): Promise<void> {
  tell(`\nseed ${failed.job.seed} broke a law:\n  ${failed.violations.join('\n  ')}`);
  if (failed.job.everyCall) return;
  const smallest = await shrink(failed);
  tell(
    `reduced to ${smallest.firedIds.length} faults and ${smallest.job.rows?.length ?? smallest.rows} rows:\n  ${smallest.violations.join('\n  ')}`,
  );
  tell(`  ${smallest.firedStory.join('\n  ')}`);
  tell(`repeat it with:\n  ${repeatCommand(smallest.job)}`);
}

async function tellStory(job: SeedJob): Promise<number> {
  const result = await runJob(job, say);
  for (const line of result.firedStory) say(`fault: ${line}`);
  say(result.violations.length === 0 ? 'no law was broken' : result.violations.join('\n'));
  return result.violations.length === 0 ? 0 : 1;
}
