import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { ROWS_PER_CALL_MAX } from '../../src/application/ports/shard';
import { type ClaimRequest } from '../../src/application/ports/shard-claims';
import { type StatusChange } from '../../src/application/ports/shard-results';
import { type SeedRow } from '../../src/adapters/shared/shard-seed';
import { allowedPredecessors, ROW_STATUSES, type RowStatus } from '../../src/domain/dp-record/row-status';
import { billerId, chunkId, customerId, type DpId, dpId, shardName } from '../../src/domain/identifiers';
import { type Instant, instantFromMs } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';

const START_MS = Date.parse('2026-11-20T08:00:00.000Z');
const INTERVAL_MS = 300_000;
const WATER = billerId('water');
const GAS = billerId('gas');

let nowMs: number;
let shard: SqliteShard;
beforeEach(() => {
  nowMs = START_MS;
  shard = new SqliteShard({ name: shardName('Shard-1'), path: ':memory:', now: () => nowMs });
});
afterEach(() => shard.close());

const at = (ms: number): Instant => instantFromMs(START_MS + ms);
const row = (id: string, more: Partial<SeedRow> = {}): SeedRow => ({
  dpId: dpId(id),
  billerId: WATER,
  dataType: 'Paperless',
  customerId: customerId('c'),
  createdAt: at(0),
  ...more,
});
const seed = (...rows: readonly SeedRow[]) => shard.seed({ rows });
const move = (id: string, to: RowStatus, from: readonly RowStatus[]): Promise<readonly DpId[]> =>
  shard.changeStatuses([{ dpId: dpId(id), to, from } satisfies StatusChange]);
/** A sweep as the service makes it: whatever stood still for the interval, now. */
const sweep = async (max = 100) => {
  const taken = await shard.takeStalled({ before: instantFromMs(nowMs - INTERVAL_MS), max });
  return taken.map(({ dpId: id, ordinal }) => `${id}#${ordinal}`);
};
const sweepAt = (ms: number, max?: number) => {
  nowMs = START_MS + ms;
  return sweep(max);
};
let chunks = 0;
const claim = (more: Partial<ClaimRequest> = {}) =>
  shard.claim({
    billers: [WATER],
    rowsMax: 100,
    plan: (rows) => planChunks(rows, 100),
    newChunkId: () => chunkId(`k${chunks++}`),
    ...more,
  });

