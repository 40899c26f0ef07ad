import { recordMessageOf } from '../support/record-messages';
import { type MessageBus } from '../../src/application/ports/message-bus';
import { PortFailure, VersionConflict } from '../../src/application/ports/failures';
import {
  redriveDeadLetters,
  type RedriveOrder,
  type RedrivePorts,
} from '../../src/application/operating/redrive-dead-letters';
import { dpId, dpRecordStream, recordKey, billerId, type RecordKey } from '../../src/domain/identifiers';
import { json } from '../support/scripted-biller';
import { DeliveryBench, KEY } from './delivery-bench';
import { EVENTS, faulty } from './shard-bench';
import { CONFLICTS_MAX } from '../../src/application/history/transact';

const PAYMENTS = { topic: EVENTS.eventsTopic, subscription: 'payments' };
const DEAD = { ...PAYMENTS, deadLetters: true };
const ORDER: RedriveOrder = { dataType: 'Payments', records: undefined, by: 'root@ops-1', reason: 'mended', max: 10 };
const OTHER = recordKey(billerId('12'), dpId('999'));
const TRACE = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01';

let bench: DeliveryBench;
beforeEach(async () => {
  bench = await DeliveryBench.start();
});
afterEach(() => bench.close());

const redrive = (order: Partial<RedriveOrder> = {}, ports: Partial<RedrivePorts> = {}) =>
  redriveDeadLetters({ ...bench.ports, ...ports }, EVENTS)({ ...ORDER, ...order });
const letter = (messageId: string, key: RecordKey = KEY, more: object = {}) => recordMessageOf(messageId, more, key);
async function bury(...letters: readonly ReturnType<typeof letter>[]): Promise<void> {
  await bench.bus.send(EVENTS.eventsTopic, letters);
  const receiver = bench.bus.receiver(PAYMENTS);
  for (const message of await receiver.receive({ max: 1_000, waitMs: 0 }))
    await receiver.deadLetter(message, { reason: 'r', description: 'd' });
  await receiver.close();
}
/** A record whose tries are used up: its stream, its row and a dead letter say so. */
async function deadLettered(): Promise<void> {
  await bench.publish();
  bench.biller.react = json(503, { code: 'maintenance' });
  await bench.runUntilQuiet();
  expect(await bench.rowStatus()).toBe('Failed');
  expect(await dead()).toHaveLength(1);
}
const dead = async () => (await bench.bus.peek(DEAD, { max: 1_000 })).map(({ messageId }) => messageId);
async function takeAll() {
  const receiver = bench.bus.receiver(PAYMENTS);
  const messages = await receiver.receive({ max: 1_000, waitMs: 0 });
  for (const message of messages) await receiver.complete(message);
  await receiver.close();
  return messages;
}
const waiting = async () => (await bench.bus.peek(PAYMENTS, { max: 1_000 })).map(({ messageId }) => messageId);
const redriven = async () =>
  (await bench.eventStore.readStream(dpRecordStream(KEY)))
    .filter(({ type }) => type === 'DpRecordRedriven')
    .map(({ data }) => data);

