import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageProblems } from '../../src/bootstrap/command-line/problems';
import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { readNamedSecrets, rereadOf } from '../../src/bootstrap/configuration/read-named-secrets';
import { problemLine } from '../../src/bootstrap/configuration/setting-problem';
import { inspectorProblem } from '../../src/bootstrap/configuration/stack-checks';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { checkStart } from '../../src/bootstrap/processes/check-start';
import { declaredSubscriptions } from '../../src/bootstrap/configuration/subscriptions-setting';
import { type BusUser } from '../../src/application/messaging/bus-rights';
import { declareTopology, type TopologySettings } from '../../src/application/messaging/topology';
import { EnvironmentSecretSource } from '../../src/adapters/system/environment-secret-source';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { selfSignedCertificate } from '../support/self-signed-certificate';
import { ServiceBusFixture } from '../support/wire-peers/amqp/service-bus-fixture';
import { EventStorePeer } from '../support/wire-peers/event-store-grpc/event-store-peer';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stacks-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const load = (overrides: Partial<Settings>) => loadSettings({ environment: {}, overrides });

function settings(overrides: Partial<Settings>): Settings {
  const loaded = load(overrides);
  if ('problems' in loaded) throw new Error(loaded.problems.map(problemLine).join('\n'));
  return loaded.settings;
}

function problems(overrides: Partial<Settings>): readonly string[] {
  const loaded = load(overrides);
  return 'problems' in loaded ? loaded.problems.map(problemLine) : [];
}

const emulator = 'Endpoint=sb://bus;SharedAccessKeyName=a;SharedAccessKey=top-secret;UseDevelopmentEmulator=true;';

describe('a chosen stack', () => {
  it('tells all that it lacks at once', () => {
    const found = problems({
      'Stack:Bus': 'service-bus',
      'Stack:EventStore': 'event-store-db',
      'Stack:Tokens': 'redis',
      'Stack:Allowance': 'redis',
      'Stack:Secrets': 'key-vault',
      'Stack:Shards': 'sql-server',
    });
    expect(found.map((line) => line.split(': ')[0])).toEqual([
      'ServiceBus:Namespace',
      'EventStore:ConnectionString',
      'Redis:Url',
      'KeyVault:Url',
      'Shards:Registry',
    ]);
  });

  it('has one way to its server, not two that may contradict each other', () => {
    expect(
      problems({
        'Stack:Bus': 'service-bus',
        'ServiceBus:Namespace': 'a.servicebus.windows.net',
        'ServiceBus:ConnectionString': emulator,
      }),
    ).toEqual([expect.stringContaining('only one of')]);
  });

  it('is refused in production where it is insecure, and no secret is shown', () => {
    const insecure: Partial<Settings> = {
      'Stack:Bus': 'service-bus',
      'ServiceBus:ConnectionString': emulator,
      'Stack:EventStore': 'event-store-db',
      'EventStore:ConnectionString': 'esdb://user:top-secret@host:2113?tls=false',
      'Stack:Tokens': 'redis',
      'Redis:Url': 'redis://:top-secret@host',
    };
    expect(problems(insecure)).toEqual([]);
    const found = problems({ ...insecure, 'Environment:Name': 'production' });
    expect(found).toHaveLength(3);
    expect(found.join('\n')).not.toContain('top-secret');
  });

  it('knows no shard that the registry does not name', () => {
    const registry = { A: { server: 'host,1433', database: 'a' } };
    expect(problems({ 'Stack:Shards': 'sql-server', 'Shards:Registry': registry, 'Shards:Names': ['A', 'B'] })).toEqual(
      [expect.stringContaining('Shards:Names')],
    );
    expect(
      problems({
        'Stack:Shards': 'sql-server',
        'Shards:Registry': { A: { server: 'h', database: 'd;Encrypt=false' } },
      }),
    ).toEqual([expect.stringContaining('Shards:Registry')]);
  });

  it('refuses a debugger in production alone', () => {
    expect(inspectorProblem(settings({}), ['--inspect'])).toBeUndefined();
    const production = settings({ 'Environment:Name': 'production' });
    expect(inspectorProblem(production, ['--inspect-brk=0.0.0.0:9229'])).toContain('--inspect-brk');
    expect(inspectorProblem(production, ['--max-old-space-size=100'])).toBeUndefined();
  });
});

