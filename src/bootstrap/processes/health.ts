import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { PortFailure } from '../../application/ports/failures';
import { type MessageReceiver } from '../../application/ports/message-bus';

/** A process whose last receive or scan succeeded longer ago is not ready; a receive waits 5 s at most when all is well. */
const READY_WITHIN_MS = 60_000;
/** Without even an attempt for so long it is taken for stuck: longer than any message may be in hand. */
const LIVE_WITHIN_MS = 15 * 60_000;

/**
 * What a process really does: starting → working → draining. Its loop notes each receive or scan; nothing is asked for
 * the sake of an answer, so a probe costs the servers nothing. A loop that stands still answers no probe: see watchdog.ts.
 */
export class Health {
  private readonly startedAt: number;
  private attemptedAt: number;
  private succeededAt: number | undefined;
  private failure: { readonly code: string; readonly step: string } | undefined;
  private draining = false;
  private readonly watched: (() => string | undefined)[] = [];
  private server: Server | undefined;
  private readonly pages = new Map<string, RequestListener>();

  constructor(
    private readonly process: string,
    private readonly monotonicMs: () => number,
  ) {
    this.attemptedAt = this.startedAt = monotonicMs();
  }

  /** Something that this process can work without, if worse: what it says is wrong is told, and is no reason to stop it. */
  watch(trouble: () => string | undefined): void {
    this.watched.push(trouble);
  }

  /** A page beside the probes, at the same port. */
  serve(path: string, answer: RequestListener): void {
    this.pages.set(path, answer);
  }

  /** Since the last receive or scan that succeeded; since the start where none has. */
  sinceSuccessMs(): number {
    return this.monotonicMs() - (this.succeededAt ?? this.startedAt);
  }

  /** Runs one receive or scan and remembers how it went. */
  async noting<T>(work: () => Promise<T>): Promise<T> {
    this.attemptedAt = this.monotonicMs();
    try {
      const result = await work();
      this.succeededAt = this.monotonicMs();
      this.failure = undefined;
      return result;
    } catch (error) {
      this.failure =
        error instanceof PortFailure
          ? { code: error.code, step: error.message }
          : { code: 'broken', step: (error as Error).name };
      throw error;
    }
  }

  notingReceives(receiver: MessageReceiver): MessageReceiver {
    return {
      receive: (options) => this.noting(() => receiver.receive(options)),
      complete: (message) => receiver.complete(message),
      abandon: (message) => receiver.abandon(message),
      deadLetter: (message, why) => receiver.deadLetter(message, why),
      renewLock: (message) => receiver.renewLock(message),
      close: () => receiver.close(),
    };
  }

  drain(): void {
    this.draining = true;
  }

  live(): { readonly ok: boolean; readonly state: object } {
    const ok = this.draining || this.monotonicMs() - this.attemptedAt < LIVE_WITHIN_MS;
    return { ok, state: this.state() };
  }

  ready(): { readonly ok: boolean; readonly state: object } {
    const { succeededAt } = this;
    const ok = !this.draining && succeededAt !== undefined && this.monotonicMs() - succeededAt < READY_WITHIN_MS;
    return { ok, state: this.state() };
  }

  /** The port it listens on. */
  async listen(port: number, host: string): Promise<number> {
    const server = createServer((request, response) => {
      const path = request.url?.split('?')[0];
      const page = this.pages.get(path ?? '');
      if (page && request.method === 'GET') return page(request, response);
      const answer = path === '/health/live' ? this.live() : path === '/health/ready' ? this.ready() : undefined;
      const status = answer === undefined ? 404 : answer.ok ? 200 : 503;
      response.writeHead(status, { 'content-type': 'application/json' });
      return void response.end(
        `${JSON.stringify(answer?.state ?? { paths: ['/health/live', '/health/ready', ...this.pages.keys()] })}\n`,
      );
    });
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve());
    });
    // A probe must not keep a process alive that has nothing else to do.
    server.unref();
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const { server } = this;
    if (!server?.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private state(): object {
    const ago = (at: number | undefined): number | undefined =>
      at === undefined ? undefined : Math.round(this.monotonicMs() - at);
    const degraded = this.watched.flatMap((trouble) => trouble() ?? []);
    return {
      process: this.process,
      state: this.draining ? 'draining' : this.succeededAt === undefined ? 'starting' : 'working',
      lastAttemptAgoMs: ago(this.attemptedAt),
      lastSuccessAgoMs: ago(this.succeededAt),
      failing: this.failure,
      degraded: degraded.length === 0 ? undefined : degraded,
    };
  }
}
