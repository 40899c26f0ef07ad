import { type JobResult } from './job';
import { FAULT_KINDS, isOfHttp } from './world/faults';

/** Sums over many results; what `--json` prints. */
export class Summary {
  seeds = 0;
  onSqlite = 0;
  onHttp = 0;
  readonly faults: Record<string, number> = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0]));
  readonly ends: Record<string, number> = {};
  readonly failed: JobResult[] = [];
  crashes = 0;
  rows = 0;
  calls = 0;
  virtualMs = 0;
  lost = 0;
  doubled = 0;
  stuck = 0;
  differences = 0;
  /** Sum of the runs' traces: two runs of the same seeds have the same, in whatever order they ended. */
  traceHash = 0;

  /** As it was written down. */
  static from(stored: Summary): Summary {
    const summary = new Summary();
    const faults = { ...summary.faults, ...stored.faults };
    return Object.assign(summary, stored, { faults });
  }

  add(result: JobResult): void {
    this.seeds += result.runs;
    this.onSqlite += result.onSqlite;
    this.onHttp += result.onHttp;
    for (const [kind, count] of Object.entries(result.fired)) this.faults[kind] = (this.faults[kind] ?? 0) + count;
    for (const [end, count] of Object.entries(result.ends)) this.ends[end] = (this.ends[end] ?? 0) + count;
    this.traceHash = (this.traceHash + result.traceHash) % 2 ** 32;
    for (const name of ['crashes', 'rows', 'calls', 'virtualMs', 'lost', 'doubled', 'stuck', 'differences'] as const)
      this[name] += result[name];
    if (result.violations.length > 0) this.failed.push(result);
  }

  get faultsPerSeed(): number {
    return Object.values(this.faults).reduce((sum, count) => sum + count, 0) / Math.max(1, this.seeds);
  }

  toJSON(): Record<string, unknown> {
    const { seeds, onSqlite, onHttp, rows, calls, crashes, lost, doubled, stuck, differences, faults, ends } = this;
    return {
      seeds,
      onSqlite,
      onHttp,
      rows,
      calls,
      crashes,
      lost,
      doubled,
      stuck,
      replayDifferences: differences,
      traceHash: this.traceHash,
      faultsPerSeed: round(this.faultsPerSeed),
      crashesPerSeed: round(crashes / Math.max(1, seeds)),
      virtualHours: round(this.virtualMs / 3_600_000),
      faults,
      ends,
      failed: this.failed.map(({ job, violations }) => ({ job, violations })),
    };
  }
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** From so many seeds on, every kind of fault must have struck and every end must have been reached. */
const SEEDS_FOR_VACUITY = 200;
/** The same of what strikes through the gateway alone; fewer of its seeds leave it to luck, since such faults come in clusters. */
const HTTP_SEEDS_FOR_VACUITY = 50;
const ENDS = ['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn', 'Failed', 'InDoubt'];
const FAULTS_PER_SEED_MIN = 40;
const CRASHES_PER_SEED_MIN = 7;

/** What a run did not try: a proof over it would be empty. `usual`: with nothing set aside by an option. */
export function vacuities(summary: Summary, { usual }: { readonly usual: boolean }): readonly string[] {
  if (summary.seeds < SEEDS_FOR_VACUITY) return [];
  const few = summary.seeds / 50;
  return [
    ...(usual && summary.onSqlite === 0 ? [`none of ${summary.seeds} seeds ran on the SQLite adapters`] : []),
    ...(usual && summary.onHttp === 0 ? [`none of ${summary.seeds} seeds ran through the HTTP gateway`] : []),
    ...FAULT_KINDS.flatMap((kind) => {
      // What only the HTTP gateway knows strikes in its seeds alone: there it must be the oftener.
      if (isOfHttp(kind) && summary.onHttp > 0 && summary.onHttp < HTTP_SEEDS_FOR_VACUITY) return [];
      const [seeds, least] = isOfHttp(kind) ? [summary.onHttp, summary.onHttp / 10] : [summary.seeds, few];
      const struck = summary.faults[kind]!;
      return struck < least
        ? [`${kind} struck ${struck} times in ${seeds} seeds, at least ${least} were expected`]
        : [];
    }),
    ...ENDS.filter((end) => (summary.ends[end] ?? 0) < few).map(
      (end) => `${summary.ends[end] ?? 0} records ended as ${end}, at least ${few} were expected`,
    ),
    ...(summary.faultsPerSeed < FAULTS_PER_SEED_MIN
      ? [`${summary.faultsPerSeed.toFixed(1)} faults per seed, at least ${FAULTS_PER_SEED_MIN} were expected`]
      : []),
    ...(summary.crashes / summary.seeds < CRASHES_PER_SEED_MIN
      ? [
          `${(summary.crashes / summary.seeds).toFixed(1)} crashes per seed, at least ${CRASHES_PER_SEED_MIN} were expected`,
        ]
      : []),
  ];
}
