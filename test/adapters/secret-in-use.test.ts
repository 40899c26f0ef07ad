import { REFUSED_PAUSE_MS, SecretInUse } from '../../src/adapters/shared/secret-in-use';
import { PortFailure } from '../../src/application/ports/failures';

/** A server with one good secret, and a client that presents the one it was last connected with. */
function world(options: { readonly given: string; readonly reread?: () => Promise<string> }) {
  const server = { good: 'first', asked: 0, rereads: 0 };
  let nowMs = 0;
  let presented = options.given;
  const secret = new SecretInUse(options.given, {
    reread: options.reread
      ? () => {
          server.rereads++;
          return options.reread!();
        }
      : undefined,
    connect: (renewed) => {
      if (renewed === 'unusable') throw new TypeError('no connection string');
      presented = renewed;
    },
    monotonicMs: () => nowMs,
  });
  const ask = (entity = 'records'): Promise<string> =>
    secret.run(entity, async () => {
      server.asked++;
      await Promise.resolve();
      if (presented === server.good) return `done at ${entity}`;
      throw new PortFailure(`refused at ${entity}`, { code: 'not-authorized', retryable: false });
    });
  return { server, ask, pass: (ms: number) => void (nowMs += ms) };
}

it('reads the secret again after a refusal, once for all who were refused, and does their work', async () => {
  const { server, ask } = world({ given: 'first', reread: async () => 'second' });
  expect(await ask()).toBe('done at records');
  server.good = 'second';
  expect(await Promise.all(Array.from({ length: 50 }, () => ask()))).toHaveLength(50);
  expect(server.rereads).toBe(1);
  expect(server.asked).toBe(1 + 50 + 50);
});

it('leaves a server that refuses alone for a while, and tells what was tried', async () => {
  const { server, ask, pass } = world({ given: 'wrong', reread: async () => 'wrong' });
  const refused = 'refused at records; its secret was read again and is the same';
  for (let times = 0; times < 100; times++) await expect(ask()).rejects.toMatchObject({ message: refused });
  expect([server.asked, server.rereads]).toEqual([1, 1]);
  pass(REFUSED_PAUSE_MS);
  await expect(ask()).rejects.toMatchObject({ message: refused, code: 'not-authorized' });
  expect([server.asked, server.rereads]).toEqual([2, 2]);
  server.good = 'wrong';
  pass(REFUSED_PAUSE_MS);
  expect(await ask()).toBe('done at records');
});

it('goes on with other entities where a right is missing at one', async () => {
  const { server, ask } = world({ given: 'wrong' });
  await expect(ask('one')).rejects.toThrow('refused at one');
  await expect(ask('two')).rejects.toThrow('refused at two');
  server.good = 'wrong';
  expect(await ask('three')).toBe('done at three');
});

it.each([
  ['unreadable', () => Promise.reject(new Error('the vault is away')), 'the vault is away'],
  ['unusable', () => Promise.resolve('unusable'), 'no connection string'],
])('keeps the old secret where the new one is %s, and says so', async (_name, reread, why) => {
  const { server, ask, pass } = world({ given: 'first', reread });
  server.good = 'second';
  await expect(ask()).rejects.toThrow(`refused at records; its secret was read again in vain: ${why}`);
  server.good = 'first';
  pass(REFUSED_PAUSE_MS);
  expect(await ask()).toBe('done at records');
});

it('lets other failures through as they are', async () => {
  const { server, ask } = world({ given: 'first', reread: async () => 'second' });
  await ask();
  const secret = new SecretInUse('first', { reread: undefined, connect: () => undefined });
  const gone = new PortFailure('gone', { code: 'connection-lost', retryable: true });
  await expect(secret.run('records', () => Promise.reject(gone))).rejects.toBe(gone);
  expect(server.rereads).toBe(0);
});
