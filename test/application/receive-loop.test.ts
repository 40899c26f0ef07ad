import { setImmediate as turn } from 'node:timers/promises';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { type PortFailureCode, PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { receiveLoop } from '../../src/application/messaging/receive-loop';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { until } from '../support/until';
import { SteppedClock } from './delivery-bench';

const SOURCE = { topic: 'records', subscription: 'payments' };
const BREAKS_MAX = 3;

/** Handles one message until the work succeeds or the message is dead-lettered; how often it was tried. */
async function triesUntilSettled(fails: (tries: number) => Error | undefined, { deliveryCountMax = 100 } = {}) {
  const clock = new (class extends SteppedClock {
    override sleep = async (ms: number): Promise<void> => {
      this.ms += ms;
      await turn();
    };
  })();
  const subscription = { name: 'payments', eventType: undefined, lockMs: 60_000, deliveryCountMax };
  const topic = {
    name: 'records',
    duplicateDetectionWindowMs: 1_000,
    timeToLiveMs: undefined,
    subscriptions: [subscription],
  };
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
      concurrentMessages: 4,
      lockMs: 60_000,
      idleWaitMaxMs: 1_000,
      breaksMax: BREAKS_MAX,
      drainMs: 1_000,
      clock,
      telemetry: recordedTelemetry().telemetry,
      signal: stop.signal,
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
])(
  'holds a message through %s, however often it is tried: a person mends that, not the message',
  async (code, retryable) => {
    const failure = new PortFailure('failed', { code, retryable });
    const tries = 200;
    expect(await triesUntilSettled((count) => (count < tries ? failure : undefined))).toEqual({
      tries,
      active: 0,
      deadLettered: 0,
    });
  },
);

it('sets no message aside for conflicts, however many (issue 9, no 1)', async () => {
  const conflict = new VersionConflict('dpRecord-12:100', 'new', 'new');
  const tries = 200;
  expect(await triesUntilSettled((count) => (count < tries ? conflict : undefined))).toEqual({
    tries,
    active: 0,
    deadLettered: 0,
  });
});

it('holds a message through an outage of hours without spending its deliveries', async () => {
  const failure = new PortFailure('failed', { code: 'unavailable', retryable: true });
  const hours = (6 * 3_600_000) / 15_000;
  expect(await triesUntilSettled((count) => (count < hours ? failure : undefined), { deliveryCountMax: 2 })).toEqual({
    tries: hours,
    active: 0,
    deadLettered: 0,
  });
});

it('takes what fails over the message itself for its own fault', async () => {
  const failure = new PortFailure('too large', { code: 'message-too-large', retryable: false });
  expect(await triesUntilSettled(() => failure)).toEqual({ tries: BREAKS_MAX, active: 0, deadLettered: 1 });
});

describe('renewing locks (issue 9, no 5)', () => {
  const LOCK_MS = 60_000;

  /** Holds `count` messages for so long; the times at which each was renewed. `renew` decides what a renewal does. */
  async function renewals(count: number, heldMs: number, renew: (messageId: string, at: number) => Promise<void>) {
    const clock = new SteppedClock();
    const subscription = { name: 'payments', eventType: undefined, lockMs: LOCK_MS, deliveryCountMax: 100 };
    const topic = {
      name: 'records',
      duplicateDetectionWindowMs: 1_000,
      timeToLiveMs: undefined,
      subscriptions: [subscription],
    };
    const bus = new SqliteMessageBus({ path: ':memory:', topology: [topic], now: () => 0 });
    await bus.send(
      'records',
      Array.from({ length: count }, (_, index) => ({ messageId: `m${index}`, body: {}, properties: {} })),
    );
    const receiver = bus.receiver(SOURCE);
    const stop = new AbortController();
    const times = new Map<string, number[]>();
    const sleepers = new Set<() => void>();
    const wakeAll = (): void => {
      for (const wake of [...sleepers]) wake();
      sleepers.clear();
    };
    let held = 0;
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const sleep = (_ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        sleepers.add(resolve);
        signal?.addEventListener('abort', () => resolve());
      });
    Object.assign(clock, { sleep });
    const ended = receiveLoop({
      receiver: {
        receive: (options) => receiver.receive({ ...options, waitMs: 20 }),
        abandon: (message) => receiver.abandon(message),
        complete: (message) => receiver.complete(message),
        deadLetter: (message, why) => receiver.deadLetter(message, why),
        close: () => receiver.close(),
        renewLock: async (message) => {
          times.set(message.messageId, [...(times.get(message.messageId) ?? []), clock.ms]);
          await renew(message.messageId, clock.ms);
          return message.lockedUntil;
        },
      },
      handle: () => {
        held++;
        return released.then(() => ({ settle: 'complete' as const }));
      },
      concurrentMessages: count,
      lockMs: LOCK_MS,
      idleWaitMaxMs: 1_000,
      breaksMax: BREAKS_MAX,
      drainMs: 1_000,
      clock,
      telemetry: recordedTelemetry().telemetry,
      signal: stop.signal,
    });
    const began = clock.ms;
    await until('all messages are held', () => held === count);
    while (clock.ms - began < heldMs) {
      clock.ms += LOCK_MS / 6;
      wakeAll();
      for (let turns = 0; turns < 10; turns++) await turn();
    }
    release();
    stop.abort();
    let isOver = false;
    void ended.finally(() => (isOver = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await until('the loop has ended', () => {
      wakeAll();
      return isOver;
    });
    await ended;
    await bus.close();
    return [...times]
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([, at]) => at.map((ms) => (ms - began) / LOCK_MS));
  }

  it('renews each message well before its lock ends, again and again', async () => {
    const times = await renewals(3, 2 * LOCK_MS, () => Promise.resolve());
    for (const of of times) {
      expect(of.length).toBeGreaterThanOrEqual(4);
      expect(Math.max(...of.map((at, index) => at - (of[index - 1] ?? 0)))).toBeLessThanOrEqual(0.5);
    }
  });

  it('one that is never answered holds up no other, nor is it asked twice at once', async () => {
    const times = await renewals(4, 2 * LOCK_MS, (messageId) =>
      messageId === 'm1' ? new Promise(() => undefined) : Promise.resolve(),
    );
    expect(times.map((of) => of.length)).toEqual([times[0]!.length, 1, times[0]!.length, times[0]!.length]);
    expect(times[0]!.length).toBeGreaterThanOrEqual(4);
  });

  it('one that fails is repeated while the lock holds; a lost lock is not', async () => {
    let failures = 0;
    const failing = (code: PortFailureCode, retryable: boolean) => (messageId: string) =>
      messageId === 'm0' && failures++ === 0
        ? Promise.reject(new PortFailure('failed', { code, retryable }))
        : Promise.resolve();
    const [repeated] = await renewals(1, LOCK_MS, failing('timed-out', true));
    expect(repeated![1]! - repeated![0]!).toBeLessThan(0.2);
    expect(repeated![1]!).toBeLessThanOrEqual(0.6);
    failures = 0;
    const [lost] = await renewals(1, LOCK_MS, failing('lock-lost', false));
    expect(lost).toHaveLength(1);
  });
});
