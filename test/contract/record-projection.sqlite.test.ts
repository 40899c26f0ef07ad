import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteRecordProjections } from '../../src/adapters/sqlite/sqlite-record-projections';
import { recordProjectionContract } from './record-projection.contract';

recordProjectionContract('SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'projection-'));
  const opened: SqliteRecordProjections[] = [];
  const open = (): SqliteRecordProjections => {
    const projections = new SqliteRecordProjections({ path: join(folder, 'record-projection.sqlite') });
    opened.push(projections);
    return projections;
  };
  return {
    projections: open(),
    ofAnother: open,
    dispose: () => {
      for (const projections of opened) projections.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