describe('named secrets', () => {
  it('are read for Redis whichever of its uses is chosen', async () => {
    const wanted = settings({ 'Stack:Allowance': 'redis', 'Redis:UrlSecret': 'redis' });
    const source = new EnvironmentSecretSource({ environment: { DATAPUMP_SECRET_REDIS: 'rediss://host' } });
    expect((await readNamedSecrets(wanted, () => source)).settings['Redis:Url']).toBe('rediss://host');
  });

  it('are read into their settings, and judged there', async () => {
    const wanted = settings({
      'Environment:Name': 'production',
      'Stack:Bus': 'service-bus',
      'ServiceBus:ConnectionStringSecret': 'bus',
      'Stack:Tokens': 'redis',
      'Redis:UrlSecret': 'gone',
    });
    const source = new EnvironmentSecretSource({ environment: { DATAPUMP_SECRET_BUS: emulator } });
    const read = await readNamedSecrets(wanted, () => source);
    expect(read.settings['ServiceBus:ConnectionString']).toBe(emulator);
    expect(read.problems).toEqual([
      'Redis:UrlSecret: secret gone is missing: set DATAPUMP_SECRET_GONE',
      expect.stringMatching(/^ServiceBus:ConnectionStringSecret: .*UseDevelopmentEmulator/),
    ]);
    expect(read.problems.join('\n')).not.toContain('top-secret');
  });
});

describe('a named secret that is read again', () => {
  const wanted = settings({
    'Environment:Name': 'production',
    'Stack:Bus': 'service-bus',
    'ServiceBus:ConnectionStringSecret': 'bus',
  });
  const rereads = (secret: string): Promise<string> =>
    rereadOf(wanted, 'ServiceBus:ConnectionString', { secret: async (name) => (name === 'bus' ? secret : '') })!();

  it('is judged as at the start', async () => {
    expect(await rereads('Endpoint=sb://bus;SharedAccessKeyName=b;SharedAccessKey=c2Vj')).toContain('=b;');
    await expect(rereads(emulator)).rejects.toThrow(/^the secret bus has changed: .*UseDevelopmentEmulator/);
    await expect(rereads(emulator)).rejects.not.toThrow('top-secret');
  });

  it('is none where the setting itself holds it', () => {
    const direct = settings({ 'Stack:Bus': 'service-bus', 'ServiceBus:ConnectionString': emulator });
    const source = new EnvironmentSecretSource({ environment: {} });
    expect(rereadOf(direct, 'ServiceBus:ConnectionString', source)).toBeUndefined();
  });
});

