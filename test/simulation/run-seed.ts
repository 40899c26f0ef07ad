import { type MessageSource } from '../../src/application/ports/message-bus';
import { FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../../src/application/topology';
import { type FinalState, finalCheck, type Verdict } from './checker/final-check';
import { Dice } from './world/dice';
import { type FiredFault } from './world/faults';
import { letThingsHappen } from './world/happenings';
import { Operator } from './world/operator';
import { createProcesses } from './world/processes';
import { planScenario, type ScenarioLimits } from './world/scenario';
import { TOPOLOGY, World, type WorldOptions } from './world/world';

export interface SeedOptions extends WorldOptions {
  readonly scenario?: ScenarioLimits;
}

export interface SeedResult {
  readonly seed: number;
  /** None: the seed holds. The first word says which law is broken. */
  readonly violations: readonly string[];
  readonly verdict: Verdict;
  readonly stuck: boolean;
  readonly fired: readonly FiredFault[];
  readonly crashes: number;
  readonly rows: number;
  readonly calls: number;
  readonly happenings: number;
  readonly virtualMs: number;
  readonly traceHash: number;
}

const LIVENESS_MAX_MS = 6 * 3_600_000;
const HAPPENINGS_MAX = 150_000;
const LOOK_EVERY_MS = 2_000;
/** After the last movement: late effects land, sweeps look again, and it must stay quiet. */
const QUIET_MS = 200_000;

const ENDED = new Set(['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn', 'Failed', 'InDoubt']);

/** One seed: faults, then healing, then everything must come to its end, then the checker looks. */
export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const dice = new Dice(options.seed);
  const scenario = planScenario(dice, options.scenario);
  const world = new World(options, scenario);
  const operator = new Operator(world);
  const processes = createProcesses(world, !options.scenario?.plain);
  for (const process of [...processes, operator.process]) process.start();
  letThingsHappen(world, operator);

  const { timeline } = world;
  const run = async (ms: number, until: () => boolean): Promise<string> => timeline.run({ untilMs: timeline.now + ms, happeningsMax: HAPPENINGS_MAX, until });
  let ended = await run(scenario.faultsMs, () => false);
  heal(world, [...processes, operator.process], operator);
  const quiet = quietly(world, operator);
  if (ended !== 'too-much') ended = await run(LIVENESS_MAX_MS, quiet);
  if (ended === 'until' && dice.fraction('operator finishes') < 0.6) {
    for (let round = 0; round < 2 && ended === 'until'; round++) {
      operator.resolveAll();
      operator.redriveTwice();
      ended = await run(LIVENESS_MAX_MS, quiet);
    }
  }
  if (ended === 'until') {
    await run(Math.max(QUIET_MS, world.lateEffectsUntil - timeline.now + QUIET_MS), () => false);
    ended = await run(LIVENESS_MAX_MS, quiet);
  }
  const stuck = ended !== 'until';
  const verdict = finalCheck(finalState(world));
  const violations = [
    ...(stuck ? [`stuck: ${stuckIn(world)} (${ended})`] : []),
    ...verdict.doubled.map((what) => `doubled: ${what}`),
    ...verdict.lost.map((what) => `lost: ${what}`),
    ...verdict.differences.map((what) => `replay: ${what}`),
    ...verdict.suspected.map((record) => `suspected: ${record}`),
    ...world.watch.violations.map((what) => `watch: ${what}`),
    ...verdict.other.map((what) => `other: ${what}`),
  ];
  return {
    seed: options.seed, violations, verdict, stuck, fired: world.faults.fired,
    crashes: [...processes, operator.process].reduce((sum, { crashes }) => sum + crashes, 0),
    rows: scenario.rows.length, calls: world.wire.calls, happenings: timeline.happened, virtualMs: timeline.now, traceHash: world.wire.traceHash,
  };
}

function heal(world: World, processes: readonly { pausedUntil: number; skewMs: number }[], operator: Operator): void {
  world.faults.heal();
  world.wire.outages.clear();
  for (const process of processes) Object.assign(process, { pausedUntil: 0, skewMs: 0 });
  for (const { profile } of world.scenario.billers) operator.resume(profile.billerId);
}

const SOURCES: readonly MessageSource[] = [
  { topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION },
  ...Object.values(TOPOLOGY.subscriptions).map((subscription) => ({ topic: TOPOLOGY.eventsTopic, subscription })),
];

const waitingMessages = (world: World): number =>
  SOURCES.reduce((sum, source) => {
    const { active, scheduled } = world.broker.depth(source);
    return sum + active + scheduled;
  }, 0);

const unpublished = (world: World): number => world.shards.reduce((sum, { outbox }) => sum + outbox.filter(({ published }) => !published).length, 0);

const isLive = (world: World, biller: string): boolean => world.profiles.current.get(biller)?.rollout === 'live';

const unfinished = (world: World): readonly string[] =>
  world.shards.flatMap((shard) =>
    [...shard.rows.values()].filter(({ billerId, status }) => isLive(world, billerId) && !ENDED.has(status)).map(({ billerId, dpId, status }) => `${billerId}:${dpId} ${status}`));

/** Looks now and then only: a look at everything after each happening would cost more than the run. */
function quietly(world: World, operator: Operator): () => boolean {
  let lookAt = 0;
  return () => {
    if (world.timeline.now < lookAt) return false;
    lookAt = world.timeline.now + LOOK_EVERY_MS;
    return operator.idle && waitingMessages(world) === 0 && unpublished(world) === 0 && unfinished(world).length === 0;
  };
}

const stuckIn = (world: World): string =>
  `${unfinished(world).join(', ') || 'no row'}; ${waitingMessages(world)} messages waiting, ${unpublished(world)} chunks unpublished`;

function finalState(world: World): FinalState {
  const { scenario, broker, memoryStore } = world;
  const deadLetters = SOURCES.flatMap((source) => broker.peek({ ...source, deadLetters: true }, { max: 1_000 })).map(({ messageId, body, deadLetterReason }) => {
    const { traceId } = body as { readonly traceId?: string };
    return { messageId, record: traceId, reason: deadLetterReason };
  });
  return {
    records: scenario.rows.map(({ record, row, home }) => {
      const stored = world.shards.find(({ name }) => name === home)!.rows.get(row.dpId);
      return {
        record,
        eligible: isLive(world, row.billerId),
        row: stored && { status: stored.status, details: stored.details },
        effects: world.billers.effectsOf(record),
        refusedByBiller: world.billers.hasDeclined(record),
      };
    }),
    streams: new Map(memoryStore.streamNames().map((name) => [name, world.streamOf(name)])),
    unpublishedChunks: unpublished(world),
    waitingMessages: waitingMessages(world),
    deadLetters,
    poisons: Array.from({ length: scenario.poisons }, (_, number) => [`poison-${number}`, `poison-chunk-${number}`]).flat(),
    quarantineMs: (biller, version) => world.profiles.versions.get(`${biller} ${version}`)?.quarantineMs ?? 0,
    messagesWereLost: world.faults.fired.some(({ kind }) => kind === 'bus-message-lost'),
  };
}
