import { setTimeout as delay } from 'node:timers/promises';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { requestLimitMs } from '../../src/adapters/service-bus/service-bus-connection';
import { ServiceBusMessageBus } from '../../src/adapters/service-bus/service-bus-message-bus';
import { ServiceBusTopology } from '../../src/adapters/service-bus/service-bus-topology';
import { planTopology } from '../../src/adapters/service-bus/topology-plan';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { instantFromMs } from '../../src/domain/instant';
import { ServiceBusFixture } from '../support/wire-peers/amqp/service-bus-fixture';
import { WHOLE_RUN_MS } from '../support/until';
import { CONTRACT_TOPOLOGY, messageBusContract, type MessageBusFixture } from './message-bus.contract';

/** With what production sets where nothing is said. */
const { partitioned, operationTimeoutMs } = productionDefaults();

messageBusContract('Azure Service Bus SDK over the wire peer', () => peerFixture({ partitioned }));
messageBusContract('Azure Service Bus SDK over the wire peer, partitioned topics', () =>
  peerFixture({ partitioned: true }),
);

async function peerFixture(topics: { readonly partitioned: boolean }): Promise<MessageBusFixture> {
  let nowMs = 1_700_000_000_000;
  const fixture = await ServiceBusFixture.start(CONTRACT_TOPOLOGY, { now: () => nowMs, ...topics });
  return {
    bus: fixture.newBus(topics),
    // Not told of partitions: it finds out.
    other: fixture.newBus(),
    scheduled: 'hidden',
    now: () => instantFromMs(nowMs),
    advance: async (ms) => {
      nowMs += ms;
    },
    // AMQP has properties of its own kinds, never a text of them.
    sendRaw: (topic, raw) =>
      raw.properties === undefined ? sendRaw(fixture.peer.connectionString, topic, raw) : Promise.resolve(false),
    reopen: async () => fixture.newBus(),
    dispose: () => fixture.stop(),
  };
}

function productionDefaults() {
  const loaded = loadSettings({ environment: {} });
  if ('problems' in loaded) throw new Error('the default settings are wrong');
  const { settings } = loaded;
  return {
    partitioned: settings['ServiceBus:Partitioned'],
    operationTimeoutMs: requestLimitMs(settings['Bus:LockSeconds'] * 1_000),
  };
}

/** Of a namespace made for tests: its topics `contract-…` are deleted and created anew for each test. */
const connectionString = process.env['DATAPUMP_TEST_SERVICEBUS'];

if (connectionString === undefined) {
  describe.skip('NOT RUN: DATAPUMP_TEST_SERVICEBUS holds no connection string with the right to manage', () => {
    messageBusContract('Azure Service Bus', () => Promise.reject(new Error('there is no namespace')));
  });
} else {
  // Time passes there as it does here: locks, windows and times to live are waited for.
  jest.setTimeout(WHOLE_RUN_MS);
  messageBusContract('Azure Service Bus, as production sets it up', () =>
    realFixture(connectionString, { partitioned }),
  );
  // Premium namespaces know no partitioned topics.
  if (process.env['DATAPUMP_TEST_SERVICEBUS_PREMIUM'] === undefined)
    messageBusContract('Azure Service Bus, partitioned topics', () =>
      realFixture(connectionString, { partitioned: true }),
    );
}

async function sendRaw(
  address: string,
  topic: string,
  raw: { readonly messageId: string; readonly body: Buffer },
): Promise<true> {
  const client = new ServiceBusClient(address);
  try {
    await client.createSender(topic).sendMessages({ ...raw, applicationProperties: { eventType: 'Payments' } });
  } finally {
    await client.close();
  }
  return true;
}

async function realFixture(address: string, topics: { readonly partitioned: boolean }): Promise<MessageBusFixture> {
  const administration = new ServiceBusAdministrationClient(address);
  for (const { name } of CONTRACT_TOPOLOGY)
    if (await administration.topicExists(name)) await administration.deleteTopic(name);
  await new ServiceBusTopology({ connectionString: address }).apply(planTopology(CONTRACT_TOPOLOGY, [], topics));
  const opened: ServiceBusMessageBus[] = [];
  const open = (): ServiceBusMessageBus => {
    const bus = new ServiceBusMessageBus({
      connectionString: address,
      clock: new SystemClock(),
      operationTimeoutMs,
      ...topics,
    });
    opened.push(bus);
    return bus;
  };
  return {
    bus: open(),
    other: open(),
    scheduled: 'hidden',
    now: () => instantFromMs(Date.now()),
    advance: (ms) => delay(ms),
    // AMQP has properties of its own kinds, never a text of them.
    sendRaw: (topic, raw) => (raw.properties === undefined ? sendRaw(address, topic, raw) : Promise.resolve(false)),
    reopen: async () => open(),
    dispose: async () => {
      await Promise.all(opened.map((bus) => bus.close()));
    },
  };
}
