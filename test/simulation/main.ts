import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brokenAssumptionJobs, judgeBrokenAssumptions } from './assumptions';
import { type JobResult, runJob, type SeedJob } from './job';
import { type Build, huntMutants } from './mutants/hunt';
import { sampleMutants } from './mutants/sample/sample-mutants';
import { digestOfProgram, KeptRun, wayOf, wayText } from './kept-run';
import { type Choices, choicesOf, HELP, UsageError } from './options';
import { runJobs } from './pool';
import { repeatCommand, shrink } from './shrink';
import { Summary, vacuities } from './summary';

export interface Surroundings {
  /** Aborts at Ctrl-C, once `endGently` was called; before, Ctrl-C ends the program. */
  readonly interrupted: AbortSignal;
  endGently(): void;
  readonly build: Build;
  /** The folder of the program that runs. */
  readonly built: string;
  readonly root: string;
}

const EVERY_CALL_PARTS = 64;
const TOLD_MAX = 3;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Regression seeds first, then the swarm, then what else was asked for. The exit code is 1 where a law was broken. */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    const choices = choicesOf(args);
    if (choices.help) {
      say(HELP);
      return 0;
    }
    return await simulate(choices, surroundings);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const problem of error.problems) process.stderr.write(`simulate: ${problem}\n`);
    process.stderr.write('simulate: npm run simulate -- --help tells the options\n');
    return EXIT_USAGE;
  }
}

async function simulate(values: Choices, surroundings: Surroundings): Promise<number> {
  const { workers, job: extra, seeds } = values;
  const tell = (line: string): void => (values.json ? undefined : say(line));
  const { sample, mutants, json } = values;
  if (sample) return sampleMutants(surroundings, { ...sample, say, json });
  if (mutants) return huntMutants(surroundings, { workers, say, json, mutants });

  const usual = Object.keys(extra).length === 0;
  if (values.story) return tellStory({ seed: seeds.from, ...extra });

  const started = performance.now();
  const regressions = usual
    ? (
        JSON.parse(readFileSync(join(surroundings.root, 'test/simulation/regression-seeds.json'), 'utf8')) as readonly {
          readonly job: SeedJob;
        }[]
      ).map(({ job }) => job)
    : [];
  const swarm = function* (): Generator<SeedJob> {
    yield* regressions;
    for (let seed = seeds.from; seed <= seeds.to; seed++) yield { seed, ...extra };
  };
  const total = regressions.length + seeds.to - seeds.from + 1;
  const kept = values.kept ? keptRunOf(values, surroundings, { total, regressions: regressions.length }) : undefined;
  const summary = kept?.summary ?? new Summary();
  if (kept === undefined) {
    await runJobs(surroundings.built, swarm(), { workers, onResult: (result) => summary.add(result) });
  } else {
    const isOver = (): boolean => surroundings.interrupted.aborted || Date.now() >= (values.until ?? Infinity);
    surroundings.endGently();
    const onResult = (result: JobResult): void => kept.add(result);
    await runJobs(surroundings.built, kept.left(swarm()), { workers, onResult, enough: isOver });
    kept.save();
  }
  const came = kept && wayOf(kept, { total, ...seeds, state: values.state });
  const isWhole = kept === undefined || kept.done === total;
  const seconds = kept?.seconds ?? (performance.now() - started) / 1_000;

  const everyCall = new Summary();
  if (values['every-call'] && isWhole) {
    const jobs = Array.from({ length: EVERY_CALL_PARTS }, (_, part) => ({
      seed: 1,
      everyCall: { part, parts: EVERY_CALL_PARTS },
      ...(values.sqlite === undefined ? {} : { sqlite: values.sqlite }),
      ...(values.http === undefined ? {} : { http: values.http }),
    }));
    await runJobs(surroundings.built, jobs, { workers, onResult: (result) => everyCall.add(result) });
  }
  const broken: JobResult[] = [];
  if (values.assumptions && isWhole)
    await runJobs(surroundings.built, brokenAssumptionJobs(), {
      workers,
      onResult: (result) => void broken.push(result),
    });
  const assumptions = values.assumptions && isWhole ? judgeBrokenAssumptions(broken) : undefined;
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
          ...(came === undefined ? {} : { kept: came }),
        },
        undefined,
        2,
      ),
    );
  } else {
    say(
      `${summary.seeds} seeds (${summary.onSqlite} on the SQLite adapters, ${summary.onHttp} through the HTTP gateway) in ${seconds.toFixed(1)} s (${(summary.seeds / seconds).toFixed(0)} a second), ${summary.rows} rows, ${summary.calls} calls, ${(summary.virtualMs / 3_600_000).toFixed(0)} hours of virtual time`,
    );
    say(
      `${summary.faultsPerSeed.toFixed(1)} faults and ${(summary.crashes / summary.seeds).toFixed(1)} crashes per seed`,
    );
    say(
      `${summary.lost} lost, ${summary.doubled} doubled, ${summary.stuck} stuck, ${summary.differences} replay differences, ${summary.failed.length} seeds broke a law`,
    );
    say(`faults: ${listed(summary.faults)}`);
    say(`ends: ${listed(summary.ends)}`);
    if (came !== undefined) for (const line of wayText(came)) say(line);
    if (values['every-call'] && isWhole)
      say(
        `every call: ${everyCall.seeds} runs (${everyCall.onSqlite} on the SQLite adapters, ${everyCall.onHttp} through the HTTP gateway), ${everyCall.failed.length} parts with violations`,
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
  if (failed.length > 0 || empty.length > 0) return 1;
  return !isWhole && surroundings.interrupted.aborted ? EXIT_INTERRUPTED : 0;
}

function keptRunOf(
  values: Choices,
  { built, root }: Surroundings,
  jobs: { readonly total: number; readonly regressions: number },
): KeptRun {
  const { regressions, total } = jobs;
  const identity = { code: digestOfProgram(built), seeds: values.seeds, job: values.job, regressions };
  const order = { resume: values.resume, fresh: values.fresh, evenIfChanged: values['even-if-changed'], total };
  return KeptRun.open(resolve(root, values.state), identity, order);
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
