import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteEventLog } from '../../src/adapters/sqlite/sqlite-event-log';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { eventLogContract } from './event-log.contract';

eventLogContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-event-log-'));
  const path = join(folder, 'events.sqlite');
  const store = new SqliteEventStore({ path, synchronous: 'OFF' });
  const log = new SqliteEventLog({ path });
  const opened = [log];
  const below = (text: string, ...values: unknown[]) => {
    const database = new Database(path);
    database.prepare(text).run(...values);
    database.close();
  };
  return {
    store,
    log,
    overwrite: (position, text) => below('UPDATE event SET data = ? WHERE position = ?', text, position),
    hide: (position) => below('UPDATE event SET position = -3 WHERE position = ?', position),
    damage: async () => {
      await store.close();
      log.close();
      const database = new Database(path);
      database.pragma('wal_checkpoint(TRUNCATE)');
      const pages = database
        .prepare(`SELECT pageno FROM dbstat WHERE name = 'event' AND pagetype = 'leaf' ORDER BY path`)
        .pluck()
        .all() as number[];
      const size = database.pragma('page_size', { simple: true }) as number;
      database.close();
      const file = openSync(path, 'r+');
      const page = pages[Math.floor(pages.length / 2)]!;
      writeSync(file, Buffer.alloc(size, 0xa5), 0, size, (page - 1) * size);
      closeSync(file);
      const damaged = new SqliteEventLog({ path });
      opened.push(damaged);
      return damaged;
    },
    dispose: async () => {
      for (const each of opened) each.close();
      await store.close().catch(() => undefined);
      rmSync(folder, { recursive: true });
    },
  };
});
