import { writeSync } from 'node:fs';
import { type ReceivedMessage, type TopicDeclaration } from '../../../src/application/ports/message-bus';
import { ServiceBusFixture } from './amqp/service-bus-fixture';
import { SilentProxy } from './silent-proxy';

/**
 * A process that uses a bus, suffers one trouble, closes everything and says at its end how many milliseconds later that
 * was. What is left after closing, a timer or a socket, keeps it alive.
 */
const TOPOLOGY: readonly TopicDeclaration[] = [
  {
    name: 'records',
    duplicateDetectionWindowMs: 600_000,
    timeToLiveMs: undefined,
    subscriptions: [{ name: 'payments', eventType: undefined, lockMs: 60_000, deliveryCountMax: 10 }],
  },
];
const PAYMENTS = { topic: 'records', subscription: 'payments' };
const LIMIT_MS = 1_000;
const WAIT_MS = 5_000;

export const TROUBLES = ['none', 'half-open', 'half-open-at-close', 'lost-answers', 'force-close', 'silence'] as const;
export type Trouble = (typeof TROUBLES)[number];

async function main(trouble: Trouble): Promise<void> {
  const fixture = await ServiceBusFixture.start(TOPOLOGY);
  const { peer } = fixture;
  const proxy = await SilentProxy.to(peer.listeningPort);
  const bus = fixture.newBus({
    operationTimeoutMs: LIMIT_MS,
    connectionString: peer.connectionString.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`),
  });
  const send = (): Promise<void> =>
    bus.send('records', [{ messageId: crypto.randomUUID(), body: {}, properties: {} }]).catch(() => undefined);
  const receiver = bus.receiver(PAYMENTS);
  const held: ReceivedMessage[] = [];
  for (let count = 0; count < 3; count++) await send();
  while (held.length < 3) held.push(...(await receiver.receive({ max: 3, waitMs: WAIT_MS })));
  const askAll = async (): Promise<void> => {
    await Promise.allSettled([
      send(),
      bus.peek(PAYMENTS, { max: 1 }),
      receiver.renewLock(held[0]!),
      receiver.complete(held[1]!),
      receiver.receive({ max: 1, waitMs: 500 }),
    ]);
  };
  switch (trouble) {
    case 'none':
      break;
    case 'half-open':
      for (let times = 0; times < 2; times++) {
        proxy.silenceOpenConnections();
        await askAll();
        await askAll();
      }
      break;
    case 'half-open-at-close':
      proxy.silenceOpenConnections();
      break;
    case 'lost-answers':
      for (const at of ['send', 'settle', 'com.microsoft:renew-lock', 'com.microsoft:peek-message'] as const)
        peer.plan(at, 'lose-answer');
      await askAll();
      break;
    case 'force-close':
      peer.forceClose();
      await askAll();
      break;
    case 'silence':
      proxy.fallSilent();
      await askAll();
      await askAll();
  }
  await fixture.stop();
  await proxy.close();
  const closedAt = performance.now();
  process.once('exit', () => writeSync(process.stdout.fd, String(performance.now() - closedAt)));
}

if (require.main === module) void main(process.argv[2] as Trouble);
