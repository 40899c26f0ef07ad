import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteFailureProjections } from '../../src/adapters/sqlite/sqlite-failure-projections';
import { failureProjectionContract } from './failure-projection.contract';

failureProjectionContract('SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'failures-'));
  const opened: SqliteFailureProjections[] = [];
  const open = (): SqliteFailureProjections => {
    const projections = new SqliteFailureProjections({ path: join(folder, 'failure-projection.sqlite') });
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
