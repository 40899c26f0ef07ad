import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { instantFromMs } from '../../src/domain/instant';
import { watchedMessageBus } from '../../src/adapters/telemetry/watched-message-bus';
import { type MessageBus } from '../../src/application/ports/message-bus';
import { watchedParts } from '../support/watched-parts';
import { CONTRACT_TOPOLOGY, messageBusContract } from './message-bus.contract';

/** Being watched changes nothing that a bus promises. */
messageBusContract('SQLite, watched', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-bus-'));
  const opened: SqliteMessageBus[] = [];
  let nowMs = 1_700_000_000_000;
  const open = (): MessageBus => {
    const bus = new SqliteMessageBus({ path: join(folder, 'bus.db'), topology: CONTRACT_TOPOLOGY, now: () => nowMs });
    opened.push(bus);
    return watchedMessageBus(bus, { ...watchedParts(), topics: { chunks: 'none', records: 'records' } });
  };
  return {
    bus: open(),
    other: open(),
    scheduled: 'shown',
    now: () => instantFromMs(nowMs),
    advance: async (ms) => {
      nowMs += ms;
    },
    // As another program on this machine that writes into the file.
    sendRaw: async (topic, { messageId, body, properties = '{"eventType":"Payments"}' }) => {
      const file = new Database(join(folder, 'bus.db'));
      try {
        file.transaction(() => {
          const seq = file
            .prepare<[], { newest: number }>('UPDATE sequence SET newest = newest + 1 RETURNING newest')
            .get()!.newest;
          file
            .prepare(
              `INSERT INTO message (queue, seq, state, delivery_count, enqueued_at, message_id, properties, body)
               SELECT 2 * id, ?, 0, 0, ?, ?, ?, CAST(? AS TEXT) FROM subscription WHERE topic = ? AND name = 'payments'`,
            )
            .run(seq, nowMs, messageId, properties, body, topic);
        })();
      } finally {
        file.close();
      }
      return true;
    },
    reopen: async () => open(),
    dispose: async () => {
      await Promise.all(opened.map((bus) => bus.close()));
      rmSync(folder, { recursive: true });
    },
  };
});
