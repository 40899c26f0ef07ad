import { hash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type DataType } from '../../domain/biller/data-type';
import { LateEffects } from './late-effects';
import { SandboxAccess } from './sandbox-access';
import { UnreadableBody, type AnswerFields } from './sandbox-bodies';
import { type SandboxBiller, type SandboxConfiguration } from './sandbox-configuration';
import { SandboxDesk } from './sandbox-desk';
import { SandboxLedger } from './sandbox-ledger';
import { readSubmission } from './sandbox-submission';
import { SocketReactions } from './socket-reactions';

const BODY_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 4_096;
/** How long a stop waits for answers under way (delays included) before it closes their sockets. */
const STOP_MS_MAX = 5_000;

const DATA_TYPE_OF_PATH: Readonly<Record<string, DataType>> = {
  payments: 'Payments',
  paperless: 'Paperless',
  autopay: 'AutoPay',
  'ach-rejects': 'ACHRejects',
};

/** One biller: where its business is done, and who may come in. */
interface Counter {
  readonly desk: SandboxDesk;
  readonly access: SandboxAccess;
}
type Route = Counter & { readonly serves: 'token' | 'status' | DataType };

export interface SandboxSurroundings {
  readonly nowMs: () => number;
  /** The ledger can no longer be written. No answer of the failed commit leaves; the process should end. */
  readonly onLedgerFailure: (error: Error) => void;
}

/**
 * One HTTP server that plays every biller of a configuration (docs/SANDBOX.md). An answer leaves after the commit of
 * all that it tells of; a request that is cut off may have its effect all the same, as with a real biller.
 */
