import { closeSync, openSync, readFileSync } from 'node:fs';
import { type Container } from 'inversify';
import { LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { SqliteRecordProjection } from '../../adapters/sqlite/sqlite-record-projection';
import { type CrashPoint } from '../../application/crash-point';
import { type DataType } from '../../domain/biller/data-type';
import { plusMs } from '../../domain/instant';
import { untilDrainedOrEnded } from '../command-line/run-commands';
import { TOKENS } from '../container/tokens';
import { type DemoFiles, environmentOf } from '../demo/demo-plan';
import { type Proof } from '../demo/proof';
import { proveDemo } from '../demo/prove-demo';
import { SandboxProcess } from '../demo/sandbox-process';
import { CRASH_VARIABLE, lastWordsOf } from '../processes/arm-crash-point';
import { type ProcessKind, processName } from '../processes/run-process';
import { supervise, type Supervised } from '../processes/supervise';
import { type CrashDataSet, crashSettings } from './crash-data-set';

/** What the first starts of a process are armed with; later ones are not armed. */
export type Arming = (process: string) => readonly string[];

export const UNARMED: Arming = () => [];

/** A kill is seen a little after it happened. */
const SEEN_AFTER_MS = 500;
const STOP_MS = 20_000;
const DRAINED_MAX_MS = 150_000;
const LANDED_LOOK_MS = 100;
const LANDED_LOOKS_MAX = 100;
const RESTARTS_MAX = 4;
const RESTART_WINDOW_MS = 60_000;

/** One data set, its sandbox and its processes. */
export class CrashRun {
  private readonly log: number;
  private readonly sandbox: SandboxProcess;
  private failure: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Told of each kill that was asked for. */
  onKill: () => void = () => undefined;

  constructor(
    readonly files: DemoFiles,
    readonly data: CrashDataSet,
    readonly container: Container,
    readonly dataTypes: readonly DataType[],
    sweeping: boolean,
  ) {
    this.environment = environmentOf(crashSettings(files, { sweeping }));
    this.log = openSync(files.processLog, 'a');
    this.sandbox = new SandboxProcess(
      files,
      () => undefined,
      (why) => (this.failure ??= why),
    );
  }

  static readonly consumers = (dataTypes: readonly DataType[]): readonly ProcessKind[] =>
    dataTypes.map((dataType) => ({ process: 'consumer', dataType }));

  get logFile(): number {
    return this.log;
  }

  open(): Promise<void> {
    return this.sandbox.start();
  }

  /** Starts the processes, each armed as told, runs the work and stops them again. */
  async while(processes: readonly ProcessKind[], arming: Arming, work: () => Promise<void>): Promise<void> {
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
      telemetry: { warn: (_message, fields) => this.noteEnd(String(fields?.['process']), fields?.['signal'], fields?.['code']) },
      logTo: this.log,
    });
    void supervised.ended.then((why) => why !== undefined && (this.failure ??= why));
    try {
      await work();
    } finally {
      await supervised.stop();
    }
  }

  /** Polls until it holds; a process that gave up, or too long a wait, is told. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const clock = this.container.get(TOKENS.clock);
    for (const end = clock.monotonicMs() + DRAINED_MAX_MS; ; await clock.sleep(LANDED_LOOK_MS)) {
      if (this.failure !== undefined) throw new Error(this.failure);
      if (await holds()) return;
      if (clock.monotonicMs() > end) throw new Error(`waited ${DRAINED_MAX_MS / 1_000} s in vain: ${what}`);
    }
  }

  async untilDrained(): Promise<void> {
    const clock = this.container.get(TOKENS.clock);
    const end = clock.monotonicMs() + DRAINED_MAX_MS;
    await untilDrainedOrEnded(this.container, new AbortController().signal, (backlog) => {
      if (this.failure !== undefined) throw new Error(this.failure);
      if (clock.monotonicMs() > end) throw new Error(`not drained after ${DRAINED_MAX_MS / 1_000} s: ${JSON.stringify(backlog)}`);
    });
  }

  /** Any process of ours that ended: a kill belongs into the manifest, where the proof looks for a doubt's cause. */
  noteEnd(process: string, signal: unknown, code: unknown): void {
    const now = this.container.get(TOKENS.clock).now();
    if (signal !== 'SIGKILL') this.failure ??= `${process} ended by itself (${String(signal ?? code)}), see ${this.files.processLog}`;
    this.data.manifest.addKill({ process, from: plusMs(now, -SEEN_AFTER_MS), to: now, cause: 'chaos' });
    this.onKill();
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
        { manifest, shards: this.container.get(TOKENS.shards), eventStore: this.container.get(TOKENS.eventStore), projection, books },
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

export const namesOf = (processes: readonly ProcessKind[]): readonly string[] => processes.map(processName);
