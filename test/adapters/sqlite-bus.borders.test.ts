import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { MESSAGE_BYTES_MAX, SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import {
  BROKER_DEAD_LETTER_REASON,
  MESSAGES_PER_CALL_MAX,
  MESSAGE_ID_LENGTH_MAX,
  type MessageReceiver,
  type OutgoingMessage,
  type ReceivedMessage,
  type TopicDeclaration,
} from '../../src/application/ports/message-bus';
import { instantFromMs, msOf } from '../../src/domain/instant';

const START_MS = 1_700_000_000_000;
const WINDOW_MS = 30_000;
const LOCK_MS = 5_000;
const KEPT_MS = 60_000;
const DELIVERIES = 3;
const subscription = (name: string, eventType?: string) => ({
  name,
  eventType,
  lockMs: LOCK_MS,
  deliveryCountMax: DELIVERIES,
});
const TOPOLOGY: readonly TopicDeclaration[] = [
  {
    name: 'kept',
    duplicateDetectionWindowMs: WINDOW_MS,
    timeToLiveMs: undefined,
    subscriptions: [subscription('one', 'A'), subscription('two', 'B')],
  },
  {
    name: 'dropped',
    duplicateDetectionWindowMs: WINDOW_MS,
    timeToLiveMs: KEPT_MS,
    subscriptions: [subscription('all')],
  },
  { name: 'repeating', duplicateDetectionWindowMs: 0, timeToLiveMs: undefined, subscriptions: [subscription('all')] },
];
const ONE = { topic: 'kept', subscription: 'one' };
const DEAD = { ...ONE, deadLetters: true };
const DROPPED = { topic: 'dropped', subscription: 'all' };

let nowMs: number;
let bus: SqliteMessageBus;
let receiver: MessageReceiver;
beforeEach(() => {
  nowMs = START_MS;
  bus = new SqliteMessageBus({ path: ':memory:', topology: TOPOLOGY, now: () => nowMs });
  receiver = bus.receiver(ONE);
});
afterEach(() => bus.close());

const at = (ms: number): void => void (nowMs = START_MS + ms);
const message = (messageId: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  messageId,
  body: { messageId },
  properties: { eventType: 'A' },
  ...more,
});
const due = (ms: number) => ({ scheduledFor: instantFromMs(START_MS + ms) });
const send = (...ids: string[]): Promise<void> =>
  bus.send(
    'kept',
    ids.map((id) => message(id)),
  );
const take = async (from = receiver, max = 10): Promise<readonly ReceivedMessage[]> => from.receive({ max, waitMs: 0 });
const one = async (from = receiver): Promise<ReceivedMessage> => (await take(from, 1))[0]!;
const ids = (messages: readonly { readonly messageId: string }[]): readonly string[] =>
  messages.map(({ messageId }) => messageId);
const peeked = async (source: Parameters<SqliteMessageBus['peek']>[0] = ONE) =>
  ids(await bus.peek(source, { max: 100 }));
const depth = () => bus.depth(ONE);

