import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSqliteFile } from '../src/adapters/sqlite/sqlite-file';
import { EVENT_STORE_SCHEMA } from '../src/adapters/sqlite/sqlite-event-store';
import { SHARD_SCHEMA } from '../src/adapters/sqlite/sqlite-shard-schema';
import { type DataType } from '../src/domain/biller/data-type';
import { type RowStatus } from '../src/domain/dp-record/row-status';

const DAY_MS = 86_400_000;
const CHUNK_ROWS = 1_000;
/** Of a thousand records so many end otherwise than delivered; the rest is delivered. */
const OTHER_ENDS: readonly { readonly until: number; readonly status: RowStatus }[] = [
  { until: 4, status: 'Failed' },
  { until: 7, status: 'InDoubt' },
  { until: 15, status: 'Rejected' },
  { until: 30, status: 'Declined' },
];

interface ManyRecords {
  readonly folder: string;
  readonly records: number;
  readonly shards: number;
  readonly billers: number;
  readonly days: number;
  readonly lastDay: Date;
  /** False: rows alone, without their events. */
  readonly events: boolean;
}

/**
 * Rows and their events as a finished job leaves them, written straight into the files: a job of this size would run for
 * hours. A chunk's records are discovered together and delivered one after the other, as it happens.
 */
function writeManyRecords(plan: ManyRecords): void {
  const { folder, records, shards, events } = plan;
  mkdirSync(join(folder, 'shards'), { recursive: true, mode: 0o700 });
  const store = events
    ? openSqliteFile({
        path: join(folder, 'event-store.sqlite'),
        kind: 'event-store',
        schema: EVENT_STORE_SCHEMA,
        synchronous: 'OFF',
      })
    : undefined;
  const files = Array.from({ length: shards }, (_, index) =>
    openSqliteFile({
      path: join(folder, 'shards', `Shard-${index + 1}.sqlite`),
      kind: 'shard',
      schema: SHARD_SCHEMA,
      synchronous: 'OFF',
    }),
  );
  const rows = files.map((file) => ({
    row: file.prepare('INSERT INTO datapump VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)'),
    payment: file.prepare("INSERT INTO Payment VALUES (?, ?, ?, ?, 'USD', 'card', ?, NULL, 'bank', ?)"),
    customer: file.prepare('INSERT OR IGNORE INTO Customer VALUES (?, ?, ?, ?, NULL, 0, 0)'),
    biller: file.prepare('INSERT OR IGNORE INTO BillerSettings VALUES (?, ?, 1)'),
    detail: file.prepare('INSERT INTO DpDetail VALUES (?, 1, ?, ?, ?, ?)'),
  }));
  const stream = store?.prepare('INSERT INTO stream (name) VALUES (?)');
  const event = store?.prepare(
    'INSERT INTO event (stream, revision, batch_events, category, id, type, data, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  let ids = 0;
  const append = (
    to: number | bigint,
    first: number,
    category: string,
    at: string,
    each: readonly (readonly [string, object])[],
  ): void =>
    each.forEach(([type, data], index) => {
      const id = `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`;
      const metadata = JSON.stringify({ by: 'consumer-payments@host:1', at });
      event!.run(to, first + index, index === 0 ? each.length : 0, category, id, type, JSON.stringify(data), metadata);
    });
  const start = Math.floor(plan.lastDay.getTime() / DAY_MS) * DAY_MS - (plan.days - 1) * DAY_MS;
  for (let first = 0; first < records; first += CHUNK_ROWS) {
    store?.exec('BEGIN');
    for (const file of files) file.exec('BEGIN');
    const chunk = Math.floor(first / CHUNK_ROWS);
    const biller = chunk % plan.billers;
    const billerId = String(100 + biller);
    const shard = biller % shards;
    const dataType: DataType = biller % 4 === 3 ? 'Paperless' : 'Payments';
    const chunkId = `chunk-${chunk}`;
    const made = Array.from({ length: Math.min(CHUNK_ROWS, records - first) }, (_, index) => {
      const number = first + index;
      const dpId = String(100_000_000 + number);
      const at = new Date(start + Math.floor((number / records) * plan.days * DAY_MS)).toISOString();
      const dice = (number * 7_919) % 1_000;
      const status = OTHER_ENDS.find(({ until }) => dice < until)?.status ?? 'Delivered';
      const amount =
        dataType === 'Payments' ? { minorUnits: 100 + ((number * 31) % 500_000), currency: 'USD' } : undefined;
      return { number, dpId, at, status, amount, streamId: undefined as number | bigint | undefined };
    });
    for (const each of made) {
      const { number, dpId, at, status, amount } = each;
      const customer = `c${number % 50_000}`;
      const into = rows[shard]!;
      into.biller.run(billerId, `Biller ${billerId}`);
      into.customer.run(customer, billerId, `ACC-${number % 50_000}`, `Customer ${number % 50_000}`);
      if (amount) into.payment.run(`p${dpId}`, customer, billerId, amount.minorUnits, at, `ORD-${dpId}`);
      into.row.run(dpId, billerId, dataType, customer, amount ? `p${dpId}` : null, status, chunkId, at, at, at);
      if (status === 'Delivered' || status === 'Declined')
        into.detail.run(dpId, status, status === 'Delivered' ? `REF-${dpId}` : null, null, at);
      if (!store) continue;
      each.streamId = stream!.run(`dpRecord-${billerId}:${dpId}`).lastInsertRowid;
      const discovered = {
        billerId,
        dpId,
        shard: `Shard-${shard + 1}`,
        dataType,
        customerId: customer,
        at,
        createdAt: at,
        chunkId,
        ...(amount ? { paymentId: `p${dpId}`, amount } : {}),
      };
      const verdict: readonly [string, object] =
        status === 'Rejected'
          ? ['DpRecordRejected', { reasons: ['customer-missing'] }]
          : ['DpRecordValidated', { validatedHash: 'a'.repeat(64), ...(amount ? { amount } : {}) }];
      append(each.streamId, 0, 'dpRecord', at, [['DpRecordDiscovered', discovered], verdict]);
    }
    for (const { dpId, at, status, amount, streamId } of made) {
      if (!store || status === 'Rejected') continue;
      const attempt = stream!.run(`deliveryAttempt-${billerId}:${dpId}:1`).lastInsertRowid;
      const started = {
        billerId,
        dpId,
        attempt: 1,
        at,
        notAfter: at,
        idempotencyKey: `${billerId}-${dpId}`,
        requestHash: 'b'.repeat(64),
        profileVersion: 'c'.repeat(16),
        ...(amount ? { amount } : {}),
      };
      append(attempt, 0, 'deliveryAttempt', at, [['DeliveryAttemptStarted', started]]);
      append(attempt, 1, 'deliveryAttempt', at, [closingOf(status, dpId, at)]);
      append(streamId!, 2, 'dpRecord', at, [endOf(status, dpId), ['DpRecordReconciled', { status }]]);
    }
    for (const file of files) file.exec('COMMIT');
    store?.exec('COMMIT');
  }
  for (const file of files) file.close();
  store?.close();
}

function closingOf(status: RowStatus, dpId: string, at: string): readonly [string, object] {
  if (status === 'Delivered') return ['DeliveryAttemptAccepted', { httpStatus: 200, billerReference: `REF-${dpId}` }];
  if (status === 'Declined') return ['DeliveryAttemptDeclined', { httpStatus: 422, code: 'account-closed' }];
  if (status === 'Failed') return ['DeliveryAttemptNotExecuted', { code: 'maintenance' }];
  return ['DeliveryAttemptOutcomeUnknown', { code: 'timed-out', at }];
}

function endOf(status: RowStatus, dpId: string): readonly [string, object] {
  if (status === 'Delivered') return ['DpRecordDelivered', { attempt: 1, billerReference: `REF-${dpId}` }];
  if (status === 'Declined') return ['DpRecordDeclined', { attempt: 1, code: 'account-closed' }];
  if (status === 'InDoubt') return ['DpRecordHeldInDoubt', { attempt: 1, cause: 'neither-inquiry-nor-keys' }];
  return [
    'DpRecordDeadLettered',
    { reason: 'AttemptsUsedUp', description: 'attempt 1 was not-executed (maintenance)', attempt: 1 },
  ];
}

/** `npx tsx bench/many-records.ts --folder <new folder> --records 1000000 [--shards 4 --billers 50 --days 30 --rows-alone]` */
function main(): void {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      records: { type: 'string', default: '1000000' },
      shards: { type: 'string', default: '4' },
      billers: { type: 'string', default: '50' },
      days: { type: 'string', default: '30' },
      'rows-alone': { type: 'boolean', default: false },
    },
  });
  if (values.folder === undefined) throw new Error('--folder: is missing, expected a folder that is not there yet');
  writeManyRecords({
    folder: values.folder,
    records: Number(values.records),
    shards: Number(values.shards),
    billers: Number(values.billers),
    days: Number(values.days),
    lastDay: new Date(),
    events: !values['rows-alone'],
  });
}

main();
