import { type Container } from 'inversify';
import { deliverRecord } from '../../application/deliver-record';
import { receiveLoop } from '../../application/receive-loop';
import { recordBrokerDeadLetters } from '../../application/record-broker-dead-letters';
import { type DataType } from '../../domain/biller/data-type';
import { TOKENS } from '../container/tokens';

/** A message that broke its handler this often goes to the dead letters instead of coming back. */
const BREAKS_MAX = 3;
const IDLE_WAIT_MAX_MS = 5_000;
const DEAD_LETTER_LOOK_MS = 30_000;

/** Delivers the records of one data type until told to stop. */
export async function runConsumer(container: Container, dataType: DataType, signal: AbortSignal): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const topology = container.get(TOKENS.topology);
  const shared = {
    history: container.get(TOKENS.history),
    shards: container.get(TOKENS.shards),
    shardClock: container.get(TOKENS.shardClock),
    bus: container.get(TOKENS.bus),
    contracts: container.get(TOKENS.contracts),
    telemetry: container.get(TOKENS.telemetry),
  };
  const clock = container.get(TOKENS.clock);
  const handle = deliverRecord(
    {
      ...shared,
      clock,
      profiles: container.get(TOKENS.profiles),
      gateway: container.get(TOKENS.gateway),
      control: container.get(TOKENS.control),
      chance: container.get(TOKENS.chance),
      digest: container.get(TOKENS.digest),
    },
    { ...topology, permitWaitMs: settings['Consumer:PermitWaitSeconds'] * 1_000 },
  );
  const receiver = container
    .get(TOKENS.health)
    .notingReceives(
      shared.bus.receiver({ topic: topology.eventsTopic, subscription: topology.subscriptions[dataType] }),
    );
  const recording = recordDeadLettersNowAndThen();
  await receiveLoop({
    receiver,
    handle,
    clock,
    signal,
    telemetry: shared.telemetry,
    concurrentMessages: settings['Consumer:ConcurrentMessages'],
    lockMs: topology.lockMs,
    idleWaitMaxMs: IDLE_WAIT_MAX_MS,
    breaksMax: BREAKS_MAX,
    drainMs: settings['Supervisor:StopSeconds'] * 1_000,
  });
  await recording;
  await receiver.close();

  async function recordDeadLettersNowAndThen(): Promise<void> {
    const record = recordBrokerDeadLetters(shared, topology);
    while (!signal.aborted) {
      await record(dataType).catch((error: unknown) =>
        shared.telemetry.error('failed to record dead letters of the broker', error),
      );
      await clock.sleep(DEAD_LETTER_LOOK_MS, signal);
    }
  }
}
