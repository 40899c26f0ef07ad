import { randomUUID } from 'node:crypto';
import Redis from 'ioredis';
import { RedisConnection } from '../../src/adapters/redis/redis-connection';
import { RedisTokenCache } from '../../src/adapters/redis/redis-token-cache';
import { InProcessTokenCache } from '../../src/adapters/system/in-process-token-cache';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { type FetchedToken } from '../../src/application/ports/token-cache';
import { Gate } from '../support/gate';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { PATIENT_COMMANDS_MS, redisUnderTest } from '../support/redis-under-test';
import { until } from '../support/until';

const { url, answers } = redisUnderTest();
const clock = new SystemClock();

if (!answers)
  it.skip('Redis token cache (not run: none answers at DATAPUMP_TEST_REDIS or 127.0.0.1:6379)', () => undefined);

(answers ? describe : describe.skip)('the Redis token cache', () => {
  let namespace: string;
  let lines: string[];
  let connection: RedisConnection;
  let ends: (() => unknown)[];
  beforeEach(() => {
    namespace = `datapump-test-${randomUUID()}`;
    ends = [];
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** As one process has it: a connection and a fallback of its own. */
  const openCache = async (at = url): Promise<RedisTokenCache> => {
    const recorded = recordedTelemetry();
    lines = recorded.lines;
    const { telemetry } = recorded;
    connection = new RedisConnection({
      url: at,
      meanwhile: 'each for itself',
      clock,
      telemetry,
      commandTimeoutMs: PATIENT_COMMANDS_MS,
    });
    ends.push(connection.close.bind(connection));
    await connection.open();
    return new RedisTokenCache({ connection, clock, fallback: new InProcessTokenCache(clock), namespace });
  };
  const untilShared = (cache: RedisTokenCache): Promise<void> =>
    until('Redis is used', async () => (await cache.get('a', fetchOf('own'))) === 'shared');
  const fetchOf = (value: string, afterMs = 0): jest.Mock<Promise<FetchedToken>> =>
    jest.fn(async () => {
      await clock.sleep(afterMs);
      return { value, expiresInMs: 60_000 };
    });

  it('fetches once for many processes, and shares the token', async () => {
    const caches = await Promise.all(Array.from({ length: 6 }, () => openCache()));
    const fetch = fetchOf('t1', 200);
    const got = await Promise.all(caches.flatMap((cache) => [cache.get('a', fetch), cache.get('a', fetch)]));
    expect(new Set(got)).toEqual(new Set(['t1']));
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('drops a refused token for all processes, but not the newer one', async () => {
    const [one, other] = [await openCache(), await openCache()];
    await one.get('a', fetchOf('t1'));
    await other.forget('a', 't1');
    expect(await one.get('a', fetchOf('t2'))).toBe('t2');
    await other.forget('a', 't1');
    expect(await one.get('a', fetchOf('t3'))).toBe('t2');
  });

  it('lets another process try when the fetch of the first failed', async () => {
    const [one, other] = [await openCache(), await openCache()];
    let asked = false;
    const failing = one.get('a', async () => {
      asked = true;
      await clock.sleep(100);
      throw new Error('refused');
    });
    failing.catch(() => undefined);
    await until('the first fetches', () => asked);
    const second = other.get('a', fetchOf('t1'));
    await expect(failing).rejects.toThrow('refused');
    expect(await second).toBe('t1');
  });

  it('names its keys after the installation, gives each an end, and shows no token in them', async () => {
    const cache = await openCache();
    await cache.get('biller|https://host/token|client|scope', fetchOf('secret-token'));
    const redis = new Redis(url);
    ends.push(() => redis.disconnect());
    const keys = await redis.keys(`${namespace}:*`);
    expect(keys).toEqual([expect.stringMatching(/^datapump-test-[^:]+:token:[0-9a-f]{64}$/)]);
    expect(await redis.pttl(keys[0]!)).toBeGreaterThan(40_000);
    expect(await redis.pttl(keys[0]!)).toBeLessThanOrEqual(48_000);
  });

  it('works on alone while Redis is away or hangs, says so once each, and shares again afterwards', async () => {
    const gate = await Gate.open(url);
    ends.push(() => gate.shut());
    const cache = await openCache(gate.url);
    const said = lines;
    expect(await cache.get('a', fetchOf('shared'))).toBe('shared');

    await gate.shut();
    expect(await cache.get('a', fetchOf('own'))).toBe('own');
    expect(await cache.get('a', fetchOf('never'))).toBe('own');
    await gate.reopen();
    await untilShared(cache);

    gate.hang();
    const began = clock.monotonicMs();
    expect(await cache.get('b', fetchOf('own b'))).toBe('own b');
    for (let times = 0; times < 20; times++) expect(await cache.get('b', fetchOf('never'))).toBe('own b');
    // Most of them are answered at once: each that waited for Redis would wait for the whole time of a command.
    expect(clock.monotonicMs() - began).toBeLessThan(10 * PATIENT_COMMANDS_MS);

    expect(said.map((line) => line.split(' {')[0])).toEqual([
      'warn Redis does not serve; each for itself',
      'info Redis serves again',
      'warn Redis does not serve; each for itself',
    ]);
    expect(said.join()).not.toMatch(/shared|own b/);
  });

  it('is there when Redis comes later than the process', async () => {
    const gate = await Gate.open(url);
    ends.push(() => gate.shut());
    await gate.shut();
    const cache = await openCache(gate.url);
    const late = connection;
    expect(late.trouble()).toMatch(/^Redis at 127\.0\.0\.1:\d+ does not serve; each for itself$/);
    await expect(late.check()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await cache.get('a', fetchOf('own'))).toBe('own');
    await gate.reopen();
    const other = await openCache();
    await other.get('a', fetchOf('shared'));
    await untilShared(cache);
    await late.check();
    expect(late.trouble()).toBeUndefined();
  });
});
