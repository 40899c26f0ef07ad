import { spawn } from 'node:child_process';
import { LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { listDeadLetters } from '../../application/redrive-dead-letters';
import { TOKENS } from '../container/tokens';
import { type RecordKey } from '../../domain/identifiers';
import { CRASH_VARIABLE } from '../processes/arm-crash-point';
import { commandLine } from '../processes/supervise';
import { type CrashRun } from './crash-run';

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
    const letters = await listDeadLetters(run.container.get(TOKENS.bus), topology, dataType, LETTERS_MAX);
    const left = new Set(letters.map(({ sequenceNumber }) => sequenceNumber));
    const words = ['deadletter', 'redrive', '--type', dataType.toLowerCase(), '--all', ...ORDER];
    if (left.size > 0 && point !== undefined) await runCommand(run, words, point);
    for (let tries = 0; left.size > 0; tries++) {
      if (tries === REDRIVES_MAX) throw new Error(`${left.size} dead letters of ${dataType} stayed`);
      await run.container.get(TOKENS.clock).sleep(REDRIVE_WAIT_MS);
      await runCommand(run, words, undefined);
      const now = await listDeadLetters(run.container.get(TOKENS.bus), topology, dataType, LETTERS_MAX);
      for (const letter of left) if (!now.some(({ sequenceNumber }) => sequenceNumber === letter)) left.delete(letter);
    }
  }
}

/** Says of each record in doubt what the biller's books say; the first time armed with `point`. */
export async function resolveAll(run: CrashRun, point: string | undefined): Promise<void> {
  const rows = (await Promise.all(run.container.get(TOKENS.shards).all().map(doubtful))).flat();
  if (rows.length === 0) throw new Error('nothing is in doubt that a person could resolve');
  const books = new LedgerBooks(run.files.ledger);
  const effects = new Set(books.effects(undefined, BOOKS_MAX).map(({ reference }) => reference));
  const declines = new Set(books.declines(undefined, BOOKS_MAX).map(({ reference }) => reference));
  books.close();
  for (const [index, record] of rows.entries()) {
    const verdict = effects.has(record) ? 'delivered' : declines.has(record) ? 'declined' : 'not-executed';
    const words = ['in-doubt', 'resolve', record, '--as', verdict, '--evidence', "the sandbox's ledger", ...ORDER];
    if (index === 0 && point !== undefined) await runCommand(run, words, point);
    await runCommand(run, words, undefined);
  }
}

async function doubtful(shard: {
  rowsByStatus: (query: {
    statuses: ['InDoubt'];
    max: number;
  }) => Promise<readonly { billerId: string; dpId: string }[]>;
}): Promise<RecordKey[]> {
  const rows = await shard.rowsByStatus({ statuses: ['InDoubt'], max: BOOKS_MAX });
  return rows.map(({ billerId, dpId }) => `${billerId}:${dpId}` as RecordKey);
}

/** Exit codes that an order may end with when an earlier one, killed, had done its work already. */
const DONE_OR_DONE_ALREADY: readonly (number | null)[] = [0, 1, 3];

/** The command line as an operator uses it; armed, it must not come to its end. */
export async function runCommand(run: CrashRun, words: readonly string[], point: string | undefined): Promise<void> {
  const child = spawn(process.execPath, [commandLine(), '--config', run.files.configuration, ...words], {
    env: { ...process.env, ...run.environment, ...(point === undefined ? {} : { [CRASH_VARIABLE]: point }) },
    stdio: ['pipe', run.logFile, run.logFile],
  });
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((ended, failed) =>
    child.once('error', failed).once('exit', (exit, by) => ended({ code: exit, signal: by })),
  );
  if (point !== undefined && signal === 'SIGKILL') return;
  if (!DONE_OR_DONE_ALREADY.includes(code))
    throw new Error(`${words.slice(0, 2).join(' ')} ended with ${signal ?? code}, see ${run.files.processLog}`);
}
