import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database } from 'better-sqlite3';
import { BEYOND_EXACT } from '../../src/adapters/shared/row-amount';
import { PortFailure, type PortFailureCode } from '../../src/application/ports/failures';
import { InvariantViolation } from '../../src/domain/invariant';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { SqliteShards } from '../../src/adapters/sqlite/sqlite-shards';
import { billerId, chunkId, customerId, dpId, paymentId, shardName } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';

const WATER = billerId('water');
const settings = (id: string) => ({ billerId: billerId(id), dba: id, active: true });

describe('SqliteShards', () => {
  let folder: string;
  let nowMs: number;
  let shards: SqliteShards;
  const shard = (name: string): SqliteShard => shards.named(shardName(name));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-shards-'));
    nowMs = 0;
    const open = (name: string) => new SqliteShard({ name: shardName(name), path: join(folder, `${name}.sqlite`) });
    shards = new SqliteShards([open('Shard-1'), open('Shard-2')], () => nowMs);
  });
  afterEach(async () => {
    await shards.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds a shard by its name, and says which there are', () => {
    expect(shards.all().map(({ name }) => name)).toEqual(['Shard-1', 'Shard-2']);
    expect(shard('Shard-2').name).toBe('Shard-2');
    expect(() => shard('Shard-3')).toThrow(
      expect.objectContaining({ code: 'not-found', message: expect.stringContaining('Shard-1, Shard-2') }),
    );
  });

  it('finds the shard whose settings hold the biller, also for all who ask at once', async () => {
    await shard('Shard-2').seed({ billers: [settings('water')] });
    await shard('Shard-1').seed({ billers: [settings('gas')] });
    const found = await Promise.all([WATER, billerId('gas'), WATER].map((biller) => shards.ofBiller(biller)));
    expect(found.map((each) => each?.name)).toEqual(['Shard-2', 'Shard-1', 'Shard-2']);
  });

  it('looks for an unknown biller again, but at most once a second', async () => {
    expect(await shards.ofBiller(WATER)).toBeUndefined();
    await shard('Shard-1').seed({ billers: [settings('water')] });
    nowMs = 999;
    expect(await shards.ofBiller(WATER)).toBeUndefined();
    nowMs = 1_000;
    expect((await shards.ofBiller(WATER))?.name).toBe('Shard-1');
  });

  it.each<[PortFailureCode, boolean]>([
    ['connection-lost', true],
    ['not-found', false],
  ])('cannot tell whose a biller is while one shard fails with %s, and can afterwards', async (code, retryable) => {
    await shard('Shard-1').seed({ billers: [settings('water')] });
    const down = jest.spyOn(shard('Shard-2'), 'billersWithSettings').mockImplementation(() => {
      throw new PortFailure('Shard-2 is away', { code, retryable });
    });
    await expect(shards.ofBiller(WATER)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: 'failed to look for a biller in shard Shard-2: Shard-2 is away',
    });
    down.mockRestore();
    expect((await shards.ofBiller(WATER))?.name).toBe('Shard-1');
    // Known from here on, whichever shard fails.
    nowMs = 60_000;
    down.mockImplementation(() => {
      throw new PortFailure('Shard-2 is away', { code, retryable });
    });
    expect((await shards.ofBiller(WATER))?.name).toBe('Shard-1');
  });

  it('stops where two shards hold one biller, instead of choosing', async () => {
    for (const name of ['Shard-1', 'Shard-2']) await shard(name).seed({ billers: [settings('water')] });
    await expect(shards.ofBiller(WATER)).rejects.toThrow(InvariantViolation);
  });

  it('refuses two shards of one name', () => {
    expect(() => new SqliteShards([shard('Shard-1'), shard('Shard-1')])).toThrow(InvariantViolation);
  });

  it('opens the files of a folder', async () => {
    await shard('Shard-1').seed({ billers: [settings('water')] });
    const again = SqliteShards.open({ folder, names: [shardName('Shard-1'), shardName('Shard-9')] });
    expect((await again.ofBiller(WATER))?.name).toBe('Shard-1');
    await again.close();
  });
});

