import { instantFromMs } from '../../src/domain/instant';
import { ServiceBusFixture } from '../support/wire-peers/amqp/service-bus-fixture';
import { CONTRACT_TOPOLOGY, messageBusContract } from './message-bus.contract';

messageBusContract('Azure Service Bus SDK over the wire peer', async () => {
  let nowMs = 1_700_000_000_000;
  const fixture = await ServiceBusFixture.start(CONTRACT_TOPOLOGY, { now: () => nowMs });
  return {
    bus: fixture.newBus(),
    other: fixture.newBus(),
    now: () => instantFromMs(nowMs),
    advance: async (ms) => {
      nowMs += ms;
    },
    reopen: async () => fixture.newBus(),
    dispose: () => fixture.stop(),
  };
});
