import { makePrivateFolder } from '../../adapters/system/private-folder';
import { SystemClock } from '../../adapters/system/system-clock';
import { type Position, READ_EVENTS_MAX } from '../../application/ports/event-store';
import { type DataType } from '../../domain/biller/data-type';
import { instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { demoFiles } from '../demo/demo-plan';
import { processName } from '../processes/run-process';
import { type Supervised } from '../processes/supervise';
import { crashSettings, seedCrashTest } from './crash-data-set';
import { containerOf, CrashRun, UNARMED } from './crash-run';
import { ownPort } from './own-port';
import { inShard } from './prepare-case';
import { failureOf, problemsOf, type Trial, type TrialOptions } from './trial';

const DATA_TYPES_OF_RUN: readonly DataType[] = ['Payments', 'Paperless'];
const QUOTAS = { 'delivered-keys': 120, 'delivered-inquiry': 140, 'delivered-both': 120, 'delivered-neither': 120 };
/** Slow answers and few at a time, so that a consumer is in the middle of calls whenever it is told to stop. */
const LATENCY_MS = { median: 300, max: 900 };
const CONCURRENT_MESSAGES = 8;
/** A slow machine must not look like a lost answer. */
const TIMEOUT_MS = 20_000;
const LOCK_SECONDS = 30;
const ROUNDS = 2;
/** Rows become due portion by portion: whoever is told to stop has work, however slow the machine. */
const PORTION_PER_SHARD = 24;
const NOT_YET = instant('2099-12-31T00:00:00.000Z');
const SETTLED_STATUSES: readonly string[] = ['Delivered', 'Declined', 'Failed', 'Rejected', 'Skipped', 'InDoubt'];

/**
 * Tells each process in turn to stop, as a deployment would, while records are on their way, and starts it again. No
 * fault happens, so every record must have one attempt, and every attempt its answer.
 */
export const rollingRestart: Trial = {
  name: 'rolling-restart',
  turn: 1,
  async run(options) {
    const run = await openRun(options);
    const ends: number[] = [];
    let idle = 0;
    try {
      await run.open();
      await run.while(run.processes, UNARMED, async (supervised) => {
        let due = 0;
        for (const kind of Array.from({ length: ROUNDS }, () => run.processes).flat()) {
          const name = processName(kind);
          const before = await settled(run);
          await run.until(`${name} has started`, () => run.hasStarted(supervised.running().get(name) ?? 0));
          due += letRowsBeDue(run, PORTION_PER_SHARD);
          // A consumer in the middle of its calls; the others while rows are new.
          if (kind.process === 'consumer')
            await run.until('some of the new records are delivered', async () => (await settled(run)) > before);
          if ((await settled(run)) === due) idle++;
          ends.push(await stopOne(run, supervised, name));
        }
        letRowsBeDue(run, run.data.records.length);
        await run.untilDrained();
      });
      const { attempts, repeated, open } = await countAttempts(run);
      const proof = await run.prove();
      const problems = [
        ...(idle > 0 ? [`${idle} processes were told to stop when nothing was under way`] : []),
        ...(attempts === proof.records ? [] : [`${attempts} attempts for ${proof.records} records`]),
        ...(repeated > 0 ? [`${repeated} records had more than one attempt`] : []),
        ...(open > 0 ? [`${open} attempts have no answer`] : []),
        ...problemsOf(proof),
      ];
      return {
        kills: 0,
        restarts: ends.length,
        records: proof.records,
        lost: proof.lost,
        doubled: proof.doubled,
        doubts: proof.doubts,
        note: `${attempts} attempts, ${repeated} repeated; the slowest stop took ${Math.max(0, ...ends)} ms`,
        failure: failureOf(problems),
      };
    } finally {
      await run.close();
    }
  },
};

async function openRun({ folder, seed, signal }: TrialOptions): Promise<CrashRun> {
  makePrivateFolder(folder);
  const files = demoFiles(folder);
  const settings = {
    ...crashSettings(files, { sweeping: false }),
    'Consumer:ConcurrentMessages': CONCURRENT_MESSAGES,
    'Bus:LockSeconds': LOCK_SECONDS,
    'Log:Level': 'info',
  };
  const data = await seedCrashTest(files, {
    seed,
    sandboxPort: await ownPort(),
    startedAt: new SystemClock().now(),
    dataTypes: DATA_TYPES_OF_RUN,
    changedPayments: 0,
    settings,
    faults: {},
    latencyMs: LATENCY_MS,
    quotas: QUOTAS,
    timeoutMs: TIMEOUT_MS,
    dueAt: NOT_YET,
  });
  return new CrashRun(files, data, containerOf(files), DATA_TYPES_OF_RUN, settings, signal);
}

/** How many rows became due. */
function letRowsBeDue(run: CrashRun, perShard: number): number {
  let due = 0;
  for (const { name } of run.container.get(TOKENS.shards).all()) {
    inShard(run, name, (database) => {
      const rows = database.prepare('SELECT DpId FROM datapump WHERE DueAt = ? ORDER BY CreatedAt LIMIT ?');
      const update = database.prepare('UPDATE datapump SET DueAt = CreatedAt WHERE DpId = ?');
      for (const dpId of rows.pluck().all(NOT_YET, perShard)) due += update.run(dpId).changes;
    });
  }
  return due;
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
  return Math.round(stoppedAt! - asked);
}

interface AttemptCounts {
  readonly attempts: number;
  /** Records with more than one, and attempts that nothing closed. */
  readonly repeated: number;
  readonly open: number;
}

async function countAttempts(run: CrashRun): Promise<AttemptCounts> {
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
