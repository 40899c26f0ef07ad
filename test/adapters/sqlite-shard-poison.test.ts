import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { type StalledRow } from '../../src/application/ports/shard-results';
import { DATA_TYPES } from '../../src/domain/biller/data-type';
import { billerId, chunkId, customerId, dpId, isId, paymentId, shardName } from '../../src/domain/identifiers';
import { instant, instantFromMs, msOf } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';

const WATER = billerId('water');
const AT = instant('2026-11-20T08:00:00.000Z');
const LATER_MS = msOf(AT) + 3_600_000;
/** What a column without types can hold; a text that begins with `raw` is put in as bytes that are no UTF-8. */
const EVIL: readonly unknown[] = [
  null, '', ' ', 'a b', 'a:b', 'a\u0000b', '\u001b[2J', 'a\nb', 'a\u200bb', 'a\u202eb', '\ufeffa', Buffer.from([1, 2, 255]),
  Buffer.from('raw: a\xed\xa0\x80b', 'latin1'), 5, -5, 1.5, 1e300, Infinity, 9_223_372_036_854_775_807n, 'x'.repeat(57), 'x'.repeat(300_000),
  '__proto__', 'toString', 'Publishe', 'payments', '2026-02-30T00:00:00.000Z',
]; // prettier-ignore
const COLUMNS = [
  'DpId', 'BillerId', 'EventType', 'CustomerId', 'PaymentId', 'Status', 'ChunkId', 'CreatedAt', 'DueAt', 'ProgressAt', 'SweepCount',
] as const; // prettier-ignore

