import { type Container } from 'inversify';
import { isNeverAllowed } from '../../application/ports/failures';
import { scanShards } from '../../application/scanning/scan-shards';
import { sweepStalled } from '../../application/scanning/sweep-stalled';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { TOKENS } from '../container/tokens';
import { measureNowAndThen } from './measure-now-and-then';
import { openSealer } from './run-sealer';

/** With so many chunks waiting for a fetcher, nothing more is claimed. */
const WAITING_CHUNKS_MAX = 1_000;

/**
 * Scans all shards, again and again; between passes it sleeps, now and then it sweeps, and beside that it seals. Ends
 * where a server will never take its work.
 */
export async function runScanner(container: Container, signal: AbortSignal): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const clock = container.get(TOKENS.clock);
  const telemetry = container.get(TOKENS.telemetry).child({ stage: 'scan' });
  const health = container.get(TOKENS.health);
  const ports = {
    shards: container.get(TOKENS.shards),
    profiles: container.get(TOKENS.profiles),
    bus: container.get(TOKENS.bus),
    chance: container.get(TOKENS.chance),
    relayOutbox: container.get(TOKENS.relayOutbox),
    telemetry,
  };
  const { eventsTopic, subscriptions, dataTypes = DATA_TYPES } = container.get(TOKENS.topology);
  const scan = scanShards(ports, {
    // All four are claimed without asking for their type: that is what the index is made for.
    ...(dataTypes.length < DATA_TYPES.length && { dataTypes }),
    chunkSizeMax: settings['Scanner:MaxChunkSize'],
    claimRowsMax: settings['Scanner:ClaimRowsMax'],
    concurrentShards: settings['Scanner:ConcurrentShards'],
    waitingChunksMax: WAITING_CHUNKS_MAX,
  });
  const sweep = sweepStalled(ports, {
    eventsTopic,
    subscriptions,
    afterMs: settings['Sweep:AfterMinutes'] * 60_000,
    rowsPerPassMax: settings['Sweep:RowsPerPassMax'],
  });
  // A scanner that ends by a failure takes the sealing along.
  const ended = new AbortController();
  const sealing = (await openSealer(container))?.(AbortSignal.any([signal, ended.signal]));
  const measuring = measureNowAndThen(container, AbortSignal.any([signal, ended.signal]));
  let sweptAt = clock.monotonicMs();
  try {
    while (!signal.aborted) {
      try {
        const { chunks, rows, failedShards } = await health.noting(() => scan(signal));
        if (rows > 0) telemetry.info('rows claimed', { rows, chunks, failedShards });
        if (clock.monotonicMs() - sweptAt >= settings['Sweep:EverySeconds'] * 1_000) {
          sweptAt = clock.monotonicMs();
          await sweep();
        }
      } catch (error) {
        // Whoever supervises this process is told why it ended.
        if (isNeverAllowed(error)) throw error;
        telemetry.error('a scan failed, trying again after the usual sleep', error);
      }
      await clock.sleep(settings['Scanner:SleepSeconds'] * 1_000, signal);
    }
  } finally {
    ended.abort();
    await Promise.all([sealing, measuring]);
  }
}
