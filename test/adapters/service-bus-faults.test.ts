import { setTimeout as delay } from 'node:timers/promises';
import { type PortFailure } from '../../src/application/ports/failures';
import {
  type MessageReceiver,
  type OutgoingMessage,
  type ReceivedMessage,
  type TopicDeclaration,
} from '../../src/application/ports/message-bus';
import { ServiceBusClient } from '@azure/service-bus';
import { guardSdk } from '../../src/adapters/service-bus/sdk-guard';
import { requestLimitMs } from '../../src/adapters/service-bus/service-bus-connection';
import { type ServiceBusMessageBus } from '../../src/adapters/service-bus/service-bus-message-bus';
import { SilentProxy } from '../support/wire-peers/silent-proxy';
import { SERVICE_ERRORS, type Moment, type ServiceError } from '../support/wire-peers/amqp/planned-faults';
import { ServiceBusFixture } from '../support/wire-peers/amqp/service-bus-fixture';
import { COMES_WITHIN_MS, ENDED_WITHIN_MS, until } from '../support/until';

/** No lock lapses in these tests. */
const LOCK_MS = 60_000;
/** Of one request; none that is answered takes so long. What keeps no limit of ours ends at the SDK's, after 60 s, or never. */
const LIMIT_MS = 2_000;
/** Where a request is to end before its limit, at that of nobody else. */
const LONG_LIMIT_MS = 60_000;
const TOPOLOGY: readonly TopicDeclaration[] = [
  {
    name: 'records',
    duplicateDetectionWindowMs: 600_000,
    timeToLiveMs: undefined,
    subscriptions: [{ name: 'payments', eventType: undefined, lockMs: LOCK_MS, deliveryCountMax: 10 }],
  },
];
const PAYMENTS = { topic: 'records', subscription: 'payments' };

/** rhea-promise's, as far as it is looked at here. */
interface SdkConnection {
  open(): Promise<unknown>;
  createSession(): Promise<{
    createReceiver(options: object): Promise<{ readonly address: string }>;
  }>;
}

