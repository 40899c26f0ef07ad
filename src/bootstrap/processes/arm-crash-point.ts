import { writeSync } from 'node:fs';
import { type Container } from 'inversify';
import { armCrashPoints, CRASH_POINTS, type CrashPoint } from './crash-points';
import { UsageProblems } from '../command-line/problems';
import { type Settings } from '../configuration/declarations';

/** `<point>` or `<point>#<occurrence>`: this process kills itself when it passes the point for the n-th time. */
export const CRASH_VARIABLE = 'DATAPUMP_CRASH_AT';

const STANDARD_ERROR = 2;
const EXPECTED = /^(?<point>[a-z.-]+)(#(?<occurrence>[1-9]\d{0,5}))?$/;

/**
 * For the crash test alone; without the variable nothing is armed and nothing is loaded. A process dies as by kill -9:
 * nothing is tidied up. Before anything is asked of the container, since its ports are watched from then on.
 */
export async function armCrashPoint(
  settings: Pick<Settings, 'Environment:Name'>,
  container: Container,
  processName: string,
): Promise<void> {
  const text = process.env[CRASH_VARIABLE];
  if (text === undefined || text === '') return;
  if (settings['Environment:Name'] === 'production') {
    throw new UsageProblems([`${CRASH_VARIABLE}: is for tests, and Environment:Name is production`]);
  }
  const found = EXPECTED.exec(text)?.groups;
  const point = CRASH_POINTS.find((known) => known === found?.['point']);
  if (!point)
    throw new UsageProblems([`${CRASH_VARIABLE}: found ${text}, expected a crash point, or one with #<occurrence>`]);
  let left = Number(found?.['occurrence'] ?? 1);
  armCrashPoints((passed) => {
    if (passed === point && --left === 0) die(point);
  });
  const { watchPorts } = await import('../crash-test/watch-ports.js');
  watchPorts(container, processName);
}

/** Said before it dies, so that nobody takes another's kill for this one. */
export const lastWordsOf = (point: CrashPoint): string => `datapump: killing itself at ${point}\n`;

function die(point: CrashPoint): void {
  writeSync(STANDARD_ERROR, lastWordsOf(point));
  process.kill(process.pid, 'SIGKILL');
}
