import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { shardName } from '../../src/domain/identifiers';
import { sealWitnessContract } from './seal-witness.contract';

sealWitnessContract('a shard in SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-seal-shard-'));
  const opened: SqliteShard[] = [];
  const open = () => {
    const shard = new SqliteShard({
      name: shardName('Shard-1'),
      path: join(folder, 'shard.sqlite'),
      synchronous: 'OFF',
    });
    opened.push(shard);
    return shard.seals;
  };
  return {
    witness: open(),
    another: async () => open(),
    close: async () => {
      await Promise.all(opened.map((shard) => shard.close()));
      rmSync(folder, { recursive: true });
    },
  };
});
