import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { causeChain } from '../application/ports/failures';
import { eachBounded } from '../application/scan-shards';
import { CRASH_CASES, type CrashCase } from './crash-test/crash-cases';
import { rollingRestart } from './crash-test/rolling-restart';
import { type CaseResult, runCase } from './crash-test/run-case';

const FOLDER = '.datapump/crash-test';
const LIMITS = { times: 100, atOnce: 16, occurrence: 9_999 } as const;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Choices {
  readonly cases: readonly CrashCase[];
  readonly times: number;
  readonly atOnce: number;
  readonly folder: string;
  /** Undefined: the first run of a point dies at its first passing, the second at its second, where it is passed so often. */
  readonly occurrence: number | undefined;
  readonly rollingRestart: boolean;
  readonly json: boolean;
}

/** Undefined: what was wrong has been said. */
function choicesOf(words: readonly string[]): Choices | undefined {
  const problems: string[] = [];
  const { values } = parseArgs({
    args: [...words],
    options: {
      points: { type: 'string', default: '' },
      times: { type: 'string', default: '3' },
      'at-once': { type: 'string', default: '4' },
      data: { type: 'string', default: FOLDER },
      occurrence: { type: 'string' },
      'rolling-restart': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string, max: number): number => {
    const value = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value <= max)) problems.push(`--${name}: found ${text}, expected a whole number from 1 to ${max}`);
    return value;
  };
  const names = values.points.split(',').filter((name) => name !== '');
  const chosen = names.map((name) => CRASH_CASES.filter((crash) => crash.name === name || crash.point === name));
  chosen.forEach(
    (found, index) =>
      found.length === 0 &&
      problems.push(
        `--points: found ${names[index]}, expected one of:\n  ${CRASH_CASES.map(({ name }) => name).join('\n  ')}`,
      ),
  );
  const times = whole('times', values.times, LIMITS.times);
  const atOnce = whole('at-once', values['at-once'], LIMITS.atOnce);
  const occurrence =
    values.occurrence === undefined ? undefined : whole('occurrence', values.occurrence, LIMITS.occurrence);
  for (const problem of problems) say(problem);
  if (problems.length > 0) return undefined;
  const cases = names.length === 0 ? CRASH_CASES : chosen.flat();
  return {
    cases,
    times,
    atOnce,
    folder: resolve(values.data),
    occurrence,
    rollingRestart: values['rolling-restart'],
    json: values.json,
  };
}

/** Kills a process at each named point, starts it again, and proves that nothing was lost and nothing doubled. */
async function main(words: readonly string[]): Promise<number> {
  const choices = choicesOf(words);
  if (!choices) return 2;
  if (choices.rollingRestart) return restartRolling(choices);
  const { cases, times, folder, json } = choices;
  mkdirSync(folder, { recursive: true });
  const began = performance.now();
  const turns = cases.flatMap((crash) => Array.from({ length: times }, (_, index) => ({ crash, turn: index + 1 })));
  let done = 0;
  const results = await eachBounded(turns, choices.atOnce, async ({ crash, turn }) => {
    const result = await runCase(crash, turn, folder, choices.occurrence);
    say(`${++done}/${turns.length} ${lineOf(result)}`);
    if (result.failure === undefined) rmSync(result.folder, { recursive: true, force: true });
    return result;
  });
  const failed = results.filter(({ failure }) => failure !== undefined);
  const sum = (of: (result: CaseResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const summary = {
    points: new Set(cases.map(({ point }) => point)).size,
    runs: results.length,
    kills: sum(({ reached }) => reached),
    records: sum(({ records }) => records),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    failed: failed.length,
    seconds: Math.round((performance.now() - began) / 1_000),
  };
  const { points, runs, kills, records, lost, doubled, seconds } = summary;
  process.stdout.write(
    json
      ? `${JSON.stringify({ ...summary, results })}\n`
      : `${failed.length === 0 ? 'PROVED' : 'FAILED'}: ${points} crash points, ${runs} runs, ${kills} kills, ${records} records: ${lost} lost, ${doubled} doubled; ${failed.length} runs failed; ${seconds} s\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** No process of a deployment may cost a record an attempt. */
async function restartRolling({ folder, json }: Choices): Promise<number> {
  const result = await rollingRestart(join(folder, 'rolling-restart'));
  const { records, restarts, slowestStopMs, attempts, repeated, open, lost, doubled, failure } = result;
  const good = failure === undefined && repeated + open + lost + doubled === 0 && restarts > 0;
  process.stdout.write(
    json
      ? `${JSON.stringify(result)}\n`
      : `${good ? 'PROVED' : 'FAILED'}: ${restarts} restarts, the slowest stop took ${slowestStopMs} ms; ${records} records, ${attempts} attempts: ${repeated} repeated, ${open} open, ${lost} lost, ${doubled} doubled\n`,
  );
  if (failure !== undefined) say(failure);
  return good ? 0 : 1;
}

function lineOf({ name, turn, reached, seconds, failure, folder }: CaseResult): string {
  const line = `${name} #${turn}: ${reached} killed, ${seconds.toFixed(1)} s`;
  return failure === undefined ? line : `${line}, FAILED, see ${folder}\n  ${failure}`;
}

void main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    say(`the crash test failed: ${causeChain(error)}`);
    process.exitCode = 1;
  },
);
