import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Redis from 'ioredis';
import { AWAY_RETRY_AFTER_MS, RedisBillerAllowance } from '../../src/adapters/redis/redis-biller-allowance';
import { RedisConnection } from '../../src/adapters/redis/redis-connection';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { billerId } from '../../src/domain/identifiers';
import { DeliveryBench } from '../application/delivery-bench';
import { Gate } from '../support/gate';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { grantedToTwoProcesses, TAKERS_PER_SECOND } from '../support/rate-takers';
import { PATIENT_COMMANDS_MS, redisUnderTest } from '../support/redis-under-test';
import { until } from '../support/until';
import { billerAllowanceContract } from './biller-allowance.contract';

const { url, answers } = redisUnderTest();
const WATER = billerId('water');

if (!answers) {
  // Shown as skipped, so that nobody takes it for passed.
  it.skip('BillerAllowance: Redis (not run: none answers at DATAPUMP_TEST_REDIS or 127.0.0.1:6379)', () => undefined);
}

/** One installation in Redis: a namespace, and connections that end with it. */
class Installation {
  readonly namespace = `datapump-test-${randomUUID()}`;
  readonly redis = new Redis(url);
  readonly lines: string[] = [];
  private readonly connections: RedisConnection[] = [];

  async allowance(at = url): Promise<RedisBillerAllowance> {
    const { telemetry, lines } = recordedTelemetry();
    const connection = new RedisConnection({
      url: at,
      meanwhile: 'nobody calls',
      clock: new SystemClock(),
      telemetry,
      commandTimeoutMs: PATIENT_COMMANDS_MS,
    });
    this.connections.push(connection);
    await connection.open();
    this.lastSaid = lines;
    return new RedisBillerAllowance({ connection, namespace: this.namespace });
  }

  /** As if this Redis had counted since long ago. */
  async countsSinceLong(): Promise<void> {
    await this.redis.set(`${this.namespace}:allowance-since`, '0');
  }

  lastSaid: readonly string[] = [];

  async end(): Promise<void> {
    const keys = await this.redis.keys(`${this.namespace}:*`);
    if (keys.length > 0) await this.redis.del(keys);
    await Promise.all(this.connections.map((connection) => connection.close()));
    this.redis.disconnect();
  }
}

if (answers)
  billerAllowanceContract('Redis', async () => {
    const installation = new Installation();
    await installation.countsSinceLong();
    return {
      allowance: await installation.allowance(),
      another: () => installation.allowance(),
      pass: async (ms) => {
        await sleep(ms);
      },
      nowMs: () => performance.now(),
      close: () => installation.end(),
    };
  });

