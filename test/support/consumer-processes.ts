import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { secretVariable } from '../../src/adapters/system/environment-secret-source';
import { firstLink, recordMessage } from '../../src/application/messaging/message-chain';
import { declareTopology } from '../../src/application/messaging/topology';
import {
  billerId,
  customerId,
  dpId,
  paymentId,
  recordKey,
  type RecordKey,
  shardName,
} from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { template } from '../support/biller-fixtures';
import { json, type Reaction, type ReceivedRequest } from '../support/scripted-biller';

const MAIN = join(__dirname, '../../dist/bootstrap/command-line.main.js');
const SHARD = shardName('Shard-1');
/**
 * Short, so that a test can wait for both to be over, and so long that a slow machine begins all calls before the first
 * is over. A lock outlives permit wait, call and margin: 12 > 1 + 5 + 5.
 */
const SHORT_WAITS = { timeoutSeconds: 5, lockSeconds: 12 };
/** One biller of each kind: with keys, with inquiry, with neither. */
const BILLERS = [
  { id: billerId('1'), template: 'form-api-key-keys' },
  { id: billerId('2'), template: 'json-api-key-inquiry' },
  { id: billerId('3'), template: 'json-basic-neither' },
];
const SECRETS = [
  'form-api-key-keys-api-key',
  'json-api-key-inquiry-api-key',
  'json-basic-neither-user',
  'json-basic-neither-password',
];
const CREATED_AT = instant('2026-11-20T08:00:00Z');

/** Real consumer processes on the embedded stack's files in one folder, with records that wait for them on the bus. */
export class ConsumerProcesses {
  private readonly consumers: ChildProcess[] = [];
  readonly records: readonly RecordKey[];

  constructor(
    readonly folder: string,
    private readonly baseUrl: string,
    recordsPerBiller: number,
    private readonly waits = SHORT_WAITS,
  ) {
    if (!existsSync(MAIN)) throw new Error('dist/ is missing: run npm run build first');
    this.records = BILLERS.flatMap(({ id }) =>
      Array.from({ length: recordsPerBiller }, (_, index) => recordKey(id, dpId(`${id}${100 + index}`))),
    );
  }

  async publish(): Promise<void> {
    mkdirSync(join(this.folder, 'shards'), { mode: 0o700 });
    mkdirSync(join(this.folder, 'billers'));
    for (const { id, template: name } of BILLERS) {
      const overrides = { Timeout: `${this.waits.timeoutSeconds}s`, Quarantine: '1s', Limits: { Concurrency: 8 } };
      const profile = instantiateTemplate(template(name), { billerId: id, baseUrl: this.baseUrl, overrides });
      writeFileSync(join(this.folder, 'billers', `${id}.json`), JSON.stringify(profile));
    }
    const shard = this.openShard();
    await shard.seed({
      billers: BILLERS.map(({ id }) => ({ billerId: id, dba: `Biller ${id}`, active: true })),
      customers: this.each(({ biller, dp }) => ({
        customerId: customerId(`c${dp}`),
        billerId: biller,
        accountNumber: 'A-1',
        name: 'Ada',
        email: undefined,
        paperless: false,
        autoPay: false,
      })),
      payments: this.each(({ biller, dp }) => ({
        paymentId: paymentId(`p${dp}`),
        customerId: customerId(`c${dp}`),
        billerId: biller,
        amount: { minorUnits: 1234, currency: 'EUR' },
        invoiceType: 'Premium',
        paidAt: CREATED_AT,
        achReturnCode: undefined,
      })),
      rows: this.each(({ biller, dp }) => ({
        dpId: dp,
        billerId: biller,
        dataType: 'Payments' as const,
        customerId: customerId(`c${dp}`),
        paymentId: paymentId(`p${dp}`),
        createdAt: CREATED_AT,
        status: 'New' as const,
      })),
    });
    await shard.close();
    const subscriptions = {
      Payments: 'payments',
      Paperless: 'paperless',
      AutoPay: 'autopay',
      ACHRejects: 'achrejects',
    };
    const topology = declareTopology({
      eventsTopic: 'datapump-events',
      subscriptions,
      lockMs: this.waits.lockSeconds * 1_000,
      deliveryCountMax: 10,
      duplicateDetectionWindowMs: 600_000,
    });
    const bus = new SqliteMessageBus({ path: join(this.folder, 'bus.sqlite'), topology });
    await bus.send(
      'datapump-events',
      this.each(({ biller, dp, record }) =>
        recordMessage(
          {
            dpId: dp,
            billerId: biller,
            eventType: 'Payments',
            occurredAt: CREATED_AT,
            version: 1,
            traceId: record,
            messageId: record,
            source: { shard: SHARD, table: 'dbo.datapump' },
          },
          { link: firstLink, tenant: biller, traceparent: undefined, target: undefined },
        ),
      ),
    );
    await bus.close();
  }

