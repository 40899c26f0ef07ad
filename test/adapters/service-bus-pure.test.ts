import { EventEmitter } from 'node:events';
import { type ServiceBusClient, type ServiceBusReceivedMessage, type ServiceBusSender } from '@azure/service-bus';
import Long from 'long';
import { toPeeked, toReceived, toServiceBus } from '../../src/adapters/service-bus/message-translation';
import { outgoingBatches } from '../../src/adapters/service-bus/outgoing-batches';
import { guardSdk, LOST_WHILE_WAITING, within } from '../../src/adapters/service-bus/sdk-guard';
import { SettlingTurns, settleWherePossible } from '../../src/adapters/service-bus/sdk-settling';
import { nameOf, requestLimitMs } from '../../src/adapters/service-bus/service-bus-connection';
import { isBatchRefusal, isSilence, serviceBusFailure } from '../../src/adapters/service-bus/service-bus-failures';
import { topologyProblems } from '../../src/adapters/service-bus/topology-plan';
import { PortFailure, type PortFailureCode } from '../../src/application/ports/failures';
import { MESSAGE_ID_LENGTH_MAX, type OutgoingMessage } from '../../src/application/ports/message-bus';
import { instant } from '../../src/domain/instant';
import { ENDED_WITHIN_MS } from '../support/until';

const coded = (code: string, message = 'as told'): Error => Object.assign(new Error(message), { code });

