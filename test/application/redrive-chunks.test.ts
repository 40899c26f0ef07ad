import { acknowledgeRejections } from '../../src/application/operating/acknowledge-rejections';
import { fetchChunk } from '../../src/application/fetching/fetch-chunk';
import { createOperatorOrders } from '../../src/application/operating/operator-orders';
import { type MessageBus } from '../../src/application/ports/message-bus';
import { billersNamedBy, countLetters, lettersOf, lookThrough } from '../../src/application/queries/list-dead-letters';
import { redriveChunks } from '../../src/application/operating/redrive-chunks';
import { billerId, type ChunkId, dpId, operatorOrdersStream, type RecordKey } from '../../src/domain/identifiers';
import { DeliveryBench } from './delivery-bench';

const TOPOLOGY = {
  eventsTopic: 'datapump-events',
  subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' },
};
const CHUNKS = { topic: 'datapump-outbox', subscription: 'fetcher' };
const NOTICES = { topic: 'datapump-validation-errors', subscription: 'operations' };
const ORDER = { messageIds: undefined, by: 'anna', reason: 'mended', max: 100 };
const body = { billerId: '12', dpStart: '100', dpEnd: '100', messageId: '12:100+100' };

let bench: DeliveryBench;
beforeEach(async () => {
  bench = await DeliveryBench.start();
});
afterEach(() => bench.close());

/** Sends and gives up, as a fetcher does what breaks it. */
async function bury(messageId: string, content: unknown = body): Promise<void> {
  await bench.bus.send(CHUNKS.topic, [{ messageId, body: content, properties: {} }]);
  const receiver = bench.bus.receiver(CHUNKS);
  const [message] = await receiver.receive({ max: 1, waitMs: 1_000 });
  await receiver.deadLetter(message!, { reason: 'ProcessingBroken', description: 'TypeError' });
  await receiver.close();
}
const createOperatorOrdersOf = (of: DeliveryBench) =>
  createOperatorOrders({ eventStore: of.eventStore, chance: of.ports.chance });
const depth = async () => {
  const { active, deadLettered } = await bench.bus.depth(CHUNKS);
  return { active, deadLettered };
};
const stated = async () =>
  (await bench.eventStore.readStream(operatorOrdersStream(billerId('12')))).map(({ type, data }) => ({
    type,
    ...(data as object),
  }));

describe('dead chunks have a way back (issue 8, no 21)', () => {
  it.each(['own', 'foreign'] as const)(
    'an %s chunk goes again under an id never used, and its rows are fetched',
    async (whose) => {
      await bench.shard.changeStatuses([{ dpId: dpId('100'), to: 'New', from: ['Queued'] }]);
      if (whose === 'own') await bench.shard.adopt([dpId('100')], 'c-1' as ChunkId);
      await bury('c-1', whose === 'own' ? { ...body, chunkId: 'c-1', shard: 'Shard-1', eventType: 'Payments' } : body);
      const [done] = await redriveChunks({ ...bench.ports, orders: createOperatorOrdersOf(bench) }, TOPOLOGY)(ORDER);
      expect(done).toMatchObject({ messageId: 'c-1', result: 'redriven', rows: 1 });
      expect(await depth()).toEqual({ active: 1, deadLettered: 0 });
      const receiver = bench.bus.receiver(CHUNKS);
      const [message] = await receiver.receive({ max: 1, waitMs: 1_000 });
      expect(message?.messageId).toBe((done as { newMessageId: string }).newMessageId);
      await fetchChunk(bench.ports, { eventsTopic: TOPOLOGY.eventsTopic, batchSize: 10, concurrentBillersMax: 1 })(
        message!,
      );
      await receiver.close();
      expect(await bench.rowStatus()).toBe('Published');
      expect(await stated()).toEqual([
        {
          type: 'ChunkRedriven',
          messageId: 'c-1',
          newMessageId: message!.messageId,
          rows: 1,
          by: 'anna',
          reason: 'mended',
          at: bench.clock.now(),
        },
      ]);
    },
  );

  it('an order that dies before the letter is taken away is repeated without a second message or fact', async () => {
    await bury('c-1');
    const dying: MessageBus = Object.assign(Object.create(bench.bus) as MessageBus, {
      receiver: (...source: Parameters<MessageBus['receiver']>) =>
        Object.assign(Object.create(bench.bus.receiver(...source)) as object, {
          complete: () => Promise.reject(new Error('died')),
        }),
    });
    const orders = createOperatorOrdersOf(bench);
    await expect(redriveChunks({ ...bench.ports, orders, bus: dying }, TOPOLOGY)(ORDER)).rejects.toThrow('died');
    expect(await depth()).toEqual({ active: 1, deadLettered: 1 });
    await redriveChunks({ ...bench.ports, orders: createOperatorOrdersOf(bench) }, TOPOLOGY)(ORDER);
    expect(await depth()).toEqual({ active: 1, deadLettered: 0 });
    expect(await stated()).toHaveLength(1);
    expect(await redriveChunks({ ...bench.ports, orders }, TOPOLOGY)(ORDER)).toEqual([]);
  });

  it('leaves what is not in the order, breaks its contract or is of nobody here, and says why', async () => {
    await bury('fine');
    await bury('broken', { billerId: '12' });
    await bury('other');
    const messageIds = new Set(['fine', 'broken']);
    const done = await redriveChunks(
      { ...bench.ports, orders: createOperatorOrdersOf(bench) },
      TOPOLOGY,
    )({ ...ORDER, messageIds });
    expect(
      done.map(({ messageId, ...each }) => [messageId, each.result === 'left' ? each.why.slice(0, 19) : each.result]),
    ).toEqual([
      ['fine', 'redriven'],
      ['broken', 'breaks its contract'],
      ['other', 'not in the order'],
    ]);
    expect(await depth()).toEqual({ active: 1, deadLettered: 2 });
    const shards = { all: () => [], named: () => bench.shard, ofBiller: async () => undefined };
    const nobody = await redriveChunks(
      { ...bench.ports, shards, orders: createOperatorOrdersOf(bench) },
      TOPOLOGY,
    )({ ...ORDER, messageIds: new Set(['other']) });
    expect(nobody).toContainEqual({ messageId: 'other', result: 'left', why: 'no shard holds biller 12' });
  });
});

