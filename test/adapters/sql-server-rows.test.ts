import { ROW_KEYS, TEXT_KEY, type RowKey } from '../../src/adapters/sql-server/row-key';
import { SqlServerShardRows } from '../../src/adapters/sql-server/shard-rows';
import { CHUNK_ID_LENGTH_MAX, ID_LENGTH_MAX } from '../../src/adapters/sql-server/sql-text';
import { ROWS_PER_CALL_MAX } from '../../src/application/ports/shard';
import { billerId, type BillerId, type ChunkId, type DpId, shardName } from '../../src/domain/identifiers';
import { type Line, scriptedSqlServer } from '../support/scripted-sql-server';

const BIGINT = ROW_KEYS.find(({ name }) => name === 'bigint')!;
const GUID = ROW_KEYS.find(({ name }) => name === 'uniqueidentifier')!;
const WATER = billerId('water');
const AT = '2026-11-20T08:00:00.000Z';
const ids = (...of: readonly string[]): readonly DpId[] => of as readonly DpId[];

const bare = (place: number | string, dpId: string, more: Line = {}): Line => ({
  Place: place,
  DpId: dpId,
  BillerId: 'water',
  EventType: 'Payments',
  CustomerId: 'c',
  PaymentId: 'p',
  Status: 'Published',
  CreatedAt: new Date(AT),
  ChunkId: null,
  SweepCount: null,
  CustomerBiller: null,
  PaymentBiller: null,
  Dba: null,
  Attempt: null,
  ...more,
});
const WHOLE: Line = {
  ChunkId: 'k',
  SweepCount: 3,
  CustomerBiller: 'cb',
  AccountNumber: 'A',
  CustomerName: 'N',
  Email: 'e',
  Paperless: 1,
  AutoPay: false,
  PaymentBiller: 'pb',
  PaymentCustomer: 'pc',
  AmountMinor: '100',
  Currency: 'USD',
  InvoiceType: 'bill',
  PaidAt: new Date(AT),
  AchReturnCode: 'R01',
  Dba: 'Water',
  Active: true,
};
const detail = (attempt: number, more: Line = {}): Line => ({
  Attempt: attempt,
  Outcome: 'Failed',
  BillerReference: null,
  Code: null,
  RecordedAt: new Date(AT),
  ...more,
});

function reading(lines: readonly Line[], key: RowKey = BIGINT) {
  const { asked, connection } = scriptedSqlServer(() => [lines]);
  return { asked, rows: new SqlServerShardRows(connection, key, shardName('Shard-1')) };
}

