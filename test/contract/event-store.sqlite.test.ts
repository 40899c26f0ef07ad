import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { eventStoreContract } from './event-store.contract';

eventStoreContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-'));
  const opened: SqliteEventStore[] = [];
  const open = (name = 'events.db'): SqliteEventStore => {
    const store = new SqliteEventStore({ path: join(folder, name) });
    opened.push(store);
    return store;
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