describe('the duplicate window, to the millisecond (issue 9, no 16)', () => {
  it.each([
    [0, 1],
    [1, 1],
    [WINDOW_MS / 2, 1],
    [WINDOW_MS - 1, 1],
    [WINDOW_MS, 2],
    [WINDOW_MS + 1, 2],
  ])('an id repeated after %i ms stands %i time(s)', async (ms, times) => {
    await send('x');
    at(ms);
    await send('x');
    expect(await peeked()).toEqual(Array(times).fill('x'));
  });

  it('runs from what was accepted: a repetition that was dropped does not extend it, one that was taken does', async () => {
    await send('x');
    at(WINDOW_MS - 1);
    await send('x');
    at(WINDOW_MS);
    await send('x');
    at(2 * WINDOW_MS - 1);
    await send('x');
    expect(await peeked()).toEqual(['x', 'x']);
    at(2 * WINDOW_MS);
    await send('x');
    expect(await peeked()).toEqual(['x', 'x', 'x']);
  });

  it('is a topic’s own, and holds for settled, dead and scheduled ones too', async () => {
    await send('done', 'dead');
    await bus.send('kept', [message('later', due(1_000))]);
    for (const each of await take())
      await (each.messageId === 'done'
        ? receiver.complete(each)
        : receiver.deadLetter(each, { reason: 'r', description: 'd' }));
    await bus.send(
      'kept',
      ['done', 'dead', 'later'].map((id) => message(id)),
    );
    expect(await peeked()).toEqual(['later']);
    await bus.send('repeating', [message('done'), message('done')]);
    expect(await peeked({ topic: 'repeating', subscription: 'all' })).toEqual(['done', 'done']);
    await bus.send('dropped', [message('done')]);
    expect(await peeked(DROPPED)).toEqual(['done']);
  });

  it('an id outside every filter is remembered all the same, and a call without news wakes nobody', async () => {
    await bus.send('kept', [message('x', { properties: { eventType: 'C' } })]);
    await send('x');
    expect(await peeked()).toEqual([]);
  });

  it('other ids, and the ids a window holds, outlive the purge of old ones', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'datapump-bus-borders-'));
    const path = join(folder, 'bus.db');
    const filed = new SqliteMessageBus({ path, topology: TOPOLOGY, now: () => nowMs });
    const remembered = (): readonly string[] => {
      const file = new Database(path, { readonly: true });
      try {
        return file.prepare('SELECT message_id FROM accepted ORDER BY message_id').pluck().all() as string[];
      } finally {
        file.close();
      }
    };
    try {
      await filed.send(
        'kept',
        Array.from({ length: 40 }, (_, index) => message(`a${10 + index}`)),
      );
      at(WINDOW_MS - 1);
      await filed.send('kept', [message('b')]);
      expect(remembered()).toHaveLength(41);
      at(WINDOW_MS);
      await filed.send('kept', [message('c')]);
      expect(remembered()).toHaveLength(42 - 17);
      await filed.send('kept', [message('d')]);
      await filed.send('kept', [message('e')]);
      expect(remembered()).toEqual(['b', 'c', 'd', 'e']);
    } finally {
      await filed.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a lock, to the millisecond, and only with the token in hand (issue 9, no 16)', () => {
  const acts = {
    complete: (held: ReceivedMessage) => receiver.complete(held),
    abandon: (held: ReceivedMessage) => receiver.abandon(held),
    'dead-letter': (held: ReceivedMessage) => receiver.deadLetter(held, { reason: 'r', description: 'd' }),
    renew: (held: ReceivedMessage) => receiver.renewLock(held),
  };
  const each = Object.entries(acts);

  it.each(each)('%s: in its last millisecond, and no later', async (_, act) => {
    await send('x', 'y');
    const [x, y] = await take();
    expect(msOf(x!.lockedUntil)).toBe(START_MS + LOCK_MS);
    at(LOCK_MS - 1);
    await act(x!);
    at(LOCK_MS);
    await expect(act(y!)).rejects.toMatchObject({ code: 'lock-lost', retryable: false });
  });

  it.each(each)(
    '%s: not with an old token, nor with another message’s, and the holder keeps what it has',
    async (_, act) => {
      await send('x', 'y');
      const [old, other] = await take();
      at(LOCK_MS);
      const [x, y] = await take();
      expect([x!.messageId, x!.deliveryCount, y!.deliveryCount]).toEqual(['x', 2, 2]);
      for (const lockToken of [old!.lockToken, other!.lockToken, y!.lockToken, '', 'x'])
        await expect(act({ ...x!, lockToken })).rejects.toMatchObject({ code: 'lock-lost' });
      await expect(act({ ...x!, sequenceNumber: '999' })).rejects.toMatchObject({ code: 'lock-lost' });
      at(2 * LOCK_MS - 1);
      expect(await take()).toEqual([]);
      await act(x!);
      await receiver.complete(y!);
    },
  );

  it.each(each.filter(([name]) => name !== 'renew'))('%s twice is lost the second time', async (_, act) => {
    await send('x');
    const held = await one();
    await act(held);
    for (const [, again] of each) await expect(again(held)).rejects.toMatchObject({ code: 'lock-lost' });
  });

  it('renewed, holds for a whole lock from the renewal on, and comes back right after it', async () => {
    await send('x');
    const held = await one();
    at(3_000);
    expect(msOf(await receiver.renewLock(held))).toBe(START_MS + 3_000 + LOCK_MS);
    at(3_000 + LOCK_MS - 1);
    expect(await take()).toEqual([]);
    at(3_000 + LOCK_MS);
    expect((await one()).deliveryCount).toBe(2);
  });

  it('names the message and the queue where the lock is lost, and a closed receiver says so', async () => {
    await send('x');
    const held = await one();
    await receiver.complete(held);
    await expect(receiver.complete(held)).rejects.toMatchObject({
      message: expect.stringContaining('complete message x of kept/one'),
      facts: { messageId: 'x', queue: 'kept/one' },
    });
    await receiver.close();
    for (const [, act] of each) await expect(act(held)).rejects.toMatchObject({ code: 'closed', retryable: false });
    await expect(take()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('schedules and what is too old, to the millisecond (issue 9, no 16)', () => {
  it.each([
    [-1, 0],
    [0, 0],
    [1, 1],
    [10_000, 10_000],
  ])('one scheduled for %i ms from now is received at %i ms', async (wanted, from) => {
    await bus.send('kept', [message('x', due(wanted))]);
    expect(await depth()).toEqual({ active: from === 0 ? 1 : 0, scheduled: from === 0 ? 0 : 1, deadLettered: 0 });
    at(from - 1);
    if (from > 0) expect(await take()).toEqual([]);
    at(from);
    expect(await depth()).toEqual({ active: 1, scheduled: 0, deadLettered: 0 });
    expect(await one()).toMatchObject({ messageId: 'x', deliveryCount: 1, enqueuedAt: instantFromMs(START_MS + from) });
  });

  it('what its topic keeps for a while is there at that age, and gone a millisecond later', async () => {
    await bus.send('dropped', [message('x')]);
    at(KEPT_MS);
    expect(await peeked(DROPPED)).toEqual(['x']);
    const left = bus.receiver(DROPPED);
    const held = await one(left);
    expect(held.messageId).toBe('x');
    await left.abandon(held);
    at(KEPT_MS + 1);
    expect(await peeked(DROPPED)).toEqual([]);
    expect(await take(left)).toEqual([]);
    expect(await bus.depth(DROPPED)).toEqual({ active: 0, scheduled: 0, deadLettered: 0 });
  });

  it('the old before the young are passed over within one receive, also where they fill it', async () => {
    await bus.send(
      'dropped',
      Array.from({ length: 5 }, (_, index) => message(`old${index}`)),
    );
    at(KEPT_MS);
    await bus.send('dropped', [message('at its age')]);
    at(KEPT_MS + 1);
    const left = bus.receiver(DROPPED);
    expect(ids(await take(left, 2))).toEqual(['at its age']);
    expect(await bus.depth(DROPPED)).toEqual({ active: 1, scheduled: 0, deadLettered: 0 });
  });

  it('a send drops some of the old beyond its own number, the oldest first, and no young one', async () => {
    await bus.send(
      'dropped',
      Array.from({ length: 30 }, (_, index) => message(`old${10 + index}`)),
    );
    at(KEPT_MS + 1);
    await bus.send('dropped', [message('young')]);
    expect((await bus.depth(DROPPED)).active).toBe(31 - 17);
    await bus.send('dropped', [message('younger')]);
    expect((await bus.depth(DROPPED)).active).toBe(2);
  });

  it('a dead letter stays however old, and however often it was received', async () => {
    await bus.send('dropped', [message('x')]);
    const left = bus.receiver(DROPPED);
    await left.deadLetter(await one(left), { reason: 'first', description: 'd' });
    const dead = bus.receiver({ ...DROPPED, deadLetters: true });
    for (let round = 1; round <= DELIVERIES + 2; round++) {
      at(round * 10 * KEPT_MS);
      expect((await one(dead)).deliveryCount).toBe(round + 1);
    }
    at(100 * KEPT_MS);
    const held = await one(dead);
    await dead.deadLetter(held, { reason: 'second', description: 'e' });
    expect(await bus.peek({ ...DROPPED, deadLetters: true }, { max: 5 })).toEqual([
      expect.objectContaining({
        messageId: 'x',
        deadLetterReason: 'second',
        deadLetterDescription: 'e',
        sequenceNumber: held.sequenceNumber,
      }),
    ]);
    expect(await bus.depth(DROPPED)).toEqual({ active: 0, scheduled: 0, deadLettered: 1 });
  });
});

describe('received too often (issue 9, no 16)', () => {
  const told = {
    deadLetterReason: BROKER_DEAD_LETTER_REASON,
    deadLetterDescription: `received ${DELIVERIES} times without being settled`,
    deliveryCount: DELIVERIES,
  };

  it('by abandoning: at the very count, neither earlier nor later', async () => {
    await send('x');
    for (let round = 1; round < DELIVERIES; round++) await receiver.abandon(await one());
    expect(await depth()).toEqual({ active: 1, scheduled: 0, deadLettered: 0 });
    await receiver.abandon(await one());
    expect(await depth()).toEqual({ active: 0, scheduled: 0, deadLettered: 1 });
    expect(await bus.peek(DEAD, { max: 5 })).toEqual([expect.objectContaining(told)]);
  });

  it('by lapsing: at the very count, for whoever looks first', async () => {
    const looks = {
      count: () => depth(),
      peek: () => peeked(DEAD),
      receive: () => take(),
      'receive the dead': () => take(bus.receiver(DEAD)),
    };
    for (const [name, look] of Object.entries(looks)) {
      await send(name);
      for (let round = 1; round <= DELIVERIES; round++) {
        expect((await one()).deliveryCount).toBe(round);
        nowMs += LOCK_MS;
      }
      const seen = await look();
      if (name === 'receive the dead')
        expect(seen).toContainEqual(expect.objectContaining({ messageId: name, deliveryCount: DELIVERIES + 1 }));
      const { deliveryCount, ...buried } = told;
      expect(await bus.peek(DEAD, { max: 100 })).toContainEqual(
        expect.objectContaining(name === 'receive the dead' ? buried : { ...told, messageId: name, deliveryCount }),
      );
      expect(await take()).toEqual([]);
    }
  });

  it('a lapsed one below the count comes back beside an exhausted one that does not', async () => {
    await send('old');
    for (let round = 1; round < DELIVERIES; round++) await receiver.abandon(await one());
    await send('new');
    await take();
    at(LOCK_MS);
    expect(ids(await take())).toEqual(['new']);
    expect(await peeked(DEAD)).toEqual(['old']);
  });

  it('so many at once that one look does not bring all back: the next does', async () => {
    for (let part = 0; part < 2; part++)
      await bus.send(
        'kept',
        Array.from({ length: 600 }, (_, index) => message(`${part}-${index}`)),
      );
    await take(receiver, 600);
    await take(receiver, 600);
    at(LOCK_MS);
    expect(await take(receiver, 1_000)).toHaveLength(1_000);
    expect(await take(receiver, 1_000)).toHaveLength(200);
    expect(await take()).toEqual([]);
  });
});

describe('bounds and words of the SQLite bus (issue 9, no 16)', () => {
  it('takes what is exactly as large as it may be, and refuses one more, whole', async () => {
    await send(...Array.from({ length: MESSAGES_PER_CALL_MAX }, (_, index) => `m${index}`));
    expect((await depth()).active).toBe(MESSAGES_PER_CALL_MAX);
    await expect(send(...Array.from({ length: MESSAGES_PER_CALL_MAX + 1 }, (_, index) => `n${index}`))).rejects.toThrow(
      'at most 1000 messages, got 1001',
    );
    await send('x'.repeat(MESSAGE_ID_LENGTH_MAX));
    await expect(send('fine', 'x'.repeat(MESSAGE_ID_LENGTH_MAX + 1))).rejects.toMatchObject({
      code: 'message-too-large',
      retryable: false,
    });
    await expect(send('')).rejects.toThrow('empty message id');
    const properties = { eventType: 'A' };
    const room = MESSAGE_BYTES_MAX - Buffer.byteLength(JSON.stringify(properties)) - 2;
    await bus.send('kept', [message('full', { body: 'é'.repeat((room - (room % 2)) / 2) + 'x'.repeat(room % 2) })]);
    await expect(bus.send('kept', [message('over', { body: 'x'.repeat(room + 1) })])).rejects.toMatchObject({
      code: 'message-too-large',
      message: expect.stringContaining(`${MESSAGE_BYTES_MAX + 1} bytes`),
    });
    await expect(bus.send('kept', [message('none', { body: undefined })])).rejects.toThrow('is not JSON');
    expect((await depth()).active).toBe(MESSAGES_PER_CALL_MAX + 2);
    await bus.send('kept', []);
  });

  it.each([0, -1, 1.5, MESSAGES_PER_CALL_MAX + 1, NaN])('refuses to receive or to peek %p messages', async (max) => {
    await expect(receiver.receive({ max, waitMs: 0 })).rejects.toThrow('takes 1 to 1000');
    await expect(bus.peek(ONE, { max })).rejects.toThrow('yields 1 to 1000');
  });

  it('peeks after the place named, in the order of sending, and refuses a place that is none', async () => {
    await send('a', 'b', 'c');
    const [a, b] = await bus.peek(ONE, { max: MESSAGES_PER_CALL_MAX });
    expect(ids(await bus.peek(ONE, { after: a!.sequenceNumber, max: 1 }))).toEqual(['b']);
    expect(ids(await bus.peek(ONE, { after: b!.sequenceNumber, max: 9 }))).toEqual(['c']);
    for (const after of ['', '-1', '1.5', 'x', '1'.repeat(16)])
      await expect(bus.peek(ONE, { after, max: 1 })).rejects.toThrow('sequence number');
    expect(ids(await bus.peek(ONE, { after: '9'.repeat(15), max: 1 }))).toEqual([]);
    expect(ids(await take(receiver, MESSAGES_PER_CALL_MAX))).toEqual(['a', 'b', 'c']);
  });

  it('a target narrows the filter and does not widen it', async () => {
    const target = (messageId: string, eventType: string, to: string) =>
      message(messageId, { properties: { eventType, target: to } });
    await bus.send('kept', [
      target('a1', 'A', 'one'),
      target('a2', 'A', 'two'),
      target('b2', 'B', 'two'),
      target('none', 'A', 'all'),
    ]);
    expect(await peeked()).toEqual(['a1']);
    expect(await peeked({ topic: 'kept', subscription: 'two' })).toEqual(['b2']);
  });

  it('counts what is ready, locked, lapsed, scheduled, overdue and dead, each once', async () => {
    await send('ready', 'locked', 'dead', 'dead and locked');
    await bus.send('kept', [message('later', due(1_000)), message('much later', due(100_000))]);
    const [ready, , ...dead] = await take();
    await receiver.abandon(ready!);
    for (const each of dead) await receiver.deadLetter(each, { reason: 'r', description: 'd' });
    await one(bus.receiver(DEAD));
    expect(await depth()).toEqual({ active: 2, scheduled: 2, deadLettered: 2 });
    at(1_000);
    expect(await depth()).toEqual({ active: 3, scheduled: 1, deadLettered: 2 });
    at(LOCK_MS);
    expect(await depth()).toEqual({ active: 3, scheduled: 1, deadLettered: 2 });
  });

  it('names the topics and subscriptions there are, and what it cannot do once closed', async () => {
    await expect(bus.send('nowhere', [message('x')])).rejects.toMatchObject({
      code: 'not-found',
      retryable: false,
      message: expect.stringContaining('kept, dropped, repeating'),
      facts: { topic: 'nowhere' },
    });
    expect(() => bus.receiver({ topic: 'kept', subscription: 'three' })).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: expect.stringContaining('one of: one, two'),
        facts: { topic: 'kept', subscription: 'three' },
      }),
    );
    await bus.close();
    for (const call of [() => bus.peek(ONE, { max: 1 }), depth, () => send('x'), () => take()])
      await expect(call()).rejects.toMatchObject({ code: 'closed', retryable: false });
    await bus.close();
  });
});

describe('a waiting receiver of the SQLite bus wakes at once (issue 9, no 16)', () => {
  // Nothing but a signal wakes it, and what is not told to it comes when its wait is over.
  const WAIT_MS = 60_000;
  const BEFORE_THE_WAIT_IS_OVER_MS = WAIT_MS / 3;
  const topology = TOPOLOGY.map((topic) => ({
    ...topic,
    subscriptions: topic.subscriptions.map((each) => ({ ...each, lockMs: WAIT_MS })),
  }));
  beforeEach(async () => {
    await bus.close();
    bus = new SqliteMessageBus({ path: ':memory:', topology, now: () => nowMs, pollMs: WAIT_MS });
    receiver = bus.receiver(ONE);
  });
  const waited = async (from: MessageReceiver, act: () => Promise<unknown>, signal?: AbortSignal) => {
    const waiting = from.receive({ max: 5, waitMs: WAIT_MS, ...(signal && { signal }) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const began = performance.now();
    await act();
    const got = ids(await waiting);
    expect(performance.now() - began).toBeLessThan(BEFORE_THE_WAIT_IS_OVER_MS);
    return got;
  };

  it('for what is sent, abandoned or buried, and when its wait is over or taken back', async () => {
    const dead = bus.receiver(DEAD);
    expect(await waited(receiver, () => send('x'))).toEqual(['x']);
    await send('y', 'z');
    const [y, z] = await take();
    const other = bus.receiver(ONE);
    expect(await waited(other, () => receiver.abandon(y!))).toEqual(['y']);
    expect(await waited(dead, () => receiver.deadLetter(z!, { reason: 'r', description: 'd' }))).toEqual(['z']);
    const stop = new AbortController();
    expect(await waited(receiver, async () => stop.abort(), stop.signal)).toEqual([]);
    expect(await receiver.receive({ max: 1, waitMs: WAIT_MS, signal: stop.signal })).toEqual([]);
    expect(await waited(other, () => other.close())).toEqual([]);
    const began = performance.now();
    expect(await receiver.receive({ max: 1, waitMs: 60 })).toEqual([]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(55);
  });

  it('for an exhausted message among the dead letters', async () => {
    await send('x');
    for (let round = 1; round < DELIVERIES; round++) await receiver.abandon(await one());
    const held = await one();
    expect(await waited(bus.receiver(DEAD), () => receiver.abandon(held))).toEqual(['x']);
  });
});
