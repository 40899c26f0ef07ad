import { createServer, type Server, type Socket } from 'node:net';
import { type AddressInfo } from 'node:net';
import { ConnectionError, RequestError } from 'mssql';
import { causeChain, PortFailure } from '../../src/application/ports/failures';
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { isCollision, isDuplicateKey, sqlServerFailure } from '../../src/adapters/sql-server/sql-server-failure';
import { shardName } from '../../src/domain/identifiers';
import { InvariantViolation } from '../../src/domain/invariant';

const PLACE = { shard: 'Shard-1', server: 'db.example', database: 'payments' };

/** As the driver makes it of the server's message. */
const engineError = (number: number, message = 'words of the server'): RequestError =>
  new RequestError(Object.assign(new Error(message), { info: { number } }), 'EREQUEST');

const classified = (error: unknown): PortFailure => {
  const failure = sqlServerFailure('read the outbox', PLACE, error);
  expect(failure).toBeInstanceOf(PortFailure);
  return failure as PortFailure;
};

it.each<[string, number, PortFailure['code'], boolean, RegExp]>([
  ['a deadlock', 1205, 'storage-busy', true, /another transaction/],
  ['a lock timeout', 1222, 'storage-busy', true, /another transaction/],
  ['a failover', 40613, 'unavailable', true, /failing over/],
  ['a reconfiguration', 40197, 'unavailable', true, /failing over/],
  ['a throttling', 40501, 'unavailable', true, /throttled/],
  ['too few resources', 49918, 'unavailable', true, /comes back by itself/],
  ['a refused login', 18456, 'not-authorized', false, /User ID and Password.*shard registry/],
  ['a firewall', 40615, 'not-authorized', false, /firewall/],
  ['a database that cannot be opened', 4060, 'unavailable', true, /comes back by itself.*correct Database/],
  ['a session being ended', 596, 'unavailable', true, /comes back by itself/],
  ['a missing right', 229, 'not-authorized', false, /Permissions/],
  ['a missing table', 208, 'storage-foreign', false, /migrate --plan/],
  ['a missing column of a view', 207, 'storage-foreign', false, /views/],
  ['two collations', 468, 'storage-foreign', false, /views/],
  ['a view that takes no update', 4406, 'storage-foreign', false, /views/],
  ['a full log', 9002, 'storage-full', true, /free some/],
  ['a read-only replica', 3906, 'unavailable', true, /primary/],
  ['a duplicate of a constraint', 2627, 'storage-broken', false, /key stands already/],
  ['a duplicate of an index', 2601, 'storage-broken', false, /key stands already/],
  ['a text too long', 2628, 'storage-broken', false, /does not fit/],
  ['an error nobody listed', 50000, 'storage-broken', false, /refuses the statement/],
])('names %s (%d) with its remedy', (_what, number, code, retryable, words) => {
  const failure = classified(engineError(number));
  expect({ code: failure.code, retryable: failure.retryable }).toEqual({ code, retryable });
  expect(failure.message).toMatch(words);
  expect(failure.message).toMatch(/^failed to read the outbox in shard Shard-1 \(database payments on db\.example\): /);
  expect(failure.facts).toEqual({ ...PLACE, sqlServer: number });
  if (code === 'unavailable') expect(failure.retryAfterMs).toBe(10_000);
});

/** While a server stops, starts, recovers, fails over or is short of something: from the vendor's list of engine errors. */
const OUTAGES = [
  596, 615, 701, 802, 845, 904, 921, 922, 924, 926, 927, 941, 942, 945, 946, 952, 954, 976, 978, 979, 982, 983, 988,
  3989, 4060, 4064, 6001, 6002, 6005, 6006, 8628, 8645, 8651, 8657, 9001, 10922, 10928, 10929, 10930, 10936, 17142,
  17147, 17148, 17187, 17188, 17189, 17197, 17198, 18401, 18451, 18461, 35250, 40197, 40501, 40540, 40550, 40613, 45168,
  49918,
];

it.each(OUTAGES)('takes %d for an outage, in a request and at a login (issue 9, no 9)', (number) => {
  const atLogin = new ConnectionError(
    Object.assign(new Error('Login failed'), { code: 'ELOGIN', cause: engineError(number) }),
  );
  for (const error of [engineError(number), atLogin]) expect(classified(error).retryable).toBe(true);
});

it.each([1, 4063, 18400, 18482, 33557097])(
  'takes a login refused under the unlisted number %d for an outage (issue 9, no 9)',
  (number) => {
    const refused = new ConnectionError(Object.assign(new Error('Login failed'), { code: 'ELOGIN', number }));
    expect(classified(refused)).toMatchObject({ code: 'unavailable', retryable: true });
  },
);

it.each([18456, 18452, 18470, 18486, 18487, 18488])('blames the login itself for %d', (number) => {
  const refused = new ConnectionError(Object.assign(new Error('Login failed'), { code: 'ELOGIN', number }));
  expect(classified(refused)).toMatchObject({ code: 'not-authorized', retryable: false });
});

it('takes a call whose pool was closed while it waited for a connection for a broken connection', () => {
  expect(classified(new Error('aborted'))).toMatchObject({ code: 'connection-lost', retryable: true });
});

