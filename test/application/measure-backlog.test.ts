import { ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { DATA_TYPES } from '../../src/domain/biller/data-type';
import { measureBacklog } from '../../src/application/queries/measure-backlog';
import { relayOutbox } from '../../src/application/scanning/relay-outbox';
import { chunkId, dpId } from '../../src/domain/identifiers';
import { type Instant, instant } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';
import { EVENTS, GAS, OUTBOX, recordsOf, ShardBench, STOPPED, WATER } from './shard-bench';

describe('what is still owed (issue 9, no 16)', () => {
  let bench: ShardBench;
  beforeEach(() => {
    bench = new ShardBench();
  });
  afterEach(() => bench.close());
  const measure = (settings: object = {}) => measureBacklog(bench, { ...EVENTS, ...settings })(new Set([WATER, GAS]));
  const drained = async (settings: object = {}) => (await measure(settings)).drained;
  const note = (topic: string, more: object = {}) =>
    bench.bus.send(topic, [{ messageId: 'm', body: {}, properties: { eventType: 'Paperless' }, ...more }]);

  it('nothing at all is drained, and each subscription is named with its counts', async () => {
    const { rows, subscriptions, notices, unpublishedChunks, ...rest } = await measure();
    expect([rows, unpublishedChunks, rest.drained]).toEqual([[], 0, true]);
    const none = { active: 0, scheduled: 0, deadLettered: 0 };
    expect(subscriptions).toEqual([
      { kind: 'Chunks', topic: 'datapump-outbox', subscription: 'fetcher', ...none },
      ...DATA_TYPES.map((kind) => ({
        kind,
        topic: EVENTS.eventsTopic,
        subscription: EVENTS.subscriptions[kind],
        ...none,
      })),
    ]);
    expect(notices).toMatchObject({
      kind: 'Notices',
      topic: 'datapump-validation-errors',
      subscription: 'operations',
      ...none,
    });
  });

  it.each(ROW_STATUSES)('a row that is %s', async (status) => {
    await bench.two.seed({ rows: [bench.row('1', { status })] });
    const { rows, drained: all } = await measure();
    expect(all).toBe(!['New', 'Queued', 'Published'].includes(status));
    expect(rows).toEqual([{ billerId: WATER, dataType: 'Paperless', status, count: 1, oldestAt: bench.clock.now() }]);
  });

  it('a new row of a biller that is not live, or that is due at no plausible time, or of a data type not worked on here, is owed by nobody', async () => {
    await bench.one.seed({
      rows: [
        bench.row('1', { billerId: STOPPED }),
        bench.row('2', { dueAt: '9999-01-01T00:00:00.000Z' as Instant }),
        bench.row('3', { dataType: 'AutoPay' }),
        bench.row('4', { dataType: 'AutoPay', status: 'Published' }),
      ],
    });
    expect(await drained({ dataTypes: ['Paperless'] })).toBe(true);
    expect(await drained()).toBe(false);
    await bench.one.seed({ rows: [bench.row('5')] });
    expect(await drained({ dataTypes: ['Paperless'] })).toBe(false);
  });

  it('a row on its way is owed whosever it is', async () => {
    await bench.one.seed({ rows: [bench.row('1', { billerId: STOPPED, status: 'Published' })] });
    expect(await drained()).toBe(false);
  });

  it('a chunk that nobody sent is owed, and counted over all shards', async () => {
    for (const [index, shard] of [bench.one, bench.two].entries()) {
      await shard.seed({ rows: [bench.row(`${index}`)] });
      await shard.claim({
        billers: [WATER],
        rowsMax: 1,
        plan: (rows) => planChunks(rows, 1),
        newChunkId: () => chunkId(`k${index}`),
      });
      await shard.changeStatuses([{ dpId: dpId(`${index}`), to: 'Withdrawn', from: ['Queued'] }]);
    }
    expect(await measure()).toMatchObject({ unpublishedChunks: 2, drained: false });
    for (const shard of [bench.one, bench.two]) await relayOutbox(bench)(shard);
    expect(await measure()).toMatchObject({ unpublishedChunks: 0, drained: false });
    const receiver = bench.bus.receiver(OUTBOX);
    for (const message of await receiver.receive({ max: 9, waitMs: 0 })) await receiver.complete(message);
    expect(await drained()).toBe(true);
  });

  it.each<[string, () => Promise<void>, boolean]>([
    ['waiting', () => note(EVENTS.eventsTopic), false],
    ['scheduled', () => note(EVENTS.eventsTopic, { scheduledFor: instant('2027-01-01T00:00:00.000Z') }), false],
    [
      'of a data type not worked on here',
      () => note(EVENTS.eventsTopic, { properties: { eventType: 'AutoPay' } }),
      true,
    ],
    ['of a fetcher', () => note('datapump-outbox'), false],
    ['a notice for people', () => note('datapump-validation-errors'), true],
  ])('a message that is %s', async (_, send, all) => {
    await send();
    expect(await drained({ dataTypes: ['Paperless'] })).toBe(all);
  });

  it('a dead letter waits for a person and is not owed', async () => {
    await note(EVENTS.eventsTopic);
    const receiver = bench.bus.receiver(recordsOf('paperless'));
    const [message] = await receiver.receive({ max: 1, waitMs: 0 });
    expect(await drained()).toBe(false);
    await receiver.deadLetter(message!, { reason: 'r', description: 'd' });
    expect(await drained()).toBe(true);
  });
});
