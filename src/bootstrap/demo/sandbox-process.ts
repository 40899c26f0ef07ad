import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { PRIVATE_FILE_MODE } from '../../adapters/shared/private-file';
import { SUPERVISED_VARIABLE } from '../processes/end-with-parent';
import { type DemoFiles } from './demo-plan';

const READY_MS = 15_000;
const STOP_MS = 8_000;
const PORT_TRIES_MAX = 200;
/** Below the range from which the system draws the ports of clients: one of ours could else meet itself there. */
const PORTS = { from: 18_000, count: 12_000 };

/** Not started → running → (killed → running)* → stopped. It ends by itself only when something is wrong. */
export class SandboxProcess {
  private child: ChildProcess | undefined;
  private stopping = false;

  constructor(
    private readonly files: DemoFiles,
    private readonly onStart: (pid: number) => void,
    /** It ended without having been asked to. */
    private readonly onUnexpectedEnd: (why: string) => void,
  ) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const log = openSync(this.files.sandboxLog, 'a', PRIVATE_FILE_MODE);
    const child = spawn(process.execPath, [sandboxProgram(), '--config', this.files.sandbox], {
      env: { ...process.env, [SUPERVISED_VARIABLE]: '1' },
      stdio: ['pipe', 'pipe', log],
      // A group of its own: Ctrl-C must reach the consumers first, so that calls under way get their answers.
      detached: true,
    });
    closeSync(log);
    this.child = child;
    child.stdin!.on('error', () => undefined);
    if (child.pid !== undefined) this.onStart(child.pid);
    await new Promise<void>((ready, failed) => {
      const timer = setTimeout(
        () =>
          failed(new Error(`the sandbox did not listen within ${READY_MS / 1_000} s, see ${this.files.sandboxLog}`)),
        READY_MS,
      );
      const ended = (): void => failed(new Error(`the sandbox ended before it listened, see ${this.files.sandboxLog}`));
      child.once('error', failed).once('exit', ended);
      child.stdout!.once('data', () => {
        clearTimeout(timer);
        child.off('exit', ended);
        child.once('exit', (code, signal) => this.ended(child, code, signal));
        child.stdout!.resume();
        ready();
      });
    });
  }

  /** kill -9, then a new one over the same ledger. */
  async killAndRestart(): Promise<void> {
    const { child } = this;
    if (!child || this.stopping) return;
    this.child = undefined;
    const gone = new Promise((resolveGone) => child.once('exit', resolveGone));
    child.kill('SIGKILL');
    await gone;
    if (!this.stopping) await this.start();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolveGone) => child.once('exit', resolveGone));
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(killer);
  }

  private ended(child: ChildProcess, code: number | null, signal: string | null): void {
    if (child !== this.child || this.stopping) return;
    this.onUnexpectedEnd(`the sandbox ended (${signal ?? `exit ${code}`}), see ${this.files.sandboxLog}`);
  }
}

const sandboxProgram = (): string => resolve(__dirname, '..', 'sandbox-biller.main.js');

/** A port nobody listens on now. It stays the demo's: attempts under way remember their URL. */
export async function freePort(fraction: () => number): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const port = PORTS.from + Math.floor(fraction() * PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port was found between ${PORTS.from} and ${PORTS.from + PORTS.count}`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((answer) => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
