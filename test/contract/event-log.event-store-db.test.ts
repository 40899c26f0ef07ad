import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDbEventStore } from '../../src/adapters/event-store-db/event-store-db-event-store';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { EventStorePeer } from '../support/wire-peers/event-store-grpc/event-store-peer';
import { eventLogContract } from './event-log.contract';

/** No verdict rests on how fast this machine is just now. */
const DEADLINE_MS = 20_000;

eventLogContract('EventStoreDB over the wire peer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-log-peer-'));
  const path = join(folder, 'events.db');
  const peer = await EventStorePeer.start({ path });
  const store = new EventStoreDbEventStore({ connectionString: peer.connectionString, deadlineMs: DEADLINE_MS });
  return {
    store,
    log: store,
    overwrite: (position, text) => {
      const database = new Database(path);
      const place = Number(position.split('/')[0]);
      const record = JSON.parse(
        database.prepare('SELECT data FROM event WHERE position = ?').pluck().get(place) as string,
      ) as object;
      const changed = JSON.stringify({ ...record, data: Buffer.from(text).toString('base64') });
      database.prepare('UPDATE event SET data = ? WHERE position = ?').run(changed, place);
      database.close();
    },
    dispose: async () => {
      await store.close();
      await peer.stop();
      rmSync(folder, { recursive: true });
    },
  };
});
