import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { readSandboxConfiguration } from '../../src/adapters/sandbox-biller/sandbox-configuration';
import { SandboxServer } from '../../src/adapters/sandbox-biller/sandbox-server';

export const START_MS = Date.parse('2026-11-20T08:00:00.000Z');

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** The sandbox on a real port with a real ledger file; only its wall clock is moved by hand. */
export class RunningSandbox {
  nowMs = START_MS;
  private server: SandboxServer | undefined;
  private port = 0;

  private constructor(
    private readonly directory: string,
    private readonly biller: object,
    private readonly seed: string,
  ) {}

  static async start(biller: object = {}, seed = 'one'): Promise<RunningSandbox> {
    const sandbox = new RunningSandbox(mkdtempSync(join(tmpdir(), 'sandbox-')), biller, seed);
    await sandbox.startServer();
    return sandbox;
  }

  get ledgerFile(): string {
    return join(this.directory, 'ledger.db');
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/b/12`;
  }

  async startServer(): Promise<void> {
    const billers = [{ billerId: '12', authentication: { kind: 'none' }, format: 'json', ...this.biller }];
    const configuration = readSandboxConfiguration(
      JSON.stringify({ ledgerFile: this.ledgerFile, seed: this.seed, billers }),
    );
    this.server = new SandboxServer(configuration, {
      nowMs: () => this.nowMs,
      onLedgerFailure: (error) => {
        throw error;
      },
    });
    this.port = await this.server.start();
  }

  async stopServer(): Promise<void> {
    await this.server?.stop();
  }

  async dispose(): Promise<void> {
    await this.stopServer();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A payment by default. Rejects where the sandbox gives no answer. */
  async post(fields: object = {}, headers: Record<string, string> = {}, path = '/payments'): Promise<Reply> {
    const payment = { reference: '12:1', account: 'A-1', amountMinorUnits: 1234, currency: 'CZK', ...fields };
    return this.send(path, { method: 'POST', body: JSON.stringify(payment), headers });
  }

  async inquire(reference = '12:1'): Promise<Reply> {
    return this.send(`/status?reference=${encodeURIComponent(reference)}`, {});
  }

  async send(path: string, init: RequestInit): Promise<Reply> {
    const response = await fetch(`${this.url}${path}`, init);
    const text = await response.text();
    let body = {};
    try {
      body = JSON.parse(text) as object;
    } catch {
      // Left empty: the test looks at the text.
    }
    return { status: response.status, text, headers: response.headers, body: body };
  }

  async report(): Promise<Record<string, unknown>> {
    return (await fetch(`http://127.0.0.1:${this.port}/_sandbox/report`)).json() as Promise<Record<string, unknown>>;
  }

  /** Through a second connection, as a prover would read: what is not committed is not seen. */
  rows(sql: string): readonly Record<string, unknown>[] {
    const database = new Database(this.ledgerFile, { readonly: true });
    try {
      return database.prepare(sql).all() as Record<string, unknown>[];
    } finally {
      database.close();
    }
  }

  count(table: 'effects' | 'declines' | 'faults' | 'late_effects'): number {
    return this.rows(`SELECT count(*) AS n FROM ${table}`)[0]!['n'] as number;
  }
}
