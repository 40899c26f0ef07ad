import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { watchedEventStore } from '../../src/adapters/telemetry/watched-event-store';
import { type EventStore } from '../../src/application/ports/event-store';
import { watchedParts } from '../support/watched-parts';
import { eventStoreContract } from './event-store.contract';

/** Being watched changes nothing that a store promises. */
eventStoreContract('SQLite, watched', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-'));
  const opened: SqliteEventStore[] = [];
  const open = (name = 'events.db'): EventStore => {
    const store = new SqliteEventStore({ path: join(folder, name) });
    opened.push(store);
    return watchedEventStore(store, watchedParts());
  };
  return {
    store: open(),
    other: open(),
    reopen: async () => open(),
    emptied: async () => open('emptied.db'),
    repeatsOfOthers: 'judged-by-batch',
    overwrite: (id, text) => {
      const database = new Database(join(folder, 'events.db'));
      database.prepare('UPDATE event SET data = ? WHERE id = ?').run(text, id);
      database.close();
    },
    dispose: async () => {
      await Promise.all(opened.map((store) => store.close()));
      rmSync(folder, { recursive: true });
    },
  };
});
