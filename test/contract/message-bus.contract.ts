import { randomUUID } from 'node:crypto';
import {
  BROKER_DEAD_LETTER_REASON,
  MESSAGES_PER_CALL_MAX,
  MESSAGE_ID_LENGTH_MAX,
  type MessageBus,
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type PeekedMessage,
  type ReceivedMessage,
  type TopicDeclaration,
} from '../../src/application/ports/message-bus';
import { type Instant, instantFromMs, msOf } from '../../src/domain/instant';
import { noSizes } from '../support/no-sizes';
import { COMES_WITHIN_MS } from '../support/until';

export interface MessageBusFixture {
  readonly bus: MessageBus;
  /** A second, independent client of the same broker, as another process would have. */
  readonly other: MessageBus;
  /** Law 10: whether peek and depth show a message before its time. */
  readonly scheduled: 'shown' | 'hidden';
  /** The broker's time. */
  now(): Instant;
  /** Lets this much of the broker's time pass: a virtual clock moves, a real broker is waited for. */
  advance(ms: number): Promise<void>;
  /**
   * Another team's sender, in the broker's own way: a body and properties (JSON, or `undefined` for one of eventType alone)
   * that no adapter of ours would send. False: this broker takes no such thing in.
   */
  sendRaw(
    topic: string,
    raw: { readonly messageId: string; readonly body: Buffer; readonly properties?: string },
  ): Promise<boolean>;
  /** Lets the clients go without ceremony and connects anew. */
  reopen(): Promise<MessageBus>;
  dispose(): Promise<void>;
}

/** A fixture sets up exactly this, with nothing in it. */
export const CONTRACT_TOPOLOGY: readonly TopicDeclaration[] = [
  {
    name: 'contract-records',
    duplicateDetectionWindowMs: 30_000,
    timeToLiveMs: undefined,
    subscriptions: ['Payments', 'Paperless'].map((eventType) => ({
      name: eventType.toLowerCase(),
      eventType,
      lockMs: 5_000,
      deliveryCountMax: 3,
    })),
  },
  {
    name: 'contract-notes',
    duplicateDetectionWindowMs: 30_000,
    timeToLiveMs: 60_000,
    subscriptions: ['left', 'right'].map((name) => ({
      name,
      eventType: undefined,
      lockMs: 5_000,
      deliveryCountMax: 3,
    })),
  },
];
const NESTED = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const NESTED_IN_MEMBER = `{"dpId":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`;
const HUGE_NUMBER = `{"dpId":${'9'.repeat(100_000)}.5e1}`;

/** What other teams' programs put into a broker, and what must be told of it. */
const RAW: readonly [what: string, raw: { readonly body: Buffer; readonly properties?: string }, body: unknown][] = [
  ['text that is not JSON', { body: Buffer.from('hello') }, 'hello'],
  ['JSON that breaks off', { body: Buffer.from('{"dpId": "1') }, '{"dpId": "1'],
  ['an empty body', { body: Buffer.from('') }, ''],
  ['the body null', { body: Buffer.from('null') }, null],
  ['a number', { body: Buffer.from('12') }, 12],
  ['JSON nested 100,000 deep', { body: Buffer.from(NESTED) }, NESTED],
  ['a member nested 20,000 deep', { body: Buffer.from(NESTED_IN_MEMBER) }, NESTED_IN_MEMBER],
  ['a 64-bit number', { body: Buffer.from('{"dpId":9223372036854775807}') }, { dpId: '9223372036854775807' }],
  ['a number of 100,000 digits', { body: Buffer.from(HUGE_NUMBER) }, { dpId: Infinity }],
  ['bytes that are no UTF-8', { body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) }, '"\uFFFD\uFFFD"'],
  [
    'a member that is no UTF-8',
    { body: Buffer.from([...Buffer.from('{"dpId":"'), 0xc3, ...Buffer.from('"}')]) },
    '{"dpId":"\uFFFD"}',
  ],
  [
    'properties of other kinds',
    { body: Buffer.from('{}'), properties: '{"eventType":"Payments","hop":{"a":[1]},"tenant":null}' },
    {},
  ],
  ['properties that are no JSON', { body: Buffer.from('{}'), properties: '{"eventType":' }, {}],
  ['properties that are a list', { body: Buffer.from('{}'), properties: '["Payments"]' }, {}],
];
/** A difference of long texts is told by its ends. */
const shortOf = (body: unknown): unknown =>
  typeof body === 'string' && body.length > 60 ? `${body.slice(0, 30)}…${body.slice(-30)} (${body.length})` : body;