(answers ? describe : describe.skip)('RedisBillerAllowance', () => {
  let installation: Installation;
  beforeEach(() => (installation = new Installation()));
  afterEach(() => installation.end());

  it('1: keeps two processes that ask without pause within the rate of one', async () => {
    await installation.countsSinceLong();
    const built = (name: string): string =>
      JSON.stringify(join(__dirname, `../../dist/adapters/${name.includes('clock') ? 'system' : 'redis'}/${name}.js`));
    const { granted, elapsedMs } = await grantedToTwoProcesses(`
      const { RedisConnection } = require(${built('redis-connection')});
      const { RedisBillerAllowance } = require(${built('redis-biller-allowance')});
      const { SystemClock } = require(${built('system-clock')});
      const telemetry = { warn: (text) => { throw new Error(text); }, info: () => undefined };
      const connection = new RedisConnection({ url: ${JSON.stringify(url)}, meanwhile: '', clock: new SystemClock(), telemetry, commandTimeoutMs: ${PATIENT_COMMANDS_MS} });
      const allowance = new RedisBillerAllowance({ connection, namespace: ${JSON.stringify(installation.namespace)} });
      const close = () => connection.close();`);
    expect(granted).toBeLessThanOrEqual(TAKERS_PER_SECOND + (TAKERS_PER_SECOND * elapsedMs) / 1_000);
  });

  it('gives a Redis that has lost its memory no second burst', async () => {
    await installation.countsSinceLong();
    const allowance = await installation.allowance();
    expect((await allowance.take(WATER, { perSecond: 20, wanted: 100 })).granted).toBe(20);
    await installation.redis.del(
      `${installation.namespace}:allowance:water`,
      `${installation.namespace}:allowance-since`,
    );
    const beganMs = performance.now();
    const { granted, retryAfterMs } = await allowance.take(WATER, { perSecond: 20, wanted: 100 });
    expect([granted, retryAfterMs]).toEqual([0, 50]);
    await sleep(200);
    const later = await allowance.take(billerId('gas'), { perSecond: 20, wanted: 100 });
    expect(later.granted).toBeGreaterThanOrEqual(3);
    expect(later.granted).toBeLessThanOrEqual((20 * (performance.now() - beganMs)) / 1_000);
  });

  it('counts by the clock of Redis, and goes on where that was set back', async () => {
    const allowance = await installation.allowance();
    const key = `${installation.namespace}:allowance:water`;
    const [seconds] = await installation.redis.time();
    await installation.redis.hset(key, { tokens: '0', filledAtMs: String((Number(seconds) + 3_600) * 1_000) });
    expect(await allowance.take(WATER, { perSecond: 10, wanted: 1 })).toEqual({ granted: 0, retryAfterMs: 100 });
    await sleep(120);
    expect((await allowance.take(WATER, { perSecond: 10, wanted: 1 })).granted).toBe(1);
  });

  it('leaves no key for ever but the one that says since when it counts', async () => {
    const allowance = await installation.allowance();
    // Full again after 100 s, and a minute later without a key.
    await allowance.take(WATER, { perSecond: 0.01, wanted: 1 });
    await allowance.take(billerId('slow'), { perSecond: 1e-9, wanted: 1 });
    const lives = await Promise.all(
      ['allowance:water', 'allowance:slow', 'allowance-since'].map((key) =>
        installation.redis.pttl(`${installation.namespace}:${key}`),
      ),
    );
    expect(lives[0]).toBeGreaterThan(100_000);
    expect(lives[0]).toBeLessThanOrEqual(160_000);
    expect(lives[1]).toBeGreaterThan(160_000);
    expect(lives[2]).toBe(-1);
  });

  it('grants nothing while Redis is away or hangs, answers soon, and grants again afterwards', async () => {
    await installation.countsSinceLong();
    const gate = await Gate.open(url);
    try {
      const allowance = await installation.allowance(gate.url);
      const request = { perSecond: 1_000, wanted: 1 };
      const nothing = { granted: 0, retryAfterMs: AWAY_RETRY_AFTER_MS };
      expect((await allowance.take(WATER, request)).granted).toBe(1);

      await gate.shut();
      for (let times = 0; times < 20; times++) expect(await allowance.take(WATER, request)).toEqual(nothing);
      await gate.reopen();
      await until('a grant', async () => (await allowance.take(WATER, request)).granted === 1);

      gate.hang();
      const began = performance.now();
      for (let times = 0; times < 20; times++) expect(await allowance.take(WATER, request)).toEqual(nothing);
      // Most of them are answered at once: each that waited for Redis would wait for the whole time of a command.
      expect(performance.now() - began).toBeLessThan(10 * PATIENT_COMMANDS_MS);
      expect(installation.lastSaid.map((line) => line.split(' {')[0])).toEqual([
        'warn Redis does not serve; nobody calls',
        'info Redis serves again',
        'warn Redis does not serve; nobody calls',
      ]);
    } finally {
      await gate.shut();
    }
  });

  it('parks records while Redis is away, calls nobody, and has them delivered afterwards', async () => {
    await installation.countsSinceLong();
    const gate = await Gate.open(url);
    const bench = await DeliveryBench.start('keys', { Limits: { Concurrency: 4, PerSecond: 100 } });
    try {
      bench.allowance = await installation.allowance(gate.url);
      await gate.shut();
      await bench.publish();
      await bench.runUntilQuiet({ messagesMax: 3 });
      expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordValidated', 'DpRecordParked']);
      expect(bench.biller.business()).toHaveLength(0);
      await gate.reopen();
      await until(
        'a grant',
        async () => (await bench.allowance.take(WATER, { perSecond: 9, wanted: 1 })).granted === 1,
      );
      await bench.runUntilQuiet();
      expect(await bench.rowStatus()).toBe('Delivered');
      expect(bench.biller.business()).toHaveLength(1);
    } finally {
      await bench.close();
      await gate.shut();
    }
  });
});