describe('a look for one biller is not hidden by what others left (issue 8, no 21)', () => {
  const fill = async (): Promise<void> => {
    const message = (messageId: string, biller: string) => ({
      messageId,
      body: { ...body, billerId: biller },
      properties: {},
    });
    await bench.bus.send(CHUNKS.topic, [
      ...Array.from({ length: 700 }, (_, index) => message(`a${index}`, '12')),
      message('b', '13'),
    ]);
  };
  const look = (bounds: { foundMax: number; lookMax: number }, biller: string) =>
    lookThrough(bench.bus, CHUNKS, bounds, (message) => billersNamedBy(message).includes(biller));

  it('finds it behind any number of others, and tells when a bound ended the look', async () => {
    await fill();
    const found = await look({ foundMax: 1, lookMax: 10_000 }, '13');
    expect(found).toMatchObject({ complete: true, lookedAt: 701, found: [{ messageId: 'b' }] });
    expect(await look({ foundMax: 1, lookMax: 10_000 }, '12')).toMatchObject({ complete: false, lookedAt: 1 });
    expect(await look({ foundMax: 1, lookMax: 600 }, '13')).toMatchObject({
      complete: false,
      lookedAt: 600,
      found: [],
    });
    expect(await look({ foundMax: 10, lookMax: 701 }, '13')).toMatchObject({ complete: true, lookedAt: 701 });
    expect(await look({ foundMax: 10, lookMax: 10_000 }, '14')).toMatchObject({ complete: true, found: [] });
  });

  it('names every biller that a message names, and counts by type, biller and reason', () => {
    expect(billersNamedBy({ body: { billerId: 12 }, properties: { billerId: '13' }, correlationId: '12' })).toEqual([
      '12',
      '13',
    ]);
    expect(billersNamedBy({ body: 'text', properties: {}, correlationId: undefined })).toEqual([]);
    const letters = [
      ['Payments', '12', 'X'],
      ['Chunks', '12', 'X'],
      ['Payments', '12', 'X'],
      ['Payments', '13', 'X'],
    ] as const;
    expect(countLetters(letters.map(([kind, biller, reason]) => ({ kind, billerId: biller, reason })))).toEqual([
      { kind: 'Payments', billerId: '12', reason: 'X', count: 2 },
      { kind: 'Chunks', billerId: '12', reason: 'X', count: 1 },
      { kind: 'Payments', billerId: '13', reason: 'X', count: 1 },
    ]);
    expect(lettersOf(TOPOLOGY, 'Notices')).toEqual({ ...NOTICES, deadLetters: true });
  });
});

describe('notices of rejected rows are acknowledged (issue 8, no 21)', () => {
  it('those named, also where a broker gave them up; stated before they are taken away, once', async () => {
    const notice = (key: string) => ({ messageId: `${key}:rejected`, body: { billerId: '12' }, properties: {} });
    await bench.bus.send(NOTICES.topic, [
      notice('12:1'),
      notice('12:2'),
      notice('12:3'),
      { ...notice('x'), messageId: 'something else' },
    ]);
    const receiver = bench.bus.receiver(NOTICES);
    const [first] = await receiver.receive({ max: 1, waitMs: 1_000 });
    await receiver.deadLetter(first!, { reason: 'r', description: 'd' });
    const acknowledge = (records: ReadonlySet<RecordKey> | undefined) =>
      acknowledgeRejections(
        { orders: createOperatorOrdersOf(bench), bus: bench.bus },
        TOPOLOGY,
      )({ records, by: 'anna', reason: 'mended', at: bench.clock.now(), max: 100 });
    expect(await acknowledge(new Set(['12:1', '12:3'] as RecordKey[]))).toEqual(['12:3', '12:1']);
    expect((await bench.bus.peek(NOTICES, { max: 10 })).map(({ messageId }) => messageId)).toEqual([
      '12:2:rejected',
      'something else',
    ]);
    expect(await acknowledge(undefined)).toEqual(['12:2']);
    expect(await acknowledge(undefined)).toEqual([]);
    expect((await stated()).map((each) => (each as unknown as { dpId: string }).dpId)).toEqual(['3', '1', '2']);
    await receiver.close();
  });
});