describe('what the SDK throws, by code and by text (issue 9, no 16)', () => {
  it.each<[unknown, PortFailureCode, boolean, number | undefined]>([
    [coded('MessageLockLost'), 'lock-lost', false, undefined],
    [coded('MessageNotFound'), 'lock-lost', false, undefined],
    [coded('MessagingEntityNotFound'), 'not-found', false, undefined],
    [coded('MessageEntityNotFoundError'), 'not-found', false, undefined],
    [coded('MessagingEntityDisabled'), 'unavailable', true, undefined],
    [coded('UnauthorizedAccess'), 'not-authorized', false, undefined],
    [coded('UnauthorizedRequestError'), 'not-authorized', false, undefined],
    [coded('ServiceBusy'), 'unavailable', true, 10_000],
    [coded('ServerBusyError'), 'unavailable', true, 10_000],
    [coded('QuotaExceeded'), 'storage-full', true, 30_000],
    [coded('MessageSizeExceeded'), 'message-too-large', false, undefined],
    [coded('ServiceTimeout'), 'timed-out', true, undefined],
    [coded('ServiceCommunicationProblem'), 'connection-lost', true, undefined],
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].map(
      (code): [unknown, PortFailureCode, boolean, undefined] => [coded(code), 'connection-lost', true, undefined],
    ),
    [coded('ETIMEDOUT'), 'timed-out', true, undefined],
    [Object.assign(new Error('x'), { name: 'ServerBusyError' }), 'unavailable', true, 10_000],
    [{ statusCode: 401 }, 'not-authorized', false, undefined],
    [{ statusCode: 403 }, 'not-authorized', false, undefined],
    [{ statusCode: 404, message: 'x' }, 'unavailable', true, undefined],
    [new Error('it has already been settled'), 'lock-lost', false, undefined],
    [new Error('The lock supplied is invalid'), 'lock-lost', false, undefined],
    [new Error('amqp:not-allowed'), 'not-allowed', false, undefined],
    [new Error('the entity could not be found'), 'not-found', false, undefined],
    [new Error('Unauthorized'), 'not-authorized', false, undefined],
    [new Error('it timed out'), 'timed-out', true, undefined],
    [new Error('the link was detached'), 'connection-lost', true, undefined],
    [{ errors: [coded('MessageLockLost'), coded('ServiceBusy')] }, 'unavailable', true, 10_000],
    [{ errors: [], message: 'x' }, 'unavailable', true, undefined],
    ['text', 'unavailable', true, undefined],
    [undefined, 'unavailable', true, undefined],
    [null, 'unavailable', true, undefined],
  ])('%p is %s', (thrown, code, retryable, retryAfterMs) => {
    const failure = serviceBusFailure('send', thrown, { topic: 't' });
    expect(failure).toMatchObject({
      code,
      retryable,
      facts: { topic: 't' },
      message: expect.stringMatching(/^failed to send: ./),
    });
    expect([failure.retryAfterMs, failure.cause]).toEqual([retryAfterMs, thrown]);
    expect(failure.message.includes('docs/runbooks')).toBe(code === 'not-allowed');
    expect(serviceBusFailure('again', failure)).toBe(failure);
  });

  it('knows a refused batch and silence by their words and codes, and nothing else', () => {
    const of = (code: PortFailureCode, message: string) => new PortFailure(message, { code, retryable: false });
    expect(isBatchRefusal(of('not-allowed', 'Batching brokered messages is not supported'))).toBe(true);
    expect(isBatchRefusal(of('not-allowed', 'a partitioned entity with duplicate detection'))).toBe(true);
    expect(isBatchRefusal(of('not-allowed', 'something else'))).toBe(false);
    expect(isBatchRefusal(of('not-found', 'batching brokered messages'))).toBe(false);
    expect(isBatchRefusal(new Error('batching brokered messages'))).toBe(false);
    for (const text of [
      'no answer within 5 ms',
      'operation timeout',
      'allocated time and retry attempts',
      'has timed out',
    ]) {
      expect(isSilence(of('timed-out', text))).toBe(true);
      expect(isSilence(of('unavailable', text))).toBe(false);
    }
    expect(isSilence(of('timed-out', 'the service gave up'))).toBe(false);
  });

  it.each([
    [1_000, 1_000],
    [4_000, 1_000],
    [4_004, 1_001],
    [60_000, 15_000],
    [80_000, 20_000],
    [80_004, 20_000],
    [300_000, 20_000],
  ])('where a lock lasts %d ms, a request may take %d', (lockMs, limitMs) =>
    expect(requestLimitMs(lockMs)).toBe(limitMs),
  );

  it('names a source, and its dead letters', () => {
    const source = { topic: 't', subscription: 's' };
    expect([
      nameOf(source),
      nameOf({ ...source, deadLetters: true }),
      nameOf({ ...source, deadLetters: false }),
    ]).toEqual(['t/s', 't/s/dead', 't/s']);
  });

  it.each([
    [0, 300_000, 0],
    [19_999, 1, 1],
    [20_000, 1, 0],
    [604_800_000, 1, 0],
    [604_800_001, 1, 1],
    [0, 300_001, 1],
    [1, 300_001, 2],
  ])('a window of %d ms and a lock of %d ms: %d problems', (duplicateDetectionWindowMs, lockMs, problems) => {
    const subscription = { name: 's', eventType: undefined, lockMs, deliveryCountMax: 3 };
    expect(
      topologyProblems([
        { name: 't', duplicateDetectionWindowMs, timeToLiveMs: undefined, subscriptions: [subscription] },
      ]),
    ).toHaveLength(problems);
  });
});