describe('rows of SQL Server, whatever order its lines come in (issue 9, no 16)', () => {
  it('each stands in its place, with its details by attempt; one that is not there leaves its place empty', async () => {
    const { rows, asked } = reading([
      bare('2', '30', detail(2)),
      bare(0, '10'),
      bare('10', '90'),
      bare('2', '30', detail(1, { Outcome: 'Delivered', BillerReference: 'R', Code: '00' })),
    ]);
    const found = await rows.find(ids('10', '007', '30', ...Array.from({ length: 7 }, () => '5'), '90'));
    expect(found.map((row) => row?.dpId)).toEqual([
      '10',
      undefined,
      '30',
      ...Array.from({ length: 7 }, () => undefined),
      '90',
    ]);
    expect(found[2]!.details).toEqual([
      { attempt: 1, outcome: 'Delivered', billerReference: 'R', code: '00', recordedAt: AT },
      { attempt: 2, outcome: 'Failed', billerReference: undefined, code: undefined, recordedAt: AT },
    ]);
    expect([found[0]!.details, found[10]!.details]).toEqual([[], []]);
    expect((asked[0]!.values['rows'] as readonly { place: number }[]).map(({ place }) => place)).toEqual([
      0, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    expect(asked[0]!.step).toBe('read 11 rows');
    const one = reading([bare(0, '1')]);
    expect(await one.rows.find(ids('1'))).toHaveLength(1);
    expect(one.asked[0]!.step).toBe('read row 1');
    const none = reading([]);
    expect([await none.rows.find(ids('x', 'y')), none.asked]).toEqual([[undefined, undefined], []]);
  });

  it('a whole row has all its parts, each from its own column', async () => {
    const [row] = await reading([bare(0, '1', { ...WHOLE, ...detail(4) })]).rows.find(ids('1'));
    expect(row).toEqual({
      shard: 'Shard-1',
      dpId: '1',
      billerId: 'water',
      dataType: 'Payments',
      status: 'Published',
      chunkId: 'k',
      customerId: 'c',
      paymentId: 'p',
      createdAt: AT,
      sweepCount: 3,
      customer: {
        customerId: 'c',
        billerId: 'cb',
        accountNumber: 'A',
        name: 'N',
        email: 'e',
        paperless: true,
        autoPay: false,
      },
      payment: {
        paymentId: 'p',
        customerId: 'pc',
        billerId: 'pb',
        amount: { minorUnits: 100, currency: 'USD' },
        invoiceType: 'bill',
        paidAt: AT,
        achReturnCode: 'R01',
      },
      biller: { billerId: 'water', dba: 'Water', active: true },
      details: [{ attempt: 4, outcome: 'Failed', billerReference: undefined, code: undefined, recordedAt: AT }],
    });
  });

  it('what is not there is undefined, and stops nothing else', async () => {
    const read = async (more: Line) => (await reading([bare(0, '1', more)]).rows.find(ids('1')))[0]!;
    expect(await read({})).toMatchObject({
      chunkId: undefined,
      sweepCount: 0,
      customer: undefined,
      payment: undefined,
      biller: undefined,
    });
    expect(await read({ ...WHOLE, PaymentId: null })).toMatchObject({ paymentId: undefined, payment: undefined });
    const sparse = await read({
      ...WHOLE,
      Email: null,
      AchReturnCode: null,
      Currency: null,
      AmountMinor: null,
      Active: 0,
      Paperless: 0,
      AutoPay: 1,
    });
    expect(sparse).toMatchObject({
      customer: { email: undefined, paperless: false, autoPay: true },
      payment: { achReturnCode: undefined, amount: { minorUnits: 0, currency: '' } },
      biller: { active: false },
    });
  });

  it('a chunk is read whole, and one that is larger than any is refused', async () => {
    const lines = (count: number): readonly Line[] =>
      Array.from({ length: count }, (_, place) => bare(place, String(place)));
    const { rows, asked } = reading(lines(ROWS_PER_CALL_MAX));
    expect(await rows.ofChunk('k' as ChunkId)).toHaveLength(ROWS_PER_CALL_MAX);
    expect(asked[0]!.values).toEqual({ chunkId: 'k', rowsMax: ROWS_PER_CALL_MAX + 1 });
    await expect(reading(lines(ROWS_PER_CALL_MAX + 1)).rows.ofChunk('k' as ChunkId)).rejects.toThrow('holds more than');
    const longest = reading([]);
    await longest.rows.ofChunk('k'.repeat(CHUNK_ID_LENGTH_MAX) as ChunkId);
    expect(await longest.rows.ofChunk('k'.repeat(CHUNK_ID_LENGTH_MAX + 1) as ChunkId)).toEqual([]);
    expect(longest.asked).toHaveLength(1);
  });

  const range = { billerId: WATER, dataType: 'Payments' as const, from: '007' as DpId, to: '10' as DpId, max: 5 };
  it('a range is asked for by numbers where its ends are some, else by text, and not at all where no id can lie there', async () => {
    const numbers = reading([bare(0, '7')]);
    expect(await numbers.rows.inRange(range)).toMatchObject([{ dpId: '7' }]);
    expect(numbers.asked[0]).toEqual({
      step: 'read rows 007 to 10 of biller water',
      values: { billerId: 'water', dataType: 'Payments', fromId: '7', toId: '10', rowsMax: 5 },
    });
    const text = reading([], TEXT_KEY);
    await text.rows.inRange({ ...range, from: 'a' as DpId, to: 'b' as DpId });
    expect(text.asked[0]!.values).toMatchObject({ fromId: 'a', toId: 'b' });
    const long = 'x'.repeat(ID_LENGTH_MAX + 1);
    const nothing = reading([], TEXT_KEY);
    for (const more of [{ max: 0 }, { billerId: long as BillerId }, { from: long as DpId }, { to: long as DpId }])
      expect(await nothing.rows.inRange({ ...range, ...more })).toEqual([]);
    expect(nothing.asked).toEqual([]);
    await nothing.rows.inRange({ ...range, billerId: 'x'.repeat(ID_LENGTH_MAX) as BillerId });
    expect(nothing.asked).toHaveLength(1);
    const guids = reading([], GUID);
    expect(await guids.rows.inRange(range)).toEqual([]);
    expect(guids.asked).toEqual([]);
  });

  it('rows by status: each status once, behind a row that can be one', async () => {
    const { rows, asked } = reading([bare(1, '2'), bare(0, '1')]);
    const query = { statuses: ['New', 'Queued', 'New'] as const, billerId: WATER, max: 5 };
    expect((await rows.withStatus({ ...query, after: '1' as DpId })).map(({ dpId }) => dpId)).toEqual(['1', '2']);
    expect(asked[0]).toEqual({
      step: 'read rows with status New, Queued, New',
      values: { statuses: [{ status: 'New' }, { status: 'Queued' }], billerId: 'water', after: '1', rowsMax: 5 },
    });
    expect([
      await rows.withStatus({ ...query, max: 0 }),
      await rows.withStatus({ ...query, after: 'x' as DpId }),
    ]).toEqual([[], []]);
    expect(asked).toHaveLength(1);
    await rows.withStatus(query);
    expect(asked).toHaveLength(2);
  });
});