it('tells the words of an error nobody listed, and no value that a server names, in the causes either', () => {
  const words = `the id 'Jana Nováková' of "dbo.Customer" (account 42) is 00123456 too long: ${'x'.repeat(300)}`;
  const { message } = classified(engineError(33557097, words));
  expect(message).toMatch(/SQL Server error 33557097\): the id … of … … is … too long: x+$/);
  expect(message.length).toBeLessThan(500);
  for (const number of [33557097, 245, 2627]) {
    expect(causeChain(classified(engineError(number, words)))).not.toMatch(/Jana|00123456/);
  }
  expect(isDuplicateKey(classified(engineError(2627, words)))).toBe(true);
});

it('finds the number in what came before, and in what a connection error was made of', () => {
  const last = Object.assign(engineError(3998), { precedingErrors: [engineError(1205)] });
  expect(classified(last).code).toBe('storage-busy');
  expect(isCollision(last)).toBe(true);
  expect(isCollision(engineError(51001))).toBe(true);
  expect(isCollision(engineError(2627))).toBe(false);
  expect([2601, 2627, 547].map((number) => isDuplicateKey(engineError(number)))).toEqual([true, true, false]);
  expect(isDuplicateKey(classified(engineError(2627)))).toBe(true);
  const login = Object.assign(new Error('Login failed for user'), { code: 'ELOGIN', number: 4060 });
  expect(classified(new ConnectionError(login as never)).code).toBe('unavailable');
});

it.each<[string, Error, PortFailure['code'], boolean, RegExp]>([
  [
    'a statement that took too long',
    new RequestError('Timeout: Request failed to complete', 'ETIMEOUT'),
    'timed-out',
    true,
    /request timeout/,
  ],
  [
    'a server that does not answer',
    new ConnectionError('Failed to connect in 15000ms', 'ETIMEOUT'),
    'unavailable',
    true,
    /check Server/,
  ],
  [
    'a server that cannot be reached',
    new ConnectionError('connect ECONNREFUSED', 'ESOCKET'),
    'unavailable',
    true,
    /check Server/,
  ],
  [
    'a connection that broke',
    new RequestError('Connection lost - read ECONNRESET', 'ESOCKET'),
    'connection-lost',
    true,
    /opened again/,
  ],
  [
    'a certificate nobody vouches for',
    new ConnectionError('self-signed certificate', 'ESOCKET'),
    'unavailable',
    false,
    /TrustServerCertificate/,
  ],
  [
    'a pool in full use',
    Object.assign(new Error('operation timed out'), { name: 'TimeoutError' }),
    'storage-busy',
    true,
    /pool size/,
  ],
  [
    'a refused login without a number',
    new ConnectionError('Login failed', 'ELOGIN'),
    'unavailable',
    true,
    /takes no login now.*check the login/,
  ],
  [
    'an error of the driver that nobody listed',
    new RequestError('odd', 'EODD' as never),
    'storage-broken',
    false,
    /refuses/,
  ],
])('names %s with its remedy', (_what, error, code, retryable, words) => {
  const failure = classified(error);
  expect({ code: failure.code, retryable: failure.retryable }).toEqual({ code, retryable });
  expect(failure.message).toMatch(words);
  expect(failure.cause).toBe(error);
});

it('leaves alone what is no error of the driver', () => {
  for (const error of [
    new InvariantViolation('x'),
    new Error('no plan'),
    new PortFailure('x', { code: 'closed', retryable: false }),
    'text',
  ]) {
    expect(sqlServerFailure('claim', PLACE, error)).toBe(error);
  }
});

describe('a shard', () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let connections = 0;
  const listen = async (onConnection: (socket: Socket) => void): Promise<number> => {
    server = createServer((socket) => {
      connections++;
      sockets.add(socket.on('error', () => undefined));
      onConnection(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const shardAt = (port: number): SqlServerShard =>
    new SqlServerShard({
      name: shardName('Shard-1'),
      connection: { server: '127.0.0.1', port, database: 'payments', user: 'u', password: 'p' },
      limits: { connectTimeoutMs: 300 },
    });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    connections = 0;
    await new Promise((resolve) => server.close(resolve));
  });

  it('says that its server cannot be reached, and tries again no sooner than a second later', async () => {
    const port = await listen((socket) => socket.destroy());
    const shard = shardAt(port);
    const failures = await Promise.allSettled(Array.from({ length: 20 }, () => shard.billers()));
    for (const failure of failures)
      expect(failure).toMatchObject({
        status: 'rejected',
        reason: { code: expect.stringMatching(/unavailable|connection-lost/), retryable: true },
      });
    const afterwards = connections;
    await expect(shard.now()).rejects.toMatchObject({ retryable: true, message: expect.stringContaining('127.0.0.1') });
    expect(connections).toBe(afterwards);
    await shard.close();
  });

  it('gives up a server that accepts and never answers, after its connect timeout', async () => {
    const shard = shardAt(await listen(() => undefined));
    await expect(shard.findRow('1' as never)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/failed to connect in shard Shard-1 \(database payments on 127\.0\.0\.1\)/),
    });
    await shard.close();
    await expect(shard.now()).rejects.toMatchObject({ code: 'closed', retryable: false });
  });

  it('reads its settings when it connects, and passes on why they cannot be read', async () => {
    await listen(() => undefined);
    const missing = new PortFailure('no secret', { code: 'secret-missing', retryable: false });
    const shard = new SqlServerShard({ name: shardName('Shard-1'), connection: () => Promise.reject(missing) });
    await expect(shard.now()).rejects.toBe(missing);
    await shard.close();
  });
});
