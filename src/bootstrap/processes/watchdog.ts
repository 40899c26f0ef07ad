import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

const TICK_MS = 1_000;
/** Nothing that this platform does at one go takes so long; what does has caught hold of data and will not let go. */
const CALCULATING_TICKS_MAX = 30;
/** A loop that waits uses no processor: a disk that syncs slowly, or hangs. It may be patient for long, and not for ever. */
const WAITING_TICKS_MAX = 600;
const MEMORY = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 };

export interface WatchdogOptions {
  /** What stood still, in the words of the last line. */
  readonly name: string;
  readonly tickMs?: number;
  readonly calculatingTicksMax?: number;
  readonly waitingTicksMax?: number;
}

/**
 * Kills this process where its event loop stands still: a loop that is stuck can neither say so nor end. A thread of its
 * own looks for the beat of the loop. It works for a process alone as under the supervisor, which starts it again; on a
 * cluster the liveness probe fails as well, since nobody answers it.
 */
export class Watchdog {
  private readonly beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  private readonly beating: NodeJS.Timeout;
  private readonly worker: Worker;

  /** `onFailure`: the watchdog itself failed; the process works on without it. */
  constructor(options: WatchdogOptions, onFailure: (error: unknown) => void) {
    const { name, tickMs = TICK_MS } = options;
    const calculatingTicksMax = options.calculatingTicksMax ?? CALCULATING_TICKS_MAX;
    const waitingTicksMax = options.waitingTicksMax ?? WAITING_TICKS_MAX;
    this.beating = setInterval(() => Atomics.add(this.beats, 0, 1), tickMs / 2).unref();
    this.worker = new Worker(join(__dirname, 'watchdog-worker.cjs'), {
      workerData: { name, tickMs, calculatingTicksMax, waitingTicksMax, beats: this.beats.buffer },
      resourceLimits: MEMORY,
      env: {},
      execArgv: [],
    });
    this.worker.on('error', onFailure);
    this.worker.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.beating);
    await this.worker.terminate();
  }
}
