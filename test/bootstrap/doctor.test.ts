import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shakeHands } from '../../src/adapters/system/network-probe';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { plusMs } from '../../src/domain/instant';
import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { endpointsOf } from '../../src/bootstrap/doctor/endpoints';
import { examineClocks } from '../../src/bootstrap/doctor/examine';
import { ROOT } from '../architecture/source-files';
import { datapump, demandBuilt } from '../support/command-line';
import { selfSignedCertificate } from '../support/self-signed-certificate';

let folder: string;
beforeEach(() => {
  demandBuilt();
  folder = mkdtempSync(join(tmpdir(), 'datapump-doctor-'));
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
  mkdirSync(join(folder, 'billers'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly well: boolean;
  readonly findings: readonly { readonly area: string; readonly state: string; readonly text: string }[];
}

async function doctor(environment: NodeJS.ProcessEnv, ...words: readonly string[]) {
  const said = await datapump(['--data', join(folder, 'data'), '--json', 'doctor', ...words], {
    folder,
    environment: { Shards__Names: 'A', ...environment },
  });
  const told = JSON.parse(said.stdout) as Told;
  const of = (area: string) => told.findings.filter((finding) => finding.area === area);
  return { ...said, ...told, of };
}

function settings(overrides: Partial<Settings>): Settings {
  const loaded = loadSettings({ environment: {}, overrides });
  if ('problems' in loaded) throw new Error('the settings are wrong');
  return loaded.settings;
}

/** The example of a profile, as one that is called. */
function writeProfile(change: (document: Record<string, unknown>) => void = () => undefined): void {
  const example = join(ROOT, 'deploy/kubernetes/overlays/prod/billers/101.json');
  const document = { ...(JSON.parse(readFileSync(example, 'utf8')) as Record<string, unknown>), Rollout: 'live' };
  change(document);
  writeFileSync(join(folder, 'billers/101.json'), JSON.stringify(document));
}

it('says that nothing is wrong where nothing is, and looks at every area', async () => {
  const { code, well, findings } = await doctor({});
  expect(findings.filter(({ state }) => state !== 'well')).toEqual([]);
  expect([code, well]).toEqual([0, true]);
  expect([...new Set(findings.map(({ area }) => area))]).toEqual([
    'settings',
    'secrets',
    'names',
    'tls',
    'stores',
    'clock',
    'profiles',
  ]);
});

it('tells all that is wrong at once, each with its remedy', async () => {
  const { code, of } = await doctor({
    Stack__Bus: 'service-bus',
    ServiceBus__Namespace: 'nowhere.invalid',
    Billers__Folder: join(folder, 'gone'),
    Start__WaitSeconds: '0',
  });
  expect(code).toBe(1);
  expect(of('names')).toEqual([
    {
      area: 'names',
      state: 'wrong',
      text: expect.stringMatching(/^ServiceBus:Namespace: nowhere\.invalid: no address is found .*correct the name/),
    },
  ]);
  expect(of('tls')).toEqual([expect.objectContaining({ state: 'unknown' })]);
  expect(of('stores')).toEqual([
    { area: 'stores', state: 'wrong', text: expect.stringContaining('correct the host of the namespace') },
  ]);
  expect(of('profiles')[0]!.text).toContain('name the folder of the biller profiles');
});

it('does not guess where the settings themselves cannot be read', async () => {
  const { code, of, findings } = await doctor({ Scanner__SleepSecond: '5', NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  expect(code).toBe(1);
  expect(of('settings').map(({ text }) => text)).toEqual([
    expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED'),
    expect.stringContaining('did you mean Scanner__SleepSeconds'),
  ]);
  expect(findings.filter(({ area }) => area !== 'settings').every(({ state }) => state === 'unknown')).toBe(true);
});

it('asks for a biller’s secrets and servers where the service calls billers, and not elsewhere', async () => {
  writeProfile((document) => {
    document['BaseUrl'] = 'https://biller.invalid/v1';
    document['Authentication'] = { Kind: 'ApiKey', Header: 'X-Api-Key', KeySecret: 'biller-101-key' };
  });
  const environment = { Billers__AllowedHosts: 'biller.invalid' };
  const consumer = await doctor(environment, '--service', 'consumer-payments');
  expect(consumer.of('secrets')).toEqual([
    { area: 'secrets', state: 'wrong', text: expect.stringContaining('biller-101-key') },
  ]);
  expect(consumer.of('names')[0]!.text).toMatch(/^biller 101: biller\.invalid: no address/);
  const scanner = await doctor(environment, '--service', 'scanner');
  expect(scanner.well).toBe(true);
});

it('refuses a service that is none', async () => {
  const said = await datapump(['doctor', '--service', 'consumer'], { folder });
  expect(said).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('expected one of scanner, fetcher, consumer-'),
  });
});

describe('a server with TLS', () => {
  let server: Server;
  let port: number;
  let certificateFile: string;
  beforeEach(async () => {
    const made = selfSignedCertificate(folder);
    certificateFile = made.certificateFile;
    server = createServer({ cert: made.certificate, key: made.key });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => new Promise((closed) => server.close(closed)));

  it('whose authority nobody trusts is found, and so is a certificate that soon ends', async () => {
    const environment = { Stack__Secrets: 'key-vault', KeyVault__Url: `https://127.0.0.1:${port}` };
    const untrusted = await doctor(environment);
    expect(untrusted.of('tls')[0]!.text).toMatch(/no secure connection \(\w*SELF_SIGNED\w*\).*NODE_EXTRA_CA_CERTS/);
    const trusted = await doctor({ ...environment, NODE_EXTRA_CA_CERTS: certificateFile });
    expect(trusted.of('tls')[0]!.text).toMatch(/its certificate ends in \d days; .*renew its certificate/);
  });

  it('is well where its certificate is trusted and lasts', async () => {
    const now = new Date().getTime();
    const place = { host: '127.0.0.1', port, authorities: certificateFile };
    expect(await shakeHands(place, now, 1)).toMatchObject({ problem: undefined, seen: expect.stringContaining('TLS') });
    expect((await shakeHands({ ...place, authorities: join(folder, 'gone') }, now, 1)).problem).toContain(
      'cannot be read',
    );
  });
});

it('sees a clock that is not the shards’', async () => {
  const container = createContainer(
    settings({ 'Data:Folder': join(folder, 'data'), 'Shards:Names': ['A'] as never }),
    'test',
  );
  class LateClock extends SystemClock {
    override now() {
      return plusMs(super.now(), -60_000);
    }
  }
  try {
    expect(await examineClocks(container)).toEqual([expect.objectContaining({ state: 'well' })]);
    container.rebindSync(TOKENS.clock).toConstantValue(new LateClock());
    expect(await examineClocks(container)).toEqual([
      { area: 'clock', state: 'wrong', text: expect.stringMatching(/shard A are (59|60|61) s apart; synchronize/) },
    ]);
  } finally {
    await container.get(TOKENS.lifecycle).close();
  }
});

it('finds every server that settings name, and shows no password', () => {
  const endpoints = endpointsOf(
    settings({
      'Stack:Shards': 'sql-server',
      'Shards:Registry': { A: { server: 'tcp:sql.example.com,1433', database: 'a', secret: 'a' } },
      'Stack:EventStore': 'event-store-db',
      'EventStore:ConnectionString': 'esdb://user:top-secret@one:2113,two:2114?tls=true&tlsCAFile=/etc/ca.pem',
      'Stack:Bus': 'service-bus',
      'ServiceBus:ConnectionString': 'Endpoint=sb://bus.example.com/;SharedAccessKeyName=k;SharedAccessKey=top-secret=',
      'Stack:Tokens': 'redis',
      'Redis:Url': 'rediss://:top-secret@cache.example.com:6380',
      'Stack:Secrets': 'key-vault',
      'KeyVault:Url': 'https://vault.example.com',
    }),
    [],
  );
  expect(endpoints.map(({ host, tls }) => `${host} ${tls?.port ?? 'no TLS'}`)).toEqual([
    'vault.example.com 443',
    'bus.example.com 5671',
    'one 2113',
    'two 2114',
    'cache.example.com 6380',
    'sql.example.com no TLS',
  ]);
  expect(endpoints[2]!.tls?.authorities).toBe('/etc/ca.pem');
  expect(JSON.stringify(endpoints)).not.toContain('top-secret');
});
