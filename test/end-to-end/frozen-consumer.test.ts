import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { secretVariable } from '../../src/adapters/system/environment-secret-source';
import { firstLink, recordMessage } from '../../src/application/message-chain';
import { declareTopology } from '../../src/application/topology';
import { billerId, customerId, deliveryAttemptStream, dpId, paymentId, recordKey, shardName } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { template } from '../support/biller-fixtures';
import { json, type Reaction, type ReceivedRequest, type ScriptedBiller, startScriptedBiller } from '../support/scripted-biller';
import { until } from '../support/until';

const MAIN = join(__dirname, '../../dist/bootstrap/command-line.main.js');
const SHARD = shardName('Shard-1');
const LOCK_SECONDS = 8;
const BILLERS = [
  { id: billerId('1'), template: 'form-api-key-keys' },
  { id: billerId('2'), template: 'json-api-key-inquiry' },
  { id: billerId('3'), template: 'json-basic-neither' },
];
const RECORDS = BILLERS.map(({ id }, index) => recordKey(id, dpId(String(100 + index))));

/** A biller's books: what took effect, per record; keys are honoured, a question is answered. */
class Books {
  readonly effects = new Map<string, number>();
  private readonly byKey = new Map<string, string>();
  /** While held, effects happen and answers wait. */
  private held: (() => void)[] | undefined = [];

  readonly react: Reaction = (response, request, socket) => {
    if (request.method === 'GET') return this.answerInquiry(request)(response, request, socket);
    const answer = this.post(request);
    const send = (): void => answer(response, request, socket);
    if (this.held) this.held.push(send);
    else send();
  };

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
    if (typeof key !== 'string' || !this.byKey.has(key)) this.effects.set(reference, (this.effects.get(reference) ?? 0) + 1);
    if (typeof key === 'string') this.byKey.set(key, reference);
    return json(200, { status: 'accepted', reference: `R-${reference}` });
  }

  private answerInquiry(request: ReceivedRequest): Reaction {
    const reference = new URL(request.url, 'http://x').searchParams.get('reference')!;
    return this.effects.has(reference) ? json(200, { state: 'posted', reference: `R-${reference}`, amountMinorUnits: 1234 }) : json(404, { state: 'absent' });
  }
}

describe('two consumers of one subscription, one frozen past lock and deadline in the middle of its attempts', () => {
  let folder: string;
  let biller: ScriptedBiller;
  const consumers: ChildProcess[] = [];

  afterEach(async () => {
    for (const consumer of consumers) consumer.kill('SIGKILL');
    await biller.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('posts nothing twice and loses nothing, with keys, with inquiry and with neither', async () => {
    if (!existsSync(MAIN)) throw new Error('dist/ is missing: run npm run build first');
    folder = mkdtempSync(join(tmpdir(), 'frozen-'));
    biller = await startScriptedBiller();
    const books = new Books();
    biller.react = books.react;
    await publishRecords();

    const frozen = startConsumer();
    await until('the first consumer is in the middle of its attempts', () => books.heldAnswers() === RECORDS.length);
    frozen.kill('SIGSTOP');
    books.release();
    startConsumer();
    // Longer than lock, deadline and quarantine: the second consumer gets the messages and resolves what it may.
    await until('the second consumer settled every record it can', async () => (await statuses()).join() === 'Delivered,Delivered,InDoubt', 60_000);
    frozen.kill('SIGCONT');
    // The thawed owner finds its answers: where nobody could know, it now does.
    await until('every record is delivered', async () => (await statuses()).join() === 'Delivered,Delivered,Delivered', 30_000);

    expect([...books.effects.entries()].sort()).toEqual(RECORDS.map((record) => [record, 1]));
    expect(await suspicions()).toEqual([]);
  }, 120_000);

  async function publishRecords(): Promise<void> {
    mkdirSync(join(folder, 'shards'));
    mkdirSync(join(folder, 'billers'));
    for (const { id, template: name } of BILLERS) {
      const overrides = { Timeout: '1s', Quarantine: '1s', Limits: { Concurrency: 8 } };
      writeFileSync(join(folder, 'billers', `${id}.json`), JSON.stringify(instantiateTemplate(template(name), { billerId: id, baseUrl: biller.baseUrl, overrides })));
    }
    const shard = openShard();
    const createdAt = instant('2026-11-20T08:00:00Z');
    for (const [index, { id }] of BILLERS.entries()) {
      const ids = { customerId: customerId(`c${index}`), billerId: id };
      await shard.seed({
        billers: [{ billerId: id, dba: `Biller ${id}`, active: true }],
        customers: [{ ...ids, accountNumber: 'A-1', name: 'Ada', email: undefined, paperless: false, autoPay: false }],
        payments: [{ ...ids, paymentId: paymentId(`p${index}`), amount: { minorUnits: 1234, currency: 'EUR' }, invoiceType: 'Premium', paidAt: createdAt, achReturnCode: undefined }],
        rows: [{ dpId: dpId(String(100 + index)), ...ids, dataType: 'Payments', paymentId: paymentId(`p${index}`), createdAt, status: 'Queued' }],
      });
    }
    await shard.close();
    const subscriptions = { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' };
    const topology = declareTopology({ eventsTopic: 'datapump-events', subscriptions, lockMs: LOCK_SECONDS * 1_000, deliveryCountMax: 10, duplicateDetectionWindowMs: 600_000 });
    const bus = new SqliteMessageBus({ path: join(folder, 'bus.sqlite'), topology });
    await bus.send('datapump-events', RECORDS.map((record, index) =>
      recordMessage(
        { dpId: dpId(String(100 + index)), billerId: BILLERS[index]!.id, eventType: 'Payments', occurredAt: createdAt, version: 1, traceId: record, messageId: record, source: { shard: SHARD, table: 'dbo.datapump' } },
        { link: firstLink, tenant: BILLERS[index]!.id, traceparent: undefined, target: undefined },
      ),
    ));
    await bus.close();
  }

  function startConsumer(): ChildProcess {
    const secrets = Object.fromEntries(
      ['form-api-key-keys-api-key', 'json-api-key-inquiry-api-key', 'json-basic-neither-user', 'json-basic-neither-password'].map((name) => [secretVariable(name), 'secret']),
    );
    const consumer = spawn(process.execPath, [MAIN, 'run', 'consumer', '--type', 'payments'], {
      cwd: folder,
      stdio: 'ignore',
      env: {
        ...process.env, ...secrets,
        Data__Folder: folder, Billers__Folder: join(folder, 'billers'), Billers__AllowPlainLoopback: 'true',
        Bus__LockSeconds: String(LOCK_SECONDS), Consumer__PermitWaitSeconds: '1',
      },
    });
    consumers.push(consumer);
    return consumer;
  }

  const openShard = (): SqliteShard => new SqliteShard({ name: SHARD, path: join(folder, 'shards', `${SHARD}.sqlite`) });

  async function statuses(): Promise<readonly (string | undefined)[]> {
    const shard = openShard();
    try {
      return await Promise.all(BILLERS.map(async (_, index) => (await shard.findRow(dpId(String(100 + index))))?.status));
    } finally {
      await shard.close();
    }
  }

  async function suspicions(): Promise<readonly string[]> {
    const eventStore = new SqliteEventStore({ path: join(folder, 'event-store.sqlite') });
    const events = (await Promise.all(RECORDS.map((record) => eventStore.readStream(deliveryAttemptStream(record, 1))))).flat();
    await eventStore.close();
    expect(events.length).toBeGreaterThan(RECORDS.length);
    return events.filter(({ type }) => type === 'DoublePostSuspected').map(({ stream }) => stream);
  }
});
