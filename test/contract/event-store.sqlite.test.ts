import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { eventStoreContract } from './event-store.contract';

eventStoreContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-'));
  const opened: SqliteEventStore[] = [];
  const open = (): SqliteEventStore => {
    const store = new SqliteEventStore({ path: join(folder, 'events.db') });
    opened.push(store);
    return store;
  };
  return {
    store: open(),
    other: open(),
    reopen: async () => open(),
    repeatsOfOthers: 'judged-by-batch',
    dispose: async () => {
      await Promise.all(opened.map((store) => store.close()));
      rmSync(folder, { recursive: true });
    },
  };
});
