import { type Clock } from '../../../src/application/ports/clock';
import { instantFromMs } from '../../../src/domain/instant';
import { type Timeline } from './timeline';

/** The world begins on this day; the timeline counts milliseconds from then. */
export const WORLD_BEGINS_MS = Date.parse('2026-11-20T07:48:00.000Z');

const SHORT_LIFE_MS = 5_000;

/**
 * down → running (a new epoch each time) → crashed or stopped → down. Code of an older epoch never runs again: it
 * waits for answers that nobody gives.
 */
export class SimulatedProcess {
  epoch = 0;
  running = false;
  pausedUntil = 0;
  skewMs = 0;
  crashes = 0;
  private startedAt = 0;
  private shortLives = 0;
  private stopping = new AbortController();
  private readonly signals: AbortController[] = [];

  constructor(
    readonly name: string,
    private readonly options: {
      readonly timeline: Timeline;
      /** Runs the process' code; resolves when it has stopped in good order. */
      readonly work: (process: SimulatedProcess, epoch: number, signal: AbortSignal) => Promise<void>;
      /** `shortLives`: how many in a row ended soon after their start, as one does that the history guard stops. */
      readonly downMs: (epoch: number, shortLives: number) => number;
      readonly skewMs: (epoch: number) => number;
      readonly slowness?: number;
      readonly onEnd?: (error: unknown) => void;
    },
  ) {}

  start(): void {
    const { work } = this.options;
    const epoch = ++this.epoch;
    this.running = true;
    this.startedAt = this.options.timeline.now;
    this.pausedUntil = 0;
    this.skewMs = this.options.skewMs(epoch);
    this.stopping = new AbortController();
    this.signals.push(this.stopping);
    work(this, epoch, this.stopping.signal).then(
      () => this.ended(epoch),
      (error: unknown) => {
        this.options.onEnd?.(error);
        this.ended(epoch);
      },
    );
  }

  crash(): void {
    if (!this.running) return;
    this.crashes++;
    this.goDown();
  }

  pause(ms: number): void {
    this.pausedUntil = this.options.timeline.now + ms;
  }

  /** As SIGTERM: it stops by itself, or is killed when it takes too long. */
  askToStop(): void {
    const { epoch } = this;
    this.stopping.abort();
    this.options.timeline.after(60_000, () => {
      if (this.epoch === epoch) this.goDown();
    });
  }

  /** After the run: Node keeps whoever listens to a signal made of others for as long as these may still strike. */
  letGo(): void {
    this.epoch++;
    for (const signal of this.signals) signal.abort();
  }

  /** A clock of this process, bound to its present life. */
  clock(epoch: number, wakeAfter: (ms: number, wake: () => boolean) => void): Clock {
    const { timeline } = this.options;
    return {
      now: () => instantFromMs(WORLD_BEGINS_MS + timeline.now + this.skewMs),
      monotonicMs: () => this.monotonicMs(),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          let over = false;
          const wake = (): boolean => {
            if (over || this.epoch !== epoch) return false;
            over = true;
            signal?.removeEventListener('abort', wake);
            resolve();
            return true;
          };
          signal?.addEventListener('abort', wake, { once: true });
          wakeAfter(Math.ceil(ms), wake);
        }),
    };
  }

  /** Slower than time where that assumption is broken on purpose. */
  monotonicMs(): number {
    return Math.floor(this.options.timeline.now / (this.options.slowness ?? 1));
  }

  private ended(epoch: number): void {
    if (this.epoch === epoch && this.running) this.goDown();
  }

  private goDown(): void {
    const epoch = ++this.epoch;
    const { timeline, downMs } = this.options;
    this.running = false;
    this.shortLives = timeline.now - this.startedAt < SHORT_LIFE_MS ? this.shortLives + 1 : 0;
    timeline.after(downMs(epoch, this.shortLives), () => {
      if (!this.running) this.start();
    });
  }
}