describe('messages on their way to and from Service Bus', () => {
  const wire = (more: object): ServiceBusReceivedMessage =>
    ({ body: Buffer.from('{"a":1}'), ...more }) as unknown as ServiceBusReceivedMessage;
  it('carry what they have and nothing else', () => {
    const message = { messageId: 'm', body: { a: 1 }, properties: { eventType: 'Payments' } };
    const plain = {
      messageId: 'm',
      body: Buffer.from('{"a":1}'),
      contentType: 'application/json',
      applicationProperties: { eventType: 'Payments' },
    };
    expect(toServiceBus('t', message)).toEqual(plain);
    const at = instant('2026-11-20T08:00:00.000Z');
    expect(toServiceBus('t', { ...message, correlationId: 'c', scheduledFor: at })).toEqual({
      ...plain,
      correlationId: 'c',
      scheduledEnqueueTimeUtc: new Date(at),
    });
    expect(() => toServiceBus('t', { ...message, body: undefined })).toThrow('is not JSON');
  });

  it('come with all their parts, or with their absence', () => {
    const at = new Date('2026-11-20T08:00:00.000Z');
    const whole = {
      messageId: 7,
      correlationId: 8,
      sequenceNumber: Long.fromString('9007199254740993'),
      enqueuedTimeUtc: at,
      deliveryCount: 2,
      deadLetterReason: 'r',
      deadLetterErrorDescription: 'd',
      applicationProperties: { a: 'x', DeadLetterReason: 'r', DeadLetterErrorDescription: 'd' },
    };
    expect(toPeeked(wire(whole))).toEqual({
      messageId: '7',
      body: { a: 1 },
      correlationId: '8',
      properties: { a: 'x' },
      sequenceNumber: '9007199254740993',
      enqueuedAt: at.toISOString(),
      deliveryCount: 2,
      deadLetterReason: 'r',
      deadLetterDescription: 'd',
    });
    expect(toPeeked(wire({}))).toEqual({
      messageId: '',
      body: { a: 1 },
      correlationId: undefined,
      properties: {},
      sequenceNumber: '0',
      enqueuedAt: '1970-01-01T00:00:00.000Z',
      deliveryCount: 0,
      deadLetterReason: undefined,
      deadLetterDescription: undefined,
    });
    expect(toReceived(wire({ ...whole, lockToken: 'l', lockedUntilUtc: at }))).toMatchObject({
      deliveryCount: 3,
      lockToken: 'l',
      lockedUntil: at.toISOString(),
    });
    expect(toReceived(wire({ lockToken: 'l' }))).toMatchObject({
      deliveryCount: 1,
      lockedUntil: '1970-01-01T00:00:00.000Z',
    });
    expect(() => toReceived(wire({}))).toThrow('without a lock token');
  });

  /** A batch holds so many bytes of bodies. */
  function sender(linkBytes: number) {
    const asked: (number | undefined)[] = [];
    const createMessageBatch = async (options?: { maxSizeInBytes?: number }) => {
      asked.push(options?.maxSizeInBytes);
      const max = options?.maxSizeInBytes ?? linkBytes;
      let size = 0;
      return {
        maxSizeInBytes: max,
        tryAddMessage: ({ body }: { body: Buffer }) => size + body.length <= max && ((size += body.length), true),
      };
    };
    return { asked, sender: { createMessageBatch } as unknown as ServiceBusSender };
  }
  const message = (messageId: string, bytes: number, scheduled = false): OutgoingMessage => ({
    messageId,
    body: 'x'.repeat(bytes - 2),
    properties: {},
    ...(scheduled && { scheduledFor: instant('2026-11-20T08:00:00.000Z') }),
  });
  const idsOf = ({ batches, scheduled }: Awaited<ReturnType<typeof outgoingBatches>>) => [
    batches.map(({ messages }) => messages.map(({ messageId }) => messageId)),
    scheduled.map(({ messageId }) => messageId),
  ];

  it('fill batches in their order, and the scheduled ones go alone', async () => {
    const { sender: to, asked } = sender(100);
    const messages = [
      message('a', 60),
      message('s', 100, true),
      message('b', 40),
      message('c', 1 + 1),
      message('d', 100),
      message('e', 50),
    ];
    expect(idsOf(await outgoingBatches(to, 't', messages, undefined))).toEqual([
      [['a', 'b'], ['c'], ['d'], ['e']],
      ['s'],
    ]);
    expect(new Set(asked.slice(1))).toEqual(new Set([100]));
  });

  it.each([
    [50, 200, 50],
    [undefined, 200, 200],
    [500, 200, 200],
    [undefined, 5_000_000, 1_048_576],
  ])('may be as large as the least of what is set (%p) and what the link takes (%p)', async (set, link, max) => {
    const { sender: to, asked } = sender(link);
    await outgoingBatches(to, 't', [message('a', max)], set);
    expect(asked[1]).toBe(max);
    for (const scheduled of [false, true])
      await expect(
        outgoingBatches(sender(link).sender, 't', [message('a', max + 1, scheduled)], set),
      ).rejects.toMatchObject({
        code: 'message-too-large',
        retryable: false,
        facts: { topic: 't' },
        message: expect.stringContaining(`expected at most ${max} bytes`),
      });
  });

  it('have an id, and none that is too long', async () => {
    const longest = 'i'.repeat(MESSAGE_ID_LENGTH_MAX);
    expect(idsOf(await outgoingBatches(sender(100).sender, 't', [message(longest, 5)], undefined))).toEqual([
      [[longest]],
      [],
    ]);
    const { sender: to, asked } = sender(100);
    await expect(
      outgoingBatches(to, 't', [message('a', 5), message(`${longest}i`, 5)], undefined),
    ).rejects.toMatchObject({
      code: 'message-too-large',
      message: expect.stringContaining(`${MESSAGE_ID_LENGTH_MAX + 1} characters`),
    });
    await expect(outgoingBatches(to, 't', [message('', 5)], undefined)).rejects.toThrow('empty message id');
    expect(asked).toEqual([]);
  });
});

