import { PortFailure } from '../../src/application/ports/failures';
import { Health } from '../../src/bootstrap/processes/health';

let now = 0;
let health: Health;
let port: number;
beforeEach(async () => {
  now = 1_000;
  health = new Health('fetcher', () => now);
  port = await health.listen(0, '127.0.0.1');
});
afterEach(() => health.close());

async function look(path: string) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const unreachable = new PortFailure('failed to receive', { code: 'connection-lost', retryable: true });

it('is live while it starts, and ready when its first receive or scan succeeded', async () => {
  expect(await look('/health/live')).toMatchObject({ status: 200, body: { state: 'starting' } });
  expect(await look('/health/ready')).toMatchObject({ status: 503, body: { state: 'starting' } });
  await health.noting(() => Promise.resolve());
  now += 500;
  expect(await look('/health/ready')).toMatchObject({ status: 200, body: { state: 'working', lastSuccessAgoMs: 500 } });
});

it('stays live in an outage and tells of it, and is not ready when it lasts', async () => {
  await health.noting(() => Promise.resolve());
  now += 61_000;
  await expect(health.noting(() => Promise.reject(unreachable))).rejects.toBe(unreachable);
  expect(await look('/health/ready')).toMatchObject({ status: 503, body: { failing: { code: 'connection-lost' } } });
  expect((await look('/health/live')).status).toBe(200);
  await health.noting(() => Promise.resolve());
  expect((await look('/health/ready')).body).not.toHaveProperty('failing');
});

it('is not live when it has not even tried for long', async () => {
  now += 15 * 60_000;
  expect((await look('/health/live')).status).toBe(503);
});

it('takes no more when it drains, and is not killed for it', async () => {
  await health.noting(() => Promise.resolve());
  health.drain();
  now += 3_600_000;
  expect(await look('/health/ready')).toMatchObject({ status: 503, body: { state: 'draining' } });
  expect((await look('/health/live')).status).toBe(200);
});

it('knows no other path', async () => {
  expect((await look('/metrics')).status).toBe(404);
});

it('tells what it has to do without, and is ready all the same', async () => {
  let trouble: string | undefined = 'Redis does not serve';
  health.watch(() => trouble);
  await health.noting(() => Promise.resolve());
  expect(await look('/health/ready')).toMatchObject({ status: 200, body: { degraded: ['Redis does not serve'] } });
  trouble = undefined;
  expect((await look('/health/ready')).body).not.toHaveProperty('degraded');
});
