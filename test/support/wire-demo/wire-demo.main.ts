import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SqliteEventStore } from '../../../src/adapters/sqlite/sqlite-event-store';
import { SqliteManifest } from '../../../src/adapters/sqlite/sqlite-manifest';
import { loadSettings } from '../../../src/bootstrap/configuration/load-settings';
import { declaredSubscriptions } from '../../../src/bootstrap/configuration/subscriptions-setting';
import { freePort } from '../../../src/bootstrap/demo/sandbox-process';
import { SilentProxy } from '../wire-peers/silent-proxy';
import { PeerProcess } from './peer-process';
import { inflict, WIRE_FAULTS, type WireFault, type WirePlace } from './wire-faults';
import { createDemoDatabases, NoServer } from './sql-server-databases';

/**
 * The whole demo with the production Service Bus and EventStoreDB adapters over the wire peers; with SQL Server shards
 * where DATAPUMP_TEST_MSSQL names a server. `--pull-plug` kills each peer in the middle and brings it back later; each
 * of the other faults (wire-faults.ts) is inflicted again and again while the demo works, alone or in turns with others.
 */
const HELP = `npm run demo:wire -- [options]

The demo with Service Bus and EventStoreDB, played by peers on this machine. Exit code 0: PROVED; 1: not; 2: usage.

  --records N (2000)   --shards N (2)   --seed N (1)   --folder <path>   --json   --chaos
  --per-second N         calls a second that each biller allows: so long the demo lasts at least

Faults, each inflicted again and again while the demo works, alone or in turns:
  --half-open            connections fall silent, --silent-seconds N (5)
  --lose-answers         answers are lost after they took effect
  --force-close          the bus closes its connections as at an upgrade
  --detach               the bus detaches every link
  --busy                 both throttle
  --leader-change        two nodes of the event store lead in turns
  --fault-every-seconds N (5)
  --partitioned          topics are partitioned, and nobody has told the adapter
  --pull-plug            each server is killed, --plug-after-seconds N (4), for --plug-seconds N (30)
`;
const OPTIONS = {
  help: { type: 'boolean', default: false },
  records: { type: 'string', default: '2000' },
  shards: { type: 'string', default: '2' },
  seed: { type: 'string', default: '1' },
  /** Calls a second that each biller allows: so long the demo lasts at least, however quick the machine is. */
  'per-second': { type: 'string' },
  chaos: { type: 'boolean', default: false },
  'pull-plug': { type: 'boolean', default: false },
  'plug-seconds': { type: 'string', default: '30' },
  /** Between the first record's first event, or the return of a peer, and the next plug. */
  'plug-after-seconds': { type: 'string', default: '4' },
  /** Open connections fall silent: nothing is answered, nothing is closed; new ones work, but for the first time. */
  'half-open': { type: 'boolean', default: false },
  'silent-seconds': { type: 'string', default: '5' },
  /** Single answers to sends, settlings, tokens, $management and appends are lost after they took effect. */
  'lose-answers': { type: 'boolean', default: false },
  /** The bus closes its connections as at an upgrade, now and between an effect and its answer. */
  'force-close': { type: 'boolean', default: false },
  /** The bus detaches every link. */
  detach: { type: 'boolean', default: false },
  /** Both throttle. */
  busy: { type: 'boolean', default: false },
  /** Two nodes of the event store take the lead in turns. */
  'leader-change': { type: 'boolean', default: false },
  /** Topics are partitioned, and nobody has told the adapter. */
  partitioned: { type: 'boolean', default: false },
  'fault-every-seconds': { type: 'string', default: '5' },
  folder: { type: 'string', default: '.datapump/wire-demo' },
  json: { type: 'boolean', default: false },
} as const;

const values = choices();

function choices() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    process.stderr.write(
      `demo:wire: ${(error as Error).message}\ndemo:wire: npm run demo:wire -- --help tells the options\n`,
    );
    return process.exit(2);
  }
}

