import { SystemClock } from '../../../src/adapters/system/system-clock';
import { type Clock } from '../../../src/application/ports/clock';
import { instantFromMs } from '../../../src/domain/instant';

const realImmediate = setImmediate;
const STEPS_MAX = 2_000;

/** Every timer of this file's tests is jest's. */
export function inVirtualTime(): void {
  beforeAll(() => {
    jest.useFakeTimers({
      doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'],
      now: Date.parse('2026-11-20T08:00:00.000Z'),
    });
  });
  afterAll(() => {
    jest.useRealTimers();
  });
}

/** Lets everything run that waits for no time. */
export const breathe = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));

/** jest's fake timers as a clock; `stall` is a process that is held up: time passes and no timer has fired. */
export class VirtualTime implements Clock {
  private stalledMs = 0;

  /** `skewMs`: how wrong the machine's time of day is. Nothing that waits may go by it. */
  constructor(private readonly skewMs: number) {}

  private readonly timers = new SystemClock();

  now = () => instantFromMs(Date.now() + this.skewMs);
  monotonicMs = (): number => Date.now() + this.stalledMs;

  stall(ms: number): void {
    this.stalledMs += ms;
  }

  sleep = (ms: number, signal?: AbortSignal): Promise<void> => this.timers.sleep(ms, signal);

  async pass(ms: number): Promise<void> {
    const until = Date.now() + ms;
    await breathe();
    for (let step = 0; step < STEPS_MAX && Date.now() < until; step++) {
      const before = Date.now();
      const timer = setTimeout(() => undefined, until - before);
      jest.advanceTimersToNextTimer();
      clearTimeout(timer);
      await breathe();
    }
  }

  /** The result of the work, time passing as it needs; fails where the work waits for nothing that could come. */
  async until<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const noted = work.finally(() => (settled = true));
    noted.catch(() => undefined);
    await breathe();
    for (let step = 0; !settled; step++) {
      if (step === STEPS_MAX || jest.getTimerCount() === 0) throw new Error('the work never ends');
      jest.advanceTimersToNextTimer();
      await breathe();
    }
    return noted;
  }
}