describe('settling on a link that may go', () => {
  class Link extends EventEmitter {
    closed = false;
    open = true;
    readonly connection = Object.assign(new EventEmitter(), { is_open: () => this.open });
    is_closed = () => this.closed;
  }
  const messageOn = (link: Link | undefined) =>
    ({ messageId: 'm', lockToken: 'l', ...(link && { delivery: { link } }) }) as unknown as ServiceBusReceivedMessage;
  async function settling(
    link: Link | undefined,
    {
      answer = () => Promise.resolve(),
      byToken = () => Promise.resolve(),
    }: { answer?: () => Promise<void>; byToken?: () => Promise<void> } = {},
  ) {
    const ways: string[] = [];
    let tokenMessage: ServiceBusReceivedMessage | undefined;
    await settleWherePossible(
      messageOn(link),
      () => (ways.push('link'), answer()),
      (same) => (ways.push('token'), (tokenMessage = same), byToken()),
    );
    return { ways, tokenMessage };
  }
  const never = (): Promise<void> => new Promise(() => undefined);
  const soon = (work: () => void): void => void setImmediate(work);

  it('goes by the link while it is open, and by lock token where it has gone, with no delivery of its own', async () => {
    expect((await settling(new Link())).ways).toEqual(['link']);
    expect((await settling(undefined)).ways).toEqual(['token']);
    expect((await settling(Object.assign(new Link(), { closed: true }))).ways).toEqual(['token']);
    const { ways, tokenMessage } = await settling(Object.assign(new Link(), { open: false }));
    expect(ways).toEqual(['token']);
    expect(tokenMessage).toMatchObject({ messageId: 'm', lockToken: 'l', delivery: {} });
    expect((tokenMessage as unknown as { delivery: { link?: unknown } }).delivery.link).toBeUndefined();
  });

  it('goes on by lock token where the link or its connection goes before the answer', async () => {
    for (const go of [
      (link: Link) => link.emit('receiver_close'),
      (link: Link) => link.connection.emit('disconnected'),
    ]) {
      const link = new Link();
      soon(() => go(link));
      expect((await settling(link, { answer: never })).ways).toEqual(['link', 'token']);
    }
  });

  it('tells a refusal as it is, and what went before or after another settling disturbs none', async () => {
    const link = new Link();
    await expect(settling(link, { answer: () => Promise.reject(new Error('no lock')) })).rejects.toThrow('no lock');
    expect((await settling(link)).ways).toEqual(['link']);
    link.emit('receiver_close');
    expect((await settling(link)).ways).toEqual(['link']);
    expect(link.listenerCount('receiver_close')).toBe(1);
  });

  it.each([
    [1, 2],
    [3, 4],
    [4, undefined],
  ])('by lock token, through %d lost connections it is asked %p times', async (losses, asked) => {
    let calls = 0;
    const byToken = (): Promise<void> =>
      ++calls <= losses ? Promise.reject(new Error(`x: ${LOST_WHILE_WAITING}`)) : Promise.resolve();
    const settled = settling(undefined, { byToken });
    if (asked === undefined) await expect(settled).rejects.toThrow(LOST_WHILE_WAITING);
    else await settled;
    expect(calls).toBe(asked ?? 4);
    calls = 0;
    await expect(
      settling(undefined, { byToken: () => (calls++, Promise.reject(new Error('no lock'))) }),
    ).rejects.toThrow('no lock');
    expect(calls).toBe(1);
  });

  it('gives what is settled alone a turn of its own, and lets none stop those after it', async () => {
    const turns = new SettlingTurns();
    const order: string[] = [];
    const settle = (name: string) => () => (order.push(name), Promise.resolve(name));
    const all = [
      turns.alone(settle('a')),
      turns.alone(() => Promise.reject(new Error('lost'))),
      turns.alone(() => {
        throw new Error('not even sent');
      }),
      turns.shared(settle('b')),
      turns.shared(settle('c')),
    ];
    expect(order).toEqual([]);
    const told = await Promise.allSettled(all);
    expect(told.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as Error).message))).toEqual([
      'a',
      'lost',
      'not even sent',
      'b',
      'c',
    ]);
    expect(order).toEqual(['a', 'b', 'c']);
    let turnsOfTheLoop = 0;
    const counting = setInterval(() => undefined, 1_000);
    const count = (): void => void (turnsOfTheLoop++, order.length < 5 && setImmediate(count));
    setImmediate(count);
    const first = turns.alone(() => (order.push(`after ${turnsOfTheLoop}`), Promise.resolve('')));
    const second = turns.shared(() => (order.push(`after ${turnsOfTheLoop}`), Promise.resolve('')));
    await Promise.all([first, second]);
    clearInterval(counting);
    const [alone, shared] = order.slice(3).map((each) => Number(each.slice(6)));
    expect(shared! - alone!).toBeGreaterThanOrEqual(1);
  });
});

