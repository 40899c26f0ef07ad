import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Container } from 'inversify';
import { finishedIn, noteOf, rowsIn } from '../../adapters/command-line/backlog-progress';
import { printer } from '../../adapters/command-line/printer';
import { type Progress, startProgress } from '../../adapters/command-line/progress';
import { type RunEnd, runSummaryLines, summaryOf } from '../../adapters/command-line/run-summary';
import { PRIVATE_FILE_MODE } from '../../adapters/shared/private-file';
import { makePrivateFolder } from '../../adapters/system/private-folder';
import { causeChain } from '../../application/ports/failures';
import { type ShardTotal } from '../../application/ports/shard-totals';
import { type Backlog } from '../../application/queries/measure-backlog';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type Settings } from '../configuration/declarations';
import { TOKENS } from '../container/tokens';
import { checkStart } from '../processes/check-start';
import { healthPorts } from '../processes/health-ports';
import { processesOfMachine, processName } from '../processes/run-process';
import { supervise } from '../processes/supervise';
import { whileHistoryHolds } from '../processes/watch-history';
import { type GlobalOptions, settingsOf, stopSignal, withContainer } from './command-context';
import { CLOSING_MS, drainLimitMs } from './drain-limit';
import { answer } from './operator-output';
import { EXIT } from './problems';
import { untilDrainedOrEnded } from './until-drained';

export interface RunAllOptions extends GlobalOptions {
  readonly untilDrained?: boolean;
  readonly verbose?: boolean;
}

/** All processes under a supervisor, until a signal comes or, where that was asked for, nothing is left to do. */
export async function runAll(options: RunAllOptions): Promise<void> {
  const settings = settingsOf(options);
  const signal = stopSignal({ drainMs: drainLimitMs(settings) + CLOSING_MS });
  const log = logOf(options, settings);
  const work = async (container: Container): Promise<string | undefined> => {
    await checkStart(container, { callsBillers: true, signal });
    if (signal.aborted) return undefined;
    const { dataTypes = DATA_TYPES } = container.get(TOKENS.topology);
    const processes = processesOfMachine(dataTypes, settings['Supervisor:Consumers']);
    const ports = healthPorts(settings['Health:Port'], processes.map(processName));
    const supervised = supervise({
      processes,
      environment: { Data__Folder: settings['Data:Folder'] },
      // One port cannot serve several processes: each has its own, and keeps it when it is started again.
      environmentOfStart: (name) => ({ Health__Port: String(ports.get(name) ?? 0) }),
      ...(options.config === undefined ? {} : { configFile: options.config }),
      restartMax: settings['Supervisor:RestartMax'],
      restartWindowMs: settings['Supervisor:RestartWindowSeconds'] * 1_000,
      stopMs: settings['Supervisor:StopSeconds'] * 1_000,
      telemetry: container.get(TOKENS.telemetry),
      ...(log === undefined ? {} : { logTo: log.file }),
    });
    const progress = log === undefined ? undefined : new RunProgress();
    await whileHistoryHolds(container, signal, async (working) => {
      working.addEventListener('abort', () => void supervised.stop());
      try {
        if (options.untilDrained) {
          const drained = untilDrainedOrEnded(container, working, (backlog) => progress?.look(backlog));
          await Promise.race([drained, supervised.ended]);
        } else if (!working.aborted) await supervised.ended;
      } finally {
        await supervised.stop();
        progress?.finish();
      }
    });
    const why = await supervised.ended;
    // The processes have ended: what the shards hold can be said, or that it cannot be.
    const totals = await totalsOf(container).catch((error: unknown) => {
      container.get(TOKENS.telemetry).warn('failed to look for rows that wait', { cause: causeChain(error) });
      return undefined;
    });
    if (totals) await tellOfRowsThatWait(container, totals);
    if (options.untilDrained && totals)
      tellEnd(options, totals, why !== undefined ? 'gave-up' : signal.aborted ? 'stopped' : 'drained');
    return why;
  };
  try {
    const logTo = log && { write: (text: string) => writeSync(log.file, text) };
    const why = await withContainer(options, 'supervisor', work, logTo);
    // The last words, after whatever the other processes say while they stop.
    if (why !== undefined) {
      printer.complain([`datapump: gave up: ${why}${log === undefined ? '' : `, see ${log.path}`}`]);
      process.exitCode = EXIT.failed;
    }
  } finally {
    if (log !== undefined) closeSync(log.file);
  }
}

