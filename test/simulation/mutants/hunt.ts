import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type JobResult, type SeedJob } from '../job';
import { runJobs } from '../pool';
import { Summary } from '../summary';
import { CAPABILITIES } from '../world/scenario';
import { type Mutant, MUTANTS } from './mutants';
import { MUTANTS_OF_SQL } from './mutants-of-sql';

export type Build = (name: string, patches?: ReadonlyMap<string, string>) => string;

/** A mutant that so many seeds do not find is one that the harness cannot see. */
const SEEDS_MAX = 300;

/** Applies each mutant to a copy of the sources and runs seeds until one breaks a law. */
export async function huntMutants(
  { build, built, root }: { readonly build: Build; readonly built: string; readonly root: string },
  options: {
    readonly workers: number;
    readonly say: (line: string) => void;
    readonly json: boolean;
    /** Only mutants whose name holds this. */
    readonly named?: string;
  },
): Promise<number> {
  const found: {
    readonly mutant: string;
    readonly rule: string;
    readonly seed: number | undefined;
    readonly runs: number;
    readonly by: string | undefined;
  }[] = [];
  // What breaks a law without any defect would be "found" by every mutant.
  const sound = new Summary();
  await runJobs(built, jobs(), { workers: options.workers, onResult: (result) => sound.add(result) });
  if (sound.failed.length > 0)
    throw new Error(
      `the program itself breaks a law at ${sound.failed.map(({ job }) => JSON.stringify(job)).join(', ')}`,
    );
  const hunted = [
    ...MUTANTS.map((mutant) => ({ mutant, through: jobs })),
    ...MUTANTS_OF_SQL.map((mutant) => ({ mutant, through: jobsOnSqlite })),
  ];
  const patched = hunted
    .filter(({ mutant }) => mutant.name.includes(options.named ?? ''))
    .map((each) => ({ ...each, text: patch(each.mutant, readFileSync(join(root, each.mutant.file), 'utf8')) }));
  for (const { mutant, through, text } of patched) {
    const folder = build(`mutant-${process.pid}`, new Map([[mutant.file, text]]));
    let runs = 0;
    let caught: JobResult | undefined;
    await runJobs(folder, through(), {
      workers: options.workers,
      onResult: (result) => {
        runs++;
        if (result.violations.length > 0) caught ??= result;
      },
      enough: () => caught !== undefined,
    }).catch((error: unknown) => {
      // A defect may also show as a process that does not stop: that is found too, and said.
      caught ??= { job: { seed: 0 }, violations: [String(error)] } as unknown as JobResult;
    });
    rmSync(folder, { recursive: true, force: true });
    found.push({ mutant: mutant.name, rule: mutant.rule, seed: caught?.job.seed, runs, by: caught?.violations[0] });
    if (!options.json)
      options.say(
        `${caught ? 'found' : 'MISSED'} ${mutant.name} (${mutant.rule})${caught ? ` after ${runs} seeds: ${caught.violations[0]!.slice(0, 150)}` : ` in ${runs} seeds`}`,
      );
  }
  const hits = found.filter(({ seed }) => seed !== undefined).length;
  options.say(options.json ? JSON.stringify(found, undefined, 2) : `${hits} of ${found.length} mutants found`);
  return hits === found.length ? 0 : 1;
}

/** By turns the usual swarm and one capability alone, so that a rule for one kind of biller is tried often. */
function* jobs(): Generator<SeedJob> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++)
    yield seed % 2 === 0 ? { seed } : { seed, capability: CAPABILITIES[((seed - 1) / 2) % 4]! };
}

/** The seeds that the swarm runs on the SQLite adapters. */
function* jobsOnSqlite(): Generator<SeedJob> {
  for (let seed = 10; seed <= SEEDS_MAX; seed += 10) yield { seed };
}

/** A patch that does not apply exactly once fails the run: a mutant of nothing would be "not found" for ever. */
function patch({ name, file, find, replace }: Mutant, text: string): string {
  const places = [...text.matchAll(new RegExp(whateverTheLayout(find), 'g'))];
  if (places.length !== 1)
    throw new Error(`mutant "${name}" applies ${places.length} times to ${file}; bring it up to date with the source`);
  const { 0: found, index } = places[0]!;
  return text.slice(0, index) + replace + text.slice(index + found.length);
}

/** The same words and signs, however a formatter breaks the lines and whether it ends a list with a comma. */
const whateverTheLayout = (find: string): string =>
  (find.match(/[\w$]+|[^\s\w$]/g) ?? [])
    .map((token) => (/[)\]}]/.test(token) ? `,?\\s*\\${token}` : token.replace(/[^\w]/g, '\\$&')))
    .join('\\s*');
