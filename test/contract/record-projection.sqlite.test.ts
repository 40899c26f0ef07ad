import { SqliteRecordProjection } from '../../src/adapters/sqlite/sqlite-record-projection';
import { recordProjectionContract } from './record-projection.contract';

recordProjectionContract('SQLite', () => {
  const projection = new SqliteRecordProjection({ path: ':memory:' });
  return { projection, dispose: () => projection.close() };
});
