import { mkdirSync, rmSync } from 'node:fs';
import { SystemClock } from '../../adapters/system/system-clock';
import { type Position, READ_EVENTS_MAX } from '../../application/ports/event-store';
import { type DataType } from '../../domain/biller/data-type';
import { TOKENS } from '../container/tokens';
import { demoFiles } from '../demo/demo-plan';
import { isProved } from '../demo/proof';
import { freePort } from '../demo/sandbox-process';
import { processName } from '../processes/run-process';
import { type Supervised } from '../processes/supervise';
import { crashSettings, seedCrashTest } from './crash-data-set';
import { containerOf, CrashRun, UNARMED } from './crash-run';

export interface RollingResult {
  readonly records: number;
  /** Processes that were told to stop while there was work left, and ended. */
  readonly restarts: number;
  readonly slowestStopMs: number;
  readonly attempts: number;
  /** Records with more than one attempt, and attempts that nothing closed. */
  readonly repeated: number;
  readonly open: number;
  readonly lost: number;
  readonly doubled: number;
  readonly failure: string | undefined;
}

const DATA_TYPES_OF_RUN: readonly [DataType, DataType] = ['Payments', 'Paperless'];
const QUOTAS = { 'delivered-keys': 180, 'delivered-inquiry': 180, 'delivered-both': 150, 'delivered-neither': 90 };
/** Slow answers and few at a time, so that a consumer is in the middle of calls whenever it is told to stop. */
const LATENCY_MS = { median: 300, max: 900 };
const CONCURRENT_MESSAGES = 8;
const ROUNDS = 2;
const SETTLED_STATUSES: readonly string[] = ['Delivered', 'Declined', 'Failed', 'Rejected', 'Skipped', 'InDoubt'];

/**
 * Tells each process in turn to stop, as a deployment would, while records are on their way, and starts it again. No
 * fault happens, so every record must have one attempt, and every attempt its answer.
 */
export async function rollingRestart(folder: string): Promise<RollingResult> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = demoFiles(folder);
  const settings = {
    ...crashSettings(files, { sweeping: false }),
    'Consumer:ConcurrentMessages': CONCURRENT_MESSAGES,
    'Log:Level': 'info',
  };
  const data = await seedCrashTest(files, {
    seed: 1,
    sandboxPort: await freePort(Math.random),
    startedAt: new SystemClock().now(),
    dataTypes: DATA_TYPES_OF_RUN,
    changedPayments: 0,
    settings,
    faults: {},
    latencyMs: LATENCY_MS,
    quotas: QUOTAS,
  });
  const run = new CrashRun(files, data, containerOf(files), DATA_TYPES_OF_RUN, settings);
  const ends: number[] = [];
  try {
    await run.open();
    await run.while(run.processes, UNARMED, async (supervised) => {
      await run.until('the first records are delivered', async () => (await settled(run)) > 0);
      for (let round = 0; round < ROUNDS; round++) {
        for (const kind of run.processes)
          if ((await settled(run)) < data.records.length) ends.push(await stopOne(run, supervised, processName(kind)));
      }
      await run.untilDrained();
    });
    const attempts = await countAttempts(run);
    const proof = await run.prove();
    const { lost, doubled } = proof;
    return {
      records: data.records.length,
      restarts: ends.length,
      slowestStopMs: Math.round(Math.max(0, ...ends)),
      ...attempts,
      lost,
      doubled,
      failure: isProved(proof)
        ? undefined
        : proof.differences.map(({ record, text }) => `${record}: ${text}`).join('\n'),
    };
  } finally {
    await run.close();
  }
}

async function settled(run: CrashRun): Promise<number> {
  const totals = (
    await Promise.all(
      run.container
        .get(TOKENS.shards)
        .all()
        .map((shard) => shard.totals()),
    )
  ).flat();
  return totals.reduce((sum, { status, count }) => sum + (SETTLED_STATUSES.includes(status) ? count : 0), 0);
}

/** SIGTERM, its end with exit code 0, and a new one that runs; how long it took to end. */
async function stopOne(run: CrashRun, supervised: Supervised, name: string): Promise<number> {
  const clock = run.container.get(TOKENS.clock);
  await run.until(`${name} has started`, () => run.hasStarted(supervised.running().get(name) ?? 0));
  const pid = supervised.running().get(name)!;
  const asked = clock.monotonicMs();
  let stoppedAt: number | undefined;
  run.onEnd = (process, code) => {
    if (process !== name || code !== 0) return false;
    stoppedAt = clock.monotonicMs();
    return true;
  };
  process.kill(pid, 'SIGTERM');
  await run.until(`${name} stops and is started again`, () => {
    const next = supervised.running().get(name);
    return stoppedAt !== undefined && next !== undefined && next !== pid && run.hasStarted(next);
  });
  return stoppedAt! - asked;
}

async function countAttempts(run: CrashRun): Promise<Pick<RollingResult, 'attempts' | 'repeated' | 'open'>> {
  const eventStore = run.container.get(TOKENS.eventStore);
  const started = new Map<string, number>();
  const unanswered = new Set<string>();
  for (let after: Position | undefined; ;) {
    const page = await eventStore.readAll({
      max: READ_EVENTS_MAX,
      categories: ['deliveryAttempt'],
      ...(after === undefined ? {} : { after }),
    });
    for (const { type, stream } of page.events) {
      if (type !== 'DeliveryAttemptStarted') {
        if (type === 'DeliveryAttemptAccepted') unanswered.delete(stream);
        continue;
      }
      const record = stream.slice(0, stream.lastIndexOf(':'));
      started.set(record, (started.get(record) ?? 0) + 1);
      unanswered.add(stream);
    }
    if (page.events.length === 0) break;
    after = page.next;
  }
  const counts = [...started.values()];
  return {
    attempts: counts.reduce((sum, count) => sum + count, 0),
    repeated: counts.filter((count) => count > 1).length,
    open: unanswered.size,
  };
}