describe('a stalled row, to the millisecond (issue 9, no 16)', () => {
  it.each(['Queued', 'Published', 'InDoubt'] as const)(
    'a %s row is swept after its interval and not before, and waits a whole interval again',
    async (status) => {
      await seed(row('1', { status }));
      for (const early of [0, 1, INTERVAL_MS - 1, INTERVAL_MS]) expect(await sweepAt(early)).toEqual([]);
      const first = INTERVAL_MS + 1;
      expect(await sweepAt(first)).toEqual(['1#1']);
      expect(await sweep()).toEqual([]);
      for (const early of [first + 1, first + INTERVAL_MS - 1, first + INTERVAL_MS])
        expect(await sweepAt(early)).toEqual([]);
      expect(await sweepAt(first + INTERVAL_MS + 1)).toEqual(['1#2']);
      expect(await sweepAt(first + 2 * INTERVAL_MS + 1)).toEqual([]);
      expect((await shard.findRow(dpId('1')))!.sweepCount).toBe(2);
    },
  );

  it.each(ROW_STATUSES.filter((status) => !['Queued', 'Published', 'InDoubt'].includes(status)))(
    'a %s row is never swept',
    async (status) => {
      await seed(row('1', { status }));
      expect(await sweepAt(1_000 * INTERVAL_MS)).toEqual([]);
    },
  );

  it.each<[string, () => Promise<unknown>]>([
    ['a change of status', () => move('1', 'InDoubt', ['Published'])],
    ['a result', () => shard.reconcile({ dpId: dpId('1'), to: 'InDoubt', from: ['Published'] })],
    ['a note of progress', () => shard.noteProgress(dpId('1'), at(1_000))],
    ['a reopening', async () => (await move('1', 'Failed', ['Published']), shard.reopen(dpId('1')))],
  ])('%s puts the sweep off by a whole interval from then', async (_, act) => {
    await seed(row('1', { status: 'Published' }));
    nowMs = START_MS + 1_000;
    await act();
    expect(await sweepAt(1_000 + INTERVAL_MS)).toEqual([]);
    expect(await sweepAt(1_001 + INTERVAL_MS)).toHaveLength(1);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a change that is refused', () => move('1', 'Delivered', ['Queued'])],
    ['a change to what stands', () => move('1', 'Published', ['Queued', 'Published'])],
    ['a result that stands', () => shard.reconcile({ dpId: dpId('1'), to: 'Published', from: ['Queued'] })],
    ['a note of what is past', () => shard.noteProgress(dpId('1'), at(-1))],
    ['a reopening of what is open', () => shard.reopen(dpId('1'))],
  ])('%s is no progress', async (_, act) => {
    await seed(row('1', { status: 'Published' }));
    nowMs = START_MS + 1_000;
    await act();
    expect(await sweepAt(INTERVAL_MS)).toEqual([]);
    expect(await sweepAt(INTERVAL_MS + 1)).toHaveLength(1);
  });

  it('a row put off to a later time waits for it, whatever happens to it meanwhile', async () => {
    await seed(row('1', { status: 'Published' }));
    await shard.noteProgress(dpId('1'), at(10_000_000));
    await move('1', 'Failed', ['Published']);
    await shard.reopen(dpId('1'));
    expect(await sweepAt(10_000_000 + INTERVAL_MS)).toEqual([]);
    expect(await sweepAt(10_000_001 + INTERVAL_MS)).toHaveLength(1);
  });

  it('takes those that stood longest first, at most as many as asked, each once', async () => {
    await seed(...['c', 'a', 'b'].map((id, index) => row(id, { status: 'Queued', createdAt: at(index) })));
    const late = INTERVAL_MS + 100;
    expect(await sweepAt(late, 2)).toHaveLength(2);
    expect((await shard.findRow(dpId('b')))!.sweepCount).toBe(0);
    expect(await sweepAt(late, 2)).toEqual(['b#1']);
    expect(await sweepAt(late, 2)).toEqual([]);
  });

  it('claiming and adopting stamp progress too', async () => {
    await seed(
      row('1', { createdAt: at(-10 * INTERVAL_MS) }),
      row('2', { billerId: GAS, createdAt: at(-10 * INTERVAL_MS) }),
    );
    await claim();
    await shard.adopt([dpId('2')], chunkId('foreign'));
    expect(await sweepAt(INTERVAL_MS)).toEqual([]);
    expect((await sweepAt(INTERVAL_MS + 1)).sort()).toEqual(['1#1', '2#1']);
  });
});

