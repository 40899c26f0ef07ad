import { type Container } from 'inversify';
import { deliverRecord } from '../../application/delivering/deliver-record';
import { receiveLoop } from '../../application/messaging/receive-loop';
import { recordBrokerDeadLetters } from '../../application/messaging/record-broker-dead-letters';
import { type DataType } from '../../domain/biller/data-type';
import { plusMs } from '../../domain/instant';
import { TOKENS } from '../container/tokens';

/** A message that broke its handler this often goes to the dead letters instead of coming back. */
const BREAKS_MAX = 3;
const IDLE_WAIT_MAX_MS = 5_000;
const DEAD_LETTER_LOOK_MS = 30_000;
const FORGET_EVERY_MS = 600_000;
const FORGET_CALLS_MAX = 20;
const DAY_MS = 24 * 3_600_000;

/**
 * Delivers the records of these data types until told to stop. Each type has its own receive loop and its share of the
 * process's places: a type that waits for a slow biller takes none of another's.
 */
export async function runConsumer(
  container: Container,
  dataTypes: readonly DataType[],
  signal: AbortSignal,
): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const topology = container.get(TOKENS.topology);
  const shared = {
    history: container.get(TOKENS.history),
    shards: container.get(TOKENS.shards),
    shardClock: container.get(TOKENS.shardClock),
    bus: container.get(TOKENS.bus),
    profiles: container.get(TOKENS.profiles),
    contracts: container.get(TOKENS.contracts),
    telemetry: container.get(TOKENS.telemetry).child({ stage: 'deliver' }),
  };
  const clock = container.get(TOKENS.clock);
  const handle = deliverRecord(
    {
      ...shared,
      clock,
      gateway: container.get(TOKENS.gateway),
      control: container.get(TOKENS.control),
      chance: container.get(TOKENS.chance),
      digest: container.get(TOKENS.digest),
    },
    { ...topology, permitWaitMs: settings['Consumer:PermitWaitSeconds'] * 1_000 },
  );
  const health = container.get(TOKENS.health);
  const concurrentMessages = Math.max(1, Math.floor(settings['Consumer:ConcurrentMessages'] / dataTypes.length));
  await Promise.all([...dataTypes.map(deliver), forgetAnswersNowAndThen()]);

  async function deliver(dataType: DataType): Promise<void> {
    const receiver = health.notingReceives(
      shared.bus.receiver({ topic: topology.eventsTopic, subscription: topology.subscriptions[dataType] }),
    );
    const recording = recordDeadLettersNowAndThen(dataType);
    await receiveLoop({
      receiver,
      handle,
      clock,
      signal,
      telemetry: shared.telemetry,
      concurrentMessages,
      lockMs: topology.lockMs,
      idleWaitMaxMs: IDLE_WAIT_MAX_MS,
      breaksMax: BREAKS_MAX,
      drainMs: settings['Supervisor:StopSeconds'] * 1_000,
    });
    await recording;
    await receiver.close();
  }

  /** In small batches: the file is shared, and each removal holds the loop for as long as it takes. */
  async function forgetAnswersNowAndThen(): Promise<void> {
    const days = settings['Answers:KeepDays'];
    if (days === 0) return;
    const snippets = container.get(TOKENS.snippets);
    while (!signal.aborted) {
      const before = plusMs(clock.now(), -days * DAY_MS);
      try {
        for (let calls = 0; calls < FORGET_CALLS_MAX && (await snippets.forget(before)) > 0; calls++)
          await clock.sleep(0);
      } catch (error) {
        shared.telemetry.error('failed to forget old answers', error);
      }
      await clock.sleep(FORGET_EVERY_MS, signal);
    }
  }

  async function recordDeadLettersNowAndThen(dataType: DataType): Promise<void> {
    const record = recordBrokerDeadLetters(shared, topology);
    while (!signal.aborted) {
      await record(dataType).catch((error: unknown) =>
        shared.telemetry.error('failed to record dead letters of the broker', error),
      );
      await clock.sleep(DEAD_LETTER_LOOK_MS, signal);
    }
  }
}
