import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type JobResult, type SeedJob } from '../job';
import { BrokenJob, runJobs } from '../pool';
import { CAPABILITIES } from '../world/scenario';
import { type Mutant, patched } from './mutant';
import { type Change, failureOf } from './suites';

export type Build = (name: string, patches?: ReadonlyMap<string, string>) => string;

/** A mutant that so many seeds do not find is one that the harness cannot see. */
const SEEDS_MAX = 300;
/** Of real time; a seed takes a fraction of a second. */
const SEED_LIMIT_MS = 60_000;
const TOLD_MAX = 170;

type Outcome =
  /** Without a job: by a suite. */
  | { readonly is: 'found'; readonly job?: SeedJob; readonly by: string }
  | { readonly is: 'missed' }
  /** The harness itself broke: this finds nothing, whatever the cause. */
  | { readonly is: 'broken'; readonly why: string };

interface Hunted {
  readonly mutant: Mutant;
  readonly outcome: Outcome;
  /** Seeds that were run. */
  readonly seeds: number;
  readonly seconds: number;
}

/** Applies each mutant to a copy of the sources and runs seeds until one breaks the law that the mutant breaks. */
export async function huntMutants(
  { build, built, root }: { readonly build: Build; readonly built: string; readonly root: string },
  options: {
    readonly workers: number;
    readonly say: (line: string) => void;
    readonly json: boolean;
    readonly mutants: readonly Mutant[];
  },
): Promise<number> {
  const started = performance.now();
  const { mutants } = options;
  // All patches first: one that does not apply ends the hunt before it has taken its minutes.
  const queue = mutants
    .map((mutant) => {
      const source = readFileSync(join(root, mutant.file), 'utf8');
      return { mutant, text: patched(mutant, source), whole: source.length };
    })
    .entries();
  const hunted: Hunted[] = [];
  const hunter = async (): Promise<void> => {
    for (const [number, { mutant, text, whole }] of queue) {
      const one = mutant.suites
        ? await huntBySuites(mutant, mutant.suites, root, { file: mutant.file, from: 0, to: whole, replacement: text })
        : await huntBySeeds(mutant, text, (patches) =>
            build(join(basename(built), 'mutants', String(number)), patches),
          );
      hunted.push(one);
      if (!options.json) options.say(lineOf(one));
    }
  };
  await Promise.all(Array.from({ length: options.workers }, hunter));
  await holdsWithoutDefect({ built, root }, hunted, options.workers);
  hunted.sort((a, b) => mutants.indexOf(a.mutant) - mutants.indexOf(b.mutant));

  const found = hunted.filter(({ outcome }) => outcome.is === 'found').length;
  const seconds = (performance.now() - started) / 1_000;
  options.say(
    options.json
      ? JSON.stringify({ found, of: hunted.length, seconds, mutants: hunted.map(plainOf) }, undefined, 2)
      : `${found} of ${hunted.length} mutants found in ${seconds.toFixed(0)} s`,
  );
  return found === hunted.length ? 0 : 1;
}

async function huntBySeeds(
  mutant: Mutant,
  text: string,
  build: (patches: ReadonlyMap<string, string>) => string,
): Promise<Hunted> {
  const folder = build(new Map([[mutant.file, text]]));
  try {
    return await hunt(mutant, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function huntBySuites(mutant: Mutant, suites: readonly string[], root: string, change: Change): Promise<Hunted> {
  const started = performance.now();
  const by = await failureOf(root, suites, change);
  const outcome: Outcome =
    by === undefined ? { is: 'missed' } : mutant.shows.test(by) ? { is: 'found', by } : { is: 'broken', why: by };
  return { mutant, outcome, seeds: 0, seconds: (performance.now() - started) / 1_000 };
}

async function hunt(mutant: Mutant, folder: string): Promise<Hunted> {
  const started = performance.now();
  let seeds = 0;
  let outcome: Outcome = { is: 'missed' };
  const look = ({ job, violations }: JobResult): void => {
    seeds++;
    const by = violations.find((violation) => mutant.shows.test(violation));
    if (by !== undefined) outcome = { is: 'found', job, by };
  };
  try {
    await runJobs(folder, jobsFor(mutant), {
      workers: 1,
      onResult: look,
      enough: () => outcome.is === 'found',
      limitMs: SEED_LIMIT_MS,
    });
  } catch (error) {
    const hung = error instanceof BrokenJob && error.hung;
    outcome =
      hung && mutant.shows.test(error.message)
        ? { is: 'found', job: error.job, by: error.message }
        : { is: 'broken', why: String(error) };
  }
  return { mutant, outcome, seeds, seconds: (performance.now() - started) / 1_000 };
}

/** What breaks a law without any defect would be "found" by every mutant. */
async function holdsWithoutDefect(
  { built, root }: { readonly built: string; readonly root: string },
  hunted: readonly Hunted[],
  workers: number,
): Promise<void> {
  const suites = new Set(hunted.flatMap(({ mutant }) => mutant.suites ?? []));
  if (suites.size > 0) {
    const failed = await failureOf(root, [...suites], undefined);
    if (failed !== undefined) throw new Error(`the suites fail without a defect: ${failed}`);
  }
  const jobs = new Map(
    hunted.flatMap(({ outcome }) =>
      outcome.is === 'found' && outcome.job ? [[JSON.stringify(outcome.job), outcome.job]] : [],
    ),
  );
  const onResult = ({ job, violations }: JobResult): void => {
    if (violations.length > 0)
      throw new Error(`the program without a defect breaks a law at ${JSON.stringify(job)}: ${violations[0]}`);
  };
  await runJobs(built, jobs.values(), { workers, onResult, limitMs: SEED_LIMIT_MS });
}

/** As the mutant aims; else by turns the usual swarm and one capability alone, so that each kind of biller is tried often. */
function* jobsFor({ on, aim }: Mutant): Generator<SeedJob> {
  const turns = [{}, ...CAPABILITIES.map((capability) => ({ capability }))];
  for (let seed = 1; seed <= SEEDS_MAX; seed++)
    yield { seed, sqlite: on === 'sqlite', http: on === 'http', ...(aim ?? turns[seed % turns.length]) };
}

function lineOf({ mutant: { name, rule }, outcome, seeds }: Hunted): string {
  switch (outcome.is) {
    case 'found':
      return `found   ${name} (${rule}) ${outcome.job ? `after ${seeds} seeds` : 'by a suite'}: ${outcome.by.slice(0, TOLD_MAX)}`;
    case 'missed':
      return `MISSED  ${name} (${rule}) in ${seeds} seeds`;
    case 'broken':
      return `BROKEN  ${name} (${rule}) after ${seeds} seeds: ${outcome.why.slice(0, 4 * TOLD_MAX)}`;
  }
}

const plainOf = ({ mutant: { name, rule }, outcome, seeds, seconds }: Hunted) => ({
  name,
  rule,
  ...outcome,
  seeds,
  seconds,
});
