import { randomUUID } from 'node:crypto';
import { type SeedRow, type ShardSeed } from '../../src/adapters/shared/shard-seed';
import { type PaymentImport } from '../../src/application/ports/payment-imports';
import { type Shard } from '../../src/application/ports/shard';
import { type OutboxChunk } from '../../src/application/ports/shard-claims';
import { allowedPredecessors } from '../../src/domain/dp-record/row-status';
import { type BillerId, billerId, chunkId, customerId, dpId, type DpId, paymentId } from '../../src/domain/identifiers';
import { instant, plusMs } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';

/* What the laws of a shard are tried on. */

export const WATER = billerId('water');
export const GAS = billerId('gas');
export const PAST = instant('2026-01-01T08:00:00.000Z');
export const FAR = instant('2099-01-01T00:00:00.000Z');

/** A row whose customer, payment and biller exist; `number` makes the ids and, in milliseconds, the age. */
export function wholeRow(number: number, row: Partial<SeedRow> = {}): Required<ShardSeed> {
  const biller = row.billerId ?? WATER;
  const customer = customerId(`${biller}-c${number}`);
  const payment = paymentId(`${biller}-p${number}`);
  return {
    billers: [{ billerId: biller, dba: `The ${biller} works`, active: true }],
    customers: [
      {
        customerId: customer,
        billerId: biller,
        accountNumber: `00${number}`,
        name: 'Jana Nováková',
        email: 'jana@example.test',
        paperless: true,
        autoPay: false,
      },
    ],
    payments: [
      {
        paymentId: payment,
        customerId: customer,
        billerId: biller,
        amount: { minorUnits: 100 + number, currency: 'USD' },
        invoiceType: 'water',
        paidAt: PAST,
        achReturnCode: undefined,
      },
    ],
    rows: [
      {
        dpId: dpId(String(number)),
        billerId: biller,
        dataType: 'Payments',
        customerId: customer,
        paymentId: payment,
        createdAt: plusMs(PAST, number),
        ...row,
      },
    ],
  };
}

export const merged = (seeds: readonly ShardSeed[]): ShardSeed => ({
  billers: [
    ...new Map(seeds.flatMap((seed) => seed.billers ?? []).map((biller) => [biller.billerId, biller])).values(),
  ],
  customers: seeds.flatMap((seed) => seed.customers ?? []),
  payments: seeds.flatMap((seed) => seed.payments ?? []),
  rows: seeds.flatMap((seed) => seed.rows ?? []),
});

export const numbered = (from: number, count: number, row: Partial<SeedRow> = {}): ShardSeed =>
  merged(Array.from({ length: count }, (_, index) => wholeRow(from + index, row)));

export const claimFrom = (
  shard: Shard,
  billers: readonly BillerId[],
  rowsMax = 100,
  chunkSizeMax = 100,
): Promise<readonly OutboxChunk[]> =>
  shard.claim({
    billers,
    rowsMax,
    plan: (rows) => planChunks(rows, chunkSizeMax),
    newChunkId: () => chunkId(randomUUID()),
  });

export async function idsOf(shard: Shard, chunks: readonly OutboxChunk[]): Promise<readonly DpId[]> {
  const rows = await Promise.all(chunks.map((chunk) => shard.rowsOfChunk(chunk.chunkId)));
  return rows.flat().map((row) => row.dpId);
}

export const statusOf = async (shard: Shard, id: string): Promise<string | undefined> =>
  (await shard.findRow(dpId(id)))?.status;

export const delivered = (id: string, attempt: number) =>
  ({
    dpId: dpId(id),
    to: 'Delivered',
    from: allowedPredecessors('Delivered'),
    detail: { attempt, outcome: 'Delivered', billerReference: 'R-1', code: '00', recordedAt: PAST },
  }) as const;

/** A payment as a bank's orders bring it. */
export const importOf = (number: number): PaymentImport => ({
  source: 'bank-orders',
  externalReference: `order-${number}`,
  billerId: billerId('YZ'),
  billerName: 'Bank YZ',
  customerReference: `c-${number % 3}`,
  accountNumber: '000123',
  customerName: 'Customer',
  amount: { minorUnits: 245_200 + number, currency: 'CZK' },
  invoiceType: 'household',
  paidAt: PAST,
});

/** Of our schema, those that point to others before those: the order in which they are emptied. */
export const SQL_SERVER_TABLES = [
  'CustomerCorrection',
  'DpDetail',
  'DpClaim',
  'Outbox',
  'datapump',
  'Payment',
  'Customer',
  'BillerSettings',
];
