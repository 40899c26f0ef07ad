import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PROGRAM = resolve(__dirname, '..', '..', 'dist', 'bootstrap', 'command-line.main.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly errors: string;
}

/** `datapump demo` as a process of its own, from what was built. */
export class RunningDemo {
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  private errors = '';

  constructor(folder: string, words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    // A group of its own, so that a test can press Ctrl-C, which reaches every process of a terminal's group.
    this.child = spawn(process.execPath, [PROGRAM, 'demo', '--data', folder, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...environment },
    });
    let output = '';
    this.child.stdout!.on('data', (text: Buffer) => (output += text.toString()));
    this.child.stderr!.on('data', (text: Buffer) => (this.errors += text.toString()));
    this.ended = new Promise((end) =>
      this.child.once('close', (code, signal) => end({ code, signal, output, errors: this.errors })),
    );
  }

  get told(): string {
    return this.errors;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  pressCtrlC(): void {
    process.kill(-this.child.pid!, 'SIGINT');
  }
}

export const newDemoFolder = (): string => join(mkdtempSync(join(tmpdir(), 'datapump-demo-')), 'demo');
export const removeDemoFolder = (folder: string): void =>
  rmSync(resolve(folder, '..'), { recursive: true, force: true });
