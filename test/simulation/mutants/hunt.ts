import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type JobResult, type SeedJob } from '../job';
import { runJobs } from '../pool';
import { CAPABILITIES } from '../world/scenario';
import { type Mutant, MUTANTS } from './mutants';

export type Build = (name: string, patches?: ReadonlyMap<string, string>) => string;

/** A mutant that so many seeds do not find is one that the harness cannot see. */
const SEEDS_MAX = 300;

/** Applies each mutant to a copy of the sources and runs seeds until one breaks a law. */
export async function huntMutants(
  { build, root }: { readonly build: Build; readonly root: string }, options: { readonly workers: number; readonly say: (line: string) => void; readonly json: boolean },
): Promise<number> {
  const found: { readonly mutant: string; readonly rule: string; readonly seed: number | undefined; readonly runs: number; readonly by: string | undefined }[] = [];
  const patched = MUTANTS.map((mutant) => ({ mutant, text: patch(mutant, readFileSync(join(root, mutant.file), 'utf8')) }));
  for (const { mutant, text } of patched) {
    const folder = build(`mutant-${process.pid}`, new Map([[mutant.file, text]]));
    let runs = 0;
    let caught: JobResult | undefined;
    await runJobs(folder, jobs(), {
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
    if (!options.json) options.say(`${caught ? 'found' : 'MISSED'} ${mutant.name} (${mutant.rule})${caught ? ` after ${runs} seeds: ${caught.violations[0]!.slice(0, 150)}` : ` in ${runs} seeds`}`);
  }
  const hits = found.filter(({ seed }) => seed !== undefined).length;
  options.say(options.json ? JSON.stringify(found, undefined, 2) : `${hits} of ${found.length} mutants found`);
  return hits === found.length ? 0 : 1;
}

/** By turns the usual swarm and one capability alone, so that a rule for one kind of biller is tried often. */
function* jobs(): Generator<SeedJob> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) yield seed % 2 === 0 ? { seed } : { seed, capability: CAPABILITIES[((seed - 1) / 2) % 4]! };
}

/** A patch that does not apply exactly once fails the run: a mutant of nothing would be "not found" for ever. */
function patch({ name, file, find, replace }: Mutant, text: string): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`mutant "${name}" applies ${parts.length - 1} times to ${file}; bring it up to date with the source`);
  return parts.join(replace);
}
