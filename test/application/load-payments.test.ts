import fc from 'fast-check';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { SqliteShards } from '../../src/adapters/sqlite/sqlite-shards';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import {
  type LoadOptions,
  loadPayments,
  type LoadPorts,
  type LoadResult,
  type PaymentLine,
} from '../../src/application/operating/load-payments';
import { type PaymentImport } from '../../src/application/ports/payment-imports';
import { billerId, shardName } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';

const payment = (over: Partial<PaymentImport> = {}): PaymentImport => ({
  source: 'bank', externalReference: '1', billerId: billerId('AB'), billerName: 'Bank AB', customerReference: 'c1', accountNumber: '000123',
  customerName: 'Jana', amount: { minorUnits: 150, currency: 'CZK' }, invoiceType: 'household', paidAt: instant('2026-11-20T00:00:00Z'), ...over,
}); // prettier-ignore
const paymentLines = (...payments: readonly PaymentImport[]): PaymentLine[] =>
  payments.map((each, index) => ({ line: index + 2, payment: each }));

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

class LoadBench {
  readonly told: string[] = [];
  readonly shards: readonly SqliteShard[];
  readonly scratches: SqliteShard[] = [];
  constructor(path: string = ':memory:', count = 2) {
    this.shards = Array.from(
      { length: count },
      (_, index) => new SqliteShard({ name: shardName(`Shard-${index + 1}`), path }),
    );
  }
  async load(
    lines: readonly PaymentLine[],
    options: LoadOptions = {},
    ports: Partial<LoadPorts> = {},
  ): Promise<LoadResult> {
    this.told.length = 0;
    const watcher = {
      problem: (line: number, reason: string): void => void this.told.push(`${line}: ${reason}`),
      progress: (): void => undefined,
    };
    return loadPayments({ shards: new SqliteShards([...this.shards]), digest: sha256Digest, ...ports }, options)(
      each(lines),
      watcher,
    );
  }
  dry(lines: readonly PaymentLine[], options: LoadOptions = {}): Promise<LoadResult> {
    const scratch = new SqliteShard({ name: shardName('dry-run'), path: ':memory:' });
    this.scratches.push(scratch);
    return this.load(lines, options, { scratch });
  }
  async rows(): Promise<readonly unknown[]> {
    const rows = await Promise.all(this.shards.map((shard) => shard.rowsByStatus({ statuses: ['New'], max: 1_000 })));
    return rows
      .flat()
      .map(({ dpId, payment: paid, customer }) => [dpId, paid!.amount, customer!.accountNumber, customer!.name]);
  }
  async close(): Promise<void> {
    for (const shard of [...this.shards, ...this.scratches]) await shard.close();
  }
}

let bench: LoadBench;
beforeEach(() => {
  bench = new LoadBench();
});
afterEach(() => bench.close());