let folder: string;
let path: string;
let shard: SqliteShard;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'poisoned-'));
  path = join(folder, 'shard.sqlite');
  shard = new SqliteShard({ name: shardName('Shard-1'), path, now: () => LATER_MS, synchronous: 'OFF' });
});
afterEach(async () => {
  await shard.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As many sound rows as there are evil values, and a row for each of these; in a table that takes anything. */
async function poisoned(column: (typeof COLUMNS)[number], status: 'New' | 'Queued' | 'Published'): Promise<number> {
  const ids = EVIL.flatMap((_, index) => [`sound-${index}`, `evil-${index}`]);
  await shard.seed({
    billers: [{ billerId: WATER, dba: 'Water', active: true }],
    customers: [
      {
        customerId: customerId('c'),
        billerId: WATER,
        accountNumber: '1',
        name: 'Ada',
        email: undefined,
        paperless: true,
        autoPay: false,
      },
    ],
    payments: ids.map((id) => ({
      paymentId: paymentId(`p-${id}`),
      customerId: customerId('c'),
      billerId: WATER,
      amount: { minorUnits: 100, currency: 'USD' },
      invoiceType: 'water',
      paidAt: AT,
      achReturnCode: undefined,
    })),
    rows: ids.map((id) => ({
      dpId: dpId(id),
      billerId: WATER,
      dataType: 'Payments' as const,
      customerId: customerId('c'),
      paymentId: paymentId(`p-${id}`),
      createdAt: AT,
      status,
    })),
  });
  const file = new Database(path);
  file.unsafeMode(true);
  file.pragma('writable_schema = ON');
  file.exec("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'datapump'");
  file.pragma('writable_schema = RESET');
  if (status !== 'New') file.exec("UPDATE datapump SET ChunkId = 'k'");
  EVIL.forEach((value, index) => {
    const raw = value instanceof Uint8Array && value.toString().startsWith('raw');
    file
      .prepare(`UPDATE datapump SET ${column} = ${raw ? 'CAST(? AS TEXT)' : '?'} WHERE PaymentId = ?`)
      .run(value, `p-evil-${index}`);
  });
  file.close();
  return EVIL.length;
}
const sound = (id: string): boolean => id.startsWith('sound-');

/** What goes into a message must be what its contract takes, or the sound rows beside it end in the dead letters. */
const expectNameable = (
  rows: readonly { readonly dpId: string; readonly billerId: string; readonly dataType: string }[],
): void => {
  for (const row of rows)
    expect([row.dpId.slice(0, 80), isId(row.dpId), isId(row.billerId), DATA_TYPES]).toEqual([
      row.dpId,
      true,
      true,
      expect.arrayContaining([row.dataType]),
    ]);
};

describe.each(COLUMNS)('evil values in datapump.%s (issue 8, no 17)', (column) => {
  it('a claim takes the sound rows, each once, and no row that a message cannot name', async () => {
    const count = await poisoned(column, 'New');
    const chunks = await shard.claim({
      billers: [WATER],
      rowsMax: 1_000,
      plan: (rows) => (expectNameable(rows), planChunks(rows, 10)),
      newChunkId: () => chunkId(`k${Math.random()}`),
    });
    for (const { dpStart, dpEnd, dataType } of chunks)
      expectNameable([
        { dpId: dpStart, billerId: WATER, dataType },
        { dpId: dpEnd, billerId: WATER, dataType },
      ]);
    const rows = (await Promise.all(chunks.map((chunk) => shard.rowsOfChunk(chunk.chunkId)))).flat();
    expectNameable(rows);
    expect(rows.filter(({ dpId: id }) => sound(id)).length).toBe(count);
    expect(new Set(rows.map(({ dpId: id }) => id)).size).toBe(rows.length);
  });

  it('a sweep takes the sound rows, and what it sends fits into the id of a message', async () => {
    const count = await poisoned(column, 'Published');
    const swept = await shard.takeStalled({ before: instantFromMs(LATER_MS - 1), max: 1_000 });
    expectNameable(swept);
    const fits = ({ chunkId: chunk, ordinal }: StalledRow): boolean =>
      Number.isSafeInteger(ordinal) && ordinal > 0 && (chunk ?? '').length <= 112;
    expect(swept.filter((row) => !fits(row))).toEqual([]);
    expect(swept.filter(({ dpId: id }) => sound(id)).length).toBe(count);
  });

  it('reading a chunk yields its sound rows, and the totals count every row or tell of it', async () => {
    const count = await poisoned(column, 'Queued');
    const rows = await shard.rowsOfChunk(chunkId('k'));
    expectNameable(rows);
    expect(rows.filter(({ dpId: id }) => sound(id)).length).toBe(count);
    const totals = await shard.totals();
    const counted = totals.reduce((sum, total) => sum + total.count, 0);
    const told = Number(
      /^(\d+) rows have an id, a biller, a type or a status that is none/.exec(totals.damaged?.[0] ?? '0 rows')?.[1] ??
        0,
    );
    expect(counted + told).toBe(2 * count);
    expect(
      totals.filter(({ dataType, status }) => !DATA_TYPES.includes(dataType) || typeof status !== 'string'),
    ).toEqual([]);
    if (column === 'EventType' || column === 'Status') expect(told).toBe(count);
  });
});

describe('evil values in Outbox (issue 8, no 7)', () => {
  it.each(['ChunkId', 'BillerId', 'EventType', 'DpStart', 'DpEnd', 'RowCount'])(
    'a relay gets every sound chunk, and none that would stop the others: %s',
    async (column) => {
      const file = new Database(path);
      file.unsafeMode(true);
      file.pragma('writable_schema = ON');
      file.exec("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'Outbox'");
      file.pragma('writable_schema = RESET');
      const add = file.prepare(
        "INSERT INTO Outbox (ChunkId, BillerId, EventType, DpStart, DpEnd, RowCount, CreatedAt) VALUES (?, 'water', 'Payments', '1', '2', 2, '2026-11-20T08:00:00.000Z')",
      );
      const change = file.prepare(`UPDATE Outbox SET ${column} = ? WHERE ChunkId = ?`);
      EVIL.forEach((value, index) => {
        add.run(`evil-${index}`);
        add.run(`sound-${index}`);
        change.run(value, `evil-${index}`);
      });
      file.close();
      const chunks = await shard.unpublishedChunks(1_000);
      expect(chunks.filter((chunk) => sound(chunk.chunkId)).length).toBe(EVIL.length);
      for (const { billerId: biller, dataType, dpStart, dpEnd } of chunks)
        expectNameable([dpStart, dpEnd].map((dp) => ({ dpId: dp, billerId: biller, dataType })));
      for (const { chunkId: chunk, rows } of chunks)
        expect([chunk.slice(0, 128).length <= 112, Number.isSafeInteger(rows)]).toEqual([true, true]);
      if (chunks.length < 2 * EVIL.length)
        expect((await shard.totals()).damaged).toEqual([
          expect.stringMatching(/^chunks of table Outbox that are none, and that nothing sends: Seq /),
        ]);
    },
  );
});
