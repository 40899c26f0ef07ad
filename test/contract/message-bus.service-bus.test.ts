import { setTimeout as delay } from 'node:timers/promises';
import { ServiceBusAdministrationClient } from '@azure/service-bus';
import { ServiceBusMessageBus } from '../../src/adapters/service-bus/service-bus-message-bus';
import { ServiceBusTopology } from '../../src/adapters/service-bus/service-bus-topology';
import { planTopology } from '../../src/adapters/service-bus/topology-plan';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { instantFromMs } from '../../src/domain/instant';
import { ServiceBusFixture } from '../support/wire-peers/amqp/service-bus-fixture';
import { CONTRACT_TOPOLOGY, messageBusContract, type MessageBusFixture } from './message-bus.contract';

messageBusContract('Azure Service Bus SDK over the wire peer', async () => {
  let nowMs = 1_700_000_000_000;
  const fixture = await ServiceBusFixture.start(CONTRACT_TOPOLOGY, { now: () => nowMs });
  return {
    bus: fixture.newBus(),
    other: fixture.newBus(),
    scheduled: 'hidden',
    now: () => instantFromMs(nowMs),
    advance: async (ms) => {
      nowMs += ms;
    },
    reopen: async () => fixture.newBus(),
    dispose: () => fixture.stop(),
  };
});

/** Of a namespace made for tests: its topics `contract-…` are deleted and created anew for each test. */
const connectionString = process.env['DATAPUMP_TEST_SERVICEBUS'];

if (connectionString === undefined) {
  describe.skip('NOT RUN: DATAPUMP_TEST_SERVICEBUS holds no connection string with the right to manage', () => {
    messageBusContract('Azure Service Bus', () => Promise.reject(new Error('there is no namespace')));
  });
} else {
  // Time passes there as it does here: locks, windows and times to live are waited for.
  jest.setTimeout(300_000);
  messageBusContract('Azure Service Bus', () => realFixture(connectionString));
}

async function realFixture(address: string): Promise<MessageBusFixture> {
  const administration = new ServiceBusAdministrationClient(address);
  for (const { name } of CONTRACT_TOPOLOGY)
    if (await administration.topicExists(name)) await administration.deleteTopic(name);
  await new ServiceBusTopology({ connectionString: address }).apply(
    planTopology(CONTRACT_TOPOLOGY, [], { partitioned: false }),
  );
  const opened: ServiceBusMessageBus[] = [];
  const open = (): ServiceBusMessageBus => {
    const bus = new ServiceBusMessageBus({ connectionString: address, clock: new SystemClock() });
    opened.push(bus);
    return bus;
  };
  return {
    bus: open(),
    other: open(),
    scheduled: 'hidden',
    now: () => instantFromMs(Date.now()),
    advance: (ms) => delay(ms),
    reopen: async () => open(),
    dispose: async () => {
      await Promise.all(opened.map((bus) => bus.close()));
    },
  };
}