describe('a load (issue 8, no 20)', () => {
  it('counts lines by what became of them, and money exactly per currency', async () => {
    const large = { minorUnits: 10_000_000_000, currency: 'JPY' };
    const lines: PaymentLine[] = [
      ...paymentLines(payment(), payment({ externalReference: '2', amount: large }), payment()),
      { line: 9, reason: 'is odd' },
      { line: 10, passedOver: 'Směr is "K"' },
    ];
    const { counts, money } = await bench.load(lines);
    expect(counts).toEqual({ lines: 5, added: 2, known: 1, conflicts: 0, skipped: 1, passedOver: 1, corrected: 0 });
    expect([...money.added, ...money.known]).toEqual([['CZK', 150n], ['JPY', 10_000_000_000n], ['CZK', 150n]]); // prettier-ignore
    expect(bench.told).toEqual(['9: is odd']);
  });

  it('dry, says what the real one then does, and writes nothing', async () => {
    const one = fc.record({
      externalReference: fc.constantFrom('1', '2', '3', '4'),
      billerId: fc.constantFrom(billerId('AB'), billerId('CD')),
      customerReference: fc.constantFrom('c1', 'c2'),
      accountNumber: fc.constantFrom('000123', '000124'),
      amount: fc.constantFrom({ minorUnits: 150, currency: 'CZK' }, { minorUnits: 5, currency: 'KWD' }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { maxLength: 6 }),
        fc.array(one, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (before, drawn, correcting) => {
          const each = new LoadBench();
          try {
            await each.load(paymentLines(...before.map(payment)));
            const options = correcting ? { correctCustomers: { by: 'op', reason: 'letter' } } : {};
            const stood = await each.rows();
            const dry = await each.dry(paymentLines(...drawn.map(payment)), options);
            const told = [...each.told];
            expect(await each.rows()).toEqual(stood);
            expect(await each.load(paymentLines(...drawn.map(payment)), options)).toEqual(dry);
            expect([...each.told].sort()).toEqual(told.sort());
          } finally {
            await each.close();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('dry, needs no shard at all', async () => {
    const none = { all: () => [], named: () => { throw new Error('none'); }, ofBiller: async () => undefined }; // prettier-ignore
    const scratch = new SqliteShard({ name: shardName('dry-run'), path: ':memory:' });
    bench.scratches.push(scratch);
    const { counts } = await bench.load(
      paymentLines(payment(), payment(), payment({ amount: { minorUnits: 1, currency: 'CZK' } })),
      {},
      { shards: none, scratch },
    );
    expect(counts).toMatchObject({ added: 1, known: 1, conflicts: 1 });
  });
});

describe('a corrected customer (issue 8, no 20)', () => {
  const order = { correctCustomers: { by: 'op', reason: 'letter of the bank' } };
  const corrected = payment({ accountNumber: '000777', customerName: 'Jana Nová' });

  it('is a conflict without the order, and changes with it, for what was loaded before too', async () => {
    await bench.load(paymentLines(payment()));
    expect((await bench.load(paymentLines(corrected))).counts).toMatchObject({ conflicts: 1, corrected: 0 });
    const { counts } = await bench.load(
      paymentLines(corrected, payment({ externalReference: '2', accountNumber: '000777' })),
      order,
    );
    expect(counts).toMatchObject({ conflicts: 0, corrected: 1, known: 1, added: 1 });
    expect(await bench.rows()).toEqual([['bank.1', { minorUnits: 150, currency: 'CZK' }, '000777', 'Jana Nová'], ['bank.2', { minorUnits: 150, currency: 'CZK' }, '000777', 'Jana Nová']]); // prettier-ignore
    expect((await bench.load(paymentLines(corrected), order)).counts).toMatchObject({ corrected: 0, known: 1 });
  });

  it('keeps the number from before, who and why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'corrected-'));
    const path = join(folder, 'shard.sqlite');
    const one = new LoadBench(path, 1);
    try {
      await one.load(paymentLines(payment()));
      await one.load(paymentLines(corrected), order);
      const file = new Database(path, { readonly: true });
      expect(
        file
          .prepare('SELECT CustomerId, OrderedBy, Reason, AccountBefore, AccountAfter FROM CustomerCorrection')
          .raw()
          .all(),
      ).toEqual([['AB.c1', 'op', 'letter of the bank', '000123', '000777']]);
      file.close();
    } finally {
      await one.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('with two account numbers in one file is named, and the first stays: from line to line and over batches', async () => {
    await bench.load(paymentLines(payment()));
    const many = Array.from({ length: 1_500 }, (_, index) =>
      payment({ externalReference: `x${index}`, customerReference: `d${index}` }),
    );
    const { counts } = await bench.load(
      paymentLines(payment(), ...many, payment({ externalReference: '9', accountNumber: '000777' })),
      order,
    );
    expect(counts).toMatchObject({ corrected: 0, conflicts: 1, known: 1 });
    expect(bench.told).toEqual([expect.stringContaining('another account number than an earlier line')]);
  });
});
