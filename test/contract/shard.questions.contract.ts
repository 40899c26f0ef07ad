import { type Shard } from '../../src/application/ports/shard';
import { type InHand } from '../../src/application/ports/shard-rows';
import { type TotalsPart } from '../../src/application/ports/shard-totals';
import { customerId, dpId, paymentId } from '../../src/domain/identifiers';
import { type Day, dayAfter, dayOf, instant, plusMs, startOf } from '../../src/domain/instant';
import { type ShardFixture } from './shard.contract';
import { claimFrom, GAS, importOf, merged, numbered, PAST, WATER, wholeRow } from './shard.seeds';

/** What people ask of a shard. Called within the suite, which makes a fixture for each test. */
export function questionLaws(made: () => ShardFixture): void {
  let fixture: ShardFixture;
  let shard: Shard;
  beforeEach(() => {
    fixture = made();
    shard = fixture.shard;
  });

  const found = async (query: InHand, max = 10) =>
    (await shard.rowsInHand({ ...query, max })).map((row) => row.dpId as string);

  it('20: finds rows by what is in hand: customer, account, name, row, payment', async () => {
    await fixture.seed(numbered(1, 3));
    await fixture.seed(
      merged([
        wholeRow(4, { billerId: GAS, customerId: customerId('gas-c4') }),
        { rows: [{ dpId: dpId('5'), billerId: GAS, dataType: 'Paperless', customerId: customerId('gas-c4'), createdAt: PAST }] },
        { rows: [{ dpId: dpId('6'), billerId: GAS, dataType: 'Paperless', customerId: customerId('nobody'), paymentId: paymentId('nothing'), createdAt: PAST }] },
      ]),
    ); // prettier-ignore
    expect(await found({ customer: 'gas-c4' })).toEqual(['4', '5']);
    expect(await found({ customer: '002' })).toEqual(['2']);
    expect(await found({ customer: 'JANA Nováková' })).toEqual(['1', '2', '3', '4', '5']);
    expect(await found({ reference: '6' })).toEqual(['6']);
    expect(await found({ reference: 'water-p3' })).toEqual(['3']);
    expect(await found({ customer: '002', reference: 'water-p2' })).toEqual(['2']);
    expect(await found({ customer: '002', reference: 'water-p3' })).toEqual([]);
    expect(await found({})).toEqual([]);
  });

  it('20: finds a loaded payment by its reference', async () => {
    await shard.importPayments([importOf(1), importOf(2)]);
    const rows = await shard.rowsInHand({ reference: 'order-2', max: 5 });
    expect(rows.map((row) => row.payment?.amount)).toEqual([importOf(2).amount]);
  });

  it('20: takes what is searched for as it stands, and no part or pattern of it', async () => {
    await fixture.seed(numbered(1, 3));
    for (const text of ['%', '_', '00', "' OR '1'='1", 'Jana', 'Jana Nováková ', '*', 'null'])
      expect([text, await found({ customer: text }), await found({ reference: text })]).toEqual([text, [], []]);
  });

  it('20: yields those that arrived last, oldest first', async () => {
    await fixture.seed(numbered(1, 5));
    expect(await found({ customer: 'Jana Nováková' }, 2)).toEqual(['4', '5']);
    expect(await found({ customer: 'Jana Nováková' }, 0)).toEqual([]);
  });

  const counts = async (part: TotalsPart) =>
    (await shard.totals(part))
      .map(({ billerId, dataType, status, count, amount }) =>
        [billerId, dataType, status, count, amount.minorUnits, amount.currency].join(' '),
      )
      .sort();

  it('21: counts the rows of a day, from its first millisecond to its last, whatever their status', async () => {
    const day = '2026-03-29' as Day;
    const [before, first, last, after] = [
      plusMs(startOf(day), -1),
      startOf(day),
      plusMs(startOf(dayAfter(day)), -1),
      startOf(dayAfter(day)),
    ];
    await fixture.seed(
      merged([
        wholeRow(1, { createdAt: before }),
        wholeRow(2, { createdAt: first, status: 'Delivered' }),
        wholeRow(3, { createdAt: last, status: 'Delivered' }),
        wholeRow(4, { createdAt: last, dataType: 'Paperless' }),
        wholeRow(5, { createdAt: first, billerId: GAS, status: 'InDoubt', paymentId: paymentId('nothing') }),
        wholeRow(6, { createdAt: after }),
      ]),
    ); // prettier-ignore
    expect(await counts({ day })).toEqual([
      'gas Payments InDoubt 1 0 USD',
      'water Paperless New 1 0 USD',
      'water Payments Delivered 2 205 USD',
    ]);
    expect(await counts({ day: '2001-01-01' as Day })).toEqual([]);
    const rows = async (more: object) =>
      shard.rowsOfDay({ day, billerId: WATER, dataType: 'Payments', max: 10, ...more });
    expect(await rows({})).toEqual([
      { dpId: '2', status: 'Delivered', amount: { minorUnits: 102, currency: 'USD' } },
      { dpId: '3', status: 'Delivered', amount: { minorUnits: 103, currency: 'USD' } },
    ]);
    expect((await rows({ max: 1 })).map((row) => row.dpId)).toEqual(['2']);
    expect((await rows({ after: dpId('2') })).map((row) => row.dpId)).toEqual(['3']);
    expect(await rows({ after: dpId('3') })).toEqual([]);
    expect(await rows({ max: 0 })).toEqual([]);
    expect(await rows({ billerId: GAS })).toEqual([
      { dpId: '5', status: 'InDoubt', amount: { minorUnits: 0, currency: 'USD' } },
    ]);
  });

  it('21: a day is one of UTC, in summer and in winter', async () => {
    const at = instant('2026-07-01T01:30:00+02:00');
    await fixture.seed(wholeRow(1, { createdAt: at }));
    expect(dayOf(at)).toBe('2026-06-30');
    expect(await counts({ day: dayOf(at) })).toHaveLength(1);
    expect(await counts({ day: dayAfter(dayOf(at)) })).toEqual([]);
  });

  it('22: counts what is to end, and nothing that has ended', async () => {
    await fixture.seed(numbered(1, 4));
    await fixture.seed(
      merged(
        (['Published', 'InDoubt', 'Delivered', 'Declined', 'Failed', 'Rejected', 'Skipped', 'Withdrawn'] as const).map(
          (status, index) => wholeRow(10 + index, { status }),
        ),
      ),
    );
    await claimFrom(shard, [WATER], 1);
    expect(await counts('to-end')).toEqual([
      'water Payments InDoubt 1 111 USD',
      'water Payments New 3 309 USD',
      'water Payments Published 1 110 USD',
      'water Payments Queued 1 101 USD',
    ]);
  });
}
