import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../architecture/source-files';
import { until } from '../support/until';

const MAIN = join(ROOT, 'dist/bootstrap/command-line.main.js');

/** What a cluster does to one container: starts it, asks whether it is ready, tells it to stop, and kills it after its grace. */
export class Pod {
  private readonly child: ChildProcess;
  private killed = false;
  private askedAt = 0;
  /** How it ended: its exit code, whether its grace was used up, and how long it took. */
  readonly ended: Promise<{ readonly code: number | null; readonly killed: boolean; readonly tookMs: number }>;

  private constructor(
    readonly words: readonly string[],
    private readonly port: number,
    environment: Readonly<Record<string, string>>,
    log: number,
  ) {
    this.child = spawn(process.execPath, [MAIN, ...words], {
      env: { PATH: process.env['PATH'], ...environment, Health__Port: String(port) },
      stdio: ['ignore', 'ignore', log],
    });
    this.ended = new Promise((resolve) =>
      this.child.once('exit', (code) =>
        resolve({ code, killed: this.killed, tookMs: Math.round(performance.now() - this.askedAt) }),
      ),
    );
  }

  static async start(
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
    log: number,
  ): Promise<Pod> {
    return new Pod(words, await freePort(), environment, log);
  }

  /** As the readiness probe sees it. */
  async becomesReady(): Promise<void> {
    await until(`${this.words.join(' ')} is ready`, async () => {
      if (this.child.exitCode !== null) throw new Error(`${this.words.join(' ')} ended with ${this.child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${this.port}/health/ready`).catch(() => undefined);
      return answer?.status === 200;
    });
  }

  /** The cluster goes on at once; `ended` says what came of it. */
  stop(graceSeconds: number): void {
    this.askedAt = performance.now();
    this.child.kill('SIGTERM');
    const grace = setTimeout(() => {
      this.killed = true;
      this.child.kill('SIGKILL');
    }, graceSeconds * 1_000);
    void this.ended.then(() => clearTimeout(grace));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
