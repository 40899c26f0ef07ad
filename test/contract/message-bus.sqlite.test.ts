import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { instantFromMs } from '../../src/domain/instant';
import { CONTRACT_TOPOLOGY, messageBusContract } from './message-bus.contract';

messageBusContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-bus-'));
  const opened: SqliteMessageBus[] = [];
  let nowMs = 1_700_000_000_000;
  const open = (): SqliteMessageBus => {
    const bus = new SqliteMessageBus({ path: join(folder, 'bus.db'), topology: CONTRACT_TOPOLOGY, now: () => nowMs });
    opened.push(bus);
    return bus;
  };
  return {
    bus: open(),
    other: open(),
    scheduled: 'shown',
    now: () => instantFromMs(nowMs),
    advance: async (ms) => {
      nowMs += ms;
    },
    reopen: async () => open(),
    dispose: async () => {
      await Promise.all(opened.map((bus) => bus.close()));
      rmSync(folder, { recursive: true });
    },
  };
});