describe('claims and the outbox of the SQLite shard, at their borders (issue 9, no 16)', () => {
  it('a row is due at its very millisecond', async () => {
    await seed(row('1', { dueAt: at(10) }));
    nowMs = START_MS + 9;
    expect(await claim()).toEqual([]);
    nowMs = START_MS + 10;
    expect(await claim()).toHaveLength(1);
  });

  it('rows go out oldest due first, and in the order they came where equally due', async () => {
    await seed(
      row('9', { dueAt: at(-1) }),
      row('3', { dueAt: at(-2) }),
      row('2', { dueAt: at(-2) }),
      row('1', { dueAt: at(-3) }),
      row('8', { billerId: GAS, dueAt: at(-2) }),
    );
    const given: string[] = [];
    await claim({
      billers: [WATER, GAS, WATER],
      rowsMax: 4,
      plan: (rows) => (given.push(...rows.map(({ dpId: id }) => id)), []),
    });
    expect(given).toEqual(['1', '3', '2', '8']);
  });

  it('shares evenly, and what one biller does not need goes to the others, up to rowsMax', async () => {
    await seed(
      ...Array.from({ length: 20 }, (_, index) => row(`w${10 + index}`)),
      ...['g1', 'g2'].map((id) => row(id, { billerId: GAS })),
    );
    const claimed = await claim({ billers: [WATER, GAS, billerId('none')], rowsMax: 12 });
    expect(claimed.map(({ billerId: biller, rows }) => [biller, rows])).toEqual(
      expect.arrayContaining([
        [WATER, 10],
        [GAS, 2],
      ]),
    );
    expect(await claim({ billers: [], rowsMax: 5 })).toEqual([]);
  });

  it('hands out unpublished chunks in the order of their claims, at most as many as asked, until each is marked', async () => {
    for (const id of ['10', '9', '11']) {
      await seed(row(id));
      await claim();
    }
    const all = await shard.unpublishedChunks(10);
    expect(
      all.map(({ dpStart, dpEnd, rows, shard: name, dataType }) => [dpStart, dpEnd, rows, name, dataType]),
    ).toEqual(['10', '9', '11'].map((id) => [id, id, 1, 'Shard-1', 'Paperless']));
    expect(await shard.unpublishedChunks(2)).toEqual(all.slice(0, 2));
    await shard.markPublished([all[1]!.chunkId, all[1]!.chunkId]);
    expect(await shard.unpublishedChunks(2)).toEqual([all[0], all[2]]);
    await shard.markFetched(all[0]!.chunkId);
    expect(await shard.unpublishedChunks(9)).toHaveLength(2);
  });

  it('adopts only New rows, and leaves others their chunk', async () => {
    await seed(row('1'), row('2', { status: 'Published' }));
    await shard.adopt([dpId('1'), dpId('2'), dpId('3')], chunkId('foreign'));
    expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'Queued', chunkId: 'foreign' });
    expect(await shard.findRow(dpId('2'))).toMatchObject({ status: 'Published', chunkId: undefined });
  });

  it.each(['before', 'at', 'after'])('the ends of a range are in it (%s)', async (where) => {
    await seed(...['8', '9', '10', '11', '010', 'a'].map((id) => row(id)));
    const [from, to] = { before: ['9', '10'], at: ['10', '10'], after: ['010', '0011'] }[where]!;
    const found = await shard.rowsInRange({
      billerId: WATER,
      dataType: undefined,
      from: dpId(from!),
      to: dpId(to!),
      max: 10,
    });
    expect(found.map(({ dpId: id }) => id)).toEqual({ before: ['9', '10'], at: ['10'], after: ['10', '11'] }[where]);
  });

  it('a range holds New and Queued rows of the biller and the data type, at most as many as asked', async () => {
    await seed(
      ...ROW_STATUSES.map((status, index) => row(`${10 + index}`, { status })),
      row('30', { billerId: GAS }),
      row('31', { dataType: 'AutoPay' }),
    );
    const range = { billerId: WATER, dataType: undefined, from: dpId('10'), to: dpId('99'), max: 10 };
    expect((await shard.rowsInRange(range)).map(({ dpId: id }) => id)).toEqual(['10', '11', '31']);
    expect(await shard.rowsInRange({ ...range, dataType: 'AutoPay' })).toHaveLength(1);
    expect(await shard.rowsInRange({ ...range, max: 2 })).toHaveLength(2);
  });
});

