import { closeSync, openSync } from 'node:fs';
import { type Container } from 'inversify';
import { finishedIn, noteOf } from '../../adapters/command-line/backlog-progress';
import { startProgress } from '../../adapters/command-line/progress';
import { LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { type SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { PRIVATE_FILE_MODE } from '../../adapters/shared/private-file';
import { untilDrainedOrEnded } from '../command-line/until-drained';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { TOKENS } from '../container/tokens';
import { healthPorts } from '../processes/health-ports';
import { processesOfMachine, processName } from '../processes/run-process';
import { supervise, type Supervised } from '../processes/supervise';
import { killAtRandom } from './chaos';
import { type DemoFiles, type DemoPlan, demoSettings, environmentOf } from './demo-plan';
import { type MemoryPeaks, startTicksOf } from './process-table';
import { SandboxProcess } from './sandbox-process';
import { StuckDetector } from './stuck-detector';

const SAMPLE_MS = 500;
const STOP_MS = 20_000;
/** In chaos a process may end as often as it is killed; without it, a process that keeps ending is a fault to be told. */
const RESTARTS = { chaos: { max: 1_000, windowMs: 1_000 }, calm: { max: 3, windowMs: 60_000 } };
const LANDED_LOOK_MS = 200;
const LANDED_WAIT_MAX_MS = 10_000;

export interface WorkOrder {
  readonly plan: DemoPlan;
  readonly files: DemoFiles;
  readonly manifest: SqliteManifest;
  readonly container: Container;
  readonly memory: MemoryPeaks;
  /** 0: none. */
  readonly healthPort: number;
  readonly signal: AbortSignal;
}

export type WorkResult =
  { readonly drained: true; readonly seconds: number } | { readonly drained: false; readonly why: string };

/** Sandbox, scanner, fetcher and consumers as processes of their own, until nothing is left to do. */
export async function runWork(order: WorkOrder): Promise<WorkResult> {
  const { plan, files, manifest, container, memory, signal } = order;
  const clock = container.get(TOKENS.clock);
  const ending = new AbortController();
  let failure: string | undefined;
  const fail = (why: string): void => {
    failure ??= why;
    ending.abort();
  };
  const remember = (name: string, pid: number | undefined): void => {
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    if (pid !== undefined && startTicks !== undefined) manifest.addChild({ name, pid, startTicks });
  };
  const sandbox = new SandboxProcess(files, (pid) => remember('sandbox', pid), fail);
  await sandbox.start();
  const log = openSync(files.processLog, 'a', PRIVATE_FILE_MODE);
  const restarts = plan.chaos ? RESTARTS.chaos : RESTARTS.calm;
  const began = clock.monotonicMs();
  const settings = container.get(TOKENS.settings);
  const processes = processesOfMachine(DATA_TYPES, settings['Supervisor:Consumers']);
  const ports = healthPorts(order.healthPort, processes.map(processName));
  const supervised = supervise({
    processes,
    environment: environmentOf(demoSettings(files, plan)),
    environmentOfStart: (name) => ({ Health__Port: String(ports.get(name) ?? 0) }),
    restartMax: restarts.max,
    restartWindowMs: restarts.windowMs,
    stopMs: STOP_MS,
    // Restarts are part of chaos and stand in the proof; the demo's own output is for its progress.
    telemetry: { warn: () => undefined },
    logTo: log,
    onStart: remember,
  });
  void supervised.ended.then((why) => why !== undefined && fail(`${why}, see ${files.processLog}`));
  // On a terminal Ctrl-C reaches the processes as well: told to stop now, none of them is started again.
  const stop = (): void => {
    ending.abort();
    void supervised.stop();
  };
  signal.addEventListener('abort', stop);
  const sampler = setInterval(() => sampleAll(memory, manifest, supervised, sandbox, container), SAMPLE_MS);
  const progress = startProgress({ label: 'delivering', total: plan.records });
  const sweptWithinMs = settings['Sweep:AfterMinutes'] * 60_000 + settings['Sweep:EverySeconds'] * 1_000;
  const stuck = new StuckDetector(clock, sweptWithinMs);
  let done = 0;
  const chaos = plan.chaos
    ? killAtRandom({
        seed: plan.seed,
        records: plan.records,
        clock,
        manifest,
        sandbox,
        running: () => supervised.running(),
        progress: () => done / plan.records,
        signal: ending.signal,
      })
    : Promise.resolve();
  chaos.catch((error: Error) => fail(error.message));
  let endedAt = began;
  try {
    await untilDrainedOrEnded(container, ending.signal, (backlog) => {
      done = finishedIn(backlog);
      endedAt = clock.monotonicMs();
      progress.update(done, noteOf(backlog));
      const why = stuck.look(backlog);
      if (why !== undefined) fail(why);
    });
  } catch (error) {
    fail((error as Error).message);
  }
  ending.abort();
  await chaos.catch(() => undefined);
  clearInterval(sampler);
  sampleAll(memory, manifest, supervised, sandbox, container);
  progress.finish();
  await supervised.stop();
  if (failure === undefined && !signal.aborted && !(await lateEffectsLanded(order)))
    failure = 'late effects at the sandbox did not land in time';
  await sandbox.stop();
  closeSync(log);
  signal.removeEventListener('abort', stop);
  if (failure !== undefined) return { drained: false, why: failure };
  if (signal.aborted) return { drained: false, why: 'interrupted; continue with --resume' };
  return { drained: true, seconds: (endedAt - began) / 1_000 };
}

function sampleAll(
  memory: MemoryPeaks,
  manifest: SqliteManifest,
  supervised: Supervised,
  sandbox: SandboxProcess,
  container: Container,
): void {
  const running = new Map(supervised.running()).set('demo', process.pid);
  if (sandbox.pid !== undefined) running.set('sandbox', sandbox.pid);
  memory.sample(running);
  manifest.setState('last-seen', container.get(TOKENS.clock).now());
}

/** An effect that is still to come belongs to a record in doubt; the ledger is compared when it stands still. */
async function lateEffectsLanded({ files, container }: WorkOrder): Promise<boolean> {
  const clock = container.get(TOKENS.clock);
  const books = new LedgerBooks(files.ledger);
  try {
    for (
      const until = clock.monotonicMs() + LANDED_WAIT_MAX_MS;
      clock.monotonicMs() < until;
      await clock.sleep(LANDED_LOOK_MS)
    ) {
      if (books.lateEffectsPending() === 0) return true;
    }
    return false;
  } finally {
    books.close();
  }
}