describe('a redrive (issue 9, no 16)', () => {
  it('reopens the record under the next ordinal, then its row, then sends, then takes the letter away', async () => {
    await deadLettered();
    const [first] = await dead();
    expect(await redrive({ claimedBy: 'anna' })).toEqual([
      { messageId: first, record: KEY, result: 'redriven', newMessageId: '12:100:r1.0' },
    ]);
    expect(await redriven()).toEqual([
      { ordinal: 1, by: 'root@ops-1', claimedBy: 'anna', reason: 'mended', at: bench.clock.now() },
    ]);
    expect(await bench.rowStatus()).toBe('Published');
    const [again] = await bench.bus.peek(PAYMENTS, { max: 5 });
    expect(again).toMatchObject({
      messageId: '12:100:r1.0',
      correlationId: '12',
      properties: { target: 'payments', eventType: 'Payments', hop: 0, traceparent: TRACE },
    });
    expect(await dead()).toEqual([]);
    await bench.runUntilQuiet();
    expect(await redrive()).toMatchObject([{ newMessageId: '12:100:r2.0' }]);
    expect(await redriven()).toEqual([
      expect.objectContaining({ ordinal: 1 }),
      { ordinal: 2, by: 'root@ops-1', reason: 'mended', at: bench.clock.now() },
    ]);
  });

  it('leaves what is not in the order, breaks its contract or is of no shard here, and each can be had again at once', async () => {
    await deadLettered();
    await bury(letter('of another', OTHER), letter('broken', KEY, { dpId: undefined }));
    const answers = await redrive(
      { records: new Set([OTHER]) },
      { shards: { all: () => [], named: () => bench.shard, ofBiller: async () => undefined } },
    );
    expect(
      answers.map(({ messageId, record, ...rest }) => [
        record,
        messageId === 'broken',
        'why' in rest ? rest.why.split(':')[0] : rest.result,
      ]),
    ).toEqual([
      [KEY, false, 'not in the order'],
      [OTHER, false, 'no shard holds biller 12'],
      [undefined, true, 'breaks its contract'],
    ]);
    expect(await redriven()).toEqual([]);
    expect(await dead()).toHaveLength(3);
    expect(await redrive({ records: new Set([KEY]) })).toContainEqual(
      expect.objectContaining({ record: KEY, result: 'redriven' }),
    );
    expect(await dead()).toEqual(['of another', 'broken']);
  });

  it('refuses a record that has its end, by name, and leaves the letter', async () => {
    await bench.publish();
    await bench.runUntilQuiet();
    await bury(letter('late'));
    expect(await redrive()).toEqual([
      { messageId: 'late', record: KEY, result: 'left', why: 'record-not-dead-lettered: the record is delivered' },
    ]);
    expect([await dead(), await waiting(), await bench.rowStatus()]).toEqual([['late'], [], 'Delivered']);
  });

  it('a record that is open already, or unknown, gets an id of its letter’s number, whatever its row counts, and no fact', async () => {
    await bury(letter('unknown'));
    await bench.shard.changeStatuses([{ dpId: dpId('100'), to: 'Published', from: ['Queued'] }]);
    const numbers: string[] = [];
    for (const next of ['again', 'once more', undefined]) {
      const { sequenceNumber } = (await bench.bus.peek(DEAD, { max: 1 }))[0]!;
      numbers.push(sequenceNumber);
      expect(await redrive()).toMatchObject([{ result: 'redriven', newMessageId: `12:100:d${sequenceNumber}.0` }]);
      for (const { messageId } of await takeAll()) expect(messageId).toBe(`12:100:d${sequenceNumber}.0`);
      if (next) await bury(letter(next));
    }
    expect(new Set(numbers).size).toBe(3);
    expect(await redriven()).toEqual([]);
  });

  it('sends a record once in an order: a second letter of it waits for the next', async () => {
    await bury(letter('one'), letter('two'));
    expect(await redrive()).toMatchObject([
      { messageId: 'one', result: 'redriven' },
      { messageId: 'two', result: 'left', why: 'this order sent the record already' },
    ]);
    expect(await dead()).toEqual(['two']);
    expect(await redrive()).toMatchObject([{ messageId: 'two', result: 'redriven' }]);
    expect(await dead()).toEqual([]);
  });

  it('where the row takes no count, the letter’s own number names the id, with its own trace', async () => {
    await bury(letter('first'));
    const { sequenceNumber } = (await bench.bus.peek(DEAD, { max: 1 }))[0]!;
    expect(await redrive()).toMatchObject([{ newMessageId: `12:100:d${sequenceNumber}.0` }]);
    expect((await bench.bus.peek(PAYMENTS, { max: 1 }))[0]!.properties['traceparent']).toMatch(
      /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/,
    );
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 3],
  ])('takes at most %i letters in hand', async (max, taken) => {
    await bury(...['a', 'b', 'c'].map((id) => letter(id, OTHER)));
    expect(await redrive({ max, records: new Set() })).toHaveLength(taken);
    expect(await dead()).toHaveLength(3);
    expect((await bench.bus.peek(DEAD, { max: 9 })).map(({ deliveryCount }) => deliveryCount)).toEqual(
      [0, 1, 2].map((place) => (place < taken ? 2 : 1)),
    );
  });

  it('takes more than one batch, each letter once', async () => {
    await bury(...Array.from({ length: 101 }, (_, index) => letter(`l${index}`, OTHER)));
    const answers = await redrive({ max: 1_000, records: new Set() });
    expect(new Set(answers.map(({ messageId }) => messageId)).size).toBe(101);
    expect(answers).toHaveLength(101);
  });

  const conflict = (): Promise<never> => Promise.reject(new VersionConflict(dpRecordStream(KEY), 1, 2));
  it.each([
    [CONFLICTS_MAX, 'redriven'],
    [CONFLICTS_MAX + 1, 'left'],
  ])('after %i lost races it is %s', async (races, result) => {
    await deadLettered();
    let lost = 0;
    const append = bench.ports.history.appendToRecord.bind(bench.ports.history);
    const history = faulty(bench.ports.history, {
      appendToRecord: (...call) => (lost++ < races ? conflict() : append(...call)),
    });
    expect(await redrive({}, { history })).toMatchObject([
      { result, ...(result === 'left' && { why: 'the record moved too often while it was redriven' }) },
    ]);
    expect(await redriven()).toHaveLength(result === 'left' ? 0 : 1);
  });

  const lost = new PortFailure('lost', { code: 'connection-lost', retryable: true });
  const fails = (): Promise<never> => Promise.reject(lost);
  it.each<[string, () => Partial<RedrivePorts>, RegExp]>([
    ['append', () => ({ history: faulty(bench.ports.history, { appendToRecord: fails }) }), /^12:100:r1\.0$/],
    [
      'reopening',
      () => ({
        shards: {
          all: () => [faulty(bench.shard, { reopen: fails })],
          named: () => bench.shard,
          ofBiller: async () => undefined,
        },
      }),
      /^12:100:d\d+\.0$/,
    ],
    ['send', () => ({ bus: faulty<MessageBus>(bench.bus, { send: fails }) }), /^12:100:d\d+\.0$/],
  ])(
    'where its %s fails it says so, the letter is there at once, and repeated it ends in the same place',
    async (_, ports, id) => {
      await deadLettered();
      await expect(redrive({}, ports())).rejects.toBe(lost);
      expect([await dead(), await waiting()]).toEqual([[expect.any(String)], []]);
      expect(await redrive()).toMatchObject([{ result: 'redriven', newMessageId: expect.stringMatching(id) }]);
      expect(await redriven()).toHaveLength(1);
      expect([await dead(), await waiting(), await bench.rowStatus()]).toEqual([
        [],
        [expect.stringMatching(id)],
        'Published',
      ]);
    },
  );
});
