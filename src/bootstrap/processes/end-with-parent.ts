/** Set by a supervisor: standard input is a pipe that lives as long as the supervisor does. */
export const SUPERVISED_VARIABLE = 'DATAPUMP_SUPERVISED';

/**
 * Calls `stop` once the supervisor is gone, however it went: the kernel closes its end of the pipe even after kill -9.
 * Nobody is left behind to work on files that a person thinks are at rest. Without a supervisor it does nothing.
 */
export function endWithParent(stop: () => void): void {
  if (process.env[SUPERVISED_VARIABLE] !== '1') return;
  process.stdin.on('error', stop).once('end', stop).resume();
  // The pipe must not keep a process alive that has nothing else to do.
  (process.stdin as Partial<{ unref(): void }>).unref?.();
}
