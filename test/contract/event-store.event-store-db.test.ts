import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDbEventStore } from '../../src/adapters/event-store-db/event-store-db-event-store';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { eventStoreDbClient } from '../../src/adapters/event-store-db/event-store-db-client';
import { kurrentDbClient } from '../../src/adapters/event-store-db/kurrent-db-client';
import { type VendorClient } from '../../src/adapters/event-store-db/vendor-client';
import { EventStorePeer } from '../support/wire-peers/event-store-grpc/event-store-peer';
import { eventStoreContract, type EventStoreFixture } from './event-store.contract';

eventStoreContract('EventStoreDB over the wire peer', () => overPeer(eventStoreDbClient));
eventStoreContract("EventStoreDB over the wire peer, by KurrentDB's client", () => overPeer(kurrentDbClient));

async function overPeer(client: VendorClient): Promise<EventStoreFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-peer-'));
  const peer = await EventStorePeer.start({ path: join(folder, 'events.db') });
  const path = join(folder, 'events.db');
  const overwrite = (id: string, text: string) => {
    const database = new Database(path);
    const found = database.prepare("SELECT position, data FROM event WHERE json_extract(data, '$.id') = ?").get(id) as {
      position: number;
      data: string;
    };
    const changed = JSON.stringify({
      ...(JSON.parse(found.data) as object),
      data: Buffer.from(text).toString('base64'),
    });
    database.prepare('UPDATE event SET data = ? WHERE position = ?').run(changed, found.position);
    database.close();
  };
  const peers = [peer];
  const emptied = async (): Promise<string> => {
    peers.push(await EventStorePeer.start({ path: join(folder, `emptied-${peers.length}.db`) }));
    return peers.at(-1)!.connectionString;
  };
  const stop = async (): Promise<void> => {
    for (const each of peers) await each.stop();
    rmSync(folder, { recursive: true });
  };
  return { ...fixture(client, peer.connectionString, stop, emptied), overwrite };
}

const server = process.env['DATAPUMP_TEST_EVENTSTORE'];
if (server === undefined) {
  // Shown as skipped, so that nobody takes it for passed.
  it.skip('event store: EventStoreDB server (not run: DATAPUMP_TEST_EVENTSTORE names no connection string)', () =>
    undefined);
} else {
  for (const client of [eventStoreDbClient, kurrentDbClient])
    eventStoreContract(`EventStoreDB server, by the client of ${client.scheme}`, () =>
      Promise.resolve(fixture(client, server, () => Promise.resolve())),
    );
}

function fixture(
  client: VendorClient,
  connectionString: string,
  stop: () => Promise<void>,
  emptied?: () => Promise<string>,
): EventStoreFixture {
  const opened: EventStoreDbEventStore[] = [];
  const open = (address = connectionString): EventStoreDbEventStore => {
    const store = new EventStoreDbEventStore({ client, connectionString: address });
    opened.push(store);
    return store;
  };
  return {
    store: open(),
    other: open(),
    reopen: async () => open(),
    ...(emptied === undefined ? {} : { emptied: async () => open(await emptied()) }),
    repeatsOfOthers: 'judged-by-event',
    dispose: async () => {
      await Promise.all(opened.map((store) => store.close()));
      await stop();
    },
  };
}
