import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { CHILD_NODE_FLAGS } from '../src/bootstrap/processes/supervise';

/** Of the bare loops; a consumer takes as many messages at a time by default. */
export const CONCURRENCY = 256;
const LOOK_MS = 20;
const PROGRAM = resolve(__dirname, '..', 'dist', 'bootstrap');
export const COMMAND_LINE = 'command-line.main.js';

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Why a child ended that nobody had told to. */
let failure: string | undefined;

export function remember<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once('exit', (code) => {
    children.delete(child);
    if (code !== 0) failure ??= `a process ended with exit code ${code}: ${child.spawnargs.slice(1).join(' ')}`;
  });
  return child;
}

/** Processes end with the bench: their standard input is a pipe that it holds. */
export function start(
  program: string,
  args: readonly string[],
  environment: Record<string, string>,
  log: number,
  stdout: 'pipe' | 'ignore',
): ChildProcess {
  const flags = [...CHILD_NODE_FLAGS, ...(process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? [])];
  return remember(
    spawn(process.execPath, [...(program === COMMAND_LINE ? flags : []), join(PROGRAM, program), ...args], {
      env: { ...process.env, ...environment, DATAPUMP_SUPERVISED: '1' },
      stdio: ['pipe', stdout, log],
    }),
  );
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

export async function until(what: string, isSo: () => boolean, maxMs: number): Promise<void> {
  for (const end = performance.now() + maxMs; !isSo();) {
    if (performance.now() > end) throw new Error(`${what} took longer than ${maxMs / 1_000} s`);
    if (failure !== undefined) throw new Error(failure);
    await new Promise((next) => setTimeout(next, LOOK_MS));
  }
}
