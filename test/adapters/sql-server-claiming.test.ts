import { ROW_KEYS } from '../../src/adapters/sql-server/row-key';
import { CLAIM_ROWS_MAX, SqlServerShardClaiming } from '../../src/adapters/sql-server/shard-claiming';
import { CHUNK_ID_LENGTH_MAX, ID_LENGTH_MAX } from '../../src/adapters/sql-server/sql-text';
import { type ClaimRequest } from '../../src/application/ports/shard-claims';
import { billerId, type BillerId, type ChunkId, type DpId, shardName } from '../../src/domain/identifiers';
import { planChunks } from '../../src/domain/policies/chunking';
import { type Asked, type Line, scriptedSqlServer } from '../support/scripted-sql-server';

const BIGINT = ROW_KEYS.find(({ name }) => name === 'bigint')!;
const WATER = billerId('water');
const chunk = (id: string): ChunkId => id as ChunkId;
const ids = (...of: readonly string[]): readonly DpId[] => of as readonly DpId[];
const row = (id: string): Line => ({ DpId: id, BillerId: 'water', EventType: 'Payments' });

function claiming(answer: (asked: Asked, call: number) => readonly (readonly Line[])[]) {
  const server = scriptedSqlServer(answer);
  const under = new SqlServerShardClaiming(server.connection, BIGINT, shardName('Shard-1'));
  let made = 0;
  const claim = (more: Partial<ClaimRequest> = {}) =>
    under.claim({
      billers: [WATER],
      rowsMax: 10,
      plan: (rows) => planChunks(rows, 2),
      newChunkId: () => chunk(`k${++made}`),
      ...more,
    });
  return { ...server, under, claim };
}
/** Rows are there, and so many of these rounds go to others first. */
const contested = (lostRounds: number) =>
  claiming(({ step }, call) => {
    if (step === 'look for rows to claim') return [[{ Eligible: '1' }]];
    if (step === 'claim rows')
      return call <= lostRounds
        ? [[], [{ Candidates: '3' }]]
        : [[row('9'), row('10'), row('11')], [{ Candidates: '3' }]];
    return [];
  });

