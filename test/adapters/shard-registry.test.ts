import { ShardRegistry } from '../../src/adapters/shared/shard-registry';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { PortFailure } from '../../src/application/ports/failures';
import { billerId, shardName } from '../../src/domain/identifiers';
import { faulty } from '../application/shard-bench';

const [ONE, TWO] = [shardName('Shard-1'), shardName('Shard-2')];
const WATER = billerId('water');
const GAS = billerId('gas');

describe('the shards of an installation', () => {
  const open = (name = ONE): SqliteShard => new SqliteShard({ name, path: ':memory:' });
  const settle = (shard: SqliteShard, biller = WATER): Promise<unknown> =>
    shard.seed({ billers: [{ billerId: biller, dba: 'DBA', active: true }], customers: [], payments: [], rows: [] });
  let shards: SqliteShard[];
  beforeEach(() => void (shards = [open(ONE), open(TWO)]));
  afterEach(() => Promise.all(shards.map((shard) => shard.close())));
  /** How often the shards were asked whose the billers are. */
  const counted = (): { readonly held: SqliteShard[]; readonly asked: () => number } => {
    let asked = 0;
    const held = shards.map((shard) =>
      faulty(shard, { billersWithSettings: () => (asked++, shard.billersWithSettings()) }),
    );
    return { held, asked: () => asked };
  };

  it('have each a name of its own', () => {
    expect(() => new ShardRegistry([shards[0]!, shards[0]!])).toThrow('each shard has a name of its own');
    expect(new ShardRegistry(shards).named(TWO)).toBe(shards[1]);
    expect(() => new ShardRegistry(shards).named(shardName('Shard-3'))).toThrow(
      expect.objectContaining({ code: 'not-found', retryable: false }),
    );
  });

  it('are closed when the last of them is', async () => {
    let end = (): void => undefined;
    const slow = faulty(shards[1]!, { close: () => new Promise<void>((resolve) => (end = resolve)) });
    let closed = false;
    const closing = new ShardRegistry([shards[0]!, slow]).close().then(() => void (closed = true));
    await new Promise((next) => setImmediate(next));
    expect(closed).toBe(false);
    end();
    await closing;
    expect(closed).toBe(true);
  });

  it('hold a biller where its settings are; one that nobody holds is looked for again after a second, once for all', async () => {
    await settle(shards[1]!);
    let now = 0;
    const { held, asked } = counted();
    const registry = new ShardRegistry(held, () => now);
    expect((await registry.ofBiller(WATER))?.name).toBe(TWO);
    expect((await registry.ofBiller(WATER))?.name).toBe(TWO);
    expect(asked()).toBe(2);
    await settle(shards[0]!, GAS);
    now = 999;
    expect(await registry.ofBiller(GAS)).toBeUndefined();
    expect(asked()).toBe(2);
    now = 1_000;
    const all = await Promise.all(Array.from({ length: 5 }, () => registry.ofBiller(GAS)));
    expect(all.map((shard) => shard?.name)).toEqual(Array(5).fill(ONE));
    expect(asked()).toBe(4);
  });

  it('refuse a biller with settings in two of them, and name none while one of them fails', async () => {
    for (const shard of shards) await settle(shard);
    await expect(new ShardRegistry(shards).ofBiller(WATER)).rejects.toThrow('settings in more than one shard');
    const away = new PortFailure('away', { code: 'not-authorized', retryable: false, retryAfterMs: 70 });
    const down = faulty(shards[1]!, { billersWithSettings: () => Promise.reject(away) as never });
    await expect(new ShardRegistry([shards[0]!, down]).ofBiller(GAS)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      retryAfterMs: 70,
      facts: { shard: TWO },
      cause: away,
    });
  });
});
