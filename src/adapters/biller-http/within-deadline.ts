import { type Deadline } from './undici-transport';

/** Undefined where the work has no result in time; the work itself is left to its own limits. */
export async function withinDeadline<T>(deadline: Deadline, work: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>(
    (resolve) => (timer = setTimeout(() => resolve(undefined), Math.max(0, deadline.remainingMs()))),
  );
  try {
    return await Promise.race([work(), over]);
  } finally {
    clearTimeout(timer);
  }
}
