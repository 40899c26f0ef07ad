import { setImmediate as turn } from 'node:timers/promises';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { type PortFailureCode, PortFailure } from '../../src/application/ports/failures';
import { receiveLoop } from '../../src/application/receive-loop';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { SteppedClock } from './delivery-bench';

const SOURCE = { topic: 'records', subscription: 'payments' };
const BREAKS_MAX = 3;

/** Handles one message until the work succeeds or the message is dead-lettered; how often it was tried. */
async function triesUntilSettled(fails: (tries: number) => Error | undefined) {
  const clock = new (class extends SteppedClock {
    override sleep = async (ms: number): Promise<void> => {
      this.ms += ms;
      await turn();
    };
  })();
  const subscription = { name: 'payments', eventType: undefined, lockMs: 60_000, deliveryCountMax: 100 };
  const topic = { name: 'records', duplicateDetectionWindowMs: 1_000, timeToLiveMs: undefined, subscriptions: [subscription] };
  const bus = new SqliteMessageBus({ path: ':memory:', topology: [topic], now: () => clock.ms });
  await bus.send('records', [{ messageId: '12:100', body: {}, properties: {} }]);
  const stop = new AbortController();
  let tries = 0;
  const settled = new Promise<void>((resolve) => {
    const receiver = bus.receiver(SOURCE);
    void receiveLoop({
      receiver: {
        receive: (options) => receiver.receive(options),
        renewLock: (message) => receiver.renewLock(message),
        abandon: (message) => receiver.abandon(message),
        close: () => receiver.close(),
        complete: (message) => receiver.complete(message).finally(() => stop.abort()),
        deadLetter: (message, why) => receiver.deadLetter(message, why).finally(() => stop.abort()),
      },
      handle: async () => {
        const failure = fails(++tries);
        if (failure) throw failure;
        return { settle: 'complete' };
      },
      concurrentMessages: 4, lockMs: 60_000, idleWaitMaxMs: 1_000, breaksMax: BREAKS_MAX, drainMs: 1_000,
      clock, telemetry: recordedTelemetry().telemetry, signal: stop.signal,
    }).then(resolve);
  });
  await settled;
  const { active, deadLettered } = await bus.depth(SOURCE);
  await bus.close();
  return { tries, active, deadLettered };
}

it('dead-letters a message that breaks its handler again and again', async () => {
  expect(await triesUntilSettled(() => new Error('broken'))).toEqual({ tries: BREAKS_MAX, active: 0, deadLettered: 1 });
});

it.each<[PortFailureCode, boolean]>([
  ['connection-lost', true],
  ['not-authorized', false],
  ['secret-missing', false],
  ['storage-foreign', false],
])('holds a message through %s, however often it is tried: a person mends that, not the message', async (code, retryable) => {
  const failure = new PortFailure('failed', { code, retryable });
  const tries = 200;
  expect(await triesUntilSettled((count) => (count < tries ? failure : undefined))).toEqual({ tries, active: 0, deadLettered: 0 });
});

it('takes what fails over the message itself for its own fault', async () => {
  const failure = new PortFailure('too large', { code: 'message-too-large', retryable: false });
  expect(await triesUntilSettled(() => failure)).toEqual({ tries: BREAKS_MAX, active: 0, deadLettered: 1 });
});
