import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants/mutants';
import { PARTS } from './mutants/sample/draw';
import { WORKERS } from './pool';
import { BROKEN_ASSUMPTIONS, type BrokenAssumptionName } from './world/broken-assumptions';
import { FAULT_KINDS, type FaultKind } from './world/faults';
import { CAPABILITIES, type Capability } from './world/scenario';

/** What a seed's job has beside its seed, from the command line. */
export interface JobOptions {
  readonly only?: readonly string[];
  readonly rows?: readonly number[];
  readonly capability?: Capability;
  readonly kinds?: readonly FaultKind[];
  readonly sqlite?: boolean;
  readonly http?: boolean;
  readonly broken?: BrokenAssumptionName;
}

/** Each problem is one line. */
export class UsageError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

const OPTIONS = {
  help: { type: 'boolean', default: false },
  seeds: { type: 'string', default: '1..200' },
  json: { type: 'boolean', default: false },
  until: { type: 'string' },
  resume: { type: 'boolean', default: false },
  fresh: { type: 'boolean', default: false },
  'even-if-changed': { type: 'boolean', default: false },
  state: { type: 'string', default: '.datapump/simulation.json' },
  mutants: { type: 'boolean', default: false },
  named: { type: 'string', default: '' },
  sample: { type: 'string' },
  parts: { type: 'string' },
  'sample-seed': { type: 'string', default: '1' },
  'every-call': { type: 'boolean', default: false },
  assumptions: { type: 'boolean', default: false },
  workers: { type: 'string', default: String(WORKERS) },
  story: { type: 'boolean', default: false },
  only: { type: 'string' },
  rows: { type: 'string' },
  capability: { type: 'string' },
  kinds: { type: 'string' },
  broken: { type: 'string' },
  sqlite: { type: 'boolean' },
  http: { type: 'boolean' },
} as const;

export const HELP = `npm run simulate -- [options]

The regression seeds first, then the seeds asked for. Exit code 0: nothing was lost, doubled, stuck or told wrongly;
1: a law was broken, or the run tried too little; 2: usage, or a kept run that is not this one; 130: interrupted.

  --seeds A..B          which seeds (default 1..200)
  --json                output for programs
  --workers N           threads (default: one a core)

A long run can be kept in a file, interrupted at any time (Ctrl-C, even kill -9) and resumed:
  --until <time>        end there: an instant (2026-11-22T06:00:00Z), a time of the day (06:00) or from now on (90m, 8h)
  --resume              go on where the kept run came to, or begin it where there is none
  --fresh               throw the kept run away and begin again
  --even-if-changed     go on although the code or the options are others than those of the kept run
  --state <file>        where it is kept (default .datapump/simulation.json)

What runs:
  --sqlite, --no-sqlite all seeds on the SQLite adapters, or none (default: one in ten)
  --http, --no-http     all seeds through the product's HTTP gateway, or none (default: another one in ten)
  --capability X        billers of one kind: neither, inquiry, keys or both
  --kinds a,b           only these kinds of faults, each at its highest rate
  --broken <name>       with one assumption broken: ${Object.keys(BROKEN_ASSUMPTIONS).join(', ')}
  --every-call          each call fails once, and from then on, with each fault that its port knows
  --assumptions         breaks what the design relies on, and expects the damage to be told
  --mutants             applies named defects one at a time and expects each to be found; --named x: only those
  --sample N            with --mutants: so many drawn defects; --parts a,b, --sample-seed N

Repeat one seed:
  --only a,b, --rows 1,2  these faults and rows alone; --story tells every call
`;

export type Choices = ReturnType<typeof choicesOf>;

