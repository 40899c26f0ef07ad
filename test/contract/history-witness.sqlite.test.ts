import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteHistoryWitness } from '../../src/adapters/sqlite/sqlite-history-witness';
import { historyWitnessContract } from './history-witness.contract';

historyWitnessContract('SQLite file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-witness-'));
  const open = (): SqliteHistoryWitness => new SqliteHistoryWitness({ path: join(folder, 'witness.sqlite') });
  const opened = [open()];
  return {
    witness: opened[0]!,
    another: async () => {
      opened.push(open());
      return opened.at(-1)!;
    },
    close: async () => {
      await Promise.all(opened.map((each) => each.close()));
      rmSync(folder, { recursive: true });
    },
  };
});
