import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EVALUATION_GUARDS, type MemberGuard, MissingValue } from '../shared/biller-document/expression';

/** Threads of one process; the last of them is for billers whose expressions overran lately. */
export const WORKERS_MAX = 4;
const TICK_MS = 100;
/**
 * Time is counted in ticks of this process and not read from a clock: a process that was suspended for an hour has
 * ticked once, and its expressions are not blamed for the hour.
 */
const EVALUATION_TICKS_MAX = 10;
const START_TICKS_MAX = 100;
const WAITING_TICKS_MAX = 50;
/** Evaluations that wait for one biller's turn; its concurrency bounds them too. */
const WAITING_MAX = 1_000;
/** For so long after an overrun a biller shares the last thread with others of its kind. */
const SUSPECT_TICKS = 600;
/** Threads that nobody has needed for so long give their memory back. */
const IDLE_MS = 60_000;
const MEMORY = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/** `expression-overrun`, `expression-crowded`, `worker-failed`, or what JSONata calls the fault. Holds no data. */
export class EvaluationFailure extends Error {
  override readonly name = 'EvaluationFailure';
  constructor(
    readonly code: string,
    /** Neither the expression nor its data is at fault: later it may well succeed. */
    readonly transient: boolean = false,
  ) {
    super(`an expression was not evaluated: ${code}`);
  }
}

interface Job {
  readonly text: string;
  readonly context: unknown;
  readonly guards: readonly MemberGuard[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (failure: EvaluationFailure | TypeError) => void;
  ticks: number;
}

interface Lane {
  readonly waiting: Job[];
  running: boolean;
  suspectTicks: number;
}

interface Slot {
  readonly worker: Worker;
  ready: boolean;
  job: Job | undefined;
  lane: Lane | undefined;
}

type Message =
  | { readonly ready: true }
  | { readonly json: string | undefined }
  | { readonly code: string }
  | { readonly missing: string };

/** Who evaluates the expressions of billers. */
export interface Evaluator {
  evaluate(biller: string, text: string, context: unknown, guards?: readonly MemberGuard[]): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Evaluates expressions on data from outside in threads of their own, which can be ended by force.
 *
 * A biller has one evaluation at a time, and billers take turns; one that overran is a suspect for a while, and suspects
 * share one thread. So a runaway expression costs another biller at most one deadline's wait, and only until it is known.
 */
export class ExpressionPool implements Evaluator {
  private readonly lanes = new Map<string, Lane>();
  private readonly slots = new Set<Slot>();
  private readonly ending = new Set<Promise<unknown>>();
  private ticking: NodeJS.Timeout | undefined;
  private retiring: NodeJS.Timeout | undefined;
  private closed = false;

