import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { plannedMigrations, plannedTopology } from '../../src/bootstrap/container/set-up';
import { declaredSubscriptions } from '../../src/bootstrap/configuration/subscriptions-setting';
import { EnvironmentSecretSource } from '../../src/adapters/system/environment-secret-source';
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
