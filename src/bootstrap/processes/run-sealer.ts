import { type Container } from 'inversify';
import { sealHistory } from '../../application/history/seal-history';
import { sealKeysOf } from '../container/seal-keys';
import { TOKENS } from '../container/tokens';

/** A million events in one pass; what is left waits for the next one. */
const SEALS_PER_PASS_MAX = 1_000;
/** What was appended since the last pass is sealed at a stop, if that is done in so short a time. */
const LAST_PASS_MS = 3_000;

/** Undefined: the settings want no sealing. Throws UsageProblems where a key is wrong: before any work is done. */
export async function openSealer(container: Container): Promise<((signal: AbortSignal) => Promise<void>) | undefined> {
  const everyMs = container.get(TOKENS.settings)['Seal:EverySeconds'] * 1_000;
  if (everyMs === 0) return undefined;
  const clock = container.get(TOKENS.clock);
  const telemetry = container.get(TOKENS.telemetry);
  const seal = sealHistory(
    {
      eventStore: container.get(TOKENS.eventStore),
      eventLog: container.get(TOKENS.eventLog),
      witnesses: container.getAll(TOKENS.sealWitnesses).flatMap((witnesses) => witnesses()),
      cryptography: await sealKeysOf(container),
      clock,
      telemetry,
    },
    { by: container.get(TOKENS.processName), sealsPerPassMax: SEALS_PER_PASS_MAX },
  );
  const pass = async (until: AbortSignal): Promise<void> => {
    try {
      const { seals, events } = await seal(until);
      if (seals > 0) telemetry.info('history sealed', { seals, events });
    } catch (error) {
      telemetry.error('failed to seal the history, trying again after the usual wait', error);
    }
  };
  /** Seals what is new in the event store, now and then, until told to stop, and once more then. */
  return async (signal) => {
    while (!signal.aborted) {
      await pass(signal);
      await clock.sleep(everyMs, signal);
    }
    const late = new AbortController();
    await Promise.race([pass(late.signal), clock.sleep(LAST_PASS_MS, late.signal)]);
    late.abort();
  };
}
