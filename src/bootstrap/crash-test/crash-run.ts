import { closeSync, openSync, readFileSync } from 'node:fs';
import { type Container } from 'inversify';
import { LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { SqliteRecordProjection } from '../../adapters/sqlite/sqlite-record-projection';
import { type CrashPoint } from '../processes/crash-points';
import { type DataType } from '../../domain/biller/data-type';
import { type Backlog } from '../../application/queries/measure-backlog';
import { plusMs } from '../../domain/instant';
import { untilDrainedOrEnded } from '../command-line/until-drained';
import { loadSettings } from '../configuration/load-settings';
import { problemLine } from '../configuration/setting-problem';
import { createContainer } from '../container/create-container';
import { TOKENS } from '../container/tokens';
import { type DemoFiles, environmentOf } from '../demo/demo-plan';
import { type Proof } from '../demo/proof';
import { proveDemo } from '../demo/prove-demo';
import { SandboxProcess } from '../demo/sandbox-process';
import { CRASH_VARIABLE, lastWordsOf } from '../processes/arm-crash-point';
import { type ProcessKind } from '../processes/run-process';
import { supervise, type Supervised } from '../processes/supervise';
import { type CrashDataSet, type CrashSettings } from './crash-data-set';

/** What the first starts of a process are armed with; later ones are not armed. */
export type Arming = (process: string) => readonly string[];

export const UNARMED: Arming = () => [];

/** A kill is seen a little after it happened. */
const SEEN_AFTER_MS = 500;
const STOP_MS = 20_000;
const DRAINED_MAX_MS = 240_000;
/** A look at a few dozen rows slows nothing down, and takes long only where the machine is busy. */
const LOOK_SHARE = 1;
const STANDSTILL_MS = 8_000;
const LANDED_LOOK_MS = 100;
const LANDED_LOOKS_MAX = 100;
/** A rolling restart ends each process several times. */
const RESTARTS_MAX = 20;
const RESTART_WINDOW_MS = 60_000;

/** Somebody pressed Ctrl-C: no verdict, neither good nor bad. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** For looking into the run's files from here, by the same settings. */
export function containerOf(files: DemoFiles): Container {
  const loaded = loadSettings({ environment: {}, file: files.configuration });
  if ('problems' in loaded) throw new Error(loaded.problems.map(problemLine).join('\n'));
  return createContainer(loaded.settings, 'crash-test');
}

/** One data set, its sandbox and its processes. */
export class CrashRun {
  private readonly log: number;
  private readonly sandbox: SandboxProcess;
  private failure: string | undefined;
  private counted = 0;
  readonly environment: Readonly<Record<string, string>>;
  /** Told of each process that was killed. */
  onKill: () => void = () => undefined;
  /** Told when nothing has moved for longer than a lock lasts. */
  onStandstill: () => void = () => undefined;
  /** Told of each process that ended by itself; false: it should not have. */
  onEnd: (process: string, code: number | undefined) => boolean = () => false;

  constructor(
    readonly files: DemoFiles,
    readonly data: CrashDataSet,
    readonly container: Container,
    readonly dataTypes: readonly DataType[],
    settings: CrashSettings,
    readonly signal: AbortSignal,
  ) {
    this.environment = environmentOf(settings);
    this.log = openSync(files.processLog, 'a');
    this.sandbox = new SandboxProcess(
      files,
      () => undefined,
      (why) => (this.failure ??= why),
    );
  }

  /** Scanner, fetcher and a consumer for each data type there is. */
  get processes(): readonly ProcessKind[] {
    return [{ process: 'scanner' }, { process: 'fetcher' }, ...this.consumers];
  }

  get consumers(): readonly ProcessKind[] {
    return this.dataTypes.map((dataType) => ({ process: 'consumer', dataTypes: [dataType] }));
  }

  get logFile(): number {
    return this.log;
  }

  /** How often a process that had ended was started again. */
  get restarts(): number {
    return this.counted;
  }

  async open(): Promise<void> {
    await this.sandbox.start();
    this.goOn();
  }

  /** Starts the processes, each armed as told, runs the work and stops them again. */
  async while(
    processes: readonly ProcessKind[],
    arming: Arming,
    work: (supervised: Supervised) => Promise<void>,
  ): Promise<void> {
    const starts = new Map<string, number>();
    const supervised: Supervised = supervise({
      processes,
      environment: this.environment,
      environmentOfStart: (name) => {
        const before = starts.get(name) ?? 0;
        starts.set(name, before + 1);
        const point = arming(name)[before];
        return point === undefined ? {} : { [CRASH_VARIABLE]: point };
      },
      restartMax: RESTARTS_MAX,
      restartWindowMs: RESTART_WINDOW_MS,
      stopMs: STOP_MS,
      telemetry: {
        warn: (_message, fields) =>
          this.noteEnd(
            String(fields?.['process']),
            fields?.['signal'] as string | undefined,
            fields?.['code'] as number | undefined,
          ),
      },
      logTo: this.log,
    });
    void supervised.ended.then((why) => why !== undefined && (this.failure ??= why));
    try {
      await work(supervised);
    } finally {
      await supervised.stop();
      this.counted += supervised.restarts();
    }
  }

  /** Throws where there is no sense in going on. */
  private goOn(): void {
    if (this.signal.aborted) throw new Interrupted();
    if (this.failure !== undefined) throw new Error(this.failure);
  }

  /** Polls until it holds; a process that gave up, or too long a wait, is told. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const clock = this.container.get(TOKENS.clock);
    for (const end = clock.monotonicMs() + DRAINED_MAX_MS; ; await clock.sleep(LANDED_LOOK_MS, this.signal)) {
      this.goOn();
      if (await holds()) return;
      if (clock.monotonicMs() > end) throw new Error(`waited ${DRAINED_MAX_MS / 1_000} s in vain: ${what}`);
    }
  }

  async untilDrained(): Promise<void> {
    const clock = this.container.get(TOKENS.clock);
    const end = clock.monotonicMs() + DRAINED_MAX_MS;
    let [before, movedAt] = ['', clock.monotonicMs()];
    const onLook = (backlog: Backlog): void => {
      this.goOn();
      const now = JSON.stringify(backlog);
      if (now !== before) [before, movedAt] = [now, clock.monotonicMs()];
      else if (clock.monotonicMs() - movedAt > STANDSTILL_MS) {
        movedAt = clock.monotonicMs();
        this.onStandstill();
      }
      if (clock.monotonicMs() > end) throw new Error(`not drained after ${DRAINED_MAX_MS / 1_000} s: ${now}`);
    };
    await untilDrainedOrEnded(this.container, this.signal, onLook, LOOK_SHARE);
    this.goOn();
  }

  /** A kill belongs into the manifest, where the proof looks for a doubt's cause. */
  private noteEnd(process: string, signal: string | undefined, code: number | undefined): void {
    // Ctrl-C reaches every process of the terminal.
    if (this.signal.aborted) return;
    if (signal !== 'SIGKILL') {
      if (!this.onEnd(process, code))
        this.failure ??= `${process} ended by itself (${signal ?? code}), see ${this.files.processLog}`;
      return;
    }
    const now = this.container.get(TOKENS.clock).now();
    this.data.manifest.addKill({ process, from: plusMs(now, -SEEN_AFTER_MS), to: now, cause: 'chaos' });
    this.onKill();
  }

  /** It said so, which it does at the level `info`; before that it has nothing in hand and does not listen to signals. */
  hasStarted(pid: number): boolean {
    const lines = readFileSync(this.files.processLog, 'utf8').split('\n');
    return lines.some((line) => line.includes(`"pid":${pid},`) && line.includes('"msg":"started"'));
  }

  /** How often a process said that it kills itself here. */
  reached(point: CrashPoint): number {
    return readFileSync(this.files.processLog, 'utf8').split(lastWordsOf(point)).length - 1;
  }

  /** After the last effect has landed: the ledger is compared when it stands still. */
  async prove(): Promise<Proof> {
    const clock = this.container.get(TOKENS.clock);
    const books = new LedgerBooks(this.files.ledger);
    const projection = new SqliteRecordProjection({ path: this.files.proofProjection });
    try {
      for (let looks = 0; books.lateEffectsPending() > 0; looks++) {
        if (looks === LANDED_LOOKS_MAX) throw new Error('late effects at the sandbox did not land in time');
        await clock.sleep(LANDED_LOOK_MS);
      }
      await this.sandbox.stop();
      const { manifest } = this.data;
      return await proveDemo(
        {
          manifest,
          shards: this.container.get(TOKENS.shards),
          eventStore: this.container.get(TOKENS.eventStore),
          projection,
          books,
        },
        () => undefined,
      );
    } finally {
      projection.close();
      books.close();
    }
  }

  async close(): Promise<void> {
    await this.sandbox.stop();
    await this.container.get(TOKENS.lifecycle).close();
    this.data.manifest.close();
    closeSync(this.log);
  }
}
