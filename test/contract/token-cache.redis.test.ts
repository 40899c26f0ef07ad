import { randomUUID } from 'node:crypto';
import { RedisConnection } from '../../src/adapters/redis/redis-connection';
import { RedisTokenCache } from '../../src/adapters/redis/redis-token-cache';
import { InProcessTokenCache } from '../../src/adapters/system/in-process-token-cache';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { PATIENT_COMMANDS_MS, redisUnderTest } from '../support/redis-under-test';
import { tokenCacheContract } from './token-cache.contract';

const { url, answers } = redisUnderTest();

if (!answers) {
  // Shown as skipped, so that nobody takes it for passed.
  it.skip('TokenCache: Redis (not run: none answers at DATAPUMP_TEST_REDIS or 127.0.0.1:6379)', () => undefined);
} else {
  tokenCacheContract('Redis', async () => {
    const clock = new SystemClock();
    const { telemetry } = recordedTelemetry();
    // A fallback that refuses shows that Redis did the work.
    const fallback = {
      get: () => Promise.reject(new Error('the fallback was asked')),
      forget: () => Promise.resolve(),
    };
    const connection = new RedisConnection({
      url,
      meanwhile: 'each for itself',
      clock,
      telemetry,
      commandTimeoutMs: PATIENT_COMMANDS_MS,
    });
    await connection.open();
    const cache = new RedisTokenCache({ connection, clock, fallback, namespace: `datapump-test-${randomUUID()}` });
    return { cache, clock, close: () => connection.close() };
  });
}

tokenCacheContract('Redis that is down', async () => {
  const clock = new SystemClock();
  const { telemetry } = recordedTelemetry();
  const fallback = new InProcessTokenCache(clock);
  // Port 9 (discard) refuses connections on every machine worth testing on.
  const connection = new RedisConnection({
    url: 'redis://127.0.0.1:9',
    meanwhile: 'each for itself',
    clock,
    telemetry,
  });
  expect(await connection.open()).toBe(false);
  return { cache: new RedisTokenCache({ connection, clock, fallback }), clock, close: () => connection.close() };
});
