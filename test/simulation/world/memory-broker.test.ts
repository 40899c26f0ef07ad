import { type MessageBus, type MessageReceiver, type MessageSource } from '../../../src/application/ports/message-bus';
import { type Instant, instantFromMs } from '../../../src/domain/instant';
import { CONTRACT_TOPOLOGY, messageBusContract } from '../../contract/message-bus.contract';
import { MemoryBroker } from './memory-broker';

/** The broker behind the port, with real waiting; the simulator's own client waits in virtual time instead. */
class WaitingBus implements MessageBus {
  constructor(private readonly broker: MemoryBroker) {}

  async send(...call: Parameters<MessageBus['send']>): Promise<void> {
    this.broker.send(...call);
  }
  async peek(...call: Parameters<MessageBus['peek']>) {
    return this.broker.peek(...call);
  }
  async depth(source: Parameters<MessageBus['depth']>[0]) {
    return this.broker.depth(source);
  }
  receiver(source: MessageSource): MessageReceiver {
    const { broker } = this;
    return {
      async receive({ max, waitMs, signal }) {
        const endsAt = performance.now() + waitMs;
        for (;;) {
          const taken = broker.take(source, max);
          if (taken.length > 0 || performance.now() >= endsAt || signal?.aborted) return taken;
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      },
      complete: async (message): Promise<void> => broker.complete(source, message),
      abandon: async (message): Promise<void> => broker.abandon(source, message),
      deadLetter: async (message, why): Promise<void> => broker.deadLetter(source, message, why),
      renewLock: async (message): Promise<Instant> => broker.renew(source, message),
      close: async (): Promise<void> => undefined,
    };
  }
}

messageBusContract('memory, of the simulator', async () => {
  let nowMs = 1_700_000_000_000;
  const broker = new MemoryBroker(CONTRACT_TOPOLOGY, () => nowMs);
  return {
    bus: new WaitingBus(broker),
    other: new WaitingBus(broker),
    scheduled: 'shown',
    now: () => instantFromMs(nowMs),
    advance: async (ms) => {
      nowMs += ms;
    },
    // It holds what our own programs send; the simulator's poisons are bodies that break the contract.
    sendRaw: async () => false,
    reopen: async () => new WaitingBus(broker),
    dispose: async () => undefined,
  };
});
