import { type Shard } from '../../src/application/ports/shard';
import { DATA_TYPES } from '../../src/domain/biller/data-type';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import { type BillerId, billerId, chunkId, customerId, dpId, type DpId, paymentId } from '../../src/domain/identifiers';
import { instantFromMs, plusMs } from '../../src/domain/instant';
import { type ShardFixture } from './shard.contract';
import { claimFrom, delivered, GAS, merged, numbered, PAST, statusOf, WATER, wholeRow } from './shard.seeds';

/** Reading rows, whatever stands in them. Called within the suite, which makes a fixture for each test. */
export function rowLaws(made: () => ShardFixture): void {
  let fixture: ShardFixture;
  let shard: Shard;
  beforeEach(() => {
    fixture = made();
    shard = fixture.shard;
  });

  it('5: yields the rows of a chunk, whatever their ids, with all they point to', async () => {
    await fixture.seed(merged([900, 5, 70].map((number) => wholeRow(number))));
    await fixture.seed(numbered(6, 1, { billerId: GAS }));
    const [chunk] = await claimFrom(shard, [WATER]);
    await shard.reconcile(delivered('5', 2));
    await shard.reconcile({ ...delivered('70', 1), to: 'Failed', from: ['Queued'] });
    const rows = await shard.rowsOfChunk(chunk!.chunkId);
    expect(rows.map((row) => [row.dpId, row.status, row.details.length]).sort()).toEqual([
      ['5', 'Delivered', 1],
      ['70', 'Failed', 1],
      ['900', 'Queued', 0],
    ]);
    const expected: DpRow = {
      shard: shard.name,
      dpId: dpId('5'),
      billerId: WATER,
      dataType: 'Payments',
      status: 'Delivered',
      chunkId: chunk!.chunkId,
      customerId: customerId('water-c5'),
      paymentId: paymentId('water-p5'),
      createdAt: plusMs(PAST, 5),
      dueAt: plusMs(PAST, 5),
      sweepCount: 0,
      customer: {
        customerId: customerId('water-c5'),
        billerId: WATER,
        accountNumber: '005',
        name: 'Jana Nováková',
        email: 'jana@example.test',
        paperless: true,
        autoPay: false,
      },
      payment: {
        paymentId: paymentId('water-p5'),
        customerId: customerId('water-c5'),
        billerId: WATER,
        amount: { minorUnits: 105, currency: 'USD' },
        invoiceType: 'water',
        paidAt: PAST,
        achReturnCode: undefined,
      },
      biller: { billerId: WATER, dba: 'The water works', active: true },
      details: [{ attempt: 2, outcome: 'Delivered', billerReference: 'R-1', code: '00', recordedAt: PAST }],
    };
    expect(rows.find((row) => row.dpId === '5')).toEqual(expected);
    expect(await shard.findRow(dpId('5'))).toEqual(expected);
    expect(await shard.rowsOfChunk(chunkId('unknown'))).toEqual([]);
    expect(await shard.findRow(dpId('unknown'))).toBeUndefined();
  });

  it('5: yields the details of a row in the order of its attempts', async () => {
    await fixture.seed(numbered(1, 2));
    const [chunk] = await claimFrom(shard, [WATER]);
    const { detail } = delivered('1', 1);
    const first = { ...detail, attempt: 11, billerReference: undefined, code: undefined };
    await shard.reconcile({ dpId: dpId('1'), to: 'Failed', from: ['Queued'], detail: first });
    await shard.reconcile({ dpId: dpId('1'), to: 'InDoubt', from: ['Failed'], detail: { ...detail, attempt: 2 } });
    const rows = await shard.rowsOfChunk(chunk!.chunkId);
    expect(rows.map((row) => [row.dpId, row.details])).toEqual([
      ['1', [{ ...detail, attempt: 2 }, first]],
      ['2', []],
    ]);
    expect(await shard.findRow(dpId('1'))).toEqual(rows[0]);
  });

  it('5: shows a row that points to nothing, or to what is another’s, as it is', async () => {
    await fixture.seed({
      customers: [
        {
          customerId: customerId('c'),
          billerId: GAS,
          accountNumber: '1',
          name: 'n',
          email: undefined,
          paperless: false,
          autoPay: true,
        },
      ],
      payments: [
        {
          paymentId: paymentId('p'),
          customerId: customerId('other'),
          billerId: GAS,
          amount: { minorUnits: 0, currency: 'USD' },
          invoiceType: '',
          paidAt: PAST,
          achReturnCode: 'R01',
        },
      ],
      rows: [
        {
          dpId: dpId('1'),
          billerId: WATER,
          dataType: 'Payments',
          customerId: customerId('gone'),
          paymentId: paymentId('gone'),
          createdAt: PAST,
        },
        { dpId: dpId('2'), billerId: WATER, dataType: 'Paperless', customerId: customerId('c'), createdAt: PAST },
        {
          dpId: dpId('3'),
          billerId: WATER,
          dataType: 'ACHRejects',
          customerId: customerId('c'),
          paymentId: paymentId('p'),
          createdAt: PAST,
        },
      ],
    });
    const [gone, choice, foreign] = await Promise.all(['1', '2', '3'].map((id) => shard.findRow(dpId(id))));
    expect(gone).toMatchObject({
      customerId: 'gone',
      paymentId: 'gone',
      customer: undefined,
      payment: undefined,
      biller: undefined,
    });
    expect(choice).toMatchObject({
      paymentId: undefined,
      payment: undefined,
      customer: { billerId: GAS, email: undefined, autoPay: true },
    });
    expect(foreign!.payment).toMatchObject({
      customerId: 'other',
      billerId: GAS,
      amount: { minorUnits: 0 },
      achReturnCode: 'R01',
    });
    expect(await shard.billers()).toEqual([WATER]);
  });

  it('5: reads and adopts the rows of a foreign chunk by range, as numbers where both ends are numbers', async () => {
    await fixture.seed(merged([2, 9, 10, 99, 100, 101].map((number) => wholeRow(number))));
    await fixture.seed(
      merged([
        wholeRow(50, { billerId: GAS }),
        wholeRow(60, { status: 'Delivered' }),
        wholeRow(61, { dataType: 'AutoPay' }),
        wholeRow(62, { dpId: dpId('9a') }),
      ]),
    );
    const range = async (from: string, to: string, max = 100) =>
      (await shard.rowsInRange({ billerId: WATER, dataType: 'Payments', from: dpId(from), to: dpId(to), max })).map(
        (row) => row.dpId,
      );
    expect(new Set(await range('9', '100'))).toEqual(new Set(['9', '10', '99', '100']));
    expect(new Set(await range('009', '010'))).toEqual(new Set(['9', '10']));
    expect(await range('9', '100', 2)).toHaveLength(2);
    expect(new Set(await range('9', '9z'))).toEqual(new Set(['9', '99', '9a']));
    const both = await shard.rowsInRange({
      billerId: WATER,
      dataType: undefined,
      from: dpId('61'),
      to: dpId('99'),
      max: 10,
    });
    expect(new Set(both.map((row) => row.dpId))).toEqual(new Set(['61', '99']));

    await shard.adopt([dpId('9'), dpId('10'), dpId('60')], chunkId('foreign'));
    await shard.adopt([dpId('10')], chunkId('later'));
    expect(new Set((await shard.rowsOfChunk(chunkId('foreign'))).map((row) => row.dpId))).toEqual(new Set(['9', '10']));
    expect(await statusOf(shard, '60')).toBe('Delivered');
    expect(await range('9', '10')).toHaveLength(2);
  });

  it('11: gives back text, Unicode and 64-bit ids exactly as stored', async () => {
    const texts = [
      `Robert'); DROP TABLE datapump;--`,
      `"double" 'single' \`back\` %_[a-z]\\`,
      'Žluťoučký 🐎 Ω\u0301 \u202E',
      '  spaces \t\r\n ',
      '',
      'NULL',
      '@p1 ? $1 :x',
      fixture.refusesNulCharacter ? 'x' : '\u0000x',
    ];
    const ids = [
      '9007199254740993',
      '9223372036854775807',
      '9007199254740992',
      "o'hara;--",
      '2f1c7a5e-0000-4000-8000-00000000abcd',
      'ABC',
      'abc',
      '007',
    ];
    await fixture.seed({
      billers: ids.map((id, index) => ({ billerId: billerId(`b-${id}`), dba: texts[index]!, active: false })),
      customers: ids.map((id, index) => ({
        customerId: customerId(id),
        billerId: WATER,
        accountNumber: texts[index]!,
        name: texts[index]!,
        email: texts[index]!,
        paperless: false,
        autoPay: false,
      })),
      payments: ids.map((id, index) => ({
        paymentId: paymentId(id),
        customerId: customerId(id),
        billerId: WATER,
        amount: { minorUnits: Number.MAX_SAFE_INTEGER - index, currency: 'JPY' },
        invoiceType: texts[index]!,
        paidAt: instantFromMs(index),
        achReturnCode: texts[index]!,
      })),
      rows: ids.map((id) => ({
        dpId: dpId(id),
        billerId: billerId(`b-${id}`),
        dataType: 'Payments',
        customerId: customerId(id),
        paymentId: paymentId(id),
        status: 'Published',
        createdAt: PAST,
      })),
    });
    for (const [index, id] of ids.entries()) {
      const text = texts[index]!;
      const recorded = {
        attempt: 1,
        outcome: 'Delivered',
        billerReference: text,
        code: text,
        recordedAt: PAST,
      } as const;
      expect(await shard.reconcile({ dpId: dpId(id), to: 'Delivered', from: ['Published'], detail: recorded })).toBe(
        'applied',
      );
      expect(await shard.findRow(dpId(id))).toMatchObject({
        dpId: id,
        biller: { billerId: `b-${id}`, dba: text, active: false },
        customer: { customerId: id, accountNumber: text, name: text, email: text },
        payment: {
          paymentId: id,
          amount: { minorUnits: Number.MAX_SAFE_INTEGER - index, currency: 'JPY' },
          invoiceType: text,
          paidAt: instantFromMs(index),
          achReturnCode: text,
        },
        details: [recorded],
      });
    }
  });

  it('11: finds nothing by an id that would be SQL', async () => {
    await fixture.seed(numbered(1, 1));
    expect(await shard.findRow(`1' OR '1'='1` as DpId)).toBeUndefined();
    expect(await claimFrom(shard, [`water' OR 1=1 --` as BillerId])).toEqual([]);
    expect(await shard.rowsOfChunk(chunkId(`' OR ChunkId IS NULL --`))).toEqual([]);
  });

  it('11: names the range of a chunk without rounding its ids', async () => {
    const ids = ['9007199254740992', '10', '9007199254740993'];
    await fixture.seed(merged(ids.map((id, index) => wholeRow(index, { dpId: dpId(id) }))));
    expect((await claimFrom(shard, [WATER]))[0]).toMatchObject({ dpStart: '10', dpEnd: '9007199254740993', rows: 3 });
  });

  it('lists rows by status, oldest first, page by page', async () => {
    await fixture.seed(
      merged(
        DATA_TYPES.flatMap((dataType, index) => [
          wholeRow(index * 2 + 1, { dataType }),
          wholeRow(index * 2 + 2, { dataType, billerId: GAS, status: 'Failed' }),
        ]),
      ),
    );
    const seen: string[] = [];
    let after: DpId | undefined;
    for (let page = 0; page < 10; page++) {
      const rows = await shard.rowsByStatus({ statuses: ['New', 'Failed'], max: 3, ...(after && { after }) });
      if (rows.length === 0) break;
      expect(rows.length).toBeLessThanOrEqual(3);
      seen.push(...rows.map((row) => row.dpId));
      after = rows.at(-1)!.dpId;
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    expect((await shard.rowsByStatus({ statuses: ['Failed'], billerId: GAS, max: 2 })).map((row) => row.dpId)).toEqual([
      '2',
      '4',
    ]);
    expect(await shard.rowsByStatus({ statuses: ['Failed'], billerId: WATER, max: 2 })).toEqual([]);
  });

  it('18: a row that cannot be what was written is named and left out of lists, and stops no other', async () => {
    await fixture.seed(numbered(1, 3));
    const [chunk] = await claimFrom(shard, [WATER], 3);
    expect((await shard.rowsOfChunk(chunk!.chunkId)).damaged ?? []).toEqual([]);
    if (!fixture.damage) return;
    fixture.damage(dpId('2'));
    const rows = await shard.rowsOfChunk(chunk!.chunkId);
    expect(rows.map((row) => row.dpId)).toEqual(['1', '3']);
    expect(rows.damaged).toEqual([
      expect.stringMatching(/table datapump, row 2 is damaged \(column Status\): restore it/),
    ]);
    await expect(shard.findRow(dpId('2'))).rejects.toMatchObject({ code: 'storage-damaged', facts: { dpId: '2' } });
    expect((await shard.findRow(dpId('3')))?.dpId).toBe('3');
  });
}
