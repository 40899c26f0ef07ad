import { type EventStore, type StoreIdentity } from '../../../src/application/ports/event-store';
import { eventStoreContract } from '../../contract/event-store.contract';
import { byPromise } from './at-once';
import { MemoryEventStore } from './memory-event-store';

eventStoreContract('memory, of the simulator', async () => {
  const core = new MemoryEventStore();
  const client = (): EventStore => byPromise<EventStore>(core);
  return {
    store: client(),
    other: client(),
    reopen: async () => client(),
    emptied: async () => byPromise<EventStore>(new MemoryEventStore('store-2' as StoreIdentity)),
    repeatsOfOthers: 'judged-by-batch',
    dispose: async () => undefined,
  };
});
