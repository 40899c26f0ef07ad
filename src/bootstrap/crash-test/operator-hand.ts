import { spawn } from 'node:child_process';
import { LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { lettersOf, lookThrough } from '../../application/queries/list-dead-letters';
import { TOKENS } from '../container/tokens';
import { recordKey, type RecordKey } from '../../domain/identifiers';
import { CRASH_VARIABLE } from '../processes/arm-crash-point';
import { commandLine } from '../processes/supervise';
import { type CrashRun, Interrupted } from './crash-run';
import { letAnHourPass } from './prepare-case';

const ORDER = ['--apply', '--by', 'crash-test', '--reason', 'the crash test orders it'];
const BOOKS_MAX = 1_000;
const LETTERS_MAX = 1_000;
/** Letters that a dead order held come back when their locks lapse. */
const REDRIVES_MAX = 30;
const REDRIVE_WAIT_MS = 500;

/** Redrives what is dead-lettered now, the first time armed with `point`. */
export async function redriveAll(run: CrashRun, point: string | undefined): Promise<void> {
  const topology = run.container.get(TOKENS.topology);
  for (const dataType of run.dataTypes) {
    const bounds = { foundMax: LETTERS_MAX, lookMax: LETTERS_MAX };
    const deadLetters = async () =>
      (await lookThrough(run.container.get(TOKENS.bus), lettersOf(topology, dataType), bounds, () => true)).found;
    const letters = await deadLetters();
    const left = new Set(letters.map(({ sequenceNumber }) => sequenceNumber));
    const words = ['deadletter', 'redrive', '--type', dataType.toLowerCase(), '--all', ...ORDER];
    if (left.size > 0 && point !== undefined) await runCommand(run, words, point);
    for (let tries = 0; left.size > 0; tries++) {
      if (tries === REDRIVES_MAX) throw new Error(`${left.size} dead letters of ${dataType} stayed`);
      await run.container.get(TOKENS.clock).sleep(REDRIVE_WAIT_MS);
      await runCommand(run, words, undefined);
      const now = await deadLetters();
      for (const letter of left) if (!now.some(({ sequenceNumber }) => sequenceNumber === letter)) left.delete(letter);
    }
  }
}

/**
 * Says of each record in doubt what the biller's books say, until nothing is in doubt; the first order is armed with
 * `point`. What a dead order left undone is the sweep's work: repeated, the order is refused where the attempt is closed.
 */
export async function resolveAll(run: CrashRun, point: string | undefined): Promise<void> {
  const first = await doubtful(run);
  if (first.length === 0) throw new Error('nothing is in doubt that a person could resolve');
  if (point !== undefined) {
    await resolveOne(run, first[0]!, point);
    letAnHourPass(run);
  }
  await run.until('nothing is in doubt', async () => {
    for (const record of await doubtful(run)) await resolveOne(run, record, undefined);
    await run.untilDrained();
    return (await doubtful(run)).length === 0;
  });
}

async function resolveOne(run: CrashRun, record: RecordKey, point: string | undefined): Promise<void> {
  const books = new LedgerBooks(run.files.ledger);
  const tells = (booked: readonly { readonly reference: RecordKey }[]): boolean =>
    booked.some(({ reference }) => reference === record);
  const verdict = tells(books.effects(undefined, BOOKS_MAX))
    ? 'delivered'
    : tells(books.declines(undefined, BOOKS_MAX))
      ? 'declined'
      : 'not-executed';
  books.close();
  const evidence = "the sandbox's ledger";
  await runCommand(run, ['in-doubt', 'resolve', record, '--as', verdict, '--evidence', evidence, ...ORDER], point);
}

async function doubtful(run: CrashRun): Promise<readonly RecordKey[]> {
  const shards = run.container.get(TOKENS.shards).all();
  const rows = await Promise.all(shards.map((shard) => shard.rowsByStatus({ statuses: ['InDoubt'], max: BOOKS_MAX })));
  return rows.flat().map(({ billerId, dpId }) => recordKey(billerId, dpId));
}

/** Exit codes that an order may end with when an earlier one, killed, had done its work already. */
const DONE_OR_DONE_ALREADY: readonly (number | null)[] = [0, 1, 3];

/** The command line as an operator uses it; armed, it must not come to its end. */
export async function runCommand(run: CrashRun, words: readonly string[], point: string | undefined): Promise<void> {
  const child = spawn(process.execPath, [commandLine(), '--config', run.files.configuration, ...words], {
    env: { ...process.env, ...run.environment, ...(point === undefined ? {} : { [CRASH_VARIABLE]: point }) },
    stdio: ['pipe', run.logFile, run.logFile],
  });
  const stop = (): void => void child.kill('SIGTERM');
  run.signal.addEventListener('abort', stop);
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((ended, failed) =>
    child.once('error', failed).once('exit', (exit, by) => ended({ code: exit, signal: by })),
  );
  run.signal.removeEventListener('abort', stop);
  if (run.signal.aborted) throw new Interrupted();
  if (point !== undefined && signal === 'SIGKILL') return;
  if (!DONE_OR_DONE_ALREADY.includes(code))
    throw new Error(`${words.slice(0, 2).join(' ')} ended with ${signal ?? code}, see ${run.files.processLog}`);
}