/** A person who watches is shown progress; the log lines of all processes are in a file then. Elsewhere they stay on stderr. */
function logOf(
  options: RunAllOptions,
  settings: Settings,
): { readonly path: string; readonly file: number } | undefined {
  if (!options.untilDrained || options.verbose || !process.stderr.isTTY) return undefined;
  makePrivateFolder(settings['Data:Folder']);
  const path = join(settings['Data:Folder'], 'processes.log');
  return { path, file: openSync(path, 'a', PRIVATE_FILE_MODE) };
}

/** Begins with the first look, which tells how much there is to do. */
class RunProgress {
  private bar: Progress | undefined;

  look(backlog: Backlog): void {
    const total = rowsIn(backlog);
    this.bar ??= startProgress({ label: 'delivering', total });
    this.bar.update(finishedIn(backlog), noteOf(backlog), total);
  }

  finish(): void {
    this.bar?.finish();
  }
}

function tellEnd(options: RunAllOptions, totals: readonly ShardTotal[], end: RunEnd): void {
  if (end !== 'drained') process.exitCode = EXIT.failed;
  const summary = summaryOf(totals, end, end === 'drained' ? EXIT.done : EXIT.failed);
  answer(options, summary, () => runSummaryLines(summary));
}

async function totalsOf(container: Container): Promise<readonly ShardTotal[]> {
  const shards = container.get(TOKENS.shards).all();
  const totals = await Promise.all(shards.map((shard) => shard.totals()));
  const damaged = totals.flatMap((each, index) =>
    (each.damaged ?? []).map((what) => `shard ${shards[index]!.name}: ${what}`),
  );
  if (damaged.length > 0) printer.complain(damaged.map((what) => `datapump: ${what}; see: datapump prove`));
  return totals.flat();
}

/** Not yet at their end. */
const UNFINISHED: ReadonlySet<RowStatus> = new Set(['New', 'Queued', 'Published']);

/** Rows that nobody claims are no backlog, but no end either: a person should hear of them. */
async function tellOfRowsThatWait(container: Container, totals: readonly ShardTotal[]): Promise<void> {
  const live = new Set(
    (await container.get(TOKENS.profiles).all())
      .filter(({ rollout }) => rollout === 'live')
      .map(({ billerId }) => billerId),
  );
  const { dataTypes = DATA_TYPES } = container.get(TOKENS.topology);
  const unfinished = totals.filter(({ status, dataType }) => UNFINISHED.has(status) && !dataTypes.includes(dataType));
  if (unfinished.length > 0)
    printer.complain([
      `datapump: ${unfinished.reduce((sum, { count }) => sum + count, 0)} rows wait: ServiceBus:Subscriptions leaves out their types (${[...new Set(unfinished.map(({ dataType }) => dataType))].join(', ')})`,
    ]);
  const waiting = totals.filter(
    ({ status, billerId, dataType }) => status === 'New' && dataTypes.includes(dataType) && !live.has(billerId),
  );
  if (waiting.length === 0) return;
  const rows = waiting.reduce((sum, { count }) => sum + count, 0);
  const billers = [...new Set(waiting.map(({ billerId }) => billerId))].join(', ');
  printer.complain([
    `datapump: ${rows} rows stay New: no live profile describes their billers (${billers}); see: datapump biller list`,
  ]);
}
