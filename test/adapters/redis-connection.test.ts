import { createServer, type AddressInfo } from 'node:net';
import { RedisConnection } from '../../src/adapters/redis/redis-connection';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { recordedTelemetry } from '../support/recorded-telemetry';

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
