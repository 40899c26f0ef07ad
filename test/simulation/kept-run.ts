import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type JobResult, type SeedJob } from './job';
import { type JobOptions, UsageError } from './options';
import { Summary } from './summary';

/** What makes two runs the same: where any of it differs, their sums mean nothing together. */
export interface RunIdentity {
  /** A digest of the program that ran. */
  readonly code: string;
  readonly seeds: { readonly from: number; readonly to: number };
  readonly job: JobOptions;
  /** How many regression seeds run before the others. */
  readonly regressions: number;
}

interface Stored extends RunIdentity {
  readonly form: 1;
  /** Places of the job list that are done, from the first on without a gap. */
  readonly done: number;
  readonly seconds: number;
  readonly parts: number;
  /** Earlier programs that a person let it go on from, and how far each had come. */
  readonly changed: readonly { readonly code: string; readonly done: number }[];
  readonly summary: Summary;
}

/** Often enough that kill -9 costs little, seldom enough that writing costs nothing. */
const SAVE_EVERY_MS = 5_000;
const FORM = 1;

/** Of the files that make up a program, whatever the time and the folder it was built in. */
export function digestOfProgram(built: string): string {
  const digest = createHash('sha256');
  for (const file of readdirSync(built, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .sort())
    digest.update(`${file}\n`).update(readFileSync(join(built, file)));
  return digest.digest('hex').slice(0, 16);
}

/**
 * A run whose way so far lies in a small file. Results come in any order; the file holds those from the first on without
 * a gap, and is replaced as a whole: whenever the run dies, it goes on from what the file says, and no seed counts twice.
 */
export class KeptRun {
  private readonly early = new Map<number, JobResult>();
  private savedAt = -Infinity;
  private readonly began = performance.now();

  private constructor(
    private readonly file: string,
    private stored: Stored,
  ) {}

  static open(
    file: string,
    identity: RunIdentity,
    order: {
      readonly resume: boolean;
      readonly fresh: boolean;
      readonly evenIfChanged: boolean;
      readonly total: number;
    },
  ): KeptRun {
    if (order.fresh) rmSync(file, { force: true });
    const before = existsSync(file) ? readStored(file) : undefined;
    if (before === undefined) {
      const none = { form: FORM, done: 0, seconds: 0, parts: 1, changed: [], summary: new Summary() } as const;
      return new KeptRun(file, { ...identity, ...none });
    }
    if (!order.resume && before.done < order.total)
      throw new UsageError([
        `${file} holds a run that is not finished: go on with --resume, or begin again with --fresh`,
      ]);
    if (!order.resume) return KeptRun.open(file, identity, { ...order, fresh: true });
    const differences = differencesOf(before, identity);
    // Otherwise the places would mean other seeds.
    const isOther = before.seeds.from !== identity.seeds.from || before.seeds.to > identity.seeds.to;
    if (isOther || (differences.length > 0 && !order.evenIfChanged)) {
      throw new UsageError([
        ...differences.map((difference) => `${file}: ${difference}`),
        `begin again with --fresh${isOther ? '' : ', or go on all the same with --even-if-changed'}`,
      ]);
    }
    const changed =
      before.code === identity.code ? before.changed : [...before.changed, { code: before.code, done: before.done }];
    // A regression seed that was added since counts as done: nothing is run twice.
    const done = before.done === 0 ? 0 : Math.max(0, before.done + identity.regressions - before.regressions);
    return new KeptRun(file, { ...before, ...identity, done, parts: before.parts + 1, changed });
  }

  get done(): number {
    return this.stored.done;
  }

  get summary(): Summary {
    return this.stored.summary;
  }

  /** Over all its parts. */
  get seconds(): number {
    return this.stored.seconds + (performance.now() - this.began) / 1_000;
  }

  get regressions(): number {
    return this.stored.regressions;
  }

  get parts(): number {
    return this.stored.parts;
  }

  get changed(): Stored['changed'] {
    return this.stored.changed;
  }

  /** The jobs that are left of a list that is the same each time. */
  *left(jobs: Iterable<SeedJob>): Generator<SeedJob> {
    let place = 0;
    const from = this.done;
    for (const job of jobs) {
      if (place >= from) yield { ...job, place };
      place++;
    }
  }

  add(result: JobResult): void {
    this.early.set(result.job.place!, result);
    let { done } = this.stored;
    for (let next = this.early.get(done); next !== undefined; next = this.early.get(done)) {
      this.early.delete(done++);
      this.summary.add(next);
    }
    this.stored = { ...this.stored, done };
    if (performance.now() - this.savedAt >= SAVE_EVERY_MS) this.save();
  }

  save(): void {
    mkdirSync(dirname(this.file), { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ ...this.stored, summary: { ...this.summary }, seconds: this.seconds });
    writeFileSync(`${this.file}.new`, text, { mode: 0o600 });
    renameSync(`${this.file}.new`, this.file);
    this.savedAt = performance.now();
  }
}

export interface Way {
  /** The last seed that is done; undefined: not even the first. */
  readonly cameTo: number | undefined;
  readonly from: number;
  readonly to: number;
  readonly isWhole: boolean;
  readonly parts: number;
  readonly state: string;
  readonly changed: Stored['changed'];
}

/** How far a kept run came. */
export function wayOf(
  run: KeptRun,
  list: {
    readonly total: number;
    readonly from: number;
    readonly to: number;
    readonly state: string;
  },
): Way {
  const seedsDone = run.done - run.regressions;
  const { from, to, state } = list;
  const cameTo = seedsDone > 0 ? from + seedsDone - 1 : undefined;
  return { cameTo, from, to, isWhole: run.done === list.total, parts: run.parts, state, changed: run.changed };
}

export function wayText({ cameTo, from, to, isWhole, parts, state, changed }: Way): readonly string[] {
  const where = cameTo === undefined ? `not yet to seed ${from}` : `to seed ${cameTo}`;
  return [
    ...changed.map(({ code, done }) => `the first ${done} runs were of another version of the code, ${code}`),
    `came ${where} of ${from}..${to} in ${parts} ${parts === 1 ? 'part' : 'parts'}; kept in ${state}`,
    ...(isWhole ? [] : ['go on with the same command and --resume']),
  ];
}

function readStored(file: string): Stored {
  try {
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Stored;
    if (stored.form === FORM) return { ...stored, summary: Summary.from(stored.summary) };
  } catch {
    // Told below, as a file of another form is.
  }
  throw new UsageError([`${file} is not the state of a run: name another with --state, or begin again with --fresh`]);
}

function differencesOf(before: RunIdentity, now: RunIdentity): readonly string[] {
  const named = ({ seeds, job }: RunIdentity): string =>
    JSON.stringify({ seeds: `${seeds.from}..${seeds.to}`, ...job });
  return [
    ...(before.code === now.code ? [] : ['the kept run is of another version of the code']),
    ...(named(before) === named(now) ? [] : [`the kept run has other options: ${named(before)}, now ${named(now)}`]),
  ];
}