  /** `onLog` gets every line the consumer logs. */
  start(onLog?: (line: string) => void): ChildProcess {
    const secrets = Object.fromEntries(SECRETS.map((name) => [secretVariable(name), 'secret']));
    const consumer = spawn(process.execPath, [MAIN, 'run', 'consumer', '--type', 'payments'], {
      cwd: this.folder,
      stdio: ['ignore', 'ignore', onLog ? 'pipe' : 'ignore'],
      env: {
        ...process.env,
        ...secrets,
        Data__Folder: this.folder,
        Billers__Folder: join(this.folder, 'billers'),
        Billers__AllowPlainLoopback: 'true',
        Bus__LockSeconds: String(this.waits.lockSeconds),
        Consumer__PermitWaitSeconds: '1',
      },
    });
    consumer.stderr?.setEncoding('utf8').on('data', onLog ?? (() => undefined));
    this.consumers.push(consumer);
    return consumer;
  }

  kill(): void {
    for (const consumer of this.consumers) consumer.kill('SIGKILL');
  }

  /** Row statuses in the order of `records`. */
  async statuses(): Promise<readonly (string | undefined)[]> {
    const shard = this.openShard();
    try {
      return await Promise.all(this.each(async ({ dp }) => (await shard.findRow(dp))?.status));
    } finally {
      await shard.close();
    }
  }

  private openShard = (): SqliteShard =>
    new SqliteShard({ name: SHARD, path: join(this.folder, 'shards', `${SHARD}.sqlite`) });

  private each<Result>(
    work: (ids: { biller: ReturnType<typeof billerId>; dp: ReturnType<typeof dpId>; record: RecordKey }) => Result,
  ): Result[] {
    return this.records.map((record) => {
      const [biller, dp] = record.split(':');
      return work({ biller: billerId(biller!), dp: dpId(dp!), record });
    });
  }
}

/** The billers' books: what took effect, per record; keys are honoured, a question is answered. */
export class Books {
  readonly effects = new Map<string, number>();
  private readonly keys = new Set<string>();
  private held: (() => void)[] | undefined;

  readonly react: Reaction = (response, request, socket) => {
    if (request.method === 'GET') return this.answerInquiry(request)(response, request, socket);
    const answer = this.post(request);
    const send = (): void => answer(response, request, socket);
    if (this.held) this.held.push(send);
    else send();
  };

  /** From now on effects happen and answers wait. */
  hold(): void {
    this.held = [];
  }

  heldAnswers(): number {
    return this.held?.length ?? 0;
  }

  release(): void {
    for (const send of this.held ?? []) send();
    this.held = undefined;
  }

  private post(request: ReceivedRequest): Reaction {
    const reference = /reference["=:\s]+"?(\d+(?::|%3A)\d+)/.exec(request.body)![1]!.replace('%3A', ':');
    const key = request.headers['idempotency-key'];
    const known = typeof key === 'string' && this.keys.has(key);
    if (!known) this.effects.set(reference, (this.effects.get(reference) ?? 0) + 1);
    if (typeof key === 'string') this.keys.add(key);
    return json(200, { status: 'accepted', reference: `R-${reference}` });
  }

  private answerInquiry(request: ReceivedRequest): Reaction {
    const reference = new URL(request.url, 'http://x').searchParams.get('reference')!;
    return this.effects.has(reference)
      ? json(200, { state: 'posted', reference: `R-${reference}`, amountMinorUnits: 1234 })
      : json(404, { state: 'absent' });
  }
}