describe('the guard about the SDK', () => {
  const LIMIT_MS = 40;
  class Closing {
    constructor(private readonly how: () => Promise<void>) {}
    close(): Promise<void> {
      return this.how();
    }
  }
  function guarded(how: () => Promise<void> = () => Promise.resolve(), limitMs = LIMIT_MS) {
    const made: { address?: unknown }[] = [];
    const link = async () => {
      const each = Object.assign(new Closing(how), { address: 'kept' });
      made.push(each);
      return each;
    };
    const unopened = (): { socket?: { destroyed: boolean; destroy(error: Error): void } } => ({});
    const newConnection = () =>
      Object.assign(new EventEmitter(), {
        options: { operationTimeoutInSeconds: 60 },
        _connection: unopened(),
        isOpened: false,
        isOpen(): boolean {
          return this.isOpened;
        },
        async open(): Promise<void> {
          const socket = { destroyed: false, destroy: () => void (socket.destroyed = true) };
          this._connection.socket = socket;
          this.isOpened = true;
        },
        createSession: async () =>
          Object.assign(new Closing(how), { createReceiver: link, createSender: link, createAwaitableSender: link }),
      });
    const tokensAsked: unknown[] = [];
    const newCbs = () => ({
      _cbsSenderReceiverLink: requests(),
      negotiateClaim: async (...args: unknown[]) => void tokensAsked.push(args[3]),
    });
    const context = {
      connection: newConnection(),
      cbsSession: newCbs(),
      managementClients: { a: { _link: requests() }, b: {} },
      getReceiverFromCache: () => undefined,
      refreshConnection: () => Object.assign(context, { connection: newConnection(), cbsSession: newCbs() }),
    };
    guardSdk({ _connectionContext: context } as unknown as ServiceBusClient, limitMs);
    return { context, made, tokensAsked };
  }
  function requests() {
    const told: string[] = [];
    const waiting = {
      cleanupBeforeResolveOrReject: () => void told.push('cleaned'),
      reject: (error: Error) => void told.push(error.message),
    };
    return {
      told,
      _responsesMap: new Map([
        ['one', waiting],
        ['two', waiting],
      ]),
    };
  }

  it('sets the limit of opening and attaching, and of each token, on every connection that comes', async () => {
    const { context, tokensAsked } = guarded();
    for (let connections = 0; connections < 2; connections++) {
      expect(context.connection.options.operationTimeoutInSeconds).toBe(LIMIT_MS / 1_000);
      const negotiate = context.cbsSession.negotiateClaim;
      await negotiate('a', 't', 'x');
      await negotiate('a', 't', 'x', { timeoutInMs: LIMIT_MS - 1 });
      await negotiate('a', 't', 'x', { timeoutInMs: LIMIT_MS + 1, other: 1 });
      expect(tokensAsked.splice(0)).toEqual([
        { timeoutInMs: LIMIT_MS },
        { timeoutInMs: LIMIT_MS - 1 },
        { timeoutInMs: LIMIT_MS, other: 1 },
      ]);
      context.refreshConnection();
    }
  });

  it.each<[string, () => Promise<void>]>([
    ['never answers', () => new Promise(() => undefined)],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('closing that %s ends within the limit', async (_, how) => {
    const { context } = guarded(how);
    const session = await context.connection.createSession();
    const closables = [
      session,
      ...(await Promise.all([session.createReceiver(), session.createSender(), session.createAwaitableSender()])),
    ];
    const began = performance.now();
    await Promise.all(closables.map((each) => each.close()));
    // Without a limit the first of them would be waited for for ever.
    expect(performance.now() - began).toBeLessThan(ENDED_WITHIN_MS);
  });

  it("keeps a link's address for when it has gone", async () => {
    const { context, made } = guarded();
    const session = await context.connection.createSession();
    const link = await session.createReceiver();
    expect([link.address, made.length]).toEqual(['kept', 1]);
    expect(Object.getOwnPropertyDescriptor(link, 'address')).toMatchObject({ value: 'kept', configurable: true });
  });

  it('fails what waits for an answer when its connection breaks, once', () => {
    const { context } = guarded();
    const [tokens, management] = [context.cbsSession._cbsSenderReceiverLink, context.managementClients.a._link];
    for (let breaks = 0; breaks < 2; breaks++) context.connection.emit('disconnected');
    for (const each of [tokens, management]) {
      expect(each.told).toEqual(['cleaned', LOST_WHILE_WAITING, 'cleaned', LOST_WHILE_WAITING]);
      expect(each._responsesMap.size).toBe(0);
    }
  });

  it('opens no connection again that is ending, and takes the socket of one that is replaced', async () => {
    // Longer than a busy machine stands still between two steps.
    const limitMs = 1_000;
    const { context } = guarded(undefined, limitMs);
    const { connection } = context;
    await connection.open();
    await connection.open();
    const { socket } = connection._connection;
    expect(socket?.destroyed).toBe(false);
    // The service has said goodbye, the socket has not ended.
    connection.isOpened = false;
    await expect(connection.open()).rejects.toThrow('the connection is ending');
    expect(socket?.destroyed).toBe(true);
    await expect(connection.open()).rejects.toThrow('the connection is ending');
    // Where no other comes within the limit, it has to do.
    await new Promise((done) => setTimeout(done, limitMs + 10));
    await connection.open();
    const again = connection._connection.socket;
    context.refreshConnection();
    expect(again?.destroyed).toBe(true);
    await expect(connection.open()).rejects.toThrow('the connection is ending');
    await context.connection.open();
    expect(context.connection._connection.socket?.destroyed).toBe(false);
  });

  it('refuses an SDK that has changed', () => {
    expect(() => guardSdk({} as unknown as ServiceBusClient, LIMIT_MS)).toThrow('the Service Bus SDK has changed');
  });

  it('waits for work within its limit and no longer, and leaves no timer', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
    const before = timers();
    await within(60_000, Promise.resolve());
    await expect(within(60_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(timers()).toBeLessThanOrEqual(before);
    const began = performance.now();
    await within(30, new Promise(() => undefined));
    expect(performance.now() - began).toBeGreaterThanOrEqual(28);
  });
});
