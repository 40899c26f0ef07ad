import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SqliteEventStore } from '../../../src/adapters/sqlite/sqlite-event-store';
import { SqliteManifest } from '../../../src/adapters/sqlite/sqlite-manifest';
import { loadSettings } from '../../../src/bootstrap/configuration/load-settings';
import { freePort } from '../../../src/bootstrap/demo/sandbox-process';
import { PeerProcess } from './peer-process';
import { createDemoDatabases, NoServer } from './sql-server-databases';

/**
 * The whole demo with the production Service Bus and EventStoreDB adapters over the wire peers; with SQL Server shards
 * where DATAPUMP_TEST_MSSQL names a server. `--pull-plug` kills each peer in the middle and brings it back later.
 */
const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2000' },
    shards: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    chaos: { type: 'boolean', default: false },
    'pull-plug': { type: 'boolean', default: false },
    'plug-seconds': { type: 'string', default: '30' },
    /** Between the first record's first event, or the return of a peer, and the next plug. */
    'plug-after-seconds': { type: 'string', default: '4' },
    folder: { type: 'string', default: '.datapump/wire-demo' },
    json: { type: 'boolean', default: false },
  },
});

const PROGRAM = resolve(__dirname, '../../../dist/bootstrap/command-line.main.js');
/** What a demo's own settings say (src/bootstrap/demo/demo-plan.ts): the peer plays a namespace set up for them. */
const LOCK_MS = 12_000;
const EXIT_USAGE = 2;
const EVENT_STORE_FILE = 'peer-event-store.sqlite';
const say = (line: string): void => void process.stderr.write(`wire demo: ${line}\n`);

async function main(): Promise<number> {
  const folder = resolve(values.folder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [busPort, eventStorePort] = [await freePort(Math.random), await freePort(Math.random)];
  const peers = {
    'event store': new PeerProcess({
      kind: 'event-store',
      path: join(folder, EVENT_STORE_FILE),
      port: eventStorePort,
    }),
    'service bus': new PeerProcess({
      kind: 'service-bus',
      path: join(folder, 'peer-bus.sqlite'),
      port: busPort,
      topology: demoTopology(),
    }),
  };
  const names = Array.from({ length: Number(values.shards) }, (_, index) => `Shard-${index + 1}`);
  const server = process.env['DATAPUMP_TEST_MSSQL'];
  const databases = server === undefined ? undefined : await createDemoDatabases(server, names);
  try {
    await Promise.all(Object.values(peers).map((peer) => peer.start()));
    const stack = {
      Stack: {
        Bus: 'service-bus',
        EventStore: 'event-store-db',
        ...(databases === undefined ? {} : { Shards: 'sql-server' }),
      },
      ServiceBus: {
        ConnectionString: `Endpoint=sb://127.0.0.1:${busPort};SharedAccessKeyName=peer;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;`,
      },
      EventStore: { ConnectionString: `esdb://127.0.0.1:${eventStorePort}?tls=false` },
      ...(databases === undefined ? {} : { Shards: { Registry: databases.registry } }),
    };
    const stackFile = join(folder, 'stack.json');
    writeFileSync(stackFile, JSON.stringify(stack, undefined, 2), { mode: 0o600 });
    const environment = { ...process.env, ...databases?.secrets };
    say(`Service Bus and EventStoreDB over the wire, shards in ${databases === undefined ? 'SQLite' : 'SQL Server'}`);
    if (databases !== undefined) await ran(start(['--config', stackFile, 'migrate', '--apply'], environment));
    const demo = start(
      [
        ...[
          '--data',
          join(folder, 'demo'),
          ...(values.json ? ['--json'] : []),
          'demo',
          '--fresh',
          '--stack',
          stackFile,
        ],
        ...['--records', values.records, '--shards', values.shards, '--seed', values.seed],
        ...(values.chaos ? ['--chaos'] : []),
      ],
      environment,
    );
    const pulled = values['pull-plug'] ? pullPlugs(demo, peers, folder) : undefined;
    const code = await ended(demo);
    const failure = await pulled;
    if (failure !== undefined) say(failure);
    return failure === undefined ? code : 1;
  } finally {
    await Promise.all(Object.values(peers).map((peer) => peer.stop()));
    await databases?.drop();
  }
}

function demoTopology() {
  const loaded = loadSettings({ environment: {}, overrides: values.chaos ? { 'Bus:DeliveryCountMax': 200 } : {} });
  if ('problems' in loaded) throw new Error('the default settings are wrong');
  const { settings } = loaded;
  return {
    eventsTopic: settings['ServiceBus:TopicName'],
    subscriptions: settings['ServiceBus:Subscriptions'],
    lockMs: LOCK_MS,
    deliveryCountMax: settings['Bus:DeliveryCountMax'],
    duplicateDetectionWindowMs: settings['Bus:DuplicateDetectionMinutes'] * 60_000,
  };
}

/** Undefined: every plug was pulled while the demo was at work. */
async function pullPlugs(
  demo: ChildProcess,
  peers: Readonly<Record<string, PeerProcess>>,
  folder: string,
): Promise<string | undefined> {
  const ms = Number(values['plug-seconds']) * 1_000;
  const isOver = (): boolean => demo.exitCode !== null || demo.signalCode !== null;
  const manifestFile = join(folder, 'demo', 'manifest.sqlite');
  const phase = (): string | undefined => {
    if (!existsSync(manifestFile)) return undefined;
    const manifest = new SqliteManifest({ path: manifestFile });
    try {
      return manifest.state('phase');
    } finally {
      manifest.close();
    }
  };
  while (!isOver() && !(phase() === 'running' && (await hasRecords(folder)))) await delay(100);
  for (const [name, peer] of Object.entries(peers)) {
    await delay(Number(values['plug-after-seconds']) * 1_000);
    if (isOver() || phase() !== 'running')
      return `the demo was over before the plug of the ${name} was pulled: give it more --records`;
    say(`the plug of the ${name} is pulled for ${ms / 1_000} s`);
    await peer.pullPlug(ms);
    say(`the ${name} is back`);
  }
  return undefined;
}

/** Before, a process that is starting would find no server and say that it is configured wrongly. */
async function hasRecords(folder: string): Promise<boolean> {
  const store = new SqliteEventStore({ path: join(folder, EVENT_STORE_FILE) });
  try {
    return (await store.readAll({ max: 1, categories: ['dpRecord'] })).events.length > 0;
  } finally {
    await store.close();
  }
}

const start = (words: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess =>
  spawn(process.execPath, [PROGRAM, ...words], { stdio: ['ignore', 'inherit', 'inherit'], env: environment });

const ended = async (child: ChildProcess): Promise<number> => {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
};

async function ran(child: ChildProcess): Promise<void> {
  const code = await ended(child);
  if (code !== 0) throw new Error(`${child.spawnargs.slice(2).join(' ')} ended with exit code ${code}`);
}

void main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof NoServer) say(error.message);
    else console.error(error);
    process.exit(error instanceof NoServer ? EXIT_USAGE : 1);
  },
);
