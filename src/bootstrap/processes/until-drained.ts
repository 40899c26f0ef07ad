import { type Clock } from '../../application/ports/clock';
import { isOutage } from '../../application/ports/failures';
import { type Backlog } from '../../application/queries/measure-backlog';

const DRAINED_LOOK_MS = 500;
/** The backlog is empty when it was empty so many looks in a row: a message may be between two places. */
const DRAINED_LOOKS = 3;
/** A look counts every row: the waits between looks are so many times longer than a look, or looking would slow the work. */
export const LOOK_SHARE = 20;
/** However long a look took: a slow one must not keep a finished run from ending. */
const LOOK_PAUSE_MAX_MS = 15_000;
/** So long looks may fail through an outage: the processes wait one out, and so does who watches them. */
const OUTAGE_MAX_MS = 120_000;

export interface DrainWatch {
  readonly clock: Clock;
  readonly look: () => Promise<Backlog>;
  readonly signal: AbortSignal;
  /** May throw to give up. */
  readonly onLook?: (backlog: Backlog) => void;
  readonly lookShare?: number;
}

/** Resolves when the backlog stayed empty, or when the signal aborts; throws what looks failed with for too long. */
export async function untilDrained(watch: DrainWatch): Promise<void> {
  const { clock, signal, onLook, lookShare = LOOK_SHARE } = watch;
  let pauseMs = DRAINED_LOOK_MS;
  let failingSinceMs: number | undefined;
  for (let empty = 0; empty < DRAINED_LOOKS;) {
    await clock.sleep(pauseMs, signal);
    if (signal.aborted) return;
    const beganMs = clock.monotonicMs();
    const backlog = await watch.look().catch((error: unknown) => {
      failingSinceMs ??= clock.monotonicMs();
      if (!isOutage(error) || clock.monotonicMs() - failingSinceMs > OUTAGE_MAX_MS) throw error;
      return undefined;
    });
    if (backlog === undefined) {
      empty = 0;
      pauseMs = DRAINED_LOOK_MS;
      continue;
    }
    failingSinceMs = undefined;
    onLook?.(backlog);
    empty = backlog.drained ? empty + 1 : 0;
    const lookMs = clock.monotonicMs() - beganMs;
    // Nothing is left that looking could slow.
    pauseMs = backlog.drained
      ? DRAINED_LOOK_MS
      : Math.min(LOOK_PAUSE_MAX_MS, Math.max(DRAINED_LOOK_MS, lookShare * lookMs));
  }
}
