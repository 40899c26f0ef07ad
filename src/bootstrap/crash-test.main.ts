import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Lines, printer } from '../adapters/command-line/printer';
import { causeLines } from '../application/ports/failures';
import { stopSignal } from './command-line/command-context';
import { EXIT } from './command-line/problems';
import { type Choices, choicesOf, HELP } from './crash-test/choices';
import { randomKills } from './crash-test/random-kills';
import { rollingRestart } from './crash-test/rolling-restart';
import { caseTrial } from './crash-test/run-case';
import { runTrials } from './crash-test/run-trials';
import { summaryOf, summaryLines, Teller } from './crash-test/tell-results';
import { type Trial } from './crash-test/trial';

const say = (...lines: Lines): void => printer.complain(lines);

/** Kills a process at each named point, starts it again, and proves that nothing was lost and nothing doubled. */
async function main(words: readonly string[]): Promise<number> {
  const asked = choicesOf(words);
  if ('help' in asked) {
    printer.print(HELP.trimEnd().split('\n'));
    return EXIT.done;
  }
  if ('problems' in asked) {
    for (const problem of asked.problems) for (const line of problem.split('\n')) say(line);
    say('(--help tells the options)');
    return EXIT.usage;
  }
  return runAll(asked.choices);
}

async function runAll(choices: Choices): Promise<number> {
  const { atOnce, seed, json } = choices;
  const parent = choices.folder ?? join(tmpdir(), 'datapump-crash-test');
  mkdirSync(parent, { recursive: true });
  // Two crash tests at a time must not meet in one folder.
  const folder = mkdtempSync(join(parent, 'run-'));
  const signal = stopSignal();
  const trials = trialsOf(choices);
  const teller = new Teller(trials.length, process.stderr);
  const began = performance.now();
  const results = await runTrials(trials, { atOnce, seed, folder, signal, onResult: (result) => teller.tell(result) });
  teller.clear();
  const points = new Set(choices.cases.map(({ point }) => point)).size;
  const summary = summaryOf(results, points, (performance.now() - began) / 1_000);
  if (summary.failed === 0) removeFolders(folder, choices.folder === undefined ? parent : undefined);
  else say(`data and logs of the failed trials are kept in ${folder}`);
  if (signal.aborted) {
    say(`interrupted after ${results.length} of ${trials.length} trials, ${summary.failed} of them failed`);
    return EXIT.failed;
  }
  if (json) printer.printJson({ ...summary, results });
  else printer.print(summaryLines(summary));
  return summary.failed === 0 ? EXIT.done : EXIT.failed;
}

/** What takes long goes first, so that nothing is waited for alone at the end. */
function trialsOf({ cases, times, occurrence, ...choices }: Choices): readonly Trial[] {
  const isLong = ({ preparation, afterwards }: Choices['cases'][number]): boolean =>
    preparation !== 'nothing' || afterwards !== 'nothing';
  const ordered = [...cases.filter(isLong), ...cases.filter((crash) => !isLong(crash))];
  return [
    ...(choices.randomKills ? [randomKills] : []),
    ...(choices.rollingRestart ? [rollingRestart] : []),
    ...ordered.flatMap((crash) => Array.from({ length: times }, (_, index) => caseTrial(crash, index + 1, occurrence))),
  ];
}

/** `ours`: a parent that was made for such folders, and goes with the last one. */
function removeFolders(folder: string, ours: string | undefined): void {
  rmSync(folder, { recursive: true, force: true });
  if (ours === undefined) return;
  try {
    rmdirSync(ours);
  } catch {
    // Another crash test is at work there, or left what failed.
  }
}

void main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const [first, ...causes] = causeLines(error);
    say(`the crash test failed: ${first}`, ...causes);
    process.exitCode = EXIT.failed;
  },
);
