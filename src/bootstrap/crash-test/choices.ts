import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CRASH_CASES, type CrashCase } from './crash-cases';

export interface Choices {
  readonly cases: readonly CrashCase[];
  readonly times: number;
  /** Undefined: the first run of a point dies at its first passing, the second at its second, where it is passed so often. */
  readonly occurrence: number | undefined;
  readonly rollingRestart: boolean;
  readonly randomKills: boolean;
  readonly atOnce: number;
  readonly seed: number;
  /** Undefined: a temporary one. */
  readonly folder: string | undefined;
  readonly json: boolean;
}

export type Asked = { readonly choices: Choices } | { readonly problems: readonly string[] } | { readonly help: true };

const LIMITS = { times: 100, 'at-once': 32, seed: 1_000_000, occurrence: 9_999 } as const;
/** On two cores: trials wait for locks to lapse most of the time. */
const DEFAULTS = { times: '3', 'at-once': '6', seed: '1' } as const;

const OPTIONS = {
  points: { type: 'string' },
  times: { type: 'string', default: DEFAULTS.times },
  'rolling-restart': { type: 'boolean', default: false },
  'random-kills': { type: 'boolean', default: false },
  seed: { type: 'string', default: DEFAULTS.seed },
  'at-once': { type: 'string', default: DEFAULTS['at-once'] },
  occurrence: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

export const HELP = `usage: npm run crash-test [-- options]

Kills processes (kill -9) at named points, starts them again and proves from manifest, shards, event store and the
biller's ledger that nothing is lost and nothing doubled. Without a choice: every point, random kills and a rolling restart.

  --points a,b        only these points or cases; what is wrong with a name is told with all there are
  --times n           runs of each, every one with a data set of its own (${DEFAULTS.times})
  --random-kills      thousands of records under faults, any process killed at any time (demo --chaos)
  --rolling-restart   SIGTERM to each process in turn under load: no record may get a second attempt
  --seed n            of data, faults and random kills (${DEFAULTS.seed})
  --at-once n         trials side by side (${DEFAULTS['at-once']}, for two cores)
  --occurrence n      die at the n-th passing of the point
  --data folder       where the data sets lie (a temporary folder); those of failed trials are kept, and named
  --json              the result as JSON on standard output

exit codes: 0 proved, 1 not proved or interrupted, 2 usage
`;

/** All problems at once. */
export function choicesOf(words: readonly string[]): Asked {
  let values;
  try {
    ({ values } = parseArgs({ args: [...words], options: OPTIONS }));
  } catch (error) {
    return { problems: [(error as Error).message] };
  }
  if (values.help) return { help: true };
  const problems: string[] = [];
  const whole = (name: keyof typeof LIMITS, text: string): number => {
    const value = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value <= LIMITS[name]))
      problems.push(`--${name}: found ${text}, expected a whole number from 1 to ${LIMITS[name]}`);
    return value;
  };
  const chosen = values.points === undefined ? undefined : casesOf(values.points, problems);
  const all = chosen === undefined && !values['rolling-restart'] && !values['random-kills'];
  const choices: Choices = {
    cases: chosen ?? (all ? CRASH_CASES : []),
    times: whole('times', values.times),
    occurrence: values.occurrence === undefined ? undefined : whole('occurrence', values.occurrence),
    rollingRestart: values['rolling-restart'] || all,
    randomKills: values['random-kills'] || all,
    atOnce: whole('at-once', values['at-once']),
    seed: whole('seed', values.seed),
    folder: values.data === undefined ? undefined : resolve(values.data),
    json: values.json,
  };
  return problems.length > 0 ? { problems } : { choices };
}

function casesOf(text: string, problems: string[]): readonly CrashCase[] {
  const names = text.split(',').filter((name) => name !== '');
  const found = names.map((name) => CRASH_CASES.filter((crash) => crash.name === name || crash.point === name));
  const unknown = names.filter((_, index) => found[index]!.length === 0);
  if (unknown.length > 0 || names.length === 0) {
    const expected = CRASH_CASES.map(({ name }) => name).join('\n  ');
    problems.push(`--points: found ${unknown.join(', ') || 'none'}, expected some of:\n  ${expected}`);
  }
  return [...new Set(found.flat())];
}
