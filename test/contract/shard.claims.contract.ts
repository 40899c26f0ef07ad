import { randomUUID } from 'node:crypto';
import { type Shard } from '../../src/application/ports/shard';
import { type OutboxChunk } from '../../src/application/ports/shard-claims';
import { type DataType } from '../../src/domain/biller/data-type';
import { chunkId, dpId } from '../../src/domain/identifiers';
import { InvariantViolation } from '../../src/domain/invariant';
import { planChunks } from '../../src/domain/policies/chunking';
import { type ShardFixture } from './shard.contract';
import { claimFrom, FAR, GAS, idsOf, merged, numbered, statusOf, WATER, wholeRow } from './shard.seeds';

/** Claiming rows, and the outbox beside them. Called within the suite, which makes a fixture for each test. */
export function claimLaws(made: () => ShardFixture): void {
  let fixture: ShardFixture;
  let shard: Shard;
  beforeEach(() => {
    fixture = made();
    shard = fixture.shard;
  });

  it('1: claims only New, due rows of the billers named', async () => {
    await fixture.seed(numbered(1, 2));
    await fixture.seed(numbered(3, 1, { dueAt: FAR }));
    await fixture.seed(numbered(4, 1, { billerId: GAS }));
    await fixture.seed(numbered(5, 1, { status: 'Failed' }));
    const chunks = await claimFrom(shard, [WATER]);
    expect(await idsOf(shard, chunks)).toEqual(['1', '2']);
    expect(await Promise.all(['1', '2', '3', '4', '5'].map((id) => statusOf(shard, id)))).toEqual([
      'Queued',
      'Queued',
      'New',
      'New',
      'Failed',
    ]);
    expect(await claimFrom(shard, [WATER])).toEqual([]);
    expect(await claimFrom(shard, [])).toEqual([]);
  });

  it('1: claims of the data types named, however many others wait before them (issue 8, no 19)', async () => {
    await fixture.seed(numbered(1, 5, { dataType: 'AutoPay' }));
    await fixture.seed(numbered(10, 2));
    await fixture.seed(numbered(20, 1, { dataType: 'Paperless' }));
    const claim = (dataTypes?: readonly DataType[]) =>
      shard.claim({
        billers: [WATER],
        ...(dataTypes && { dataTypes }),
        rowsMax: 3,
        plan: (rows) => planChunks(rows, 10),
        newChunkId: () => chunkId(randomUUID()),
      });
    expect([...(await idsOf(shard, await claim(['Payments', 'Paperless'])))].sort()).toEqual(['10', '11', '20']);
    expect(await claim(['Payments', 'Paperless'])).toEqual([]);
    expect(await claim([])).toEqual([]);
    expect(await statusOf(shard, '1')).toBe('New');
    expect(await idsOf(shard, await claim())).toHaveLength(3);
  });

  it('1: gives each chunk an outbox row that says what the chunk holds', async () => {
    await fixture.seed(numbered(8, 4));
    await fixture.seed(numbered(20, 1, { billerId: GAS, dataType: 'Paperless' }));
    const chunks = await claimFrom(shard, [WATER, GAS], 100, 3);
    const common = { shard: shard.name, chunkId: expect.any(String) };
    expect(chunks).toEqual([
      { ...common, billerId: WATER, dataType: 'Payments', dpStart: '8', dpEnd: '10', rows: 3 },
      { ...common, billerId: WATER, dataType: 'Payments', dpStart: '11', dpEnd: '11', rows: 1 },
      { ...common, billerId: GAS, dataType: 'Paperless', dpStart: '20', dpEnd: '20', rows: 1 },
    ]);
    expect(await shard.unpublishedChunks(10)).toEqual(chunks);
    for (const chunk of chunks) expect(await shard.rowsOfChunk(chunk.chunkId)).toHaveLength(chunk.rows);
  });

  it('1: takes the oldest first, at most rowsMax, and leaves the rest', async () => {
    await fixture.seed(merged([3, 1, 2].map((number) => wholeRow(number))));
    expect(await idsOf(shard, await claimFrom(shard, [WATER], 2))).toEqual(expect.arrayContaining(['1', '2']));
    expect(await statusOf(shard, '3')).toBe('New');
  });

  it('1: leaves New what the plan leaves out', async () => {
    await fixture.seed(numbered(1, 3));
    const chunks = await shard.claim({
      billers: [WATER],
      rowsMax: 10,
      plan: (rows) => planChunks(rows.slice(0, 1), 10),
      newChunkId: () => chunkId('k1'),
    });
    expect(chunks.map((chunk) => chunk.rows)).toEqual([1]);
    expect(await shard.rowsByStatus({ statuses: ['New'], max: 10 })).toHaveLength(2);
  });

  it('1: serves a biller with few rows beside one with a huge backlog', async () => {
    await fixture.seed(numbered(1, 200));
    await fixture.seed(numbered(500, 3, { billerId: GAS }));
    const ids = await idsOf(shard, await claimFrom(shard, [WATER, GAS], 20));
    expect(ids).toHaveLength(20);
    expect(ids).toEqual(expect.arrayContaining(['500', '501', '502']));
  });

  it.each([2, 8])('2: %d concurrent claimers never claim the same row and together claim all', async (claimers) => {
    await fixture.seed(numbered(1, 400));
    const shards = await Promise.all(Array.from({ length: claimers }, () => fixture.another()));
    const claimed = await Promise.all(
      shards.map(async (each) => {
        const mine: OutboxChunk[] = [];
        for (let round = 0; round < 400; round++) {
          const chunks = await claimFrom(each, [WATER], 7, 3);
          if (chunks.length === 0) break;
          mine.push(...chunks);
        }
        return mine;
      }),
    );
    expect(claimed.flat().reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(400);
    const ids = await idsOf(shard, claimed.flat());
    expect(new Set(ids).size).toBe(400);
    expect(ids).toHaveLength(400);
    expect(new Set(await idsOf(shard, await shard.unpublishedChunks(1_000))).size).toBe(400);
  });

  it('3: leaves nothing when the plan throws, or plans what it was not given', async () => {
    await fixture.seed(numbered(1, 3));
    const claim = (plan: Parameters<Shard['claim']>[0]['plan']) =>
      shard.claim({ billers: [WATER], rowsMax: 10, plan, newChunkId: () => chunkId(randomUUID()) });
    await expect(
      claim(() => {
        throw new Error('no plan');
      }),
    ).rejects.toThrow('no plan');
    await expect(
      claim((rows) => [...planChunks(rows, 10), { billerId: WATER, dataType: 'Payments', dpIds: [dpId('99')] }]),
    ).rejects.toThrow(InvariantViolation);
    await expect(claim((rows) => [...planChunks(rows, 10), ...planChunks(rows, 10)])).rejects.toThrow(
      InvariantViolation,
    );
    expect(await shard.unpublishedChunks(10)).toEqual([]);
    expect((await shard.rowsByStatus({ statuses: ['New'], max: 10 })).map((row) => row.chunkId)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('3: leaves nothing when two chunks get the same id, and harms no claim beside it', async () => {
    await fixture.seed(numbered(1, 2));
    await fixture.seed(numbered(10, 2, { billerId: GAS }));
    const [broken, sound] = await Promise.allSettled([
      shard.claim({
        billers: [WATER],
        rowsMax: 10,
        plan: (rows) => planChunks(rows, 1),
        newChunkId: () => chunkId('the-same'),
      }),
      claimFrom(shard, [GAS]),
    ]);
    expect([broken.status, sound.status]).toEqual(['rejected', 'fulfilled']);
    expect((await shard.unpublishedChunks(10)).map((chunk) => chunk.billerId)).toEqual([GAS]);
    expect(await statusOf(shard, '1')).toBe('New');
  });

  it('4: hands an outbox row out until it is marked published, and marking twice is marking once', async () => {
    await fixture.seed(numbered(1, 3));
    const chunks = await claimFrom(shard, [WATER], 10, 1);
    expect(await shard.unpublishedChunks(2)).toEqual(chunks.slice(0, 2));
    const first = chunks[0]!.chunkId;
    await shard.markPublished([first]);
    await shard.markPublished([first, chunkId('of-nobody')]);
    await shard.markFetched(first);
    await shard.markFetched(chunkId('of-another-team'));
    expect(await (await fixture.another()).unpublishedChunks(10)).toEqual(chunks.slice(1));
  });
}