let fixture: ServiceBusFixture;
let proxy: SilentProxy;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeEach(async () => {
  fixture = await ServiceBusFixture.start(TOPOLOGY);
  proxy = await SilentProxy.to(fixture.peer.listeningPort);
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  proxy.speak();
  await fixture.stop();
  await proxy.close();
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

const newBus = (operationTimeoutMs = LIMIT_MS): ServiceBusMessageBus => fixture.newBus({ operationTimeoutMs });
const busThroughProxy = (): ServiceBusMessageBus =>
  fixture.newBus({
    operationTimeoutMs: LIMIT_MS,
    connectionString: fixture.peer.connectionString.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`),
  });
const message = (messageId: string): OutgoingMessage => ({ messageId, body: { messageId }, properties: {} });
const numbered = (count: number): readonly OutgoingMessage[] =>
  Array.from({ length: count }, (_, index) => message(`m${index}`));

async function hold(receiver: MessageReceiver, count: number): Promise<readonly ReceivedMessage[]> {
  const held: ReceivedMessage[] = [];
  for (const end = performance.now() + COMES_WITHIN_MS; held.length < count;) {
    if (performance.now() > end) throw new Error(`expected ${count} messages, got ${held.length}`);
    held.push(...(await receiver.receive({ max: count - held.length, waitMs: 500 }).catch(() => [])));
  }
  return held;
}

async function timed<T>(work: Promise<T>): Promise<{ readonly ms: number; readonly failure: PortFailure | undefined }> {
  const began = performance.now();
  const failure = await work.then(
    () => undefined,
    (error: PortFailure) => error,
  );
  return { ms: performance.now() - began, failure };
}

describe('one answer is lost (issue 9, no 5)', () => {
  it('costs that renewal alone its limit, and the other seven nothing', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(8));
    const held = await hold(receiver, 8);
    await receiver.renewLock(held[0]!);
    fixture.peer.plan('com.microsoft:renew-lock', 'lose-answer');
    const ended: string[] = [];
    const renewals = await Promise.all(
      held.map((each) =>
        timed(receiver.renewLock(each)).then((renewal) => {
          ended.push(renewal.failure === undefined ? 'renewed' : 'failed');
          return renewal;
        }),
      ),
    );
    expect(renewals.filter(({ failure }) => failure !== undefined)).toEqual([
      {
        ms: expect.any(Number) as number,
        failure: expect.objectContaining({ code: 'timed-out', retryable: true }) as unknown,
      },
    ]);
    expect(Math.max(...renewals.map(({ ms }) => ms))).toBeLessThan(ENDED_WITHIN_MS);
    expect(ended).toEqual([...Array<string>(7).fill('renewed'), 'failed']);
    // Nor is a message whose renewal hangs settled later for it.
    fixture.peer.plan('com.microsoft:renew-lock', 'lose-answer');
    let isOver = false;
    const renewal = timed(receiver.renewLock(held[1]!)).finally(() => (isOver = true));
    await receiver.complete(held[1]!);
    expect(isOver).toBe(false);
    expect((await renewal).failure).toMatchObject({ code: 'timed-out' });
  });

  it.each<
    [string, Moment, (bus: ServiceBusMessageBus, held: ReceivedMessage, receiver: MessageReceiver) => Promise<unknown>]
  >([
    ['a send', 'send', (bus) => bus.send('records', [message('more')])],
    ['a settling', 'settle', (_bus, held, receiver) => receiver.complete(held)],
    ['a renewal', 'com.microsoft:renew-lock', (_bus, held, receiver) => receiver.renewLock(held)],
    ['a peek', 'com.microsoft:peek-message', (bus) => bus.peek(PAYMENTS, { max: 1 })],
    ['a token', 'token', (bus) => bus.peek({ ...PAYMENTS, deadLetters: true }, { max: 1 })],
  ])('%s fails as timed-out at its limit, and the next one works', async (_name, at, work) => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(3));
    const [held] = await hold(receiver, 1);
    fixture.peer.plan(at, 'lose-answer');
    const { ms, failure } = await timed(work(bus, held!, receiver));
    expect(failure).toMatchObject({ name: 'PortFailure', code: 'timed-out', retryable: true });
    expect(ms).toBeLessThan(ENDED_WITHIN_MS);
    await timed(work(bus, held!, receiver));
    const again = await timed(work(bus, held!, receiver));
    // What took effect finds no lock any more.
    if (at !== 'settle') expect(again.failure).toBeUndefined();
    else expect(again.failure).toMatchObject({ code: 'lock-lost' });
  });

  it('the limit is well below half a lock for every lock that can be set', () => {
    for (let lockSeconds = 5; lockSeconds <= 300; lockSeconds++)
      expect(requestLimitMs(lockSeconds * 1_000)).toBeLessThanOrEqual((lockSeconds * 1_000) / 4);
  });
});

describe('the service closes the connection (issue 9, no 5)', () => {
  it.each([0, 1, 2, 5, 10, 20])('settlings begun %d ms later end within their limit', async (laterMs) => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(6));
    const held = await hold(receiver, 6);
    fixture.peer.forceClose();
    await delay(laterMs);
    const settlings = await Promise.all(
      held.map((each, index) =>
        timed(
          index % 3 === 0
            ? receiver.complete(each)
            : index % 3 === 1
              ? receiver.abandon(each)
              : receiver.deadLetter(each, { reason: 'InvalidContract', description: 'no biller' }),
        ),
      ),
    );
    expect(Math.max(...settlings.map(({ ms }) => ms))).toBeLessThan(ENDED_WITHIN_MS);
    await delay(200);
    const { active, deadLettered } = await fixture.embedded.depth(PAYMENTS);
    const failed = settlings.filter(({ failure }) => failure !== undefined).length;
    expect(active + deadLettered).toBeLessThanOrEqual(4 + failed);
    expect(active + deadLettered).toBeGreaterThanOrEqual(4);
  });

  it('what a settling on the way had done is done once, and told within its limit', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(2));
    const [held] = await hold(receiver, 1);
    fixture.peer.plan('settle', 'force-close');
    const { ms, failure } = await timed(receiver.complete(held!));
    expect(ms).toBeLessThan(ENDED_WITHIN_MS);
    expect([undefined, 'lock-lost']).toContain(failure?.code);
    expect((await fixture.embedded.depth(PAYMENTS)).active).toBe(1);
    expect((await hold(receiver, 1))[0]!.messageId).toBe('m1');
  });

  it('at a send, a renewal and a peek: each ends in time and works when repeated', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(1));
    const [held] = await hold(receiver, 1);
    const works: readonly [Moment, () => Promise<unknown>][] = [
      ['send', () => bus.send('records', [message('again')])],
      ['com.microsoft:renew-lock', () => receiver.renewLock(held!)],
      ['com.microsoft:peek-message', () => bus.peek(PAYMENTS, { max: 1 })],
    ];
    for (const [at, work] of works) {
      fixture.peer.plan(at, 'force-close');
      const { ms, failure } = await timed(work());
      expect(failure).toMatchObject({ retryable: true });
      expect(ms).toBeLessThan(ENDED_WITHIN_MS);
      await repeated(work);
    }
    expect((await fixture.embedded.depth(PAYMENTS)).active).toBe(2);
  });

  it('while requests wait for their answers: what the SDK does when their time is over ends no process', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(1));
    const [held] = await hold(receiver, 1);
    fixture.peer.plan('com.microsoft:peek-message', 'lose-answer');
    fixture.peer.plan('com.microsoft:renew-lock', 'lose-answer');
    const waiting = [timed(bus.peek(PAYMENTS, { max: 1 })), timed(receiver.renewLock(held!))];
    await delay(200);
    fixture.peer.forceClose();
    for (const { failure } of await Promise.all(waiting)) expect(failure).toMatchObject({ retryable: true });
    // The SDK's timer of the peek; jest fails a test in which a timer throws.
    await delay(LIMIT_MS);
    await repeated(() => bus.peek(PAYMENTS, { max: 1 }));
    // The same for a token that was never answered.
    fixture.peer.plan('token', 'lose-answer');
    const other = newBus();
    const sending = timed(other.send('records', [message('other')]));
    await delay(300);
    fixture.peer.forceClose();
    expect((await sending).failure).toMatchObject({ retryable: true });
    await delay(LIMIT_MS);
    await repeated(() => other.send('records', [message('other')]));
  });

  it('and closes again while they are settled by lock token: each is settled, none waits for its limit', async () => {
    const bus = newBus(LONG_LIMIT_MS);
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(12));
    const held = await hold(receiver, 12);
    fixture.peer.plan('com.microsoft:update-disposition', 'lose-answer', 11);
    fixture.peer.plan('com.microsoft:update-disposition', 'force-close');
    fixture.peer.forceClose();
    const settlings = await Promise.all(held.map((each) => timed(receiver.complete(each))));
    expect(Math.max(...settlings.map(({ ms }) => ms))).toBeLessThan(ENDED_WITHIN_MS);
    for (const { failure } of settlings) expect([undefined, 'lock-lost']).toContain(failure?.code);
    expect((await fixture.embedded.depth(PAYMENTS)).active).toBe(0);
  });

  it('again and again while it is at work: one connection is left and one link a source, and nothing is sent to a ghost', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    let stopped = false;
    const completed = new Set<string>();
    const receiving = (async () => {
      while (!stopped) {
        for (const each of await receiver.receive({ max: 10, waitMs: 200 }).catch(() => []))
          receiver.complete(each).then(
            () => completed.add(each.messageId),
            () => undefined,
          );
      }
    })();
    const asking = [1, 2].map(async (who) => {
      for (let count = 0; !stopped; count++) {
        await bus.send('records', [message(`${who}-${count}`)]).catch(() => undefined);
        await bus.peek(PAYMENTS, { max: 1 }).catch(() => undefined);
      }
    });
    for (let closes = 0; closes < 10; closes++) {
      fixture.peer.forceClose();
      const { size } = completed;
      await until('it works again', () => completed.size > size, 10_000);
    }
    stopped = true;
    await Promise.all([receiving, ...asking]);
    await until('one connection is open', () => fixture.peer.openConnections === 1, 5_000);
    expect(fixture.peer.receivingLinks).toBeLessThanOrEqual(1);
  }, 60_000);

  it('asks no link that has gone for its address', async () => {
    const client = new ServiceBusClient(fixture.peer.connectionString);
    guardSdk(client, LIMIT_MS);
    const { connection } = (client as unknown as { _connectionContext: { connection: SdkConnection } })
      ._connectionContext;
    await connection.open();
    const session = await connection.createSession();
    const link = await session.createReceiver({ source: { address: 'records/Subscriptions/payments' } });
    // As rhea leaves a link whose connection broke.
    Object.defineProperty(link, 'source', { value: undefined });
    expect(link.address).toBe('records/Subscriptions/payments');
    await client.close();
  });

  it('at a detach of the links, receiving, sending and settling go on', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(2));
    const [held] = await hold(receiver, 1);
    fixture.peer.detach();
    await delay(20);
    expect((await timed(receiver.complete(held!))).failure).toBeUndefined();
    await repeated(() => bus.send('records', [message('later')]));
    const rest = await hold(receiver, 2);
    expect(rest.map(({ messageId }) => messageId).sort()).toEqual(['later', 'm1']);
  });
});

describe('tokens that ran out (azure-sdk-for-net 11619)', () => {
  it('cost each link its connection to the source once, and nothing is refused afterwards', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', [message('first')]);
    await receiver.complete((await hold(receiver, 1))[0]!);
    const waiting = receiver.receive({ max: 1, waitMs: 3_000 }).then(
      () => undefined,
      (error: PortFailure) => error,
    );
    await delay(100);
    fixture.peer.detach(SERVICE_ERRORS.tokenRanOut);
    await repeated(() => bus.send('records', [message('second')]));
    const failure = await waiting;
    if (failure !== undefined) expect(failure).toMatchObject({ retryable: true });
    if (failure !== undefined) expect((await hold(receiver, 1))[0]).toMatchObject({ messageId: 'second' });
  });
});

describe('one message is held while thousands pass it (amqp/rhea 452: a session frees its room from the oldest alone)', () => {
  const COUNT = 2_200;

  it('they are all received, and the one is settled at the end', async () => {
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', [message('held')]);
    const [held] = await hold(receiver, 1);
    const lastRenewal = setInterval(() => void receiver.renewLock(held!).catch(() => undefined), LOCK_MS / 3);
    try {
      for (let done = 0; done < COUNT;) {
        const batch = Array.from({ length: 200 }, (_, index) => message(`m${done + index}`));
        await bus.send('records', batch);
        const received = await hold(receiver, batch.length);
        await Promise.all(received.map((each) => repeated(() => receiver.complete(each))));
        done += batch.length;
      }
      await receiver.complete(held!);
    } finally {
      clearInterval(lastRenewal);
    }
    expect((await fixture.embedded.depth(PAYMENTS)).active).toBe(0);
  }, 120_000);
});

describe('the connection is half open: nothing is answered and nothing is closed (issue 9, no 4)', () => {
  it('every request ends at its limit, another connection takes over, and no promise is left to end the process', async () => {
    const bus = busThroughProxy();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(4));
    const held = await hold(receiver, 2);
    const waiting = timed(
      receiver.receive({ max: 1, waitMs: 3_000 }).then(() => receiver.receive({ max: 1, waitMs: 3_000 })),
    );
    await delay(300);
    proxy.silenceOpenConnections();
    const began = performance.now();
    const requests = await Promise.all([
      timed(receiver.complete(held[0]!)),
      timed(receiver.renewLock(held[1]!)),
      timed(bus.peek(PAYMENTS, { max: 1 })),
      timed(bus.send('records', [message('more')])),
    ]);
    for (const { ms } of requests) expect(ms).toBeLessThan(ENDED_WITHIN_MS);
    expect(requests.some(({ failure }) => failure?.code === 'timed-out')).toBe(true);
    await repeated(() => bus.send('records', [message('more')]));
    await repeated(() => receiver.renewLock(held[1]!));
    expect(performance.now() - began).toBeLessThan(ENDED_WITHIN_MS);
    await waiting;
    // Past every timer of the SDK's that the limit shortens.
    await delay(3 * LIMIT_MS);
    expect(unhandled).toEqual([]);
  });

  it('leaves no socket behind that would keep the process alive, neither of the connection replaced nor of the last one', async () => {
    const bus = busThroughProxy();
    await bus.send('records', [message('first')]);
    proxy.silenceOpenConnections();
    await repeated(() => bus.send('records', [message('second')]));
    proxy.silenceOpenConnections();
    await bus.close();
    await until('no socket is open', () => proxy.openConnections === 0);
  });

  it('a receive that nobody disturbs finds out by itself', async () => {
    const bus = busThroughProxy();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', [message('first')]);
    await receiver.complete((await hold(receiver, 1))[0]!);
    proxy.silenceOpenConnections();
    await fixture.embedded.send('records', [message('second')]);
    expect((await hold(receiver, 1))[0]).toMatchObject({ messageId: 'second' });
  });

  it('fails in time while new connections are silent as well, and works once they speak', async () => {
    const bus = busThroughProxy();
    await bus.send('records', [message('first')]);
    proxy.fallSilent();
    for (let times = 0; times < 3; times++)
      expect(await timed(bus.send('records', [message('second')]))).toMatchObject({ failure: { retryable: true } });
    proxy.speak();
    await repeated(() => bus.send('records', [message('second')]));
    expect((await fixture.embedded.depth(PAYMENTS)).active).toBe(2);
  });
});

describe('a topic with partitions and duplicate detection (issue 9, no 3)', () => {
  const partitioned = async (): Promise<void> => {
    await fixture.stop();
    fixture = await ServiceBusFixture.start(TOPOLOGY, { partitioned: true });
  };

  it.each([
    ['as the setting says', true, 0],
    ['as its first refusal tells', undefined, 1],
  ])('gets one message a send, %s', async (_name, setting, refusals) => {
    await partitioned();
    const bus = fixture.newBus(setting === undefined ? {} : { partitioned: setting });
    await bus.send('records', numbered(100));
    await bus.send('records', [...numbered(100), message('x')]);
    expect((await bus.peek(PAYMENTS, { max: 200 })).map(({ messageId }) => messageId)).toEqual([
      ...numbered(100).map(({ messageId }) => messageId),
      'x',
    ]);
    expect(fixture.peer.refusedBatches).toBe(refusals);
  });

  it('says of any other refusal of that kind that it is final', async () => {
    const bus = newBus();
    fixture.peer.plan('send', { condition: 'amqp:not-allowed', description: 'It is not possible here.', status: 400 });
    await expect(bus.send('records', [message('x')])).rejects.toMatchObject({
      code: 'not-allowed',
      retryable: false,
      message: expect.stringMatching(/It is not possible here.*will never take this/) as string,
    });
  });
});

describe('the service refuses (issue 9, no 10)', () => {
  it.each<[keyof typeof SERVICE_ERRORS, Partial<PortFailure>]>([
    ['busy', { code: 'unavailable', retryable: true, retryAfterMs: 10_000 }],
    ['timeout', { code: 'timed-out', retryable: true }],
    ['cancelled', { code: 'unavailable', retryable: true }],
    ['internal', { code: 'unavailable', retryable: true }],
    ['lockLost', { code: 'lock-lost', retryable: false }],
    ['quota', { code: 'storage-full', retryable: true }],
    ['disabled', { code: 'unavailable', retryable: true }],
    ['deleted', { code: 'not-found', retryable: false }],
    ['detached', { code: 'connection-lost', retryable: true }],
    // azure-sdk-for-net 11619, azure-sdk-for-python 23487: it names a missing right and means a token that ran out.
    ['tokenRanOut', { code: 'connection-lost', retryable: true }],
  ])('%s: told alike at a send, a settling, a renewal and a peek, and over with it', async (name, expected) => {
    const error: ServiceError = SERVICE_ERRORS[name];
    const bus = newBus();
    const receiver = bus.receiver(PAYMENTS);
    await bus.send('records', numbered(1));
    const [held] = await hold(receiver, 1);
    const works: readonly [Moment, () => Promise<unknown>][] = [
      ['send', () => bus.send('records', [message('more')])],
      ['com.microsoft:renew-lock', () => receiver.renewLock(held!)],
      ['com.microsoft:peek-message', () => bus.peek(PAYMENTS, { max: 1 })],
      ['settle', () => receiver.complete(held!)],
    ];
    for (const [at, work] of works) {
      fixture.peer.plan(at, error);
      await expect(work()).rejects.toMatchObject({ name: 'PortFailure', ...expected });
      if (at !== 'settle') await repeated(work);
    }
  });
});

/** Again and again while that can help. */
async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + COMES_WITHIN_MS; ; await delay(50)) {
    try {
      return await work();
    } catch (error) {
      if ((error as Partial<PortFailure>).retryable !== true || performance.now() > end) throw error;
    }
  }
}
