import { type PaymentImport } from '../../src/application/ports/payment-imports';
import { type Shard } from '../../src/application/ports/shard';
import { billerId, dpId } from '../../src/domain/identifiers';
import { plusMs } from '../../src/domain/instant';
import { type ShardFixture } from './shard.contract';
import { claimFrom, importOf, PAST, WATER } from './shard.seeds';

/** Payments and customers that arrive from outside. Called within the suite, which makes a fixture for each test. */
export function importLaws(made: () => ShardFixture): void {
  let fixture: ShardFixture;
  let shard: Shard;
  beforeEach(() => {
    fixture = made();
    shard = fixture.shard;
  });

  it('13: imports a payment once, with its biller, its customer and a New row that can be claimed at once', async () => {
    expect(await shard.importPayments([importOf(1), importOf(2), importOf(1), importOf(4)])).toEqual({
      added: 3,
      known: 1,
      knownAt: [2],
      conflicts: [],
    });
    expect(await shard.importPayments([importOf(2), importOf(3)])).toEqual({
      added: 1,
      known: 1,
      knownAt: [0],
      conflicts: [],
    });
    expect(await shard.importPayments([])).toEqual({ added: 0, known: 0, knownAt: [], conflicts: [] });
    const [chunk] = await claimFrom(shard, [billerId('YZ')]);
    const rows = await shard.rowsOfChunk(chunk!.chunkId);
    expect(rows.map((row) => row.payment!.amount.minorUnits).sort()).toEqual([245_201, 245_202, 245_203, 245_204]);
    expect(new Set(rows.map((row) => row.customerId)).size).toBe(3);
    expect(rows[0]).toMatchObject({
      dataType: 'Payments',
      status: 'Queued',
      biller: { dba: 'Bank YZ', active: true },
      customer: {
        billerId: 'YZ',
        accountNumber: '000123',
        name: 'Customer',
        email: undefined,
        paperless: false,
        autoPay: false,
      },
      payment: {
        billerId: 'YZ',
        customerId: rows[0]!.customerId,
        amount: { currency: 'CZK' },
        invoiceType: 'household',
        paidAt: PAST,
        achReturnCode: undefined,
      },
    });
  });

  it('13: names a known reference with another payment and a known customer with another account, and changes nothing', async () => {
    await shard.importPayments([importOf(1), importOf(2)]);
    const before = await shard.rowsByStatus({ statuses: ['New'], max: 10 });
    const others: readonly Partial<PaymentImport>[] = [
      { amount: { minorUnits: 1, currency: 'CZK' } },
      { amount: { ...importOf(1).amount, currency: 'EUR' } },
      { invoiceType: 'loan' },
      { billerId: WATER },
      { customerReference: 'c-2' },
      { paidAt: plusMs(PAST, 1) },
    ];
    const changed = others.map((other) => ({ ...importOf(1), ...other }));
    expect(
      await shard.importPayments([
        importOf(2),
        ...changed,
        { ...importOf(3), customerReference: 'c-1', accountNumber: '000124' },
      ]),
    ).toEqual({
      added: 0,
      known: 1,
      knownAt: [0],
      conflicts: [
        ...changed.map((_, index) => ({ index: index + 1, why: 'another-payment' })),
        { index: changed.length + 1, why: 'another-account' },
      ],
    });
    expect(await shard.rowsByStatus({ statuses: ['New'], max: 10 })).toEqual(before);
  });

  it('14: tells which references it holds', async () => {
    await shard.importPayments([importOf(1), importOf(2)]);
    const [known, unknown] = [importOf(2), importOf(3)];
    const elsewhere = { ...importOf(1), source: 'another-source' };
    const named = ({ source, externalReference }: PaymentImport) => ({ source, externalReference });
    expect((await shard.knownReferences([known, unknown, elsewhere].map(named))).map((each) => ({ ...each }))).toEqual([
      named(known),
    ]);
    expect(await shard.knownReferences([])).toEqual([]);
  });

  it('13: adds each payment once when several importers load the same ones at the same time', async () => {
    const payments = Array.from({ length: 300 }, (_, number) => importOf(number));
    const shards = await Promise.all(Array.from({ length: 3 }, () => fixture.another()));
    const answers = await Promise.all(
      shards.map(async (each) => {
        let added = 0;
        for (let from = 0; from < payments.length; from += 50)
          added += (await each.importPayments(payments.slice(from, from + 50))).added;
        return added;
      }),
    );
    expect(answers.reduce((sum, added) => sum + added, 0)).toBe(300);
    expect((await shard.totals()).map((total) => total.count)).toEqual([300]);
  });

  it('13: keeps apart what only looks alike, and takes references that make no id', async () => {
    const pairs = [
      ['a', 'b.c'],
      ['a.b', 'c'],
      ['a', 'B.c'],
      ['a', 'x:1'],
      ['a', 'x 1'],
      ['a', 'ř'.repeat(200)],
      ['a', `'; DROP TABLE Payment;--`],
      ['other', 'x:1'],
      ['s'.repeat(40), 'r'.repeat(40)],
      // Just too long for an id, though each part is not.
      ['s'.repeat(8), 'r'.repeat(48)],
    ];
    const payments = pairs.map(([source, externalReference]) => ({
      ...importOf(1),
      source: source!,
      externalReference: externalReference!,
    }));
    expect(await shard.importPayments(payments)).toMatchObject({ added: pairs.length, known: 0, conflicts: [] });
    expect(await shard.importPayments(payments)).toMatchObject({ added: 0, known: pairs.length, conflicts: [] });
    for (const row of await shard.rowsByStatus({ statuses: ['New'], max: 100 })) expect(dpId(row.dpId)).toBe(row.dpId);
  });

  it('15: previews what an import would do with each payment, in their order, and writes nothing', async () => {
    await shard.importPayments([importOf(1)]);
    const payments = [
      importOf(1),
      importOf(2),
      importOf(2),
      { ...importOf(1), invoiceType: 'loan' },
      { ...importOf(4), accountNumber: '000124' },
      { ...importOf(3), accountNumber: '000125' },
      importOf(6),
    ];
    const before = [await shard.rowsByStatus({ statuses: ['New'], max: 10 }), await shard.totals()];
    const fates = ['added', 'known', 'another-payment', 'another-account'] as const;
    const [added, known, otherPayment, otherAccount] = fates;
    expect(await shard.previewPayments(payments)).toEqual([
      known,
      added,
      known,
      otherPayment,
      otherAccount,
      added,
      otherAccount,
    ]);
    const corrected = await shard.previewPayments(payments, { anyAccount: true });
    expect(corrected).toEqual([known, added, known, otherPayment, added, added, added]);
    expect([await shard.rowsByStatus({ statuses: ['New'], max: 10 }), await shard.totals()]).toEqual(before);
    const imported = await shard.importPayments(payments);
    expect(imported).toEqual({
      added: 2,
      known: 2,
      knownAt: [0, 2],
      conflicts: [
        { index: 3, why: otherPayment },
        { index: 4, why: otherAccount },
        { index: 6, why: otherAccount },
      ],
    });
    expect(await shard.previewPayments([])).toEqual([]);
  });

  it('16: corrects a known customer once, for every row of it, and passes over unknown ones', async () => {
    await shard.importPayments([importOf(1), importOf(2), importOf(4)]);
    const unchanged = { ...importOf(2), customerName: 'Other name' };
    const corrections = [
      { ...importOf(1), accountNumber: '000777', customerName: 'New name' },
      unchanged,
      { ...importOf(3), accountNumber: '000778' },
      { ...importOf(1), accountNumber: '000779' },
    ];
    const accounts = async (): Promise<readonly unknown[]> =>
      (await shard.rowsByStatus({ statuses: ['New'], max: 10 })).map(({ payment: each, customer }) => [
        each!.amount.minorUnits - 245_200,
        customer!.accountNumber,
        customer!.name,
      ]);
    expect(await shard.correctCustomers(corrections, undefined)).toEqual([0]);
    expect((await accounts()).map((each) => (each as string[])[1])).toEqual(['000123', '000123', '000123']);
    const order = { by: `O'Hara 🌍`, reason: `the bank's letter; --` };
    expect(await shard.correctCustomers(corrections, order)).toEqual([0]);
    expect(await accounts()).toEqual([
      [1, '000777', 'New name'],
      [2, '000123', 'Customer'],
      [4, '000777', 'New name'],
    ]);
    expect(await shard.correctCustomers(corrections.slice(0, 3), order)).toEqual([]);
    expect(await shard.correctCustomers([], order)).toEqual([]);
    // What was another account before is the stored one now.
    expect((await shard.importPayments([{ ...importOf(7), accountNumber: '000777' }])).added).toBe(1);
    expect((await shard.importPayments([importOf(10)])).conflicts).toEqual([{ index: 0, why: 'another-account' }]);
  });
}
