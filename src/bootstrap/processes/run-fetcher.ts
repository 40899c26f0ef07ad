import { type Container } from 'inversify';
import { fetchChunk } from '../../application/fetching/fetch-chunk';
import { receiveLoop } from '../../application/messaging/receive-loop';
import { FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../../application/messaging/topology';
import { TOKENS } from '../container/tokens';

/** A chunk that broke this often even row by row goes to the dead letters. */
const BREAKS_MAX = 5;

/** Reads chunk messages until told to stop. */
export async function runFetcher(container: Container, signal: AbortSignal): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const topology = container.get(TOKENS.topology);
  const concurrentBillersMax = settings['Fetcher:MaxConcurrentBillers'];
  const bus = container.get(TOKENS.bus);
  const clock = container.get(TOKENS.clock);
  const telemetry = container.get(TOKENS.telemetry).child({ stage: 'fetch' });
  const handle = fetchChunk(
    {
      history: container.get(TOKENS.history),
      shards: container.get(TOKENS.shards),
      shardClock: container.get(TOKENS.shardClock),
      profiles: container.get(TOKENS.profiles),
      contracts: container.get(TOKENS.contracts),
      chance: container.get(TOKENS.chance),
      digest: container.get(TOKENS.digest),
      bus,
      clock,
      telemetry,
    },
    { eventsTopic: topology.eventsTopic, batchSize: settings['Fetcher:BatchSize'], concurrentBillersMax },
  );
  const receiver = container
    .get(TOKENS.health)
    .notingReceives(bus.receiver({ topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION }));
  await receiveLoop({
    receiver,
    handle,
    clock,
    telemetry,
    signal,
    concurrentMessages: concurrentBillersMax,
    lockMs: topology.lockMs,
    idleWaitMaxMs: settings['Fetcher:IdleWaitMaxSeconds'] * 1_000,
    breaksMax: BREAKS_MAX,
    drainMs: settings['Supervisor:StopSeconds'] * 1_000,
  });
  await receiver.close();
}
