import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type PeerCommand, type PeerOrder } from './peer.main';

const READY_MS = 30_000;

/** running → (plug pulled: killed) → running …; it ends with this process. */
export class PeerProcess {
  private child: ChildProcess | undefined;

  constructor(private readonly order: PeerOrder) {}

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', join(__dirname, 'peer.main.ts'), JSON.stringify(this.order)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.child = child;
    child.stdin.on('error', () => undefined);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the ${this.order.kind} peer ended before it listened (exit ${String(code)})`);
    });
    ended.catch(() => undefined);
    await Promise.race([once(child.stdout, 'data', { signal: AbortSignal.timeout(READY_MS) }), ended]);
  }

  /** Lost where the process is not running. */
  tell(command: PeerCommand): void {
    this.child?.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** kill -9, so that nothing is said to anybody; the same server again after so long. */
  async pullPlug(ms: number): Promise<void> {
    await this.stop();
    await delay(ms);
    await this.start();
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}
