import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { plannedMigrations, plannedTopology } from '../../src/bootstrap/container/set-up';
import { declaredSubscriptions } from '../../src/bootstrap/configuration/subscriptions-setting';
import { EnvironmentSecretSource } from '../../src/adapters/system/environment-secret-source';
import { SCHEMA_VERSION } from '../../src/adapters/sql-server/migrations';
import { datapump, demandBuilt } from '../support/command-line';
import { AdministrationPeer } from '../support/wire-peers/amqp/administration-peer';

function settings(overrides: Partial<Settings>): Settings {
  const loaded = loadSettings({ environment: {}, overrides });
  if ('problems' in loaded) throw new Error('the settings are wrong');
  return loaded.settings;
}

it('plans the topology, applies it, and has nothing left to do', async () => {
  const peer = new AdministrationPeer('owner');
  const url = await peer.listen();
  try {
    const wanted = settings({
      'Stack:Bus': 'service-bus',
      'ServiceBus:ConnectionString': 'Endpoint=sb://peer;SharedAccessKeyName=owner;SharedAccessKey=a2V5;',
      'ServiceBus:AdministrationUrl': url,
    });
    const topology = {
      eventsTopic: wanted['ServiceBus:TopicName'],
      subscriptions: declaredSubscriptions(wanted['ServiceBus:Subscriptions']),
      lockMs: 60_000,
      deliveryCountMax: 10,
      duplicateDetectionWindowMs: 600_000,
    };
    const planned = await plannedTopology(wanted, topology);
    expect(planned.steps.map(({ kind }) => kind).sort()).toEqual([
      ...Array<string>(6).fill('create-subscription'),
      ...Array<string>(3).fill('create-topic'),
    ]);
    expect(peer.changes).toEqual([]);
    const done: string[] = [];
    await planned.apply((step) => done.push(step));
    expect(done).toHaveLength(9);
    expect((await plannedTopology(wanted, topology)).steps).toEqual([]);
  } finally {
    await peer.close();
  }
});

it('ends with exit code 1 while anything is left to do, where it is asked to check', async () => {
  demandBuilt();
  const peer = new AdministrationPeer('owner');
  const environment = {
    Stack__Bus: 'service-bus',
    ServiceBus__ConnectionString: 'Endpoint=sb://peer;SharedAccessKeyName=owner;SharedAccessKey=a2V5;',
    ServiceBus__AdministrationUrl: await peer.listen(),
  };
  const folder = mkdtempSync(join(tmpdir(), 'datapump-set-up-'));
  try {
    const topology = (...words: readonly string[]) => datapump(['topology', ...words], { environment, folder });
    expect(await topology()).toMatchObject({ code: 0 });
    expect(await topology('--check')).toMatchObject({ code: 1, stdout: expect.stringContaining('create topic') });
    expect(peer.changes).toEqual([]);
    expect(await topology('--apply', '--check')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--check and --apply: expected one of them'),
    });
    expect(await topology('--apply')).toMatchObject({ code: 0 });
    expect(await topology('--check')).toMatchObject({ code: 0, stdout: 'The topology is as declared.\n' });
  } finally {
    await peer.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

it('prints the whole schema of a new shard without settings and without a login', async () => {
  demandBuilt();
  const folder = mkdtempSync(join(tmpdir(), 'datapump-set-up-'));
  try {
    const migrate = (...words: readonly string[]) => datapump(['migrate', ...words], { folder });
    const { code, stdout } = await migrate('--script', '--new-shard', 'bigint');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^SET QUOTED_IDENTIFIER ON;/);
    expect(stdout).toMatch(/CREATE TABLE dbo\.DpClaim \(\s+DpId bigint NOT NULL/);
    expect(stdout.match(/INSERT INTO dbo\.DatapumpSchema/g)).toHaveLength(SCHEMA_VERSION);
    expect(stdout.trimEnd().endsWith('\nGO')).toBe(true);
    expect(await migrate('--new-shard', 'guid', '--apply')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/3 problems:[^]*found guid[^]*--script[^]*without --apply/),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('looks at every shard, whatever is wrong with one of them', async () => {
  const plans = await plannedMigrations(
    settings({
      'Stack:Shards': 'sql-server',
      'Shards:Registry': {
        A: { server: '127.0.0.1,9', database: 'a', secret: 'login' },
        B: { server: '127.0.0.1,9', database: 'b', secret: 'gone' },
      },
    }),
    new EnvironmentSecretSource({ environment: { DATAPUMP_SECRET_LOGIN: 'User ID=u;Password=top-secret' } }),
  );
  expect(plans.map(({ shard }) => shard)).toEqual(['A', 'B']);
  expect(plans[0]!.problems).toEqual([expect.stringContaining('cannot be reached')]);
  expect(plans[1]!.problems).toEqual([expect.stringContaining('secret gone is missing')]);
  expect(JSON.stringify(plans)).not.toContain('top-secret');
});

it('refuses certificates of anybody in production, at the first connection', async () => {
  const [plan] = await plannedMigrations(
    settings({
      'Environment:Name': 'production',
      'Stack:Shards': 'sql-server',
      'Shards:Registry': { A: { server: '127.0.0.1,9', database: 'a', secret: 'login' } },
    }),
    new EnvironmentSecretSource({
      environment: { DATAPUMP_SECRET_LOGIN: 'User ID=u;Password=p;TrustServerCertificate=true' },
    }),
  );
  expect(plan!.problems).toEqual([expect.stringContaining('TrustServerCertificate')]);
});
