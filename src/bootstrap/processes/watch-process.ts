import { type Container } from 'inversify';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { TOKENS } from '../container/tokens';

/** The delay of the event loop is told of whole windows of this length: every reader is told the same. */
const WINDOW_MS = 15_000;
const RESOLUTION_MS = 50;
const NANOSECONDS = 1e9;

/** What every process measures of itself, where anybody reads it. */
export async function watchProcess(container: Container, signal: AbortSignal): Promise<void> {
  const series = container.get(TOKENS.series);
  if (!container.get(TOKENS.watching).isMeasured) return;
  const health = container.get(TOKENS.health);
  series.observe('process.last-success.seconds', () => [[{}, health.sinceSuccessMs() / 1_000]]);
  series.knowBillers((await container.get(TOKENS.profiles).all()).map(({ billerId }) => billerId).sort(inOrder));

  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  // It measures from one timer to the next: what the timer itself takes is no delay.
  const late = (nanoseconds: number): number =>
    Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1_000) : 0;
  const sofar = () => ({ mean: late(delays.mean), p99: late(delays.percentile(99)), max: late(delays.max) });
  let window: ReturnType<typeof sofar> | undefined;
  const windows = setInterval(() => {
    window = sofar();
    delays.reset();
  }, WINDOW_MS).unref();
  series.observe('event-loop.delay.seconds', () => {
    const told = window ?? sofar();
    return (['mean', 'p99', 'max'] as const).map((statistic) => [{ statistic }, told[statistic]] as const);
  });
  signal.addEventListener('abort', () => {
    clearInterval(windows);
    delays.disable();
  });
}

/** Ids that are numbers as numbers, the others after them. */
const inOrder = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
