import { type ServiceBusMessageBus } from '../src/adapters/service-bus/service-bus-message-bus';
import { type OutgoingMessage } from '../src/application/ports/message-bus';
import { ServiceBusFixture } from '../test/support/wire-peers/amqp/service-bus-fixture';

/*
 * Messages sent, and received and completed, per second through the Service Bus adapter: `npx tsx
 * bench/service-bus.bench.ts`. The wire peer runs in the same process, so the figures say what adapter, peer and SQLite
 * do together on this machine, not what Azure does.
 */
const BATCHES = 100;
const BATCH = 100;
const PAYMENTS = { topic: 'records', subscription: 'payments' };
const TOPOLOGY = [
  {
    name: 'records',
    duplicateDetectionWindowMs: 600_000,
    timeToLiveMs: undefined,
    subscriptions: [{ name: 'payments', eventType: undefined, lockMs: 60_000, deliveryCountMax: 10 }],
  },
];

const message = (messageId: string): OutgoingMessage => ({
  messageId,
  body: { dpId: messageId, billerId: '12', eventType: 'Payments', occurredAt: '2026-11-20T08:00:00.000Z', version: 1 },
  properties: { eventType: 'Payments', billerId: '12', hop: 0 },
});

async function perSecond(what: string, work: () => Promise<number>): Promise<void> {
  const began = performance.now();
  const count = await work();
  console.log(`${what}: ${Math.round((count / (performance.now() - began)) * 1_000)}/s`);
}

async function receiveAll(bus: ServiceBusMessageBus, receivers: number, max: number, count: number): Promise<number> {
  let done = 0;
  const work = async (): Promise<void> => {
    const receiver = bus.receiver(PAYMENTS);
    while (done < count) {
      const batch = await receiver.receive({ max, waitMs: 1_000 });
      await Promise.all(batch.map((each) => receiver.complete(each)));
      done += batch.length;
    }
    await receiver.close();
  };
  await Promise.all(Array.from({ length: receivers }, work));
  return done;
}

async function main(): Promise<void> {
  const fixture = await ServiceBusFixture.start(TOPOLOGY);
  const bus = fixture.newBus();
  await bus.send('records', [message('first')]);
  await perSecond(`send, ${BATCHES} calls of ${BATCH} at once`, async () => {
    const batch = (at: number): OutgoingMessage[] =>
      Array.from({ length: BATCH }, (_, index) => message(`${at}-${index}`));
    await Promise.all(Array.from({ length: BATCHES }, (_, at) => bus.send('records', batch(at))));
    return BATCHES * BATCH;
  });
  await perSecond('send, single messages by 32 callers', async () => {
    const caller = async (_: unknown, who: number): Promise<void> => {
      for (let index = 0; index < 50; index++) await bus.send('records', [message(`single-${who}-${index}`)]);
    };
    await Promise.all(Array.from({ length: 32 }, caller));
    return 32 * 50;
  });
  for (const [receivers, max, count] of [
    [1, 1, 300],
    [1, 50, 2_500],
    [1, 200, 2_500],
    [4, 50, 2_500],
  ] as const)
    await perSecond(`receive and complete, ${receivers} receivers of at most ${max}`, () =>
      receiveAll(bus, receivers, max, count),
    );
  await fixture.stop();
}

void main();
