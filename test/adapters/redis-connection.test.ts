import { createServer, type AddressInfo } from 'node:net';
import { FAILED, RedisConnection } from '../../src/adapters/redis/redis-connection';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { Gate } from '../support/gate';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { redisUnderTest } from '../support/redis-under-test';
import { until } from '../support/until';

/** What a Redis says that lets nobody in; the driver hears it while it connects, a later command only that it may not. */
it.each([
  ['NOAUTH Authentication required.', 'not-authorized'],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'not-authorized'],
  ['LOADING Redis is loading the dataset in memory', 'unavailable'],
])('takes %s for %s, warns once and shows no password', async (answer, code) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('data', () => socket.write(`-${answer}\r\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { telemetry, lines } = recordedTelemetry();
  const connection = new RedisConnection({
    url: `redis://:top-secret@127.0.0.1:${(server.address() as AddressInfo).port}`,
    meanwhile: 'nobody calls',
    clock: new SystemClock(),
    telemetry,
  });
  try {
    const failure = await connection.check().then(
      () => undefined,
      (error: unknown) => error as { readonly code: string; readonly message: string },
    );
    expect(failure?.code).toBe(code);
    expect(lines).toHaveLength(1);
    expect(`${String(failure?.message)} ${lines.join()}`).not.toContain('top-secret');
  } finally {
    await connection.close();
    await new Promise((resolve) => server.close(resolve));
  }
});

const { url, answers } = redisUnderTest();
if (!answers)
  it.skip('a Redis that comes back (not run: none answers at DATAPUMP_TEST_REDIS or 127.0.0.1:6379)', () => undefined);

(answers ? it : it.skip)(
  'hears of a Redis that is back before anyone asks it for something, and asks it again at once',
  async () => {
    const gate = await Gate.open(url);
    const { telemetry } = recordedTelemetry();
    const clock = new SystemClock();
    const connection = new RedisConnection({ url: gate.url, meanwhile: 'nobody calls', clock, telemetry });
    const ping = () => connection.attempt((redis) => redis.ping());
    try {
      expect(await ping()).toBe('PONG');
      await gate.shut();
      await until('a command that fails', async () => (await ping()) === FAILED);
      expect(connection.trouble()).toContain('does not serve; nobody calls');
      await gate.reopen();
      await until('the word that Redis serves again', () => connection.trouble() === undefined);
      expect(await ping()).toBe('PONG');
    } finally {
      await connection.close();
      await gate.shut();
    }
  },
);