export class SandboxServer {
  private readonly ledger: SandboxLedger;
  private readonly lateEffects: LateEffects;
  private readonly routes = new Map<string, Route>();
  private readonly server: Server;
  private readonly sockets = new SocketReactions();
  private readonly desks: SandboxDesk[] = [];
  private readonly counts = { inquiries: 0, tokensGranted: 0, tokensExpired: 0, unauthorized: 0, badRequests: 0 };
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly configuration: SandboxConfiguration,
    private readonly surroundings: SandboxSurroundings,
  ) {
    this.ledger = new SandboxLedger(configuration.ledgerFile, surroundings.onLedgerFailure);
    this.lateEffects = new LateEffects(this.ledger, surroundings.nowMs);
    for (const biller of configuration.billers) this.addBiller(biller);
    this.server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => this.route(request, response));
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** Returns the port in use. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.configuration.port, this.configuration.host, resolve);
    });
    return (this.server.address() as AddressInfo).port;
  }

  /** Stops accepting, closes what hangs on purpose, lets the other answers leave, commits and closes the ledger. */
  stop(): Promise<void> {
    return (this.stopped ??= this.stopOnce());
  }

  private async stopOnce(): Promise<void> {
    this.lateEffects.stop();
    const deadline = setTimeout(() => this.server.closeAllConnections(), STOP_MS_MAX);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.sockets.stop();
    await closed;
    clearTimeout(deadline);
    this.ledger.close();
  }

  private addBiller(biller: SandboxBiller): void {
    const counter: Counter = {
      desk: new SandboxDesk(biller, this.configuration.seed, this.ledger, this.lateEffects),
      access: new SandboxAccess(biller, this.configuration.seed),
    };
    this.desks.push(counter.desk);
    const base = `/b/${encodeURIComponent(biller.billerId)}`;
    if (biller.authentication.kind === 'oauth2')
      this.routes.set(`${base}/oauth/token`, { ...counter, serves: 'token' });
    if (biller.inquiry !== undefined) this.routes.set(`${base}/status`, { ...counter, serves: 'status' });
    for (const [path, serves] of Object.entries(DATA_TYPE_OF_PATH))
      this.routes.set(`${base}/${path}`, { ...counter, serves });
  }

  private route(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '/';
    const query = url.indexOf('?');
    const path = query < 0 ? url : url.slice(0, query);
    const route = this.routes.get(path);
    if (route === undefined) return this.answerOwnPath(path, response);
    const method = route.serves === 'status' ? 'GET' : 'POST';
    if (request.method !== method) return this.answer(response, route.desk.biller, 405, { code: 'method-not-allowed' });
    if (route.serves === 'token')
      return this.readBody(request, response, (body) => this.grantToken(route, request, response, body));
    if (!this.admit(route, request, response)) return;
    if (route.serves === 'status')
      return this.inquire(route, response, new URLSearchParams(query < 0 ? '' : url.slice(query)));
    const { serves } = route;
    this.readBody(request, response, (body) => this.submit(route, serves, request, response, body));
  }

  private answerOwnPath(path: string, response: ServerResponse): void {
    if (path === '/_sandbox/ready') return this.sockets.sendJson(response, 200, { ready: true });
    if (path !== '/_sandbox/report') return this.sockets.sendJson(response, 404, { code: 'no-such-endpoint' });
    const sum = (name: keyof SandboxDesk['counts']) => this.desks.reduce((total, desk) => total + desk.counts[name], 0);
    const ofDesks = {
      requests: sum('requests'),
      replayed: sum('replayed'),
      keysInUse: sum('keysInUse'),
      keysReused: sum('keysReused'),
    };
    this.sockets.sendJson(response, 200, { ...ofDesks, ...this.counts, ...this.ledger.totals() });
  }

  private admit({ access, desk }: Counter, request: IncomingMessage, response: ServerResponse): boolean {
    const nowMs = this.surroundings.nowMs();
    const verdict = access.check(request.headers, nowMs);
    if (verdict === 'granted') return true;
    if (verdict === 'token-expired') {
      this.counts.tokensExpired += 1;
      this.ledger.recordFault('token-expired', desk.biller.billerId, '', 0, nowMs);
    } else {
      this.counts.unauthorized += 1;
    }
    this.answer(response, desk.biller, 401, { code: verdict === 'refused' ? 'unauthorized' : verdict });
    return false;
  }

  private grantToken({ access }: Counter, request: IncomingMessage, response: ServerResponse, body: string): void {
    const grant = access.grant(request.headers, new URLSearchParams(body), this.surroundings.nowMs());
    if (grant === undefined) {
      this.counts.unauthorized += 1;
      return this.sockets.sendJson(response, 401, { error: 'invalid_client' });
    }
    this.counts.tokensGranted += 1;
    const { accessToken, expiresInSeconds } = grant;
    this.sockets.sendJson(response, 200, {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: expiresInSeconds,
    });
  }

  private inquire({ desk: { biller } }: Counter, response: ServerResponse, query: URLSearchParams): void {
    this.counts.inquiries += 1;
    this.lateEffects.landDue();
    const reference = query.get('reference') ?? '';
    if (reference === '')
      return this.answer(response, biller, 400, { code: 'bad-request', problem: 'reference is missing' });
    const seen = this.ledger.findOutcome(biller.billerId, reference, this.surroundings.nowMs() - biller.inquiry!.lagMs);
    this.answer(response, biller, seen.state === 'absent' ? 404 : 200, { ...seen });
  }

  private submit(
    { desk }: Counter,
    dataType: DataType,
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): void {
    const { biller } = desk;
    const header = biller.idempotency?.header.toLowerCase();
    const key = header === undefined ? undefined : (request.headers[header] as string | undefined);
    let submission;
    try {
      submission = readSubmission(body, dataType, biller, key);
    } catch (error) {
      if (!(error instanceof UnreadableBody)) throw error;
      this.counts.badRequests += 1;
      return this.answer(response, biller, 400, { code: 'bad-request', problem: error.message });
    }
    this.lateEffects.landDue();
    const bodyHash = key === undefined ? '' : hash('sha256', `${dataType}\n${body}`);
    const reaction = desk.receive(submission, bodyHash, this.surroundings.nowMs());
    this.ledger.afterCommit(() => this.sockets.perform(reaction, biller, request, response));
  }

  private answer(response: ServerResponse, biller: SandboxBiller, status: number, fields: AnswerFields): void {
    this.ledger.afterCommit(() => this.sockets.answer(response, biller, status, fields));
  }

  private readBody(request: IncomingMessage, response: ServerResponse, then: (body: string) => void): void {
    const parts: Buffer[] = [];
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= BODY_BYTES_MAX) parts.push(part);
    });
    request.on('end', () => {
      if (bytes <= BODY_BYTES_MAX)
        return then((parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString('utf8'));
      this.counts.badRequests += 1;
      this.sockets.sendJson(response, 413, { code: 'body-too-large' });
    });
  }
}