  /** Rejects with EvaluationFailure, and with MissingValue where a guarded part came to nothing. */
  evaluate(biller: string, text: string, context: unknown, guards: readonly MemberGuard[] = []): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new EvaluationFailure('worker-failed', true));
      const lane = this.lanes.get(biller) ?? { waiting: [], running: false, suspectTicks: 0 };
      if (lane.waiting.length >= WAITING_MAX) return reject(new EvaluationFailure('expression-crowded', true));
      lane.waiting.push({ text, context, guards, resolve, reject, ticks: 0 });
      this.lanes.set(biller, lane);
      this.ticking ??= setInterval(() => this.tick(), TICK_MS).unref();
      this.dispatch();
    });
  }

  /** Ends all threads; what is under way or waits is rejected. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.ticking);
    clearTimeout(this.retiring);
    for (const lane of this.lanes.values())
      for (const job of lane.waiting.splice(0)) job.reject(new EvaluationFailure('worker-failed', true));
    for (const slot of this.slots) this.end(slot, new EvaluationFailure('worker-failed', true));
    await Promise.all(this.ending);
  }

  private dispatch(): void {
    for (const [biller, lane] of this.lanes) {
      const [job] = lane.waiting;
      if (!job || lane.running) continue;
      const slot = this.freeSlot(lane.suspectTicks > 0);
      if (!slot) continue;
      lane.waiting.shift();
      lane.running = true;
      // To the end of the line: billers take turns.
      this.lanes.delete(biller);
      this.lanes.set(biller, lane);
      slot.job = job;
      slot.lane = lane;
      job.ticks = 0;
      slot.worker.ref();
      try {
        slot.worker.postMessage({ text: job.text, context: job.context, guards: job.guards });
      } catch {
        this.finish(slot, (done) => done.reject(new EvaluationFailure('the context is no data')));
      }
    }
  }

  private freeSlot(suspect: boolean): Slot | undefined {
    const busy = [...this.slots].filter(({ job }) => job !== undefined);
    const ofItsKind = busy.filter(({ lane }) => lane!.suspectTicks > 0 === suspect).length;
    if (ofItsKind >= (suspect ? 1 : WORKERS_MAX - 1)) return undefined;
    for (const slot of this.slots) if (slot.job === undefined) return slot;
    return this.slots.size < WORKERS_MAX ? this.start() : undefined;
  }

  private start(): Slot {
    // No environment: an expression has no business with secrets. No flags: a loader of the parent is not for it.
    const worker = new Worker(join(__dirname, 'expression-worker.cjs'), {
      workerData: { guards: EVALUATION_GUARDS },
      resourceLimits: MEMORY,
      env: {},
      execArgv: [],
    });
    const slot: Slot = { worker, ready: false, job: undefined, lane: undefined };
    worker.on('message', (message: Message) => this.hear(slot, message));
    worker.on('error', (error: NodeJS.ErrnoException) => {
      // Its heap is bounded: an expression that fills it is told of as one that never ends.
      const overran = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.end(slot, overran ? 'overrun' : new EvaluationFailure('worker-failed', true));
    });
    worker.on('exit', () => this.end(slot, new EvaluationFailure('worker-failed', true)));
    this.slots.add(slot);
    return slot;
  }

  private hear(slot: Slot, message: Message): void {
    if ('ready' in message) {
      slot.ready = true;
      if (slot.job) slot.job.ticks = 0;
      return;
    }
    this.finish(slot, (job) =>
      'missing' in message
        ? job.reject(new MissingValue(message.missing))
        : 'code' in message
          ? job.reject(new EvaluationFailure(message.code))
          : job.resolve(message.json === undefined ? undefined : (JSON.parse(message.json) as unknown)),
    );
    this.dispatch();
  }

  private finish(slot: Slot, tell: (job: Job) => void): void {
    const { job, lane } = slot;
    slot.job = undefined;
    slot.lane = undefined;
    if (lane) lane.running = false;
    slot.worker.unref();
    if (job) tell(job);
  }

  private end(slot: Slot, why: 'overrun' | EvaluationFailure): void {
    if (!this.slots.delete(slot)) return;
    if (why === 'overrun' && slot.lane) slot.lane.suspectTicks = SUSPECT_TICKS;
    this.finish(slot, (job) => job.reject(why === 'overrun' ? new EvaluationFailure('expression-overrun') : why));
    const ended: Promise<unknown> = slot.worker.terminate().finally(() => this.ending.delete(ended));
    this.ending.add(ended);
    if (!this.closed) this.dispatch();
  }

  private tick(): void {
    for (const slot of this.slots) {
      const { job } = slot;
      if (job && ++job.ticks > (slot.ready ? EVALUATION_TICKS_MAX : START_TICKS_MAX)) {
        // Timers fire before messages are read: an answer that has arrived meanwhile is taken first.
        setImmediate(() => {
          if (slot.job !== job) return;
          this.end(slot, slot.ready ? 'overrun' : new EvaluationFailure('worker-failed', true));
        });
      }
    }
    for (const [biller, lane] of this.lanes) {
      if (lane.suspectTicks > 0) lane.suspectTicks--;
      for (const job of lane.waiting) job.ticks++;
      while ((lane.waiting[0]?.ticks ?? 0) > WAITING_TICKS_MAX)
        lane.waiting.shift()!.reject(new EvaluationFailure('expression-crowded', true));
      if (lane.waiting.length === 0 && !lane.running && lane.suspectTicks === 0) this.lanes.delete(biller);
    }
    if (this.lanes.size > 0) return;
    clearInterval(this.ticking);
    this.ticking = undefined;
    clearTimeout(this.retiring);
    this.retiring = setTimeout(() => this.retire(), IDLE_MS).unref();
  }

  private retire(): void {
    for (const slot of this.slots)
      if (slot.job === undefined) this.end(slot, new EvaluationFailure('worker-failed', true));
  }
}
