import { type lookup as systemLookup, type LookupAddress } from 'node:dns';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { addressAllowed } from '../../src/adapters/biller-http/reachable-address';
import { ExchangeFailure, UndiciTransport } from '../../src/adapters/biller-http/undici-transport';
import { runtimeProblems } from '../../src/bootstrap/configuration/runtime-checks';

const HOST = 'api.biller.example';
const PUBLIC_ONLY = { allowedHosts: ['*.example'], allowPlainLoopback: false };

describe('a biller is connected to at the addresses of the internet alone (issue 8, no 17)', () => {
  const never = [
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    'fd00:ec2::254',
    'fd20:ce::254',
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '169.254.0.1',
    'fe80::1',
    'fe80::1%eth0',
    '224.0.0.1',
    '239.255.255.255',
    'ff02::1',
    '255.255.255.255',
    '240.0.0.1',
    '192.0.0.1',
    '198.18.0.1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    'fec0::1',
    '2001:db8::1',
    'localhost',
    '',
    'x',
  ];
  const ownNetworks = [
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    'fc00::1',
    'fd12:3456::1',
  ];
  const internet = [
    '8.8.8.8',
    '1.1.1.1',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ];
  const declared = { ...PUBLIC_ONLY, privateHosts: [HOST] };

  it.each(never)('never %s, not even for a host declared to be private', (address) => {
    expect(addressAllowed(address, HOST, PUBLIC_ONLY)).toBe(false);
    expect(addressAllowed(address, HOST, declared)).toBe(false);
    expect(addressAllowed(address, HOST, { ...declared, allowPlainLoopback: true })).toBe(false);
  });
  it.each(ownNetworks)('%s for a host declared to be private, and for no other', (address) => {
    expect(addressAllowed(address, HOST, PUBLIC_ONLY)).toBe(false);
    expect(addressAllowed(address, 'other.example', declared)).toBe(false);
    expect(addressAllowed(address, HOST, declared)).toBe(true);
    expect(addressAllowed(address, HOST, { ...PUBLIC_ONLY, privateHosts: ['*.biller.example'] })).toBe(true);
  });
  it.each(internet)('%s for every host', (address) => {
    expect(addressAllowed(address, HOST, PUBLIC_ONLY)).toBe(true);
  });
  it('this machine for a URL that says so, where plain loopback is allowed', () => {
    const development = { ...PUBLIC_ONLY, allowPlainLoopback: true };
    for (const host of ['localhost', '127.0.0.1', '[::1]'])
      expect(addressAllowed('127.0.0.1', host, development)).toBe(true);
    expect(addressAllowed('127.0.0.1', HOST, development)).toBe(false);
    expect(addressAllowed('10.0.0.1', 'localhost', development)).toBe(false);
  });

  describe('at the socket', () => {
    let server: Server;
    let port: number;
    let connections = 0;
    beforeEach(async () => {
      connections = 0;
      server = createServer((socket) => {
        connections++;
        socket.destroy();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      ({ port } = server.address() as AddressInfo);
    });
    afterEach(() => new Promise((resolve) => server.close(resolve)));

    const answering = (...answers: readonly string[][]): typeof systemLookup => {
      let asked = 0;
      return ((_host: string, _options: object, callback: (error: null, found: LookupAddress[]) => void) => {
        const answer = answers[Math.min(asked++, answers.length - 1)]!;
        setImmediate(() =>
          callback(
            null,
            answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
          ),
        );
      }) as unknown as typeof systemLookup;
    };
    const failureOf = async (
      host: string,
      hosts: ConstructorParameters<typeof UndiciTransport>[0],
      lookup?: typeof systemLookup,
    ): Promise<unknown> => {
      const transport = new UndiciTransport(hosts, { connectTimeoutMs: 500, ...(lookup && { lookup }) });
      try {
        const request = { method: 'POST', url: `https://${host}:${port}/`, headers: {}, body: 'x' };
        return await transport.exchange(request, { remainingMs: () => 1_000 }).catch((error: unknown) => error);
      } finally {
        await transport.close();
      }
    };

    it.each([[['127.0.0.1']], [['10.0.0.1', '127.0.0.1', '::1']], [['::ffff:127.0.0.1']], [[]]])(
      'a name that resolves to %j is not connected to',
      async (answer) => {
        const failure = await failureOf(HOST, PUBLIC_ONLY, answering(answer));
        expect(failure).toBeInstanceOf(ExchangeFailure);
        expect(failure).toMatchObject({ code: 'host-not-allowed', left: false });
        expect(connections).toBe(0);
      },
    );

    it('a name that was answered well before and is answered otherwise now is not connected to', async () => {
      const lookup = answering(['127.0.0.1']);
      for (let n = 0; n < 3; n++)
        expect(await failureOf(HOST, { ...PUBLIC_ONLY, privateHosts: [HOST] }, lookup)).toMatchObject({
          code: 'host-not-allowed',
        });
      expect(connections).toBe(0);
    });

    it.each(['127.0.0.1', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '169.254.169.254'])(
      'an allow list that holds the address %s opens nothing',
      async (address) => {
        const host = new URL(`https://${address}`).hostname;
        expect(
          await failureOf(address, { allowedHosts: [host], allowPlainLoopback: false, privateHosts: [host] }),
        ).toMatchObject({ code: 'host-not-allowed' });
        expect(connections).toBe(0);
      },
    );

    it('loopback is connected to where the settings and the URL say so', async () => {
      expect(await failureOf('localhost', { ...PUBLIC_ONLY, allowPlainLoopback: true })).toMatchObject({ left: false });
      expect(connections).toBeGreaterThan(0);
    });
  });
});

describe('Node’s own switches that weaken TLS or HTTP are refused at the start (issue 8, no 17)', () => {
  it.each([['0'], ['00'], ['false'], ['no']])('NODE_TLS_REJECT_UNAUTHORIZED=%s', (value) => {
    expect(runtimeProblems({ NODE_TLS_REJECT_UNAUTHORIZED: value }, [])).toEqual([
      expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED: .*NODE_EXTRA_CA_CERTS/),
    ]);
  });
  it.each(['--insecure-http-parser', '--tls-min-v1.0', '--tls-min-v1.1', '--use-openssl-ca', '--use_openssl_ca'])(
    '%s, wherever it stands',
    (flag) => {
      expect(runtimeProblems({}, [flag])).toHaveLength(1);
      expect(runtimeProblems({ NODE_OPTIONS: `--max-old-space-size=200 "${flag}"` }, [flag])).toHaveLength(1);
    },
  );
  it('takes what weakens nothing', () => {
    expect(runtimeProblems({}, ['--min-semi-space-size=32'])).toEqual([]);
    expect(
      runtimeProblems(
        { NODE_TLS_REJECT_UNAUTHORIZED: '1', NODE_OPTIONS: '--enable-source-maps', NODE_EXTRA_CA_CERTS: '/x' },
        [],
      ),
    ).toEqual([]);
  });
});
