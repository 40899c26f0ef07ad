import { type Container } from 'inversify';
import { createBillerControl } from '../../../src/application/operating/biller-control';
import { createHistoryGuard } from '../../../src/application/history/history-guard';
import { type HistoryWitness } from '../../../src/application/ports/history-witness';
import { createHistory } from '../../../src/application/history/history';
import { type RelayOutbox, relayOutbox } from '../../../src/application/scanning/relay-outbox';
import { createShardClock } from '../../../src/application/shard-clock';
import { TOKENS } from '../../../src/bootstrap/container/tokens';
import { UsageProblems } from '../../../src/bootstrap/command-line/problems';
import { whileHistoryHolds } from '../../../src/bootstrap/processes/watch-history';
import { Health } from '../../../src/bootstrap/processes/health';
import { runConsumer } from '../../../src/bootstrap/processes/run-consumer';
import { runFetcher } from '../../../src/bootstrap/processes/run-fetcher';
import { runScanner } from '../../../src/bootstrap/processes/run-scanner';
import { byPromise } from './at-once';
import { GUARD_LOOK_MS } from './disaster';
import { HttpGateway } from './http/http-gateway';
import { SimulatedBus } from './simulated-bus';
import { SimulatedGateway } from './simulated-gateway';
import { chanceOf, contracts, eventStoreOf, profilesOf, shardsOf, telemetryOf } from './simulated-ports';
import { SimulatedProcess } from './simulated-process';
import { CONCURRENT_MESSAGES_MAX, TOPOLOGY, type World } from './world';

const SETTINGS = {
  'Scanner:SleepSeconds': 30,
  'Scanner:MaxChunkSize': 4,
  'Scanner:ClaimRowsMax': 10,
  'Scanner:ConcurrentShards': 4,
  'Fetcher:MaxConcurrentBillers': 3,
  'Fetcher:BatchSize': 3,
  'Fetcher:IdleWaitMaxSeconds': 60,
  'Consumer:ConcurrentMessages': CONCURRENT_MESSAGES_MAX,
  'Consumer:PermitWaitSeconds': 5,
  'Sweep:EverySeconds': 30,
  // What a biller answered in words is no part of this world.
  'Answers:KeepDays': 0,
  // Seals decide nothing, and have suites of their own.
  'Seal:EverySeconds': 0,
  'Sweep:AfterMinutes': 2,
  'Sweep:RowsPerPassMax': 20,
  'Supervisor:StopSeconds': 20,
};
const CLOCK_SAMPLE_MS = 30_000;
const CONTROL_CACHE_MS = 2_000;

export interface PortsOfProcess {
  readonly container: Container;
  readonly gateway: SimulatedGateway | HttpGateway;
}

