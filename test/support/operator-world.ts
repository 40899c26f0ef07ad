import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Container } from 'inversify';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { firstLink, recordMessage } from '../../src/application/messaging/message-chain';
import {
  FETCHER_SUBSCRIPTION,
  OUTBOX_TOPIC,
  VALIDATION_ERRORS_SUBSCRIPTION,
  VALIDATION_ERRORS_TOPIC,
} from '../../src/application/messaging/topology';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import {
  customerId,
  deliveryAttemptStream,
  dpRecordStream,
  parseRecordKey,
  paymentId,
  profileVersion,
  type RecordKey,
  shardName,
  type StreamName,
} from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { template } from './biller-fixtures';

const THEN = instant('2026-11-20T08:00:00.000Z');
const money = { minorUnits: 24_520, currency: 'CZK' };

export const MAPPING = {
  fields: {
    source: { constant: 'bank' },
    externalReference: { column: 'order' },
    billerId: { column: 'biller' },
    billerName: { template: 'Bank {biller}' },
    customerReference: { column: 'account' },
    accountNumber: { column: 'account' },
    customerName: { constant: 'Customer' },
    amount: { column: 'amount' },
    currency: { constant: 'CZK' },
    invoiceType: { column: 'category', whenEmpty: 'none' },
    paidAt: { constant: '2026-11-20' },
  },
};
const CSV =
  'order,biller,account,amount,category\n1,AB,000123,245.20,household\n2,AB,000124,.80,\n3,YZ,000125,12,loan\n';

