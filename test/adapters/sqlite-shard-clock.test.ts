import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteShardClock } from '../../src/adapters/sqlite/sqlite-shard-clock';

it('12: the clock of a shard waits where the machine’s time is set back', () => {
  const database = new Database(':memory:');
  const times = [
    '2026-01-01T08:00:00.500Z',
    '2026-01-01T07:00:00.000Z',
    '2026-01-01T08:00:00.499Z',
    '2026-01-01T08:00:00.501Z',
  ];
  // SQLite lets a connection replace a built-in function: the only way to set its time without the machine's.
  database.function('strftime', { varargs: true, deterministic: false }, () => times.shift());
  const clock = new SqliteShardClock(database);
  expect([clock.now(), clock.now(), clock.now(), clock.now()]).toEqual([
    '2026-01-01T08:00:00.500Z',
    '2026-01-01T08:00:00.500Z',
    '2026-01-01T08:00:00.500Z',
    '2026-01-01T08:00:00.501Z',
  ]);
  database.close();
});
