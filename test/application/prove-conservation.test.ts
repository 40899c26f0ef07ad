import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteRecordProjections } from '../../src/adapters/sqlite/sqlite-record-projections';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { PortFailure } from '../../src/application/ports/failures';
import { type Shard } from '../../src/application/ports/shard';
import { DIFFERING_NAMED_MAX, proveConservation } from '../../src/application/queries/prove-conservation';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { type RowStatus } from '../../src/domain/dp-record/row-status';
import { dpRecordStream, dpId, recordKey, shardName } from '../../src/domain/identifiers';
import { type Day, type Instant, instant, plusMs } from '../../src/domain/instant';
import { merged, WATER, wholeRow } from '../contract/shard.seeds';

const DAY = '2026-11-20' as Day;
const NOON = instant('2026-11-20T12:00:00.000Z');
const NAME = shardName('Shard-1');

describe('conservation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prove-'));
  let shard: SqliteShard;
  let eventStore: SqliteEventStore;
  let projections: SqliteRecordProjections;
  let made = 0;

  beforeEach(() => {
    shard = new SqliteShard({ name: NAME, path: ':memory:', synchronous: 'OFF', now: () => Date.parse(NOON) });
    eventStore = new SqliteEventStore({ path: ':memory:', synchronous: 'OFF' });
    projections = new SqliteRecordProjections({ path: join(folder, `p${++made}.sqlite`) });
  });
  afterEach(async () => {
    projections.close();
    await shard.close();
    await eventStore.close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const row = (number: number, status: RowStatus, createdAt: Instant = NOON) =>
    shard.seed(wholeRow(number, { status, createdAt }));
  const append = (number: number, events: readonly DpRecordEvent[], from: number | 'new' = 'new') =>
    eventStore.append(
      dpRecordStream(recordKey(WATER, dpId(String(number)))),
      from,
      events.map((event) => ({ id: randomUUID(), ...event, metadata: { by: 'test', at: NOON } })),
    );
  const discovered = (number: number, more: object = {}): DpRecordEvent => ({
    type: 'DpRecordDiscovered',
    data: {
      billerId: WATER, dpId: dpId(String(number)), shard: NAME, dataType: 'Payments', customerId: 'c' as never,
      amount: { minorUnits: 100 + number, currency: 'USD' }, at: NOON, createdAt: NOON, ...more,
    },
  }); // prettier-ignore
  const delivered: DpRecordEvent = { type: 'DpRecordDelivered', data: { attempt: 1 } };
  const declined: DpRecordEvent = { type: 'DpRecordDeclined', data: { attempt: 1 } };
  const withdrawn: DpRecordEvent = { type: 'DpRecordWithdrawn', data: { at: NOON } };
  const shardsOf = (each: Shard) => ({ all: () => [each], named: () => each, ofBiller: async () => each });
  const prove = (scope: { readonly day?: Day } = {}, over: Shard = shard) =>
    proveConservation({ eventStore, projections, shards: shardsOf(over) })(scope);

  it.each([{}, { day: DAY }])('holds where both say the same, %j', async (scope) => {
    await row(1, 'Delivered');
    await append(1, [discovered(1), delivered]);
    await row(2, 'Published');
    await append(2, [discovered(2)]);
    await row(3, 'New');
    const proof = await prove(scope);
    expect(proof).toMatchObject({ conserved: true, differences: [], unread: [] });
    expect(proof.shards).toHaveLength(1);
    expect(proof.shards[0]).toMatchObject({
      shard: NAME,
      eligible: { count: 3, amounts: { USD: 306 } },
      ends: { delivered: { count: 1, amounts: { USD: 101 } }, open: { count: 2 } },
    });
  });

  it.each([{}, { day: DAY }])('names the record of every kind of difference, %j', async (scope) => {
    for (const number of [1, 2, 3, 4]) await row(number, 'Delivered');
    await append(1, [discovered(1), delivered]);
    await append(2, [discovered(2), declined]);
    await append(3, [discovered(3, { amount: { minorUnits: 999, currency: 'USD' } }), delivered]);
    // 4 has no event; 5 has no row; 6 ended in its stream alone.
    await append(5, [discovered(5), delivered]);
    await row(6, 'Published');
    await append(6, [discovered(6), delivered]);
    const { conserved, differences } = await prove(scope);
    expect([conserved, differences.map(({ differing }) => differing)]).toEqual([false, [5]]);
    expect(
      differences[0]!.records
        .map(({ record, shardSays, eventStoreSays }) => `${record}: ${shardSays} / ${eventStoreSays}`)
        .sort(),
    ).toEqual([
      'water:2: delivered, 1.02 USD / declined, 1.02 USD',
      'water:3: delivered, 1.03 USD / delivered, 9.99 USD',
      'water:4: delivered, 1.04 USD / no event',
      'water:5: no row / delivered, 1.05 USD',
      'water:6: open, 1.06 USD / delivered, 1.06 USD',
    ]);
    expect(differences[0]!.ends.map(({ end }) => end)).toEqual(['delivered', 'declined']);
  });

  it('names two that make each other’s count and sum, where the money of one end differs from that of the other', async () => {
    await row(1, 'Delivered');
    await row(2, 'Declined');
    await append(1, [discovered(1), declined]);
    await append(2, [discovered(2), delivered]);
    expect((await prove({ day: DAY })).differences[0]).toMatchObject({ differing: 2 });
  });

  it.each([{}, { day: DAY }])('takes a withdrawn record without a row for what it is, %j', async (scope) => {
    await row(1, 'Delivered');
    await append(1, [discovered(1), delivered]);
    await append(2, [discovered(2), withdrawn]);
    expect(await prove(scope)).toMatchObject({ conserved: true, differences: [] });
  });

  it('a record of an older history, filed under the day of its discovery, is no difference of either day', async () => {
    const late = plusMs(NOON, 86_400_000);
    await row(1, 'Delivered');
    await append(1, [discovered(1, { createdAt: undefined, at: late }), delivered]);
    for (const day of [DAY, '2026-11-21' as Day])
      expect(await prove({ day })).toMatchObject({ conserved: true, differences: [] });
    expect((await prove({ day: DAY })).explained).toMatchObject([{ ends: [{ end: 'delivered', eventStore: '0' }] }]);
    expect(await prove()).toMatchObject({ conserved: true, explained: [] });
  });

  it('what moved between its two reads is no difference', async () => {
    await row(1, 'Delivered');
    await append(1, [discovered(1)]);
    const moving: Shard = Object.assign(Object.create(shard) as Shard, {
      rowsOfDay: async (query: Parameters<Shard['rowsOfDay']>[0]) => {
        const rows = await shard.rowsOfDay(query);
        if (rows.length > 0) await append(1, [delivered], 0);
        return rows;
      },
    });
    expect(await prove({ day: DAY }, moving)).toMatchObject({ conserved: true });
  });

  it('counts a day alone, and a biller alone', async () => {
    await row(1, 'Delivered', plusMs(NOON, -86_400_000));
    await row(2, 'Delivered');
    await append(2, [discovered(2), delivered]);
    expect(await prove({ day: DAY })).toMatchObject({ conserved: true });
    expect(await prove({ day: '2026-11-19' as Day })).toMatchObject({ conserved: false });
    const other = await proveConservation({ eventStore, projections, shards: shardsOf(shard) })({ billerId: 'gas' as never });
    expect([other.conserved, other.shards]).toEqual([true, []]);
  }); // prettier-ignore

  it('names so many and counts the rest', async () => {
    await shard.seed(
      merged(
        Array.from({ length: DIFFERING_NAMED_MAX + 3 }, (_, index) =>
          wholeRow(index, { status: 'Delivered', createdAt: NOON }),
        ),
      ),
    );
    const [difference] = (await prove()).differences;
    expect([difference!.records.length, difference!.differing]).toEqual([DIFFERING_NAMED_MAX, DIFFERING_NAMED_MAX + 3]);
  });

  it('says what does not answer, compares nothing of it, and is not conserved', async () => {
    await append(1, [discovered(1), delivered]);
    const away: Shard = Object.assign(Object.create(shard) as Shard, {
      totals: () => Promise.reject(new PortFailure('away', { code: 'unavailable', retryable: true })),
    });
    expect(await prove({}, away)).toMatchObject({
      conserved: false,
      differences: [],
      unread: ['shard Shard-1: away'],
      shardsUnread: [NAME],
    });
  });
});
