import 'reflect-metadata';
import { runEveryCall } from './every-call';
import { runSeed } from './run-seed';
import { BROKEN_ASSUMPTIONS, type BrokenAssumption, type BrokenAssumptionName } from './world/broken-assumptions';
import { type FaultKind } from './world/faults';
import { type Capability } from './world/scenario';

/** What a worker is asked to run; plain values, since they travel between threads. */
export interface SeedJob {
  readonly seed: number;
  /** Which of the jobs of a kept run it is. */
  readonly place?: number;
  /** Of a shrunk run: the only faults that may strike, and the only rows. */
  readonly only?: readonly string[];
  readonly rows?: readonly number[];
  readonly capability?: Capability;
  /** The only kinds of faults that strike, each at its highest rate. */
  readonly kinds?: readonly FaultKind[];
  readonly broken?: BrokenAssumptionName;
  /** Default: one seed in ten. */
  readonly sqlite?: boolean;
  /** Default: another one in ten, unless an assumption is broken. */
  readonly http?: boolean;
  /** A part of the loop over every call, instead of a seed of the swarm. */
  readonly everyCall?: { readonly part: number; readonly parts: number };
}

export interface JobResult {
  readonly job: SeedJob;
  readonly violations: readonly string[];
  readonly fired: Readonly<Record<string, number>>;
  readonly firedIds: readonly string[];
  readonly firedStory: readonly string[];
  readonly crashes: number;
  readonly rows: number;
  readonly ends: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly virtualMs: number;
  readonly traceHash: number;
  readonly lost: number;
  readonly doubled: number;
  readonly stuck: number;
  readonly differences: number;
  readonly suspected: number;
  readonly unbalanced: number;
  /** Runs of the loop over every call. */
  readonly runs: number;
  /** Of these, how many on the product's SQLite adapters, and how many through its HTTP gateway. */
  readonly onSqlite: number;
  readonly onHttp: number;
}

const VIOLATIONS_TOLD_MAX = 8;
const ONE_ON_SQLITE_IN = 10;

const ONE_ON_HTTP_IN = 10;
const FIRST_ON_HTTP = 4;

const runsOnSqlite = ({ seed, sqlite }: SeedJob): boolean => sqlite ?? seed % ONE_ON_SQLITE_IN === 0;
const runsOnHttp = ({ seed, http, broken }: SeedJob): boolean =>
  http ?? (broken === undefined && seed % ONE_ON_HTTP_IN === FIRST_ON_HTTP);

export async function runJob(job: SeedJob, narrate?: (line: string) => void): Promise<JobResult> {
  if (job.everyCall) return runEveryCall(job, job.everyCall);
  const { seed, only, rows, capability, kinds } = job;
  const broken: BrokenAssumption | undefined = job.broken && BROKEN_ASSUMPTIONS[job.broken];
  const result = await runSeed({
    seed,
    faults: { ...(only ? { only: new Set(only) } : {}), ...(kinds ? { kinds } : {}) },
    scenario: {
      ...(rows ? { rows: new Set(rows) } : {}),
      ...(capability ? { capability } : {}),
      ...(broken?.shortRetention ? { shortRetention: true } : {}),
      ...(broken ? { manyRows: true } : {}),
    },
    ...(broken ? { broken } : {}),
    sqlite: runsOnSqlite(job),
    http: runsOnHttp(job),
    ...(narrate ? { narrate } : {}),
  });
  const fired: Record<string, number> = {};
  for (const { kind } of result.fired) fired[kind] = (fired[kind] ?? 0) + 1;
  const failed = result.violations.length > 0;
  const { verdict } = result;
  return {
    job,
    violations: result.violations.slice(0, VIOLATIONS_TOLD_MAX),
    fired,
    firedIds: failed ? result.fired.map(({ id }) => id) : [],
    firedStory: failed ? result.fired.map(({ at, kind, about }) => `${at} ms: ${kind} at ${about}`) : [],
    crashes: result.crashes,
    rows: result.rows,
    ends: verdict.ends,
    calls: result.calls,
    virtualMs: result.virtualMs,
    traceHash: result.traceHash,
    lost: verdict.lost.length,
    doubled: verdict.doubled.length,
    stuck: result.stuck ? 1 : 0,
    differences: verdict.differences.length,
    suspected: verdict.suspected.length,
    unbalanced: result.unbalanced.length,
    runs: 1,
    onSqlite: runsOnSqlite(job) ? 1 : 0,
    onHttp: runsOnHttp(job) ? 1 : 0,
  };
}
