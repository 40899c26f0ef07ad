import { type JobResult, type SeedJob } from './job';
import { BROKEN_ASSUMPTIONS, type BrokenAssumptionName } from './world/broken-assumptions';
import { CAPABILITIES, type Capability } from './world/scenario';

const SEEDS_EACH = 80;
/**
 * A clock that jumps hurts who has neither keys nor inquiry in one seed of twenty-five: a second message, a person and
 * a late effect must fall into one quarantine.
 */
const SEEDS_OF_THE_RAREST = 240;
const seedsOf = (broken: BrokenAssumptionName, capability: Capability): number =>
  broken === 'jumping-clocks' && capability === 'neither' ? SEEDS_OF_THE_RAREST : SEEDS_EACH;
const SEED_FIRST = 900_001;
/** Damage in fewer seeds would leave its detection to luck. */
const DAMAGED_MIN = 3;

/** Whom a broken assumption cannot hurt, and why. Everyone else it must hurt, or the run has shown nothing. */
const IMMUNE: Readonly<Record<BrokenAssumptionName, Partial<Record<Capability, string>>>> = {
  'late-effects': {},
  'forgotten-keys': {
    neither: 'this biller has no keys to forget',
    inquiry: 'this biller has no keys to forget',
  },
  'slow-clocks': {},
  'lying-inquiries': {
    neither: 'this biller cannot be asked',
    keys: 'this biller cannot be asked',
  },
  'wrong-operators': {},
  'jumping-clocks': {},
};

/** Where nobody hears of the second effect: only a comparison with the biller's statement can tell it. */
const UNHEARD: readonly BrokenAssumptionName[] = [
  'late-effects',
  'lying-inquiries',
  'wrong-operators',
  'jumping-clocks',
];

const COMBINATIONS = (Object.keys(BROKEN_ASSUMPTIONS) as BrokenAssumptionName[]).flatMap((broken) =>
  CAPABILITIES.map((capability) => ({ broken, capability, immune: IMMUNE[broken][capability] })),
);

/** Each assumption for each kind of biller. */
export const brokenAssumptionJobs = (): readonly SeedJob[] =>
  COMBINATIONS.flatMap(({ broken, capability }) =>
    Array.from({ length: seedsOf(broken, capability) }, (_, index) => ({
      seed: SEED_FIRST + index,
      capability,
      broken,
    })),
  );

export interface AssumptionsJudged {
  readonly lines: readonly string[];
  /** Runs in which money was doubled or missing, and neither DoublePostSuspected nor the control totals say so. */
  readonly undetected: readonly JobResult[];
  /** What was expected and did not come: damage where it should hurt, none where it cannot. */
  readonly unexpected: readonly string[];
}

const isDamaged = ({ doubled, lost }: JobResult): boolean => doubled + lost > 0;
const isTold = ({ suspected, unbalanced }: JobResult): boolean => suspected + unbalanced > 0;

export function judgeBrokenAssumptions(results: readonly JobResult[]): AssumptionsJudged {
  const lines: string[] = [];
  const unexpected: string[] = [];
  for (const { broken, capability, immune } of COMBINATIONS) {
    const those = results.filter(({ job }) => job.broken === broken && job.capability === capability);
    const damaged = those.filter(isDamaged);
    const name = `${BROKEN_ASSUMPTIONS[broken].says}, biller with ${capability}`;
    if (immune === undefined) {
      const suspected = damaged.filter((result) => result.suspected > 0).length;
      const unbalanced = damaged.filter((result) => result.unbalanced > 0).length;
      lines.push(
        `${name}: ${damaged.length} of ${those.length} seeds damaged, told by the totals in ${unbalanced}, by DoublePostSuspected in ${suspected}`,
      );
      if (damaged.length < DAMAGED_MIN)
        unexpected.push(
          `${name}: ${damaged.length} seeds were damaged, at least ${DAMAGED_MIN} were expected: nothing is shown of its detection`,
        );
    } else {
      lines.push(`${name}: ${damaged.length} of ${those.length} seeds damaged; it cannot hurt: ${immune}`);
      if (damaged.length > 0 || those.length === 0)
        unexpected.push(
          `${name}: ${damaged.length} of ${those.length} seeds were damaged, though it cannot hurt: ${immune}`,
        );
    }
  }
  for (const broken of Object.keys(BROKEN_ASSUMPTIONS) as BrokenAssumptionName[]) {
    const suspected = results.some(({ job, suspected: count }) => job.broken === broken && count > 0);
    if (!suspected && !UNHEARD.includes(broken))
      unexpected.push(
        `${BROKEN_ASSUMPTIONS[broken].says}: DoublePostSuspected was expected in some seed, and is in none`,
      );
  }
  return { lines, undetected: results.filter((result) => isDamaged(result) && !isTold(result)), unexpected };
}
