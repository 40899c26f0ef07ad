import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';
import { commandLine } from '../processes/supervise';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
}

/** Runs the command line as a person would, in a process of its own; what it says on stderr is shown. */
export async function datapump(environment: NodeJS.ProcessEnv, ...words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [commandLine(), ...words], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number>((ended, failed) =>
    child.once('error', failed).once('close', (exit) => ended(exit ?? 1)),
  );
  return { code, stdout: Buffer.concat(chunks).toString() };
}

const START_MS_MAX = 10_000;

/** The sandbox on a free port; ends with an error where it does not listen in time. */
export async function startSandbox(
  configuration: string,
): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
  const child = spawn(
    process.execPath,
    [resolve(__dirname, '..', 'sandbox-biller.main.js'), '--config', configuration],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const gone = new Promise<void>((ended) => child.once('exit', () => ended()));
  const port = await listening(child);
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      await gone;
    },
  };
}

function listening(child: ChildProcess): Promise<number> {
  return new Promise((found, failed) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      failed(new Error(`the sandbox did not listen within ${START_MS_MAX / 1_000} s`));
    }, START_MS_MAX);
    child.once('exit', (code) => failed(new Error(`the sandbox ended with code ${code ?? 'none'} before it listened`)));
    createInterface({ input: child.stdout! }).once('line', (line) => {
      clearTimeout(timer);
      found((JSON.parse(line) as { port: number }).port);
    });
  });
}