describe('claims on SQL Server (issue 9, no 16)', () => {
  it('claims, plans and seals in one transaction, and answers what was sealed', async () => {
    const { claim, asked, transactions } = contested(0);
    expect(await claim({ billers: [WATER, WATER] })).toEqual([
      { chunkId: 'k1', shard: 'Shard-1', billerId: 'water', dataType: 'Payments', dpStart: '9', dpEnd: '10', rows: 2 },
      { chunkId: 'k2', shard: 'Shard-1', billerId: 'water', dataType: 'Payments', dpStart: '11', dpEnd: '11', rows: 1 },
    ]);
    expect(transactions).toEqual(['claim up to 10 rows']);
    expect(asked.map(({ step }) => step)).toEqual(['look for rows to claim', 'claim rows', 'seal chunks']);
    expect(asked[1]!.values).toEqual({ billers: [{ billerId: 'water' }], rowsMax: 10 });
    expect(asked[2]!.values).toMatchObject({
      rows: [
        { dpId: '9', chunkId: 'k1' },
        { dpId: '10', chunkId: 'k1' },
        { dpId: '11', chunkId: 'k2' },
      ],
      chunks: [
        { chunkId: 'k1', place: 0 },
        { chunkId: 'k2', place: 1 },
      ],
      leftOut: [],
    });
  });

  it('names the data types, each once, and what the plan leaves out', async () => {
    const { claim, asked } = contested(0);
    await claim({ dataTypes: ['Payments', 'AutoPay', 'Payments'], plan: (rows) => planChunks(rows.slice(1), 2) });
    for (const each of asked.slice(0, 2))
      expect(each.values['dataTypes']).toEqual([{ dataType: 'Payments' }, { dataType: 'AutoPay' }]);
    expect(asked[2]!.values['leftOut']).toEqual([{ dpId: '9' }]);
  });

  it.each<[string, Partial<ClaimRequest>]>([
    ['no biller', { billers: [] }],
    ['only a biller of an impossible id', { billers: ['x'.repeat(ID_LENGTH_MAX + 1) as BillerId] }],
    ['no row wanted', { rowsMax: 0 }],
  ])('asks nothing with %s', async (_, more) => {
    const { claim, asked } = contested(0);
    expect(await claim(more)).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('opens no transaction where a look finds nothing, or nothing is left', async () => {
    const nothing = claiming(() => [[{ Eligible: 0 }]]);
    expect(await nothing.claim()).toEqual([]);
    expect(nothing.transactions).toEqual([]);
    const gone = claiming(({ step }) => (step === 'claim rows' ? [[], [{ Candidates: 0 }]] : [[{ Eligible: 1 }]]));
    expect(await gone.claim()).toEqual([]);
    expect(gone.transactions).toHaveLength(1);
  });

  it.each([
    [7, 8, 2],
    [8, 8, 0],
    [20, 8, 0],
  ])('after %i rounds that others won it has tried %i times and claimed %i chunks', async (lost, rounds, chunks) => {
    const { claim, transactions } = contested(lost);
    expect(await claim()).toHaveLength(chunks);
    expect(transactions).toHaveLength(rounds);
  });

  it.each([
    [CLAIM_ROWS_MAX - 1, CLAIM_ROWS_MAX - 1],
    [CLAIM_ROWS_MAX, CLAIM_ROWS_MAX],
    [CLAIM_ROWS_MAX + 1, CLAIM_ROWS_MAX],
  ])('of %i rows wanted it asks for %i', async (rowsMax, asks) => {
    const { claim, asked } = contested(0);
    await claim({ rowsMax, billers: [WATER, 'y'.repeat(ID_LENGTH_MAX) as BillerId] });
    expect(asked[1]!.values).toEqual({
      billers: [{ billerId: 'water' }, { billerId: 'y'.repeat(ID_LENGTH_MAX) }],
      rowsMax: asks,
    });
  });

  const planned =
    (dpIds: readonly string[], more: object = {}) =>
    () => [{ billerId: WATER, dataType: 'Payments' as const, dpIds: dpIds as readonly DpId[], ...more }];
  it.each<[string, ClaimRequest['plan'], RegExp]>([
    ['an empty chunk', planned([]), /holds no row/],
    ['a row it was not given', planned(['9', '12']), /puts 12 into a chunk of water and Payments/],
    ['a row twice', planned(['9', '9']), /puts 9 into a chunk/],
    ['another biller’s row', planned(['9'], { billerId: 'gas' }), /puts 9 into a chunk of gas/],
    ['a row of another data type', planned(['9'], { dataType: 'AutoPay' }), /of water and AutoPay/],
  ])('refuses a plan with %s, and seals nothing', async (_, plan, words) => {
    const { claim, asked } = contested(0);
    await expect(claim({ plan })).rejects.toThrow(words);
    expect(asked.map(({ step }) => step)).not.toContain('seal chunks');
  });

  it('refuses a chunk id that does not fit, takes one that just does', async () => {
    const { claim } = contested(0);
    await expect(claim({ newChunkId: () => chunk('k'.repeat(CHUNK_ID_LENGTH_MAX + 1)) })).rejects.toThrow(
      `at most ${CHUNK_ID_LENGTH_MAX} characters, got ${CHUNK_ID_LENGTH_MAX + 1}`,
    );
    expect(await contested(0).claim({ newChunkId: () => chunk('k'.repeat(CHUNK_ID_LENGTH_MAX)) })).toHaveLength(2);
  });
});

describe('the outbox on SQL Server (issue 9, no 16)', () => {
  it('answers chunks as they stand, and asks nothing for none', async () => {
    const line = { ChunkId: 'k', BillerId: 'water', EventType: 'Payments', DpStart: '9', DpEnd: '10', RowsPlanned: 2 };
    const { under, asked } = claiming(() => [[line]]);
    expect(await under.unpublishedChunks(0)).toEqual([]);
    expect(asked).toEqual([]);
    expect(await under.unpublishedChunks(1)).toEqual([
      { chunkId: 'k', shard: 'Shard-1', billerId: 'water', dataType: 'Payments', dpStart: '9', dpEnd: '10', rows: 2 },
    ]);
    expect(asked).toEqual([{ step: 'read the outbox', values: { rowsMax: 1 } }]);
  });

  it('marks and adopts each once, what it can know, and asks nothing where that is nothing', async () => {
    const { under, asked } = claiming(() => []);
    const [fits, beyond] = [chunk('k'.repeat(CHUNK_ID_LENGTH_MAX)), chunk('k'.repeat(CHUNK_ID_LENGTH_MAX + 1))];
    await under.markPublished([]);
    await under.markPublished([beyond]);
    await under.markFetched(beyond);
    await under.adopt(ids('x', '007'), chunk('k'));
    await expect(under.adopt(ids('1'), beyond)).rejects.toThrow('a chunk id has at most');
    expect(asked).toEqual([]);
    await under.markPublished([chunk('a'), fits, chunk('a'), beyond]);
    await under.markFetched(fits);
    await under.adopt(ids('1', 'x', '2', '1'), chunk('k'));
    expect(asked.map(({ values }) => values)).toEqual([
      { chunks: [{ chunkId: 'a' }, { chunkId: fits }] },
      { chunkId: fits },
      { rows: [{ dpId: '1' }, { dpId: '2' }], chunkId: 'k' },
    ]);
  });
});
