import { type Timers } from './timers';
import { type Deadline } from './undici-transport';

/** Undefined where the work has no result in time; the work itself is left to its own limits. */
export async function withinDeadline<T>(
  timers: Timers,
  deadline: Deadline,
  work: () => Promise<T>,
): Promise<T | undefined> {
  let cancel: (() => void) | undefined;
  const over = new Promise<undefined>(
    (resolve) => (cancel = timers.after(Math.max(0, deadline.remainingMs()), () => resolve(undefined))),
  );
  try {
    return await Promise.race([work(), over]);
  } finally {
    cancel?.();
  }
}
