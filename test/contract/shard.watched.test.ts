import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { shardName } from '../../src/domain/identifiers';
import { watchedShards } from '../../src/adapters/telemetry/watched-shards';
import { watchedParts } from '../support/watched-parts';
import { shardContract } from './shard.contract';

/** Being watched changes nothing that a shard promises. */
shardContract('SQLite, watched', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-shard-'));
  const open = (): SqliteShard => new SqliteShard({ name: shardName('Shard-1'), path: join(folder, 'shard.sqlite') });
  const opened = [open()];
  const shard = opened[0]!;
  const watched = (watchedOne: SqliteShard): SqliteShard => {
    const shards = watchedShards(
      { all: () => [watchedOne], named: () => watchedOne, ofBiller: async () => watchedOne },
      watchedParts(),
    );
    return shards.all()[0] as SqliteShard;
  };
  return {
    shard: watched(shard),
    another: async () => {
      const other = open();
      opened.push(other);
      return watched(other);
    },
    seed: (seed) => shard.seed(seed),
    damage: (id) => {
      const database = new Database(join(folder, 'shard.sqlite'));
      database.prepare("UPDATE datapump SET Status = 'Queuef' WHERE DpId = ?").run(id);
      database.close();
    },
    close: async () => {
      await Promise.all(opened.map((each) => each.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
