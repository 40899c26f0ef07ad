import { type Clock } from '../../application/ports/clock';
import { type Instant, instantFromMs } from '../../domain/instant';

export class SystemClock implements Clock {
  now(): Instant {
    return instantFromMs(Date.now());
  }

  monotonicMs(): number {
    return Number(process.hrtime.bigint() / 1_000n) / 1_000;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, ms));
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}
