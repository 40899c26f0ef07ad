import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { instantiateTemplate } from '../src/adapters/biller-profiles/instantiate-template';
import { SqliteShards } from '../src/adapters/sqlite/sqlite-shards';
import { carriesMoney, type DataType } from '../src/domain/biller/data-type';
import { billerId, type BillerId, customerId, dpId, paymentId, shardName } from '../src/domain/identifiers';
import { instant } from '../src/domain/instant';

const SHARDS = 4;
const BILLERS = 12;
const CUSTOMERS_PER_BILLER = 400;
const ROWS_PER_SEED = 2_000;
/** The demo's mix: half of the records are payments. */
const MIX: readonly DataType[] = [
  ...Array<DataType>(10).fill('Payments'),
  ...Array<DataType>(4).fill('Paperless'),
  ...Array<DataType>(3).fill('AutoPay'),
  ...Array<DataType>(3).fill('ACHRejects'),
];
const CREATED_AT = instant('2026-01-01T00:00:00.000Z');
/** Rows that are not due yet; the bench makes them due when the warm-up is over. */
export const NOT_YET = instant('2099-01-01T00:00:00.000Z');
const TEMPLATE = resolve(__dirname, '..', 'billers', 'templates', 'json-oauth2-keys-and-inquiry.json');
const SECRETS = { id: 'json-oauth2-keys-and-inquiry-client-id', secret: 'json-oauth2-keys-and-inquiry-client-secret' };
const SECRET_VALUE = 'bench';
const PATHS: Record<DataType, string> = {
  Payments: 'payments',
  Paperless: 'paperless',
  AutoPay: 'autopay',
  ACHRejects: 'ach-rejects',
};

export const billers = Array.from({ length: BILLERS }, (_, index) => ({
  billerId: billerId(String(101 + index)),
  shard: shardName(`Shard-${(index % SHARDS) + 1}`),
}));
export const shardNames = [...new Set(billers.map(({ shard }) => shard))];
export const baseUrlOf = (port: number, biller: BillerId): string => `http://127.0.0.1:${port}/b/${biller}`;
export const urlOf = (port: number, biller: BillerId, dataType: DataType): string =>
  `${baseUrlOf(port, biller)}/${PATHS[dataType]}`;
export const tokenFormOf = { grant_type: 'client_credentials', client_id: SECRET_VALUE, client_secret: SECRET_VALUE };

/** Sandbox without faults and without latency, billers of one template: JSON bodies, OAuth2 tokens, idempotency keys. */
export function writeConfiguration(folder: string, port: number): void {
  const template = JSON.parse(readFileSync(TEMPLATE, 'utf8')) as Record<string, unknown>;
  mkdirSync(join(folder, 'billers'), { recursive: true });
  for (const { billerId: id } of billers) {
    const profile = instantiateTemplate(template, {
      billerId: id,
      baseUrl: baseUrlOf(port, id),
      overrides: { Limits: { Concurrency: 64, PerSecond: 20_000 }, Constraints: {}, Timeout: '10s' },
    });
    writeJson(join(folder, 'billers', `${id}.json`), profile);
  }
  writeJson(join(folder, 'secrets.json'), { [SECRETS.id]: SECRET_VALUE, [SECRETS.secret]: SECRET_VALUE });
  writeJson(join(folder, 'sandbox.json'), {
    host: '127.0.0.1',
    port,
    ledgerFile: join(folder, 'sandbox-ledger.sqlite'),
    seed: 1,
    billers: billers.map(({ billerId: id }) => ({
      billerId: id,
      authentication: {
        kind: 'oauth2',
        clientId: SECRET_VALUE,
        clientSecret: SECRET_VALUE,
        tokenLifetimeMs: 3_600_000,
      },
      format: 'json',
      idempotency: { header: 'Idempotency-Key', retentionMs: 86_400_000 },
      inquiry: { lagMs: 0 },
      quarantineMs: 5_000,
      latencyMs: { median: 0, max: 0 },
      faults: {},
      hangMs: 11_000,
    })),
  });
}

export const environmentOf = (folder: string, dataFolder: string): Record<string, string> => ({
  Data__Folder: dataFolder,
  Billers__Folder: join(folder, 'billers'),
  Billers__AllowPlainLoopback: 'true',
  Secrets__File: join(folder, 'secrets.json'),
  Scanner__SleepSeconds: '1',
  Log__Level: 'warn',
});

/** `warmUp` rows that are due, then `records` that are not yet; all valid, spread evenly over billers and shards. */
export async function seedShards(
  dataFolder: string,
  counts: { readonly warmUp: number; readonly records: number },
): Promise<void> {
  const folder = join(dataFolder, 'shards');
  mkdirSync(folder, { recursive: true });
  const shards = SqliteShards.open({ folder, names: shardNames });
  const total = counts.warmUp + counts.records;
  for (const shard of shards.all()) {
    const own = billers.filter((biller) => biller.shard === shard.name);
    await shard.seed({ billers: own.map(({ billerId: id }) => ({ billerId: id, dba: `Biller ${id}`, active: true })) });
  }
  for (let from = 0; from < total; from += ROWS_PER_SEED) {
    const records = Array.from({ length: Math.min(ROWS_PER_SEED, total - from) }, (_, index) =>
      record(from + index, counts.warmUp),
    );
    for (const shard of shards.all()) {
      const own = records.filter((each) => each.shard === shard.name);
      await shard.seed({
        customers: own.map(({ customer }) => customer),
        payments: own.flatMap(({ payment }) => payment ?? []),
        rows: own.map(({ row }) => row),
      });
    }
  }
  await shards.close();
}

function record(index: number, warmUp: number) {
  const biller = billers[index % BILLERS]!;
  const dataType = MIX[Math.floor(index / BILLERS) % MIX.length]!;
  const number = index % CUSTOMERS_PER_BILLER;
  const customer = {
    customerId: customerId(`${biller.billerId}-${number}`),
    billerId: biller.billerId,
    accountNumber: `ACC-${biller.billerId}-${number}`,
    name: `Customer ${number}`,
    email: `customer-${number}@example.com`,
    paperless: true,
    autoPay: false,
  };
  const payment = carriesMoney(dataType)
    ? {
        paymentId: paymentId(`p-${index}`),
        customerId: customer.customerId,
        billerId: biller.billerId,
        amount: { minorUnits: 100 + (index % 50_000), currency: 'USD' },
        invoiceType: 'Premium',
        paidAt: CREATED_AT,
        achReturnCode: dataType === 'ACHRejects' ? 'R01' : undefined,
      }
    : undefined;
  const row = {
    dpId: dpId(String(100_000_000 + index)),
    billerId: biller.billerId,
    dataType,
    customerId: customer.customerId,
    createdAt: CREATED_AT,
    dueAt: index < warmUp ? CREATED_AT : NOT_YET,
    ...(payment && { paymentId: payment.paymentId }),
  };
  return { shard: biller.shard, customer, payment, row };
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, JSON.stringify(value, undefined, 2), { mode: 0o600 });
}