describe('SqliteShard', () => {
  let folder: string;
  let shard: SqliteShard;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-shard-'));
    shard = new SqliteShard({ name: shardName('Shard-1'), path: join(folder, 'shard.sqlite') });
  });
  afterEach(async () => {
    await shard.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const row = (id: string) => ({
    dpId: dpId(id),
    billerId: WATER,
    dataType: 'Paperless' as const,
    customerId: customerId('c'),
    createdAt: instant('2026-01-01T00:00:00.000Z'),
  });

  it('seeds again without adding, as after an interruption', async () => {
    expect(await shard.seed({ billers: [settings('water')], rows: [row('1'), row('2')] })).toBe(2);
    await shard.changeStatuses([{ dpId: dpId('1'), to: 'Queued', from: ['New'] }]);
    expect(await shard.seed({ billers: [settings('water')], rows: [row('1'), row('2'), row('3')] })).toBe(1);
    expect((await shard.findRow(dpId('1')))?.status).toBe('Queued');
  });

  it('serves every biller in turn where a claim takes fewer rows than there are billers', async () => {
    const billers = ['a', 'b', 'c'].map(billerId);
    await shard.seed({
      rows: billers.flatMap((biller) =>
        Array.from({ length: 5 }, (_, index) => ({ ...row(`${biller}${index}`), billerId: biller })),
      ),
    });
    const served: string[] = [];
    for (let round = 0; round < 3; round++) {
      const chunks = await shard.claim({
        billers,
        rowsMax: 1,
        newChunkId: () => chunkId(`k${round}`),
        plan: (rows) => rows.map(({ dpId: id, ...rest }) => ({ ...rest, dpIds: [id] })),
      });
      served.push(...chunks.map((chunk) => chunk.billerId));
    }
    expect(served.sort()).toEqual(['a', 'b', 'c']);
  });

  it('finishes the writes it has taken before it closes, and refuses those that come later', async () => {
    const written = shard.seed({ rows: [row('1')] });
    await shard.close();
    expect(await written).toBe(1);
    await expect(shard.seed({ rows: [row('2')] })).rejects.toMatchObject({ code: 'closed' });
    await expect(shard.findRow(dpId('1'))).rejects.toMatchObject({ code: 'closed' });
    await expect(shard.now()).rejects.toMatchObject({ code: 'closed' });
    shard = new SqliteShard({ name: shardName('Shard-1'), path: join(folder, 'shard.sqlite') });
    expect((await shard.findRow(dpId('1')))?.status).toBe('New');
  });

  it('a row whose amount is no payment comes alone as one that validation refuses, beside the others (issue 8, no 3)', async () => {
    const stored = ['9223372036854775807', '-9223372036854775808', '12.5', "'x'", '0', '150'];
    const payments = stored.map((_, index) => ({
      paymentId: paymentId(`p${index}`),
      customerId: customerId('c'),
      billerId: WATER,
      amount: { minorUnits: 1, currency: 'USD' },
      invoiceType: '',
      paidAt: row('1').createdAt,
      achReturnCode: undefined,
    }));
    await shard.seed({
      payments,
      rows: payments.map((each, index) => ({ ...row(String(index)), dataType: 'Payments', paymentId: each.paymentId })),
    });
    const { database } = shard as unknown as { readonly database: Database };
    for (const [index, amount] of stored.entries())
      database.exec(`UPDATE Payment SET AmountMinor = ${amount} WHERE PaymentId = 'p${index}'`);
    const rows = await shard.rowsByStatus({ statuses: ['New'], max: 10 });
    expect(rows.map(({ payment }) => payment!.amount.minorUnits)).toEqual([BEYOND_EXACT, -BEYOND_EXACT, 0, 0, 0, 150]);
    expect((await shard.totals()).map(({ count, amount }) => [count, amount.minorUnits])).toEqual([[6, 150]]);
  });

  it('refuses totals that numbers cannot hold exactly, instead of rounding money', async () => {
    const payments = ['p1', 'p2'].map((id) => ({
      paymentId: id as never,
      customerId: customerId('c'),
      billerId: WATER,
      amount: { minorUnits: Number.MAX_SAFE_INTEGER, currency: 'USD' },
      invoiceType: '',
      paidAt: row('1').createdAt,
      achReturnCode: undefined,
    }));
    await shard.seed({
      payments,
      rows: payments.map(({ paymentId }, index) => ({ ...row(String(index)), dataType: 'Payments', paymentId })),
    });
    await expect(shard.totals()).rejects.toThrow(InvariantViolation);
  });
});
