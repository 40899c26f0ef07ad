import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const MAIN = resolve(__dirname, '../../dist/bootstrap/command-line.main.js');
const GOLDEN = resolve(__dirname, '../end-to-end/golden');

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function demandBuilt(): void {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build makes it`);
}

/** The built command line in a process of its own, as a person runs it. */
export async function datapump(
  words: readonly string[],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly folder: string },
): Promise<Said> {
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: options.folder,
    env: { PATH: process.env['PATH'], ...options.environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((ended) => child.once('close', ended));
  return { code, stdout, stderr };
}

const USER = `${userInfo().username}@${hostname()}`;

/** What differs from run to run, made the same: instants, spans of time, speeds, processes, folders, versions, the user. */
export function normalized(text: string, folder: string): string {
  // A table is as wide as the user's name in it, or as the age of what it lists.
  const evenly =
    text.includes(`${USER} `) || /\d[smh] ago/.test(text)
      ? text.replace(/ {2,}/g, '  ').replace(/-{4,}/g, '----')
      : text;
  return evenly
    .replaceAll(folder, '<folder>')
    .replaceAll(`${USER} `, '<user@host> ')
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{3}Z/g, '<instant>')
    .replace(/\b\d+[dsmh]( \d+[smh])? ago */g, '<span> ago  ')
    .replace(/ +\d+[dsmh]( \d+[smh])?$/gm, '  <age>')
    .replace(/\b[0-9a-f]{16}\b/g, '<version>')
    .replace(/\b\d+ lines\/s/g, '<speed> lines/s')
    .replace(/"linesPerSecond": \d+/g, '"linesPerSecond": <speed>')
    .replace(/\b[\w-]+@[\w.-]+:\d+ */g, '<process>  ');
}

/**
 * Compares with a file that a person has read. `UPDATE_GOLDEN=1` writes it anew: read the difference before committing.
 */
export function expectGolden(name: string, text: string): void {
  const file = join(GOLDEN, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, 'utf8'));
}