describe('results at the SQLite shard (issue 9, no 16)', () => {
  const detail = (attempt: number, outcome: 'Delivered' | 'Declined') => ({
    attempt,
    outcome,
    billerReference: undefined,
    code: undefined,
    recordedAt: at(0),
  });
  const result = (to: RowStatus, attempt?: number, outcome: 'Delivered' | 'Declined' = 'Delivered') =>
    shard.reconcile({
      dpId: dpId('1'),
      to,
      from: allowedPredecessors(to),
      ...(attempt !== undefined && { detail: detail(attempt, outcome) }),
    });

  it.each<[string, RowStatus, () => Promise<unknown>, string, RowStatus, number]>([
    ['adds what is new', 'Published', () => result('Delivered', 1), 'applied', 'Delivered', 1],
    [
      'repeats nothing',
      'Published',
      async () => (await result('Delivered', 1), result('Delivered', 1)),
      'already-so',
      'Delivered',
      1,
    ],
    [
      'follows a failure',
      'Published',
      async () => (await result('Failed'), result('Delivered', 1)),
      'applied',
      'Delivered',
      1,
    ],
    [
      'adds the status to a detail that stands',
      'Published',
      async () => (
        await result('Delivered', 1),
        shard.reconcile({ dpId: dpId('1'), to: 'Failed', from: ['Delivered'], detail: detail(1, 'Delivered') })
      ),
      'applied',
      'Failed',
      1,
    ],
    [
      'refuses another outcome of one attempt',
      'Published',
      async () => (
        await result('Delivered', 1),
        shard.reconcile({ dpId: dpId('1'), to: 'Declined', from: ['Delivered'], detail: detail(1, 'Declined') })
      ),
      'refused',
      'Delivered',
      1,
    ],
    [
      'refuses a second attempt on what is final',
      'Published',
      async () => (await result('Delivered', 1), result('Delivered', 2)),
      'refused',
      'Delivered',
      1,
    ],
    ['refuses what may not follow', 'Delivered', () => result('Failed'), 'refused', 'Delivered', 0],
  ])('%s', async (_, status, act, answer, stands, details) => {
    await seed(row('1', { status }));
    expect(await act()).toBe(answer);
    const found = await shard.findRow(dpId('1'));
    expect([found!.status, found!.details.length]).toEqual([stands, details]);
  });

  it('says of a missing row that it is missing', async () => {
    expect(await result('Delivered', 1)).toBe('row-missing');
    expect(await shard.reopen(dpId('1'))).toBeUndefined();
    expect(await move('1', 'Queued', ['New'])).toEqual([]);
  });
});

describe('bounds of the SQLite shard (issue 9, no 16)', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => dpId(`m${index}`));
  it.each<[string, (count: number) => Promise<unknown>]>([
    ['claim', (count) => claim({ rowsMax: count })],
    ['unpublishedChunks', (count) => shard.unpublishedChunks(count)],
    ['markPublished', (count) => shard.markPublished(many(count).map((id) => chunkId(id)))],
    ['adopt', (count) => shard.adopt(many(count), chunkId('k'))],
    [
      'changeStatuses',
      (count) =>
        shard.changeStatuses(many(count).map((id) => ({ dpId: id, to: 'Queued' as const, from: ['New' as const] }))),
    ],
    ['takeStalled', (count) => shard.takeStalled({ before: at(0), max: count })],
    ['rowsByStatus', (count) => shard.rowsByStatus({ statuses: ['New'], max: count })],
    [
      'rowsInRange',
      (count) =>
        shard.rowsInRange({ billerId: WATER, dataType: undefined, from: dpId('1'), to: dpId('2'), max: count }),
    ],
  ])('%s takes as many rows as a call may hold, and refuses one more', async (_, call) => {
    await call(ROWS_PER_CALL_MAX);
    await expect(call(ROWS_PER_CALL_MAX + 1)).rejects.toThrow(
      `at most ${ROWS_PER_CALL_MAX} rows, got ${ROWS_PER_CALL_MAX + 1}`,
    );
  });

  it('a chunk holds as many rows as a call, and no more', async () => {
    const ids = many(ROWS_PER_CALL_MAX + 1);
    await seed(...ids.map((id) => row(id)));
    await shard.adopt(ids.slice(1), chunkId('full'));
    expect(await shard.rowsOfChunk(chunkId('full'))).toHaveLength(ROWS_PER_CALL_MAX);
    await shard.adopt(ids.slice(0, 1), chunkId('full'));
    await expect(shard.rowsOfChunk(chunkId('full'))).rejects.toThrow(`more than ${ROWS_PER_CALL_MAX} rows`);
  });

  it('says that it was closed', async () => {
    await shard.close();
    await expect(shard.findRow(dpId('1'))).rejects.toMatchObject({ code: 'closed', retryable: false });
    await expect(move('1', 'Queued', ['New'])).rejects.toMatchObject({ code: 'closed' });
  });
});