const PROGRAM = resolve(__dirname, '../../../dist/bootstrap/command-line.main.js');
/** What a demo's own settings say (src/bootstrap/demo/demo-plan.ts): the peer plays a namespace set up for them. */
const LOCK_MS = 12_000;
const EXIT_USAGE = 2;
const EVENT_STORE_FILE = 'peer-event-store.sqlite';
const say = (line: string): void => void process.stderr.write(`wire demo: ${line}\n`);

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = resolve(values.folder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [busPort, ...eventStorePorts] = [
    await freePort(Math.random),
    await freePort(Math.random),
    await freePort(Math.random),
  ];
  const eventStores = eventStorePorts.map(
    (port) => new PeerProcess({ kind: 'event-store', path: join(folder, EVENT_STORE_FILE), port }),
  );
  const bus = new PeerProcess({
    kind: 'service-bus',
    path: join(folder, 'peer-bus.sqlite'),
    port: busPort,
    topology: demoTopology(),
    partitioned: values.partitioned,
  });
  const faults = WIRE_FAULTS.filter((fault) => values[fault]);
  // A second node only where leaders change: it is a process more.
  const nodes = values['leader-change'] ? eventStores : eventStores.slice(0, 1);
  const proxies = values['half-open'] ? [await SilentProxy.to(busPort), await SilentProxy.to(eventStorePorts[0])] : [];
  const [busAddress, eventStoreAddress] = [proxies[0]?.port ?? busPort, proxies[1]?.port ?? eventStorePorts[0]];
  const peers = { 'event store': nodes[0]!, 'service bus': bus };
  const names = Array.from({ length: Number(values.shards) }, (_, index) => `Shard-${index + 1}`);
  const server = process.env['DATAPUMP_TEST_MSSQL'];
  const databases = server === undefined ? undefined : await createDemoDatabases(server, names);
  try {
    await Promise.all([bus, ...nodes].map((peer) => peer.start()));
    nodes[1]?.tell({ do: 'follow', leader: { host: '127.0.0.1', port: eventStorePorts[0] } });
    const stack = {
      Stack: {
        Bus: 'service-bus',
        EventStore: 'event-store-db',
        ...(databases === undefined ? {} : { Shards: 'sql-server' }),
      },
      ServiceBus: {
        ConnectionString: `Endpoint=sb://127.0.0.1:${busAddress};SharedAccessKeyName=peer;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;`,
      },
      EventStore: { ConnectionString: `esdb://127.0.0.1:${eventStoreAddress}?tls=false` },
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
        ...(values['per-second'] === undefined ? [] : ['--per-second', values['per-second']]),
      ],
      environment,
    );
    const pulled = values['pull-plug'] ? pullPlugs(demo, peers, folder) : undefined;
    const place = {
      bus,
      eventStores: nodes,
      eventStorePorts,
      proxies,
      silentMs: Number(values['silent-seconds']) * 1_000,
      say,
    };
    const inflicted = faults.length === 0 ? undefined : inflictAll(demo, faults, place, folder);
    const code = await ended(demo);
    const failures = [await pulled, await inflicted].filter((failure) => failure !== undefined);
    for (const failure of failures) say(failure);
    return failures.length === 0 ? code : 1;
  } finally {
    await Promise.all([bus, ...nodes].map((peer) => peer.stop()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await databases?.drop();
  }
}

function demoTopology() {
  const loaded = loadSettings({ environment: {}, overrides: values.chaos ? { 'Bus:DeliveryCountMax': 200 } : {} });
  if ('problems' in loaded) throw new Error('the default settings are wrong');
  const { settings } = loaded;
  return {
    eventsTopic: settings['ServiceBus:TopicName'],
    subscriptions: declaredSubscriptions(settings['ServiceBus:Subscriptions']),
    lockMs: LOCK_MS,
    deliveryCountMax: settings['Bus:DeliveryCountMax'],
    duplicateDetectionWindowMs: settings['Bus:DuplicateDetectionMinutes'] * 60_000,
  };
}

/** Undefined: every fault was inflicted while the demo was at work. */
async function inflictAll(
  demo: ChildProcess,
  faults: readonly WireFault[],
  place: WirePlace,
  folder: string,
): Promise<string | undefined> {
  await atWork(demo, folder);
  const isAtWork = (): boolean => !isOver(demo) && phaseIn(folder) === 'running';
  const counts = await inflict(faults, place, isAtWork, Number(values['fault-every-seconds']) * 1_000);
  say(`inflicted ${[...counts].map(([fault, count]) => `${fault} ${count} times`).join(', ')}`);
  const missed = [...counts].filter(([, count]) => count === 0).map(([fault]) => fault);
  return missed.length === 0 ? undefined : `the demo was over before ${missed.join(', ')}: give it more --records`;
}

const isOver = (demo: ChildProcess): boolean => demo.exitCode !== null || demo.signalCode !== null;

function phaseIn(folder: string): string | undefined {
  const manifestFile = join(folder, 'demo', 'manifest.sqlite');
  if (!existsSync(manifestFile)) return undefined;
  const manifest = new SqliteManifest({ path: manifestFile });
  try {
    return manifest.state('phase');
  } finally {
    manifest.close();
  }
}

async function atWork(demo: ChildProcess, folder: string): Promise<void> {
  while (!isOver(demo) && !(phaseIn(folder) === 'running' && (await hasRecords(folder)))) await delay(100);
}

/** Undefined: every plug was pulled while the demo was at work. */
async function pullPlugs(
  demo: ChildProcess,
  peers: Readonly<Record<string, PeerProcess>>,
  folder: string,
): Promise<string | undefined> {
  const ms = Number(values['plug-seconds']) * 1_000;
  await atWork(demo, folder);
  for (const [name, peer] of Object.entries(peers)) {
    await delay(Number(values['plug-after-seconds']) * 1_000);
    if (isOver(demo) || phaseIn(folder) !== 'running')
      return `the demo was over before the plug of the ${name} was pulled: give it more --records`;
    say(`the plug of the ${name} is pulled for ${ms / 1_000} s`);
    await peer.pullPlug(ms);
    say(`the ${name} is back`);
  }
  return undefined;
}

/** Before, there would be nothing to disturb. */
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