/** All problems at once. */
export function choicesOf(args: readonly string[]) {
  const { values } = read(args);
  const problems: string[] = [];
  const whole = (option: string, text: string): number => {
    if (!/^\d{1,12}$/.test(text)) problems.push(`--${option}: found ${text}, expected a whole number`);
    return Number(text);
  };
  const [from = '', to = from, ...more] = values.seeds.split('..');
  const seeds = { from: whole('seeds', from), to: whole('seeds', to) };
  if (more.length > 0 || seeds.from > seeds.to)
    problems.push(`--seeds: found ${values.seeds}, expected such as 1..200`);
  const workers = whole('workers', values.workers);
  if (workers < 1) problems.push('--workers: found 0, expected at least 1');
  const until = values.until === undefined ? undefined : timeOf(values.until, new Date());
  if (until !== undefined && Number.isNaN(until))
    problems.push(`--until: found ${values.until}, expected such as 2026-11-22T06:00:00Z, 06:00 or 90m`);
  if (values.resume && values.fresh) problems.push('--resume and --fresh: expected one of the two');
  const kept = values.resume || values.fresh || until !== undefined;
  if (kept && (values.mutants || values.story)) problems.push('--until, --resume and --fresh are for seeds alone');
  const sample =
    values.sample === undefined
      ? undefined
      : {
          count: whole('sample', values.sample),
          seed: whole('sample-seed', values['sample-seed']),
          parts: values.parts?.split(',').map((part) => oneOf('parts', part, PARTS, problems)) ?? PARTS,
        };
  if (sample === undefined && values.parts !== undefined) problems.push('--parts: belongs to --mutants --sample');
  if (sample !== undefined && !values.mutants) problems.push('--sample: belongs to --mutants');
  const named = values.named.split(',');
  const mutants = MUTANTS.filter(({ name, rule }) => named.some((one) => name.includes(one) || rule.includes(one)));
  if (mutants.length === 0) problems.push(`--named: found ${values.named}, which no mutant's name or rule holds`);
  const job = jobOptionsOf(values, problems);
  if (problems.length > 0) throw new UsageError([...new Set(problems)]);
  return { ...values, seeds, workers, until, kept, job, sample, mutants: values.mutants ? mutants : undefined };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowNegative: true });
  } catch (error) {
    throw new UsageError([(error as Error).message]);
  }
}

function oneOf<Name extends string>(option: string, text: string, known: readonly Name[], problems: string[]): Name {
  const found = known.find((name) => name === text);
  if (found === undefined) problems.push(`--${option}: found ${text}, expected one of ${known.join(', ')}`);
  return found ?? known[0]!;
}

function rowOf(text: string, problems: string[]): number {
  if (!/^\d{1,9}$/.test(text)) problems.push(`--rows: found ${text}, expected whole numbers with commas between`);
  return Number(text);
}

function jobOptionsOf(values: ReturnType<typeof read>['values'], problems: string[]): JobOptions {
  const one = <Name extends string>(option: string, text: string, known: readonly Name[]): Name =>
    oneOf(option, text, known, problems);
  return {
    ...(values.only === undefined ? {} : { only: values.only.split(',').filter((id) => id !== 'none') }),
    ...(values.rows === undefined ? {} : { rows: values.rows.split(',').map((row) => rowOf(row, problems)) }),
    ...(values.capability === undefined ? {} : { capability: one('capability', values.capability, CAPABILITIES) }),
    ...(values.kinds === undefined
      ? {}
      : { kinds: values.kinds.split(',').map((kind) => one('kinds', kind, FAULT_KINDS)) }),
    ...(values.sqlite === undefined ? {} : { sqlite: values.sqlite }),
    ...(values.http === undefined ? {} : { http: values.http }),
    ...(values.broken === undefined
      ? {}
      : { broken: one('broken', values.broken, Object.keys(BROKEN_ASSUMPTIONS) as BrokenAssumptionName[]) }),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As ms since 1970; NaN: it is no time. */
export function timeOf(text: string, now: Date): number {
  const duration = /^(\d{1,6})([smhd])$/.exec(text);
  if (duration) return now.getTime() + Number(duration[1]) * UNIT_MS[duration[2]!]!;
  const ofDay = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (ofDay) {
    const next = new Date(now);
    next.setHours(Number(ofDay[1]), Number(ofDay[2]), 0, 0);
    if (next <= now) next.setDate(next.getDate() + 1);
    return next.getTime();
  }
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
}
