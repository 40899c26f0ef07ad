import { type Container } from 'inversify';
import { type Gauges, measureGauges } from '../../application/queries/measure-gauges';
import { type GaugeName, METRICS } from '../../application/ports/metrics-catalogue';
import { causeChain } from '../../application/ports/failures';
import { TOKENS } from '../container/tokens';

const MEASURE_EVERY_MS = 15_000;
/** Counting rows costs more the more there are: it may take a twentieth of the scanner's time, no more. */
const REST_FACTOR = 19;

/** Looks now and then at what waits, until told to stop; does nothing where nobody reads metrics. */
export async function measureNowAndThen(container: Container, signal: AbortSignal): Promise<void> {
  if (!container.get(TOKENS.watching).isMeasured) return;
  const clock = container.get(TOKENS.clock);
  const telemetry = container.get(TOKENS.telemetry).child({ stage: 'measure' });
  const series = container.get(TOKENS.series);
  const measure = measureGauges(
    {
      shards: container.get(TOKENS.shards),
      bus: container.get(TOKENS.bus),
      profiles: container.get(TOKENS.profiles),
      control: container.get(TOKENS.control),
      clock,
    },
    container.get(TOKENS.topology),
  );
  let gauges: Gauges = {};
  let wholeAtMs = clock.monotonicMs();
  for (const name of Object.keys(METRICS) as GaugeName[])
    if (METRICS[name].type === 'gauge') series.observe(name, () => (gauges[name] ?? []) as never);
  series.observe('measure.age.seconds', () => [[{}, (clock.monotonicMs() - wholeAtMs) / 1_000]]);

  while (!signal.aborted) {
    const beganMs = clock.monotonicMs();
    try {
      const measured = await measure();
      gauges = measured.gauges;
      if (measured.unread.length === 0) wholeAtMs = clock.monotonicMs();
      else telemetry.warn('could not measure all that waits', { problems: measured.unread.join('; ') });
    } catch (error) {
      telemetry.warn('failed to measure what waits', { cause: causeChain(error) });
    }
    const tookMs = clock.monotonicMs() - beganMs;
    await clock.sleep(Math.max(MEASURE_EVERY_MS, tookMs * REST_FACTOR), signal);
  }
}
