import { type MessageBus } from '../../src/application/ports/message-bus';
import { type Shard } from '../../src/application/ports/shard';
import { relayOutbox } from '../../src/application/scanning/relay-outbox';
import { eachBounded, scanShards, type ScanShardsSettings } from '../../src/application/scanning/scan-shards';
import { type BillerId, chunkId } from '../../src/domain/identifiers';
import { planChunks } from '../../src/domain/policies/chunking';
import { type SeedRow } from '../../src/adapters/shared/shard-seed';
import { faulty, GAS, OUTBOX, ShardBench, STOPPED, TESTED, WATER } from './shard-bench';

const SETTINGS: ScanShardsSettings = {
  chunkSizeMax: 10,
  claimRowsMax: 100,
  concurrentShards: 2,
  waitingChunksMax: 1_000,
};
let bench: ShardBench;
beforeEach(() => {
  bench = new ShardBench();
});
afterEach(() => bench.close());

const scan = (
  settings: Partial<ScanShardsSettings> = {},
  more: { readonly shards?: readonly Shard[]; readonly bus?: MessageBus } = {},
  signal?: AbortSignal,
) =>
  scanShards(
    {
      ...bench,
      relayOutbox: relayOutbox(bench),
      ...(more.bus && { bus: more.bus }),
      ...(more.shards && {
        shards: { ...bench.shards, all: () => more.shards!, named: () => bench.one, ofBiller: async () => undefined },
      }),
    },
    { ...SETTINGS, ...settings },
  )(signal);
const seed = (count: number, more: Partial<SeedRow> = {}, shard = bench.one) =>
  shard.seed({
    rows: Array.from({ length: count }, (_, index) =>
      bench.row(`${more.billerId ?? WATER}${more.dataType ?? ''}${100 + index}`, more),
    ),
  });
const left = async (shard = bench.one) =>
  (await shard.rowsByStatus({ statuses: ['New'], max: 5_000 })).map(({ billerId }): BillerId => billerId);

