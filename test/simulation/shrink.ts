import { type JobResult, runJob, type SeedJob } from './job';

/** Runs that a shrinking may take: it should tell something useful within a minute. */
const RUNS_MAX = 400;

/** What a violation is about, without its times and ids: a smaller run must break the same law. */
const lawOf = ({ violations }: JobResult): string => (violations[0] ?? '').replace(/[\d:]+/g, '#').slice(0, 40);

/** Leaves faults out, then rows, as long as the run still breaks the same law. */
export async function shrink(failed: JobResult): Promise<JobResult> {
  const law = lawOf(failed);
  let best = failed;
  let runs = 0;
  const fails = async (job: SeedJob): Promise<boolean> => {
    if (runs++ >= RUNS_MAX) return false;
    const result = await runJob(job);
    if (lawOf(result) !== law) return false;
    best = result;
    return true;
  };
  const rows = failed.job.rows ?? Array.from({ length: failed.rows }, (_, index) => index);
  const only = await fewest(failed.firedIds, (ids) => fails({ ...failed.job, only: ids }));
  await fewest(rows, (numbers) => fails({ ...failed.job, only, rows: numbers }));
  return best;
}

/** Delta debugging: drops halves, quarters, … of the items while the run still fails. */
async function fewest<Item>(
  items: readonly Item[],
  fails: (items: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[]> {
  let kept = items;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < kept.length;) {
      const without = [...kept.slice(0, start), ...kept.slice(start + size)];
      if (await fails(without)) kept = without;
      else start += size;
    }
  }
  return kept;
}

export const repeatCommand = ({ seed, only, rows, capability, kinds, broken, sqlite, http }: SeedJob): string =>
  [
    `npm run simulate -- --seeds ${seed}..${seed}`,
    ...(only ? [`--only ${only.join(',') || 'none'}`] : []),
    ...(rows ? [`--rows ${rows.join(',')}`] : []),
    ...(capability ? [`--capability ${capability}`] : []),
    ...(kinds ? [`--kinds ${kinds.join(',')}`] : []),
    ...(broken ? [`--broken ${broken}`] : []),
    ...(sqlite === undefined ? [] : [sqlite ? '--sqlite' : '--no-sqlite']),
    ...(http === undefined ? [] : [http ? '--http' : '--no-http']),
    '--story',
  ].join(' ');