/** What the container of one life of a process yields: the real services over ports that go through the wire. */
function portsOf(world: World, process: SimulatedProcess, epoch: number): PortsOfProcess {
  const clock = process.clock(epoch, (ms, wake) => world.wire.answer(process, epoch, ms, wake));
  const shards = shardsOf(world, process, epoch);
  const telemetry = telemetryOf(world, process, epoch);
  const unguarded = eventStoreOf(world, process, epoch);
  const witness = byPromise<HistoryWitness>(world.witness);
  const guard = createHistoryGuard(
    { eventStore: unguarded, shards, witnesses: [witness], clock, telemetry },
    { lookMs: GUARD_LOOK_MS },
  );
  const eventStore = world.hasDisaster ? guard.eventStore : unguarded;
  const chance = chanceOf(world, process);
  const bus = new SimulatedBus(world, process, epoch);
  const gateway = world.http
    ? new HttpGateway(world, process, epoch, { clock, chance, telemetry })
    : new SimulatedGateway(world, process, epoch);
  const history = createHistory({ eventStore, chance, clock }, `${process.name}#${epoch}`);
  const relay: RelayOutbox = relayOutbox({ history, bus, clock, chance });
  const services = new Map<unknown, unknown>([
    [TOKENS.settings, SETTINGS],
    [TOKENS.topology, TOPOLOGY],
    [TOKENS.health, new Health(process.name, () => process.monotonicMs())],
    [TOKENS.telemetry, telemetry],
    [TOKENS.watching, { isMeasured: false, metricsHandler: undefined }],
    [TOKENS.historyGuard, guard],
    [TOKENS.historyWitness, witness],
    [TOKENS.clock, clock],
    [TOKENS.chance, chance],
    [TOKENS.digest, world.digest],
    [TOKENS.eventStore, eventStore],
    [TOKENS.bus, bus],
    [TOKENS.shards, shards],
    [TOKENS.profiles, profilesOf(world, process, epoch)],
    [TOKENS.gateway, gateway],
    [TOKENS.contracts, contracts],
    [TOKENS.history, history],
    [TOKENS.shardClock, createShardClock(clock, CLOCK_SAMPLE_MS)],
    [
      TOKENS.control,
      createBillerControl({ eventStore, clock, chance }, { cacheMs: CONTROL_CACHE_MS, by: process.name }),
    ],
    [TOKENS.relayOutbox, relay],
  ]);
  const get = (token: unknown): unknown => {
    if (!services.has(token)) throw new Error(`the simulator binds no ${String(token)}`);
    return services.get(token);
  };
  return { container: { get } as unknown as Container, gateway };
}

/** As a process of the product starts and ends: not on a history that the shards do not know. */
async function guarded(world: World, container: Container, signal: AbortSignal, work: Work): Promise<void> {
  const guard = container.get(TOKENS.historyGuard);
  if (world.heldBack) return;
  // An outage at the start ends the process too: it is started again.
  const found = await guard.look().catch(() => undefined);
  if (found === undefined || found.length > 0) return;
  await whileHistoryHolds(container, signal, (working) => work(container, working)).catch((error: unknown) => {
    if (!(error instanceof UsageProblems)) throw error;
  });
}

const DOWN_MAX_MS = 40_000;

type Work = (container: Container, signal: AbortSignal) => Promise<void>;

export function createProcess(world: World, name: string, work: Work): SimulatedProcess {
  const { dice, timeline, faults } = world;
  return new SimulatedProcess(name, {
    timeline,
    slowness: name.endsWith('-a') ? world.clockSlowness : 1,
    work: (process, epoch, signal) => {
      const { container, gateway } = portsOf(world, process, epoch);
      world.gateways.set(name, gateway);
      return world.hasDisaster && name !== 'operator'
        ? guarded(world, container, signal, work)
        : work(container, signal);
    },
    // As a supervisor does, it waits longer each time: one that is stopped at each start would use up the run's steps.
    downMs: (epoch, shortLives) =>
      faults.isHealed
        ? Math.min(100 * 2 ** shortLives, DOWN_MAX_MS)
        : dice.between(200, DOWN_MAX_MS, `${name} is down`, epoch),
    skewMs: (epoch) => {
      const struck = faults.strike(`clock of ${name}`, dice.question(`clock of ${name}`), epoch, ['clock-skew']);
      return struck
        ? dice.between(-300_000, 300_000, `skew of ${name}`, epoch)
        : dice.between(-500, 500, `skew of ${name}`, epoch);
    },
    onEnd: (error) => {
      if (error !== undefined) world.watch.violate(`process ${name} ended by ${String(error)}`);
    },
  });
}

/** Two scanners, two fetchers, two consumers for each data type. */
export function createProcesses(world: World, twins: boolean): readonly SimulatedProcess[] {
  const copies = twins ? ['a', 'b'] : ['a'];
  return copies.flatMap((copy) => [
    createProcess(world, `scanner-${copy}`, runScanner),
    createProcess(world, `fetcher-${copy}`, runFetcher),
    ...world.scenario.dataTypes.map((dataType) =>
      createProcess(world, `consumer-${dataType.toLowerCase()}-${copy}`, (container, signal) =>
        runConsumer(container, [dataType], signal),
      ),
    ),
  ]);
}