describe('a scan (issue 9, no 16)', () => {
  it('claims the rows of live billers in chunks, sends each, and counts over all shards', async () => {
    await seed(25);
    await seed(2, { billerId: TESTED });
    await seed(1, { billerId: STOPPED });
    await seed(4, { billerId: GAS }, bench.two);
    expect(await scan()).toEqual({ chunks: 4, rows: 29, failedShards: 0 });
    expect(await left()).toEqual([TESTED, TESTED, STOPPED]);
    const bodies = (await bench.messages(OUTBOX)).map(({ body }) => body as { billerId: string; chunkId: string });
    expect(bodies.map(({ billerId }) => billerId).sort()).toEqual([GAS, WATER, WATER, WATER]);
    const rows = await Promise.all(
      bodies.map(({ chunkId: id, billerId }) => (billerId === GAS ? bench.two : bench.one).rowsOfChunk(chunkId(id))),
    );
    expect(rows.map(({ length }) => length).sort()).toEqual([10, 10, 4, 5]);
    expect(bench.counted.filter(([name]) => name === 'scanner.rows-claimed')).toEqual(
      expect.arrayContaining([
        ['scanner.rows-claimed', 25, { shard: 'Shard-1' }],
        ['scanner.rows-claimed', 4, { shard: 'Shard-2' }],
      ]),
    );
    expect(await scan()).toEqual({ chunks: 0, rows: 0, failedShards: 0 });
  });

  it('claims the data types named, or all where none are', async () => {
    for (const dataType of ['Paperless', 'AutoPay'] as const) await seed(2, { dataType });
    expect(await scan({ dataTypes: ['AutoPay'] })).toMatchObject({ rows: 2 });
    expect((await bench.one.rowsByStatus({ statuses: ['New'], max: 9 })).map(({ dataType }) => dataType)).toEqual([
      'Paperless',
      'Paperless',
    ]);
    expect(await scan()).toMatchObject({ rows: 2 });
  });

  it('relays what an earlier pass left behind, also where nothing more may be claimed', async () => {
    await seed(1);
    await bench.one.claim({
      billers: [WATER],
      rowsMax: 1,
      plan: (rows) => planChunks(rows, 1),
      newChunkId: () => chunkId('left-behind'),
    });
    await seed(1, { billerId: GAS });
    expect(await scan({ waitingChunksMax: 1 })).toEqual({ chunks: 0, rows: 0, failedShards: 0 });
    expect(await bench.idsIn(OUTBOX)).toEqual(['left-behind']);
    expect(await left()).toEqual([GAS]);
  });

  it.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
  ])(
    'claims until %i chunks wait for a fetcher, and looks again before each claim',
    async (waitingChunksMax, claimed) => {
      await seed(5);
      expect(await scan({ waitingChunksMax, claimRowsMax: 1 })).toEqual({
        chunks: claimed,
        rows: claimed,
        failedShards: 0,
      });
      expect(await bench.idsIn(OUTBOX)).toHaveLength(claimed);
      expect(await left()).toHaveLength(5 - claimed);
    },
  );

  it('makes at most 20 claims a pass, so that no shard starves another', async () => {
    await seed(21);
    expect(await scan({ claimRowsMax: 1 })).toMatchObject({ chunks: 20, rows: 20 });
    expect(await scan({ claimRowsMax: 1 })).toMatchObject({ chunks: 1, rows: 1 });
  });

  it.each<[string, () => Partial<Shard>]>([
    ['its outbox', () => ({ unpublishedChunks: () => Promise.reject(new Error('away')) })],
    ['its claim', () => ({ claim: () => Promise.reject(new Error('away')) })],
  ])('a shard that fails at %s is told and skipped; the others go on', async (_, faults) => {
    await seed(2);
    await seed(3, {}, bench.two);
    expect(await scan({}, { shards: [faulty<Shard>(bench.one, faults()), bench.two] })).toEqual({
      chunks: 1,
      rows: 3,
      failedShards: 1,
    });
    expect(bench.told.lines).toEqual(['error failed to scan a shard: Error: away {"shard":"Shard-1"}']);
    expect(await left()).toHaveLength(2);
  });

  it('what was claimed before a shard failed is counted', async () => {
    await seed(3);
    let claims = 0;
    const dying = faulty<Shard>(bench.one, {
      claim: (request) => (++claims > 2 ? Promise.reject(new Error('away')) : bench.one.claim(request)),
    });
    expect(await scan({ claimRowsMax: 1 }, { shards: [dying] })).toEqual({ chunks: 2, rows: 2, failedShards: 1 });
  });

  it('ends after the claim in hand where it is taken back, and what it claimed is sent', async () => {
    await seed(3);
    const stop = new AbortController();
    const stopping = faulty<Shard>(bench.one, { claim: async (request) => (stop.abort(), bench.one.claim(request)) });
    expect(await scan({ claimRowsMax: 1 }, { shards: [stopping] }, stop.signal)).toEqual({
      chunks: 1,
      rows: 1,
      failedShards: 0,
    });
    expect(await bench.idsIn(OUTBOX)).toHaveLength(1);
    expect(await scan({ claimRowsMax: 1 }, {}, stop.signal)).toEqual({ chunks: 0, rows: 0, failedShards: 0 });
    expect(await left()).toHaveLength(2);
  });
});

describe('work side by side, bounded (issue 9, no 16)', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [7, 5],
  ])('with %i at a time at most, answers come in the order of the items', async (concurrency, most) => {
    let running = 0;
    let mostRunning = 0;
    const results = await eachBounded([5, 1, 4, 2, 3], concurrency, async (item) => {
      mostRunning = Math.max(mostRunning, ++running);
      for (let turn = 0; turn < item; turn++) await new Promise((resolve) => setImmediate(resolve));
      running--;
      return `did ${item}`;
    });
    expect(results).toEqual(['did 5', 'did 1', 'did 4', 'did 2', 'did 3']);
    expect(mostRunning).toBe(most);
  });

  it('of nothing is nothing', async () => {
    expect(await eachBounded([], 3, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