/** A folder as an operator has it: profiles of two billers, a CSV file with its mapping, nothing loaded yet. */
export class OperatorWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'operator-'));

  constructor() {
    mkdirSync(join(this.folder, 'billers'));
    for (const [billerId, name] of [
      ['AB', 'json-basic-neither'],
      ['YZ', 'json-oauth2-keys-and-inquiry'],
    ] as const) {
      this.write(
        `billers/${billerId}.json`,
        instantiateTemplate(template(name), { billerId, baseUrl: `https://api.${billerId.toLowerCase()}.example/v1` }),
      );
    }
    this.write('datapump.config.json', {
      Data: { Folder: join(this.folder, 'data') },
      Billers: { Folder: join(this.folder, 'billers'), AllowedHosts: ['*.example'] },
      Secrets: { File: join(this.folder, 'secrets.json') },
    });
    this.write(
      'secrets.json',
      Object.fromEntries(
        [
          'form-api-key-keys-api-key',
          'json-basic-neither-user',
          'json-basic-neither-password',
          'json-oauth2-keys-and-inquiry-client-id',
          'json-oauth2-keys-and-inquiry-client-secret',
        ].map((name) => [name, 'secret']),
      ),
    );
    this.write('orders.mapping.json', MAPPING);
    this.write('orders.csv', CSV);
  }

  write(name: string, content: unknown): string {
    const file = join(this.folder, name);
    writeFileSync(
      file,
      typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    );
    return file;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Works on the same files as the command line does. */
  async inside<Result>(work: (container: Container) => Promise<Result>): Promise<Result> {
    const loaded = loadSettings({ environment: {}, file: join(this.folder, 'datapump.config.json') });
    if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
    const container = createContainer({ ...loaded.settings, 'Log:Level': 'fatal' }, 'test');
    try {
      return await work(container);
    } finally {
      await container.get(TOKENS.lifecycle).close();
    }
  }

  /** AB:bank.1 in doubt, AB:bank.2 dead-lettered with its letter, YZ:bank.3 as it was loaded. */
  async holdAndGiveUp(): Promise<void> {
    await this.inside(async (container) => {
      const version = (await container.get(TOKENS.profiles).all()).find(({ billerId }) => billerId === 'AB')!.version;
      const shard = container.get(TOKENS.shards).named(shardName('Shard-1'));
      const started = (key: RecordKey): DeliveryAttemptEvent => {
        const ids = parseRecordKey(key)!;
        return {
          type: 'DeliveryAttemptStarted',
          data: {
            ...ids,
            attempt: 1,
            at: THEN,
            notAfter: THEN,
            idempotencyKey: 'key-1',
            requestHash: 'hash',
            profileVersion: profileVersion(version),
            amount: money,
          },
        };
      };
      await append(container, deliveryAttemptStream('AB:bank.1' as RecordKey, 1), [
        started('AB:bank.1' as RecordKey),
        { type: 'DeliveryAttemptOutcomeUnknown', data: { code: 'timed-out', at: THEN } },
      ]);
      await append(container, dpRecordStream('AB:bank.1' as RecordKey), [
        ...discovered('AB:bank.1' as RecordKey),
        { type: 'DpRecordHeldInDoubt', data: { attempt: 1, cause: 'neither-inquiry-nor-keys' } },
        { type: 'DpRecordReconciled', data: { status: 'InDoubt' } },
      ]);
      await append(container, deliveryAttemptStream('AB:bank.2' as RecordKey, 1), [
        started('AB:bank.2' as RecordKey),
        { type: 'DeliveryAttemptNotExecuted', data: { code: 'maintenance' } },
      ]);
      await append(container, dpRecordStream('AB:bank.2' as RecordKey), [
        ...discovered('AB:bank.2' as RecordKey),
        {
          type: 'DpRecordDeadLettered',
          data: { reason: 'AttemptsUsedUp', description: 'attempt 1 was not-executed (maintenance)', attempt: 1 },
        },
        { type: 'DpRecordReconciled', data: { status: 'Failed' } },
      ]);
      const ids = ['AB:bank.1', 'AB:bank.2'].map((key) => parseRecordKey(key)!.dpId);
      await shard.changeStatuses([
        { dpId: ids[0]!, to: 'InDoubt', from: ['New'] },
        { dpId: ids[1]!, to: 'Failed', from: ['New'] },
      ]);
      await this.deadLetter(container, 'AB:bank.2' as RecordKey);
    });
  }

  /** A dead chunk of AB, and the notices of two rejected rows, one of which a broker gave up. */
  async giveUpChunkAndReject(): Promise<void> {
    await this.inside(async (container) => {
      const bus = container.get(TOKENS.bus);
      const body = {
        billerId: 'AB',
        dpStart: 'bank.1',
        dpEnd: 'bank.2',
        messageId: 'AB:bank.1+bank.2',
        eventType: 'Payments',
      };
      await bus.send(OUTBOX_TOPIC, [
        { messageId: 'chunk-1', body, properties: { eventType: 'Payments', billerId: 'AB' } },
      ]);
      const give = async (topic: string, subscription: string, reason: string, description: string): Promise<void> => {
        const receiver = bus.receiver({ topic, subscription });
        const [message] = await receiver.receive({ max: 1, waitMs: 1_000 });
        await receiver.deadLetter(message!, { reason, description });
        await receiver.close();
      };
      await give(OUTBOX_TOPIC, FETCHER_SUBSCRIPTION, 'ProcessingBroken', 'TypeError: a damaged row');
      const notice = (dpId: string, reasons: readonly string[]) => ({
        messageId: `AB:${dpId}:rejected`,
        body: {
          billerId: 'AB',
          dpId,
          eventType: 'Payments',
          occurredAt: THEN,
          version: 1,
          messageId: `AB:${dpId}:rejected`,
          reasons,
        },
        correlationId: 'AB',
        properties: { eventType: 'Payments', billerId: 'AB' },
      });
      await bus.send(VALIDATION_ERRORS_TOPIC, [notice('bank.8', ['customer-missing'])]);
      await give(
        VALIDATION_ERRORS_TOPIC,
        VALIDATION_ERRORS_SUBSCRIPTION,
        'MaxDeliveryCountExceeded',
        'received 10 times without being settled',
      );
      await bus.send(VALIDATION_ERRORS_TOPIC, [notice('bank.9', ['amount-not-positive', 'currency-malformed'])]);
    });
  }

  private async deadLetter(container: Container, key: RecordKey): Promise<void> {
    const { eventsTopic, subscriptions } = container.get(TOKENS.topology);
    const { billerId, dpId } = parseRecordKey(key)!;
    const body = {
      dpId,
      billerId,
      eventType: 'Payments' as const,
      occurredAt: THEN,
      version: 1 as const,
      traceId: key,
      messageId: key,
      source: { shard: shardName('Shard-1'), table: 'dbo.datapump' },
    };
    const bus = container.get(TOKENS.bus);
    await bus.send(eventsTopic, [
      recordMessage(body, { link: firstLink, tenant: billerId, traceparent: undefined, target: undefined }),
    ]);
    const receiver = bus.receiver({ topic: eventsTopic, subscription: subscriptions.Payments });
    const [message] = await receiver.receive({ max: 1, waitMs: 1_000 });
    await receiver.deadLetter(message!, {
      reason: 'AttemptsUsedUp',
      description: `record ${key} is dead-lettered, its stream tells why`,
    });
    await receiver.close();
  }
}

function discovered(key: RecordKey): DpRecordEvent[] {
  const { billerId, dpId } = parseRecordKey(key)!;
  const amount = key === 'AB:bank.1' ? money : { minorUnits: 80, currency: 'CZK' };
  return [
    {
      type: 'DpRecordDiscovered',
      data: {
        billerId,
        dpId,
        shard: shardName('Shard-1'),
        dataType: 'Payments',
        customerId: customerId('AB.000123'),
        paymentId: paymentId(dpId),
        amount,
        at: THEN,
      },
    },
    { type: 'DpRecordValidated', data: { validatedHash: 'hash', amount } },
  ];
}

let drawn = 0;
async function append(
  container: Container,
  stream: StreamName,
  events: readonly (DpRecordEvent | DeliveryAttemptEvent)[],
): Promise<void> {
  const batch = events.map((event) => ({
    id: `00000000-0000-4000-8000-${String(++drawn).padStart(12, '0')}`,
    ...event,
    metadata: { by: 'consumer-payments@host:1', at: THEN },
  }));
  await container.get(TOKENS.eventStore).append(stream, 'new', batch);
}
