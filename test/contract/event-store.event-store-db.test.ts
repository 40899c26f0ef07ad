import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDbEventStore } from '../../src/adapters/event-store-db/event-store-db-event-store';
import { EventStorePeer } from '../support/wire-peers/event-store-grpc/event-store-peer';
import { eventStoreContract, type EventStoreFixture } from './event-store.contract';

eventStoreContract('EventStoreDB over the wire peer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-peer-'));
  const peer = await EventStorePeer.start({ path: join(folder, 'events.db') });
  return fixture(peer.connectionString, async () => {
    await peer.stop();
    rmSync(folder, { recursive: true });
  });
});

const server = process.env['DATAPUMP_TEST_EVENTSTORE'];
if (server === undefined) {
  // Shown as skipped, so that nobody takes it for passed.
  it.skip('event store: EventStoreDB server (not run: DATAPUMP_TEST_EVENTSTORE names no connection string)', () =>
    undefined);
} else {
  eventStoreContract('EventStoreDB server', () => Promise.resolve(fixture(server, () => Promise.resolve())));
}

function fixture(connectionString: string, stop: () => Promise<void>): EventStoreFixture {
  const opened: EventStoreDbEventStore[] = [];
  const open = (): EventStoreDbEventStore => {
    const store = new EventStoreDbEventStore({ connectionString });
    opened.push(store);
    return store;
  };
  return {
    store: open(),
    other: open(),
    reopen: async () => open(),
    repeatsOfOthers: 'judged-by-event',
    dispose: async () => {
      await Promise.all(opened.map((store) => store.close()));
      await stop();
    },
  };
}
