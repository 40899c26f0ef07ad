import { type Container } from 'inversify';
import { scanShards } from '../../application/scan-shards';
import { sweepStalled } from '../../application/sweep-stalled';
import { TOKENS } from '../container/tokens';

/** With so many chunks waiting for a fetcher, nothing more is claimed. */
const WAITING_CHUNKS_MAX = 1_000;

/** Scans all shards, again and again; between passes it sleeps, and now and then it sweeps. */
export async function runScanner(container: Container, signal: AbortSignal): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const clock = container.get(TOKENS.clock);
  const telemetry = container.get(TOKENS.telemetry);
  const health = container.get(TOKENS.health);
  const ports = {
    shards: container.get(TOKENS.shards),
    profiles: container.get(TOKENS.profiles),
    bus: container.get(TOKENS.bus),
    chance: container.get(TOKENS.chance),
    relayOutbox: container.get(TOKENS.relayOutbox),
    telemetry,
  };
  const { eventsTopic, subscriptions } = container.get(TOKENS.topology);
  const scan = scanShards(ports, {
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
  let sweptAt = clock.monotonicMs();
  while (!signal.aborted) {
    try {
      const { chunks, rows, failedShards } = await health.noting(() => scan(signal));
      if (rows > 0) telemetry.info('rows claimed', { rows, chunks, failedShards });
      if (clock.monotonicMs() - sweptAt >= settings['Sweep:EverySeconds'] * 1_000) {
        sweptAt = clock.monotonicMs();
        await sweep();
      }
    } catch (error) {
      telemetry.error('a scan failed, trying again after the usual sleep', error);
    }
    await clock.sleep(settings['Scanner:SleepSeconds'] * 1_000, signal);
  }
}