/** Of a receive that finds nothing while messages are there: a slow broker may need some of them. */
const EMPTY_RECEIVES_MAX = 100;
/** A receive that nothing wakes and no signal ends comes back after COMES_WITHIN_MS. */
const BEFORE_THE_WAIT_IS_OVER_MS = COMES_WITHIN_MS / 3;
/** Of the broker and of this machine. */
const CLOCKS_DIFFER_MS = 1_000;
const LOCK_MS = 5_000;
const WINDOW_MS = 30_000;
const TOPIC = 'contract-records';
const PAYMENTS: MessageSource = { topic: TOPIC, subscription: 'payments' };
const PAPERLESS: MessageSource = { topic: TOPIC, subscription: 'paperless' };
const DEAD_PAYMENTS: MessageSource = { ...PAYMENTS, deadLetters: true };

/** The laws of src/application/ports/message-bus.ts, by number, on any adapter. */
export function messageBusContract(name: string, makeFixture: () => Promise<MessageBusFixture>): void {
  describe(`message bus: ${name}`, () => {
    let fixture: MessageBusFixture;
    let bus: MessageBus;
    let payments: MessageReceiver;
    beforeEach(async () => {
      fixture = await makeFixture();
      bus = fixture.bus;
      payments = bus.receiver(PAYMENTS);
    });
    afterEach(() => fixture.dispose());

    const take = async (receiver = payments): Promise<ReceivedMessage> => {
      const [message] = await receiver.receive({ max: 1, waitMs: COMES_WITHIN_MS });
      if (message === undefined) throw new Error(`expected a message within ${COMES_WITHIN_MS} ms`);
      return message;
    };
    const idsIn = async (source: MessageSource): Promise<readonly string[]> =>
      (await bus.peek(source, { max: 100 })).map(({ messageId }) => messageId);
    const depthIs = async (active: number, scheduled: number, deadLettered: number, of = bus): Promise<void> =>
      expect(await of.depth(PAYMENTS)).toEqual({
        active,
        scheduled: fixture.scheduled === 'shown' ? scheduled : undefined,
        deadLettered,
      });
    const nothingIn = async (receiver: MessageReceiver): Promise<void> =>
      expect(await receiver.receive({ max: 10, waitMs: 0 })).toEqual([]);

    it('1: a message reaches each subscription whose filter takes it, once, and no other', async () => {
      await bus.send(TOPIC, [
        message('pay'),
        message('paper', { eventType: 'Paperless' }),
        message('other', { eventType: 'AutoPay' }),
      ]);
      await bus.send(TOPIC, [message('aimed', { target: 'payments' }), message('astray', { target: 'paperless' })]);
      await bus.send('contract-notes', [message('both'), message('right-only', { target: 'right' })]);
      expect(await idsIn(PAYMENTS)).toEqual(['pay', 'aimed']);
      expect(await idsIn(PAPERLESS)).toEqual(['paper']);
      expect(await idsIn({ topic: 'contract-notes', subscription: 'left' })).toEqual(['both']);
      expect(await idsIn({ topic: 'contract-notes', subscription: 'right' })).toEqual(['both', 'right-only']);
    });

    it('2: a received message is locked: concurrent receivers never share one', async () => {
      const ids = Array.from({ length: 200 }, (_, index) => `m${index}`);
      await bus.send(
        TOPIC,
        ids.map((id) => message(id)),
      );
      const seen: string[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const receiver = (index % 2 === 0 ? bus : fixture.other).receiver(PAYMENTS);
          for (let empty = 0; seen.length < ids.length && empty < EMPTY_RECEIVES_MAX;) {
            const batch = await receiver.receive({ max: 7, waitMs: 300 });
            if (batch.length === 0) empty++;
            seen.push(...batch.map(({ messageId }) => messageId));
          }
          await nothingIn(receiver);
        }),
      );
      expect([...seen].sort()).toEqual([...ids].sort());
    });

    it('3: a completed message is gone for good', async () => {
      await bus.send(TOPIC, [message('once')]);
      await payments.complete(await take());
      await fixture.advance(LOCK_MS + 1);
      await nothingIn(payments);
      await depthIs(0, 0, 0);
      expect(await idsIn(PAYMENTS)).toEqual([]);
    });

    it('4: an abandoned message comes back, its delivery count one higher', async () => {
      await bus.send(TOPIC, [message('again')]);
      const first = await take();
      expect(first.deliveryCount).toBe(1);
      await payments.abandon(first);
      const second = await take();
      expect(second).toMatchObject({ messageId: 'again', deliveryCount: 2 });
      expect(second.lockToken).not.toBe(first.lockToken);
    });

    it('5: a lapsed lock is lost for every settling, and the message comes back with a new token', async () => {
      await bus.send(TOPIC, [message('slow')]);
      const first = await take();
      await fixture.advance(LOCK_MS + 1);
      for (const settle of [
        payments.complete(first),
        payments.abandon(first),
        payments.deadLetter(first, { reason: 'r', description: 'd' }),
      ]) {
        await expect(settle).rejects.toMatchObject({ name: 'PortFailure', code: 'lock-lost' });
      }
      const second = await take();
      expect(second).toMatchObject({ messageId: 'slow', deliveryCount: 2 });
      expect(second.lockToken).not.toBe(first.lockToken);
      await expect(payments.complete(first)).rejects.toMatchObject({ code: 'lock-lost' });
      await payments.complete(second);
    });

    it('6: a renewed lock holds for another lockMs, any number of times; a lost one cannot be renewed', async () => {
      await bus.send(TOPIC, [message('long')]);
      const held = await take();
      for (let round = 0; round < 3; round++) {
        await fixture.advance(LOCK_MS * 0.7);
        const asked = msOf(fixture.now());
        const until = msOf(await payments.renewLock(held)) - LOCK_MS;
        expect(until).toBeGreaterThan(asked - CLOCKS_DIFFER_MS);
        expect(until).toBeLessThan(msOf(fixture.now()) + CLOCKS_DIFFER_MS);
        await nothingIn(payments);
      }
      await fixture.advance(LOCK_MS + 1);
      await expect(payments.renewLock(held)).rejects.toMatchObject({ code: 'lock-lost' });
    });

    it('7: a message received deliveryCountMax times becomes a dead letter, by abandon and by expiry', async () => {
      await bus.send(TOPIC, [message('abandoned')]);
      for (let round = 0; round < 3; round++) await payments.abandon(await take());
      await nothingIn(payments);
      await bus.send(TOPIC, [message('lapsed')]);
      for (let round = 0; round < 3; round++) {
        await take();
        await fixture.advance(LOCK_MS + 1);
      }
      expect((await bus.depth(PAYMENTS)).deadLettered).toBe(2);
      const dead = await bus.peek(DEAD_PAYMENTS, { max: 10 });
      expect(dead.map(({ messageId, deadLetterReason }) => [messageId, deadLetterReason])).toEqual([
        ['abandoned', BROKER_DEAD_LETTER_REASON],
        ['lapsed', BROKER_DEAD_LETTER_REASON],
      ]);
      await nothingIn(payments);
    });

    it('8: a dead letter keeps body, properties and id, and carries reason and description', async () => {
      const sent = message(
        'bad',
        { hop: 3, 'it\'s "odd"': true, traceparent: '00-x' },
        { deep: ['žlutý 🐎', 0.1, { a: [] }] },
      );
      await bus.send(TOPIC, [{ ...sent, correlationId: '12' }]);
      await payments.deadLetter(await take(), { reason: 'InvalidContract', description: "no 'dpId'" });
      const dead = await take(bus.receiver(DEAD_PAYMENTS));
      expect(dead).toMatchObject({
        messageId: 'bad',
        body: sent.body,
        correlationId: '12',
        properties: sent.properties,
        deadLetterReason: 'InvalidContract',
        deadLetterDescription: "no 'dpId'",
      });
    });

    it('9: dead letters are received, peeked and completed like messages; peeking locks nothing', async () => {
      await bus.send(TOPIC, [message('a'), message('b')]);
      for (let round = 0; round < 2; round++)
        await payments.deadLetter(await take(), { reason: 'why', description: '' });
      const dead = fixture.other.receiver(DEAD_PAYMENTS);
      const first = await bus.peek(DEAD_PAYMENTS, { max: 1 });
      const rest = await bus.peek(DEAD_PAYMENTS, { after: first[0]!.sequenceNumber, max: 10 });
      expect([...first, ...rest].map(({ messageId }) => messageId)).toEqual(['a', 'b']);
      const a = await take(dead);
      await dead.abandon(a);
      for (let round = 0; round < 5; round++) await dead.abandon(await take(dead));
      await dead.complete(await take(dead));
      const b = await take(dead);
      await fixture.advance(LOCK_MS + 1);
      await expect(dead.complete(b)).rejects.toMatchObject({ code: 'lock-lost' });
      await dead.complete(await take(dead));
      await depthIs(0, 0, 0);
    });

    it('10: a scheduled message is not received before its time and is soon after it', async () => {
      await bus.send(TOPIC, [
        message('later', {}, {}, plus(fixture.now(), 3_000)),
        message('much-later', {}, {}, plus(fixture.now(), 60_000)),
      ]);
      await bus.send(TOPIC, [message('past', {}, {}, plus(fixture.now(), -3_000))]);
      await depthIs(1, 2, 0);
      await payments.complete(await take());
      await nothingIn(payments);
      await fixture.advance(2_000);
      await nothingIn(payments);
      const waiting = payments.receive({ max: 5, waitMs: COMES_WITHIN_MS });
      await fixture.advance(1_001);
      expect((await waiting).map(({ messageId }) => messageId)).toEqual(['later']);
      await depthIs(1, 1, 0);
    });

    it('10: a scheduled message is shown before its time, or not told of at all', async () => {
      await bus.send(TOPIC, [message('now'), message('later', {}, {}, plus(fixture.now(), 3_000))]);
      const shown = fixture.scheduled === 'shown';
      expect(await idsIn(PAYMENTS)).toEqual(shown ? ['now', 'later'] : ['now']);
      expect((await bus.depth(PAYMENTS)).scheduled).toBe(shown ? 1 : undefined);
      await fixture.advance(3_001);
      expect(await idsIn(PAYMENTS)).toEqual(['now', 'later']);
    });

    it('11: a repeated message id is accepted and dropped within the window: in a call, across calls and clients, scheduled too', async () => {
      await bus.send(TOPIC, [
        message('x', {}, 1),
        message('x', {}, 2),
        message('s', {}, 1, plus(fixture.now(), 3_000)),
      ]);
      await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? bus : fixture.other).send(TOPIC, [
            message('x', {}, 3),
            message('s', {}, 4),
            message('r', {}, index),
          ]),
        ),
      );
      await payments.complete(await take());
      await bus.send(TOPIC, [message('x', {}, 5)]);
      await bus.send('contract-notes', [message('x')]);
      expect((await idsIn(PAYMENTS)).filter((id) => id !== 's')).toEqual(['r']);
      expect(await idsIn({ topic: 'contract-notes', subscription: 'left' })).toEqual(['x']);
      await fixture.advance(WINDOW_MS - 2_000);
      expect([...(await idsIn(PAYMENTS))].sort()).toEqual(['r', 's']);
      await bus.send(TOPIC, [message('x', {}, 6)]);
      expect((await idsIn(PAYMENTS)).filter((id) => id === 'x')).toEqual([]);
      await fixture.advance(2_001);
      await bus.send(TOPIC, [message('x', {}, 7)]);
      expect((await idsIn(PAYMENTS)).filter((id) => id === 'x')).toEqual(['x']);
    });

    it('12: what send acknowledged is there for a new client, and repeating a send is safe', async () => {
      const messages = Array.from({ length: 300 }, (_, index) => message(`m${index}`));
      await bus.send(TOPIC, messages);
      await bus.send(TOPIC, messages);
      const fresh = await fixture.reopen();
      await depthIs(300, 0, 0, fresh);
    });

    it('13: messages sent earlier are received earlier', async () => {
      const ids = Array.from({ length: 60 }, (_, index) => `m${index}`);
      for (let at = 0; at < 60; at += 20)
        await (at === 20 ? fixture.other : bus).send(
          TOPIC,
          ids.slice(at, at + 20).map((id) => message(id)),
        );
      const received: PeekedMessage[] = [];
      while (received.length < 60) {
        const next = await take();
        received.push(next);
        await payments.complete(next);
      }
      expect(received.map(({ messageId }) => messageId)).toEqual(ids);
      const numbers = received.map(({ sequenceNumber }) => BigInt(sequenceNumber));
      expect(numbers.every((number, index) => index === 0 || number > numbers[index - 1]!)).toBe(true);
    });

    it('14: receive wakes for a message, gives up after waitMs and at the signal, and never waits for a full batch', async () => {
      const waiting = payments.receive({ max: 10, waitMs: COMES_WITHIN_MS });
      await fixture.other.send(TOPIC, [message('wake')]);
      const started = performance.now();
      expect((await waiting).map(({ messageId }) => messageId)).toEqual(['wake']);
      expect(performance.now() - started).toBeLessThan(BEFORE_THE_WAIT_IS_OVER_MS);

      const early = performance.now();
      expect(await payments.receive({ max: 1, waitMs: 120 })).toEqual([]);
      expect(performance.now() - early).toBeGreaterThanOrEqual(100);

      const stop = new AbortController();
      const aborted = payments.receive({ max: 1, waitMs: COMES_WITHIN_MS, signal: stop.signal });
      const before = performance.now();
      stop.abort();
      expect(await aborted).toEqual([]);
      expect(performance.now() - before).toBeLessThan(BEFORE_THE_WAIT_IS_OVER_MS);
    });

    it('15: a too large message or a too long id is refused and nothing of that call is sent', async () => {
      const refusal = { name: 'PortFailure', code: 'message-too-large', retryable: false };
      await expect(bus.send(TOPIC, [message('fine'), message('big', {}, 'x'.repeat(2_000_000))])).rejects.toMatchObject(
        refusal,
      );
      await expect(
        bus.send(TOPIC, [message('fine'), message('i'.repeat(MESSAGE_ID_LENGTH_MAX + 1))]),
      ).rejects.toMatchObject(refusal);
      expect(await idsIn(PAYMENTS)).toEqual([]);
      await bus.send(TOPIC, [message('i'.repeat(MESSAGE_ID_LENGTH_MAX))]);
      expect(await idsIn(PAYMENTS)).toHaveLength(1);
      await expect(
        bus.send(
          TOPIC,
          Array.from({ length: MESSAGES_PER_CALL_MAX + 1 }, () => message(randomUUID())),
        ),
      ).rejects.toThrow('at most');
    });

    it('takes, yields and shows 1 to MESSAGES_PER_CALL_MAX messages in one call, and no other number of them', async () => {
      for (const max of noSizes(MESSAGES_PER_CALL_MAX)) {
        await expect(payments.receive({ max, waitMs: 1 })).rejects.toThrow('a receive takes 1 to');
        await expect(bus.peek(PAYMENTS, { max })).rejects.toThrow('a peek yields 1 to');
      }
      await bus.send(
        TOPIC,
        Array.from({ length: MESSAGES_PER_CALL_MAX }, () => message(randomUUID())),
      );
      expect(await bus.peek(PAYMENTS, { max: MESSAGES_PER_CALL_MAX })).toHaveLength(MESSAGES_PER_CALL_MAX);
      expect(await bus.peek(PAYMENTS, { max: 1 })).toHaveLength(1);
      expect(await payments.receive({ max: 1, waitMs: COMES_WITHIN_MS })).toHaveLength(1);
      const rest = await payments.receive({ max: MESSAGES_PER_CALL_MAX, waitMs: COMES_WITHIN_MS });
      expect(rest.length).toBeGreaterThan(0);
      for (const after of ['', '-1', 'x', '1.5', '12345678901234567890'])
        await expect(bus.peek(PAYMENTS, { after, max: 1 })).rejects.toThrow('sequence number');
    });

    it('16: closing a receiver with unsettled messages loses none', async () => {
      await bus.send(TOPIC, [message('a'), message('b')]);
      const leaving = fixture.other.receiver(PAYMENTS);
      await take(leaving);
      await take(leaving);
      await leaving.close();
      await fixture.advance(LOCK_MS + 1);
      const back = [await take(), await take()];
      expect(back.map(({ messageId }) => messageId).sort()).toEqual(['a', 'b']);
    });

    it('17: an acknowledged send stands whatever becomes of the complete after it', async () => {
      await bus.send(TOPIC, [message('first')]);
      const held = await take();
      await fixture.advance(LOCK_MS + 1);
      await bus.send(TOPIC, [message('successor')]);
      await expect(payments.complete(held)).rejects.toMatchObject({ code: 'lock-lost' });
      expect((await idsIn(PAYMENTS)).filter((id) => id === 'successor')).toEqual(['successor']);
    });

    it.each(RAW)('18: %s arrives in its turn and blocks nobody', async (_what, raw, expected) => {
      await bus.send(TOPIC, [message('before')]);
      const taken = await fixture.sendRaw(TOPIC, { messageId: 'raw', ...raw });
      await bus.send(TOPIC, [message('after')]);
      if (!taken) return expect(await idsIn(PAYMENTS)).toEqual(['before', 'after']);
      expect(await idsIn(PAYMENTS)).toEqual(['before', 'raw', 'after']);
      for (const id of ['before', 'raw', 'after']) {
        const received = await take();
        expect(received.messageId).toBe(id);
        if (id !== 'raw') await payments.complete(received);
        else {
          expect(shortOf(received.body)).toEqual(shortOf(expected));
          for (const value of Object.values(received.properties))
            expect(['string', 'number', 'boolean']).toContain(typeof value);
          await payments.deadLetter(received, { reason: 'InvalidContract', description: 'd' });
        }
      }
      const [dead] = await bus.peek(DEAD_PAYMENTS, { max: 10 });
      expect(shortOf(dead?.body)).toEqual(shortOf(expected));
      expect(() => JSON.stringify(dead)).not.toThrow();
    });

    it('drops what is older than the topic keeps it', async () => {
      await bus.send('contract-notes', [message('old')]);
      await fixture.advance(60_001);
      await bus.send('contract-notes', [message('young')]);
      const left = bus.receiver({ topic: 'contract-notes', subscription: 'left' });
      expect((await left.receive({ max: 5, waitMs: COMES_WITHIN_MS })).map(({ messageId }) => messageId)).toEqual([
        'young',
      ]);
    });

    it('names a topic or subscription that is not there', async () => {
      await expect(bus.send('nowhere', [message('x')])).rejects.toMatchObject({ code: 'not-found' });
      await expect(bus.depth({ topic: TOPIC, subscription: 'nobody' })).rejects.toMatchObject({ code: 'not-found' });
    });
  });
}

const plus = (from: Instant, ms: number): Instant => instantFromMs(msOf(from) + ms);

function message(
  messageId: string,
  properties: OutgoingMessage['properties'] = {},
  body: unknown = { messageId },
  scheduledFor?: Instant,
): OutgoingMessage {
  return {
    messageId,
    body,
    properties: { eventType: 'Payments', ...properties },
    ...(scheduledFor === undefined ? {} : { scheduledFor }),
  };
}
