import { type EventStore, type Position, READ_EVENTS_MAX } from '../../src/application/ports/event-store';
import { MESSAGES_PER_CALL_MAX, type MessageSource } from '../../src/application/ports/message-bus';
import { ROWS_PER_CALL_MAX } from '../../src/application/ports/shard';
import { FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../../src/application/messaging/topology';
import { type RetrySchedule } from '../../src/domain/biller/biller-profile';
import { type DataType } from '../../src/domain/biller/data-type';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import { ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { type RawEvent } from './checker/fold';
import { type FinalState, finalCheck, type OwnFault, type Verdict } from './checker/final-check';
import { type TryLimits } from './checker/tries';
import { balance } from './control-totals';
import { disturbedProjection } from './disturbed-projection';
import { type AtOnce } from './world/at-once';
import { Dice } from './world/dice';
import { planDisaster } from './world/disaster';
import { type FiredFault } from './world/faults';
import { letThingsHappen } from './world/happenings';
import { Operator } from './world/operator';
import { createProcesses } from './world/processes';
import { planScenario, type ScenarioLimits, type Trait } from './world/scenario';
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
  /** What the control totals, and the records line by line, tell beside the billers' statements; drawn up where an assumption is broken, and on SQLite. */
  readonly unbalanced: readonly string[];
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
const RESOLVE_ROUNDS_MAX = 8;
const LOOK_EVERY_MS = 2_000;
/** After the last movement: late effects land, sweeps look again, and it must stay quiet. */
const QUIET_MS = 200_000;

const ENDED = new Set(['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn', 'Failed', 'InDoubt']);

/** One seed: faults, then healing, then everything must come to its end, then the checker looks. */
export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const dice = new Dice(options.seed);
  const scenario = planScenario(dice, options.scenario);
  const world = new World({ ...options, plain: options.scenario?.plain ?? false }, scenario);
  const operator = new Operator(world);
  const processes = createProcesses(world, !options.scenario?.plain);
  for (const process of [...processes, operator.process]) process.start();
  letThingsHappen(world, operator);
  if (world.hasDisaster) planDisaster(world, operator, processes);

  const { timeline } = world;
  const run = async (ms: number, until: () => boolean): Promise<string> =>
    timeline.run({ untilMs: timeline.now + ms, happeningsMax: HAPPENINGS_MAX, until });
  let ended = await run(scenario.faultsMs, () => false);
  heal(world, [...processes, operator.process], operator);
  const quiet = quietly(world, operator);
  if (ended !== 'too-much') ended = await run(LIVENESS_MAX_MS, quiet);
  if (ended === 'until' && (options.broken || dice.fraction('operator finishes') < 0.6)) {
    // Where damage must be told, the totals are compared when no doubt is left that could hide it.
    const rounds = options.broken ? RESOLVE_ROUNDS_MAX : 2;
    for (let round = 0; round < rounds && ended === 'until'; round++) {
      if (round >= 2 && !operator.sees('InDoubt')) break;
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
  const verdict = finalCheck(await finalState(world));
  const { statements, lines, open } =
    options.broken || options.sqlite ? await balance(world) : { statements: [], lines: [], open: [] };
  const projection = options.sqlite ? await disturbedProjection(world) : [];
  const violations = [
    ...(stuck ? [`stuck: ${stuckIn(world)} (${ended})`] : []),
    ...verdict.doubled.map((what) => `doubled: ${what}`),
    ...verdict.lost.map((what) => `lost: ${what}`),
    ...verdict.differences.map((what) => `replay: ${what}`),
    ...verdict.suspected.map((record) => `suspected: ${record}`),
    // A stream that lacks its last word counts nothing; that is told where it is looked for.
    ...projection.map((what) => `projection: ${what}`),
    ...(lostMessages(world) ? [] : statements.map((what) => `totals: ${what}`)),
    ...world.watch.violations.map((what) => `watch: ${what}`),
    ...verdict.other.map((what) => `other: ${what}`),
    ...(stuck ? [] : world.permitsHeld().map((what) => `permits: ${what}`)),
  ];
  for (const process of [...processes, operator.process]) process.letGo();
  await world.close();
  return {
    seed: options.seed,
    violations,
    verdict,
    stuck,
    unbalanced: [...statements, ...(options.broken ? lines : []), ...open],
    fired: world.faults.fired,
    crashes: [...processes, operator.process].reduce((sum, { crashes }) => sum + crashes, 0),
    rows: scenario.rows.length,
    calls: world.wire.calls,
    happenings: timeline.happened,
    virtualMs: timeline.now,
    traceHash: world.wire.traceHash,
  };
}

function heal(world: World, processes: readonly { pausedUntil: number; skewMs: number }[], operator: Operator): void {
  world.faults.heal();
  world.wire.outages.clear();
  for (const process of processes) Object.assign(process, { pausedUntil: 0, skewMs: 0 });
  for (const { profile } of world.scenario.billers) {
    operator.resume(profile.billerId);
    world.goLiveAgain(profile.billerId);
  }
}

const SOURCES: readonly MessageSource[] = [
  { topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION },
  ...Object.values(TOPOLOGY.subscriptions).map((subscription) => ({ topic: TOPOLOGY.eventsTopic, subscription })),
];

const waitingMessages = (world: World): number =>
  SOURCES.reduce((sum, source) => sum + world.broker.waiting(source), 0);

const unpublished = (world: World): number => world.shards.reduce((sum, shard) => sum + shard.unpublished(), 0);

const isLive = (world: World, biller: string): boolean => world.profiles.current.get(biller)?.rollout === 'live';

const unfinished = (world: World): readonly string[] =>
  world.shards.flatMap((shard) =>
    shard
      .stored()
      .filter(({ billerId, status }) => isLive(world, billerId) && !ENDED.has(status))
      .map(({ billerId, dpId, status }) => `${billerId}:${dpId} ${status}`),
  );

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

/** Everything that is left, read as any program would read it: through the ports. */
async function finalState(world: World): Promise<FinalState> {
  const { scenario, broker } = world;
  const letters: FinalState['deadLetters'][number][] = [];
  for (const source of SOURCES) {
    const peeked = await broker.peek({ ...source, deadLetters: true }, { max: MESSAGES_PER_CALL_MAX });
    for (const { messageId, body, deadLetterReason } of peeked) {
      const { traceId } = body as { readonly traceId?: string };
      letters.push({ messageId, record: traceId, reason: deadLetterReason });
    }
  }
  const rows = new Map<string, DpRow>();
  for (const shard of world.shards) {
    for (const row of await shard.rowsByStatus({ statuses: ROW_STATUSES, max: ROWS_PER_CALL_MAX }))
      rows.set(`${shard.name} ${row.dpId}`, row);
  }
  return {
    records: scenario.rows.map(({ record, row, home, trait, seed }) => ({
      record,
      eligible: isLive(world, row.billerId),
      row: rows.get(`${home} ${row.dpId}`),
      effects: world.billers.effectsOf(record),
      refusedByBiller: world.billers.hasDeclined(record),
      usedAgain: world.usedAgain.has(record),
      invalid: ownFault(trait, row.dataType, seed.payments?.[0]?.amount.currency),
    })),
    streams: await streamsOf(world.store),
    unpublishedChunks: unpublished(world),
    waitingMessages: waitingMessages(world),
    deadLetters: letters,
    poisons: Array.from({ length: scenario.poisons }, (_, number) => [
      `poison-${number}`,
      `poison-chunk-${number}`,
    ]).flat(),
    quarantineMs: (biller, version) => world.profiles.versions.get(`${biller} ${version}`)?.quarantineMs ?? 0,
    tryLimits: (biller) => tryLimitsOf(world.profiles.current.get(biller)!.retry),
    messagesWereLost: lostMessages(world),
    overBefore: world.overBefore,
    historyWasLost: world.storeLost,
  };
}

const tryLimitsOf = (retry: RetrySchedule): TryLimits =>
  retry.kind === 'fixed'
    ? { triesMax: retry.waitsMs.length + 1, maxAgeMs: retry.maxAgeMs, waitMaxMs: Math.max(...retry.waitsMs) }
    : { triesMax: retry.attemptsMax, maxAgeMs: retry.maxAgeMs, waitMaxMs: retry.maxMs };

/** What the scenario made wrong with a row; a type that carries no money has nothing of a payment to be wrong. */
function ownFault(trait: Trait, dataType: DataType, currency: string | undefined): OwnFault | undefined {
  const paid = dataType === 'Payments' || dataType === 'ACHRejects';
  switch (trait) {
    case 'customer-missing':
      return { ends: 'Rejected', reason: 'customer-missing' };
    case 'breaks-processing':
      return { ends: 'Rejected', reason: 'row-breaks-processing' };
    case 'payment-of-another':
      return paid ? { ends: 'Rejected', reason: 'payment-of-another-customer' } : undefined;
    case 'amount-negative':
      return paid ? { ends: 'Rejected', reason: 'amount-not-positive' } : undefined;
    case 'currency-unknown':
      if (!paid) return undefined;
      return {
        ends: 'Rejected',
        reason: /^[A-Z]{3}$/.test(currency ?? '') ? 'currency-unknown' : 'currency-malformed',
      };
    case 'constrained':
      return paid ? { ends: 'Skipped', reason: 'AllowedInvoiceTypes' } : undefined;
    case 'unbuildable':
      return { ends: 'Failed', reason: 'CannotPrepare' };
    default:
      return undefined;
  }
}

const lostMessages = (world: World): boolean =>
  world.messagesLost || world.faults.fired.some(({ kind }) => kind === 'bus-message-lost');

async function streamsOf(store: AtOnce<EventStore>): Promise<ReadonlyMap<string, readonly RawEvent[]>> {
  const streams = new Map<string, RawEvent[]>();
  let after: Position | undefined;
  for (;;) {
    const page = await store.readAll({ max: READ_EVENTS_MAX, ...(after === undefined ? {} : { after }) });
    for (const { stream, type, data, position, metadata } of page.events) {
      const known = streams.get(stream) ?? [];
      known.push({ type, data: data as RawEvent['data'], position: Number(position), at: metadata.at });
      streams.set(stream, known);
    }
    if (page.events.length < READ_EVENTS_MAX) return streams;
    after = page.next;
  }
}
