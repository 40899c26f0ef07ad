import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';

const event = () => ({
  id: randomUUID(),
  type: 'Tested',
  data: {},
  metadata: { by: 'test', at: instantFromMs(1_700_000_000_000) },
});

/** A file without a name lives on while somebody has it open: what is appended there is nobody's history. */
describe('an event store whose file goes away under an open client (issue 8, no 4)', () => {
  let folder: string;
  let path: string;
  let store: SqliteEventStore;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-replaced-'));
    path = join(folder, 'events.sqlite');
    store = new SqliteEventStore({ path });
    await store.append('dpRecord-1:1' as StreamName, 'new', [event()]);
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it.each<readonly [string, () => void]>([
    ['deleted', () => rmSync(path)],
    ['moved away', () => renameSync(path, `${path}.old`)],
    [
      'replaced by a copy',
      () => {
        copyFileSync(path, `${path}.copy`);
        renameSync(`${path}.copy`, path);
      },
    ],
  ])('%s: takes no further append, and says so when asked who it is', async (_, strike) => {
    strike();
    const replaced = { name: 'PortFailure', code: 'storage-replaced', retryable: false };
    await expect(store.append('dpRecord-1:2' as StreamName, 'new', [event()])).rejects.toMatchObject(replaced);
    await expect(store.identity()).rejects.toMatchObject(replaced);
  });
});