describe('the start of a process over the wire', () => {
  const start = async (overrides: Partial<Settings>, user?: BusUser): Promise<readonly string[]> => {
    const container = createContainer(
      settings({ 'Data:Folder': folder, 'Billers:Folder': folder, 'Log:Level': 'fatal', ...overrides }),
      'test',
    );
    try {
      await checkStart(container, { user });
      return [];
    } catch (error) {
      if (!(error instanceof UsageProblems)) throw error;
      return error.problems;
    } finally {
      await container.get(TOKENS.lifecycle).close();
    }
  };
  const topology: TopologySettings = {
    eventsTopic: 'datapump-events',
    subscriptions: declaredSubscriptions(settings({})['ServiceBus:Subscriptions']),
    lockMs: 60_000,
    deliveryCountMax: 10,
    duplicateDetectionWindowMs: 600_000,
  };

  it('passes where everything is there', async () => {
    const peer = await EventStorePeer.start({ path: join(folder, 'events.db') });
    const fixture = await ServiceBusFixture.start(declareTopology(topology));
    try {
      expect(
        await start({
          'Shards:Names': ['A'],
          'Stack:Bus': 'service-bus',
          'ServiceBus:ConnectionString': fixture.peer.connectionString,
          'Stack:EventStore': 'event-store-db',
          'EventStore:ConnectionString': peer.connectionString,
        }),
      ).toEqual([]);
    } finally {
      await fixture.stop();
      await peer.stop();
    }
  });

  it('names each missing entity with the command that makes it', async () => {
    const fixture = await ServiceBusFixture.start(declareTopology(topology).slice(0, 1));
    try {
      const found = await start({
        'Shards:Names': ['A'],
        'Stack:Bus': 'service-bus',
        'ServiceBus:ConnectionString': fixture.peer.connectionString,
      });
      expect(found).toHaveLength(5);
      expect(found[0]).toMatch(/^ServiceBus:.*datapump-events\/.*datapump topology --plan/s);
    } finally {
      await fixture.stop();
    }
  });

  it('asks for no more than the one service needs, which may be allowed no more', async () => {
    const fixture = await ServiceBusFixture.start(declareTopology(topology).slice(0, 1));
    try {
      const overrides = {
        'Shards:Names': ['A'],
        'Stack:Bus': 'service-bus',
        'ServiceBus:ConnectionString': fixture.peer.connectionString,
      } as const;
      expect(await start(overrides, 'scanner')).toEqual([]);
      expect(await start(overrides, 'fetcher')).toEqual([]);
      expect(await start(overrides, { consumes: ['Payments'] })).toEqual([
        expect.stringMatching(/datapump-events\/.*payments/),
      ]);
    } finally {
      await fixture.stop();
    }
  });

  it('tells of every server that does not answer, and of a key that is refused', async () => {
    const fixture = await ServiceBusFixture.start(declareTopology(topology), { keyName: 'another' });
    try {
      const found = await start({
        'Stack:Bus': 'service-bus',
        'ServiceBus:ConnectionString': fixture.peer.connectionString,
        'Stack:EventStore': 'event-store-db',
        'EventStore:ConnectionString': 'esdb://127.0.0.1:9?tls=false',
        'Stack:Allowance': 'redis',
        'Redis:Url': 'redis://127.0.0.1:9',
      });
      const settingsTold = new Set(found.map((line) => line.split(': ')[0]));
      expect([...settingsTold].sort()).toEqual([
        'EventStore:ConnectionString',
        'Redis:Url',
        'ServiceBus:ConnectionString',
        'Shards:Names',
      ]);
      // One key, one line; and no storm: it was presented once, read again or not.
      expect(found.filter((line) => line.startsWith('ServiceBus:'))).toEqual([
        expect.stringMatching(/InvalidSignature.*correct the key and its name/),
      ]);
      expect(fixture.peer.tokensAsked).toBe(1);
      expect(found.join('\n')).toMatch(/EventStore:ConnectionString: .*127\.0\.0\.1:9.*correct host, port/);
    } finally {
      await fixture.stop();
    }
  });

  it('works on without Redis where only tokens would be shared, and tells of it', async () => {
    const overrides: Partial<Settings> = { 'Stack:Tokens': 'redis', 'Redis:Url': 'redis://127.0.0.1:9' };
    expect(await start({ 'Shards:Names': ['A'], ...overrides })).toEqual([]);
    const container = createContainer(settings({ 'Data:Folder': folder, 'Log:Level': 'fatal', ...overrides }), 'test');
    try {
      expect(await container.get(TOKENS.tokens).get('key', async () => ({ value: 'own', expiresInMs: 60_000 }))).toBe(
        'own',
      );
      expect(container.get(TOKENS.health).live()).toMatchObject({
        ok: true,
        state: { degraded: ['Redis at 127.0.0.1:9 does not serve; each process fetches its own tokens'] },
      });
    } finally {
      await container.get(TOKENS.lifecycle).close();
    }
  });

  it('names each right that is missing, with the roles', async () => {
    const fixture = await ServiceBusFixture.start(declareTopology(topology));
    fixture.peer.forbid('paperless');
    try {
      const found = await start({
        'Shards:Names': ['A'],
        'Stack:Bus': 'service-bus',
        'ServiceBus:ConnectionString': fixture.peer.connectionString,
      });
      expect(found).toEqual([
        expect.stringMatching(
          /^ServiceBus:ConnectionString: .*datapump-events\/paperless: .*Listen.*roles.*Data Receiver/s,
        ),
      ]);
    } finally {
      await fixture.stop();
    }
  });

  it('names the setting of the secret where a password stands in one, and shows none', async () => {
    const password = selfSignedCertificate(folder);
    const tls = { certificate: password.certificate, key: password.key };
    const peer = await EventStorePeer.start({ path: join(folder, 'events.db'), tls, user: 'datapump:right' });
    const ca = encodeURIComponent(password.certificateFile);
    const wanted = settings({ 'Stack:EventStore': 'event-store-db', 'EventStore:ConnectionStringSecret': 'store' });
    const secret = `esdb://datapump:top-secret@localhost:${peer.port}?tlsCAFile=${ca}`;
    const source = new EnvironmentSecretSource({ environment: { DATAPUMP_SECRET_STORE: secret } });
    const read = await readNamedSecrets(wanted, () => source);
    const container = createContainer(
      { ...read.settings, 'Data:Folder': folder, 'Shards:Names': ['A'] as never },
      'test',
    );
    try {
      const found = await checkStart(container).then(
        () => [],
        (error: UsageProblems) => error.problems,
      );
      expect(found).toEqual([
        expect.stringMatching(/^EventStore:ConnectionStringSecret: .*refused the credentials, expected a user/),
      ]);
      expect(found.join()).not.toContain('top-secret');
      expect(peer.refused).toBeLessThanOrEqual(2);
    } finally {
      await container.get(TOKENS.lifecycle).close();
      await peer.stop();
    }
  });

  it('tells of a file of a newer version once, with the remedy', async () => {
    expect(await start({ 'Shards:Names': ['A'] })).toEqual([]);
    const file = new Database(join(folder, 'event-store.sqlite'));
    file.pragma('user_version = 99');
    file.close();
    expect(await start({ 'Shards:Names': ['A'] })).toEqual([
      expect.stringMatching(/^Data:Folder: .*event-store\.sqlite.* of version 99.*run the newer datapump/),
    ]);
  });
});
