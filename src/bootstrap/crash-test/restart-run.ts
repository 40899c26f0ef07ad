import { makePrivateFolder } from '../../adapters/system/private-folder';
import { SystemClock } from '../../adapters/system/system-clock';
import { type Position, READ_EVENTS_MAX } from '../../application/ports/event-store';
import { type DataType } from '../../domain/biller/data-type';
import { instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { demoFiles } from '../demo/demo-plan';
import { type CrashSettings, crashSettings, seedCrashTest } from './crash-data-set';
import { containerOf, CrashRun } from './crash-run';
import { ownPort } from './own-port';
import { inShard } from './prepare-case';
import { type TrialOptions } from './trial';

const DATA_TYPES_OF_RUN: readonly DataType[] = ['Payments', 'Paperless'];
const QUOTAS = { 'delivered-keys': 120, 'delivered-inquiry': 140, 'delivered-both': 120, 'delivered-neither': 120 };
/** Slow answers and few at a time, so that a consumer is in the middle of calls whenever it is told to stop. */
const LATENCY_MS = { median: 300, max: 900 };
const CONCURRENT_MESSAGES = 8;
/** A slow machine must not look like a lost answer. */
const TIMEOUT_MS = 20_000;
const LOCK_SECONDS = 30;
const NOT_YET = instant('2099-12-31T00:00:00.000Z');
const SETTLED_STATUSES: readonly string[] = ['Delivered', 'Declined', 'Failed', 'Rejected', 'Skipped', 'InDoubt'];

/** A run without faults, whose rows wait until they are let become due; `settings` win over its own. */
export async function openRestartRun(
  { folder, seed, signal }: TrialOptions,
  overrides: CrashSettings = {},
): Promise<CrashRun> {
  makePrivateFolder(folder);
  const files = demoFiles(folder);
  const settings = {
    ...crashSettings(files, { sweeping: false }),
    'Consumer:ConcurrentMessages': CONCURRENT_MESSAGES,
    'Bus:LockSeconds': LOCK_SECONDS,
    'Log:Level': 'info',
    ...overrides,
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
export function letRowsBeDue(run: CrashRun, perShard: number): number {
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

export async function settled(run: CrashRun): Promise<number> {
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

export interface AttemptCounts {
  readonly attempts: number;
  /** Records with more than one, and attempts that nothing closed. */
  readonly repeated: number;
  readonly open: number;
}

export async function countAttempts(run: CrashRun): Promise<AttemptCounts> {
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
