import { type JobResult, type SeedJob } from './job';
import { runSeed, type SeedResult } from './run-seed';
import { type CallSite, faultsAt, type FaultKind, type FiredFault, PROCESS_FAULTS } from './world/faults';

interface Place {
  readonly about: string;
  readonly occurrence: number;
  readonly site: CallSite;
}

const SEED = 1;
const PROCESS_KINDS = Object.keys(PROCESS_FAULTS) as FaultKind[];

/**
 * One biller of each capability, one record each, no chance: every call that the undisturbed run makes fails once with
 * each kind of fault its port knows, and again from then on until the world is healed.
 */
export async function runEveryCall(
  job: SeedJob,
  { part, parts }: { readonly part: number; readonly parts: number },
): Promise<JobResult> {
  const adapters = { sqlite: job.sqlite ?? false, http: job.http ?? false };
  const places = await placesOfUndisturbedRun(adapters);
  const cases = places.flatMap((place) =>
    [...faultsAt(place.site), ...PROCESS_KINDS].flatMap((kind) =>
      [false, true].map((fromThenOn) => ({ place, kind, fromThenOn })),
    ),
  );
  const fired: Record<string, number> = {};
  const violations: string[] = [];
  const total = {
    crashes: 0,
    calls: 0,
    virtualMs: 0,
    lost: 0,
    doubled: 0,
    stuck: 0,
    differences: 0,
    suspected: 0,
    unbalanced: 0,
    runs: 0,
    onSqlite: 0,
    onHttp: 0,
    rows: 0,
    traceHash: 0,
  };
  const ends: Record<string, number> = {};
  for (let index = part; index < cases.length; index += parts) {
    const { place, kind, fromThenOn } = cases[index]!;
    const result = await runPlain(adapters, (about, occurrence, kinds) => {
      const here =
        about === place.about && (fromThenOn ? occurrence >= place.occurrence : occurrence === place.occurrence);
      return here && kinds.includes(kind) ? kind : undefined;
    });
    for (const violation of result.violations)
      violations.push(`${kind} ${fromThenOn ? 'from' : 'at'} ${place.about} #${place.occurrence}: ${violation}`);
    fired[kind] = (fired[kind] ?? 0) + result.fired.length;
    addTo(total, ends, result);
    total.onSqlite += adapters.sqlite ? 1 : 0;
    total.onHttp += adapters.http ? 1 : 0;
  }
  return { job, violations, fired, firedIds: [], firedStory: [], ends, ...total };
}

type Decide = (
  about: string,
  occurrence: number,
  kinds: readonly FaultKind[],
  site: CallSite | undefined,
) => FaultKind | undefined;

type Adapters = { readonly sqlite: boolean; readonly http: boolean };

const runPlain = (adapters: Adapters, decide: Decide): Promise<SeedResult> =>
  runSeed({ seed: SEED, ...adapters, scenario: { plain: true }, faults: { decide } });

async function placesOfUndisturbedRun(adapters: Adapters): Promise<readonly Place[]> {
  const places: Place[] = [];
  const result = await runPlain(adapters, (about, occurrence, _kinds, site) => {
    // The scanner asks the same for ever: its first questions of each kind are enough.
    if (site && occurrence < 3) places.push({ about, occurrence, site });
    return undefined;
  });
  if (result.violations.length > 0) throw new Error(`the undisturbed run fails: ${result.violations.join('; ')}`);
  return places;
}

function addTo(
  total: Record<string, number>,
  ends: Record<string, number>,
  { verdict, crashes, calls, virtualMs, stuck, rows }: SeedResult & { readonly fired: readonly FiredFault[] },
): void {
  const add = (name: string, by: number): void => void (total[name] = (total[name] ?? 0) + by);
  add('crashes', crashes);
  add('calls', calls);
  add('virtualMs', virtualMs);
  add('rows', rows);
  add('runs', 1);
  add('stuck', stuck ? 1 : 0);
  add('lost', verdict.lost.length);
  add('doubled', verdict.doubled.length);
  add('differences', verdict.differences.length);
  for (const [end, count] of Object.entries(verdict.ends)) ends[end] = (ends[end] ?? 0) + count;
}
