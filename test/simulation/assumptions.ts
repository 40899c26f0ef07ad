import { type JobResult, type SeedJob } from './job';
import { CAPABILITIES } from './world/scenario';

const SEEDS_EACH = 40;

/** What the design relies on, broken one at a time. */
const BROKEN = [
  { name: 'effects later than the quarantine', job: { latenessFactor: 8 } },
  { name: 'keys forgotten before their retention is over', job: { retentionFactor: 0.02 } },
  { name: "processes' monotonic clocks that run slow", job: { clockSlowness: 40 } },
] as const;

/** Each assumption for each kind of biller. */
export const brokenAssumptionJobs = (): readonly SeedJob[] =>
  BROKEN.flatMap(({ job }) =>
    CAPABILITIES.flatMap((capability) => Array.from({ length: SEEDS_EACH }, (_, seed) => ({ seed: 900_001 + seed, capability, ...job }))));

export interface AssumptionsJudged {
  readonly lines: readonly string[];
  /** Runs in which money was doubled or missing, and neither DoublePostSuspected nor the control totals say so. */
  readonly undetected: readonly JobResult[];
  /** An assumption that can be broken without harm where it should hurt: the runs prove nothing. */
  readonly empty: readonly string[];
}

export function judgeBrokenAssumptions(results: readonly JobResult[]): AssumptionsJudged {
  if (results.length === 0) return { lines: [], undetected: [], empty: [] };
  const damaged = ({ doubled, lost }: JobResult): boolean => doubled + lost > 0;
  const lines: string[] = [];
  const empty: string[] = [];
  for (const { name, job } of BROKEN) {
    const own = results.filter((result) => Object.entries(job).every(([key, value]) => result.job[key as keyof SeedJob] === value));
    for (const capability of CAPABILITIES) {
      const those = own.filter((result) => result.job.capability === capability);
      const hurt = those.filter(damaged);
      const suspected = hurt.filter((result) => result.suspected > 0).length;
      const unbalanced = hurt.filter((result) => result.unbalanced > 0).length;
      lines.push(`${name}, biller with ${capability}: ${hurt.length} of ${those.length} seeds damaged, told by DoublePostSuspected in ${suspected}, by the totals in ${unbalanced}`);
    }
    if (!own.some(damaged)) empty.push(`${name} did no harm to any biller`);
  }
  return { lines, undetected: results.filter((result) => damaged(result) && result.suspected === 0 && result.unbalanced === 0), empty };
}
