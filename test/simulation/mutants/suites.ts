import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A piece of one source file, and what stands there instead. */
export interface Change {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
}

/** Cut short once a test has failed, and the quickest suites first. */
const CONFIG = 'test/simulation/mutants/sample/jest.config.cjs';
/** Of suites whose usual time is not known. */
const LIMIT_MS = 600_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

interface Failure {
  readonly what: string;
  /** The test file that failed; undefined where jest was ended. */
  readonly file?: string;
}

/**
 * What failed first in the test files whose path holds one of `tests`, with the change in place; undefined where all held.
 * On a busy machine a test may fail for want of time: what does not fail a second time finds nothing.
 */
export async function failureOf(
  root: string,
  tests: readonly string[],
  change: Change | undefined,
  limitMs = LIMIT_MS,
): Promise<string | undefined> {
  const first = await failureOnce(root, tests, change, limitMs);
  if (first?.file === undefined) return first?.what;
  const again = await failureOnce(root, [first.file], change, limitMs);
  return again ? first.what : (await failureOnce(root, tests, change, limitMs))?.what;
}

async function failureOnce(
  root: string,
  tests: readonly string[],
  change: Change | undefined,
  limitMs: number,
): Promise<Failure | undefined> {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  try {
    await promisify(execFile)(process.execPath, [jest, '--config', CONFIG, '--bail', '1', ...tests], {
      cwd: root,
      timeout: Math.ceil(limitMs),
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_BYTES_MAX,
      env: { ...process.env, ...(change === undefined ? {} : { DATAPUMP_MUTATION: JSON.stringify(change) }) },
    });
    return undefined;
  } catch (error) {
    const {
      code,
      killed,
      signal,
      stderr = '',
    } = error as {
      readonly code?: unknown;
      readonly killed?: boolean;
      readonly signal?: unknown;
      readonly stderr?: string;
    };
    if (killed === true) return { what: `the suites did not end within ${Math.ceil(limitMs)} ms` };
    // So Node ends where its memory is full.
    if (signal === 'SIGABRT') return { what: 'the suites took all memory' };
    // Whatever else ended it finds nothing.
    if (typeof code !== 'number') throw error;
    const file = /^FAIL (\S+)/m.exec(stderr)?.[1];
    const what = /^\s*● (.+)$/m.exec(stderr)?.[1] ?? `jest ended with ${code}`;
    return { what, ...(file !== undefined && { file }) };
  }
}
