import { type Command } from 'commander';
import { PortFailure } from '../../application/ports/failures';
import { type Backlog, measureBacklog } from '../../application/queries/measure-backlog';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { TOKENS } from '../container/tokens';
import { checkStart } from '../processes/check-start';
import { type ProcessKind, processName, runProcess } from '../processes/run-process';
import { supervise } from '../processes/supervise';
import { type createContainer } from '../container/create-container';
import { type GlobalOptions, settingsOf, stopSignal, withContainer } from './command-context';
import { EXIT, UsageProblems } from './problems';

const DRAINED_LOOK_MS = 500;
/** The backlog is empty when it was empty so many looks in a row: a message may be between two places. */
const DRAINED_LOOKS = 3;
/** A look counts every row: the waits between looks are so many times longer than a look, or looking would slow the work. */
const LOOK_SHARE = 20;

export function addRunCommands(program: Command): void {
  const run = program.command('run').description('run one process, or all of them under a supervisor');
  for (const name of ['scanner', 'fetcher'] as const) {
    run
      .command(name)
      .description(`run the ${name} until it is told to stop`)
      .action(async (_options, command: Command) => {
        await runOne(command.optsWithGlobals(), { process: name });
      });
  }
  run
    .command('consumer')
    .description('run the consumer of one data type')
    .requiredOption('--type <type>', `one of ${DATA_TYPES.map((type) => type.toLowerCase()).join(', ')}`)
    .action(async (options: { type: string }, command: Command) => {
      await runOne(command.optsWithGlobals(), { process: 'consumer', dataType: dataTypeOf(options.type) });
    });
  run
    .command('all')
    .description('run scanner, fetcher and a consumer per data type as separate processes, and restart what ends')
    .option('--until-drained', 'stop when nothing eligible is left and nothing is on its way')
    .action(async (options: { untilDrained?: boolean }, command: Command) =>
      runAll(command.optsWithGlobals(), options.untilDrained ?? false),
    );
}

export function dataTypeOf(text: string): DataType {
  const found = DATA_TYPES.find((type) => type.toLowerCase() === text.toLowerCase());
  if (!found)
    throw new UsageProblems([
      `--type: found ${text}, expected one of ${DATA_TYPES.map((type) => type.toLowerCase()).join(', ')}`,
    ]);
  return found;
}

async function runOne(options: GlobalOptions, kind: ProcessKind): Promise<void> {
  const signal = stopSignal();
  await withContainer(options, processName(kind), (container) => runProcess(container, kind, signal));
}

async function runAll(options: GlobalOptions, untilDrained: boolean): Promise<void> {
  const settings = settingsOf(options);
  const signal = stopSignal();
  await withContainer(options, 'supervisor', async (container) => {
    await checkStart(container);
    const clock = container.get(TOKENS.clock);
    const supervised = supervise({
      // One port cannot serve six processes: health is told by processes that run on their own.
      environment: { Data__Folder: settings['Data:Folder'], Health__Port: '0' },
      ...(options.config === undefined ? {} : { configFile: options.config }),
      restartMax: settings['Supervisor:RestartMax'],
      restartWindowMs: settings['Supervisor:RestartWindowSeconds'] * 1_000,
      stopMs: settings['Supervisor:StopSeconds'] * 1_000,
      telemetry: container.get(TOKENS.telemetry),
    });
    signal.addEventListener('abort', () => void supervised.stop());
    if (untilDrained) {
      const drained = untilDrainedOrEnded(container, signal).then(() => supervised.stop());
      await Promise.race([drained, supervised.ended]);
    }
    const why = await supervised.ended;
    await clock.sleep(0);
    await tellOfRowsThatWait(container);
    if (why !== undefined) {
      process.stderr.write(`datapump: gave up: ${why}\n`);
      process.exitCode = EXIT.failed;
    }
  });
}

/** Rows that nobody claims are no backlog, but no end either: a person should hear of them. */
async function tellOfRowsThatWait(container: ReturnType<typeof createContainer>): Promise<void> {
  const live = new Set(
    (await container.get(TOKENS.profiles).all())
      .filter(({ rollout }) => rollout === 'live')
      .map(({ billerId }) => billerId),
  );
  const totals = (
    await Promise.all(
      container
        .get(TOKENS.shards)
        .all()
        .map((shard) => shard.totals()),
    )
  ).flat();
  const waiting = totals.filter(({ status, billerId }) => status === 'New' && !live.has(billerId));
  if (waiting.length === 0) return;
  const rows = waiting.reduce((sum, { count }) => sum + count, 0);
  const billers = [...new Set(waiting.map(({ billerId }) => billerId))].join(', ');
  process.stderr.write(
    `datapump: ${rows} rows stay New: no live profile describes their billers (${billers}); see: datapump biller list\n`,
  );
}

/** For so long looks may fail where repeating can help: the processes wait out an outage, and so does who watches them. */
const OUTAGE_MAX_MS = 120_000;

/** Resolves when the backlog stayed empty, or when the signal aborts. `onLook` may throw to give up. */
export async function untilDrainedOrEnded(
  container: ReturnType<typeof createContainer>,
  signal: AbortSignal,
  onLook?: (backlog: Backlog) => void,
  lookShare = LOOK_SHARE,
): Promise<void> {
  const clock = container.get(TOKENS.clock);
  const measure = measureBacklog(
    { shards: container.get(TOKENS.shards), bus: container.get(TOKENS.bus) },
    container.get(TOKENS.topology),
  );
  const profiles = container.get(TOKENS.profiles);
  let lookMs = 0;
  let seenAt = clock.monotonicMs();
  for (let empty = 0; empty < DRAINED_LOOKS && !signal.aborted;) {
    await clock.sleep(Math.max(DRAINED_LOOK_MS, lookShare * lookMs), signal);
    if (signal.aborted) return;
    const began = clock.monotonicMs();
    const backlog = await look().catch((error: unknown) => {
      if (!(error instanceof PortFailure && error.retryable) || clock.monotonicMs() - seenAt > OUTAGE_MAX_MS)
        throw error;
      return undefined;
    });
    if (backlog === undefined) {
      empty = 0;
      continue;
    }
    seenAt = clock.monotonicMs();
    lookMs = seenAt - began;
    onLook?.(backlog);
    empty = backlog.drained ? empty + 1 : 0;
  }

  async function look(): Promise<Backlog> {
    const live = (await profiles.all()).filter(({ rollout }) => rollout === 'live').map(({ billerId }) => billerId);
    return measure(new Set(live));
  }
}
