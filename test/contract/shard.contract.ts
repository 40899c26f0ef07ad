import { randomUUID } from 'node:crypto';
import { InvariantViolation } from '../../src/domain/invariant';
import { ROWS_PER_CALL_MAX, type OutboxChunk, type PaymentImport, type Shard } from '../../src/application/ports/shard';
import { type SeedRow, type ShardSeed } from '../../src/adapters/shared/shard-seed';
import { DATA_TYPES, type DataType } from '../../src/domain/biller/data-type';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import { allowedPredecessors, ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { billerId, chunkId, customerId, dpId, paymentId, type BillerId, type DpId } from '../../src/domain/identifiers';
import { exerciseWitness } from './history-witness.contract';
import { instant, instantFromMs, msOf, plusMs, type Instant } from '../../src/domain/instant';
import { planChunks } from '../../src/domain/policies/chunking';

export interface ShardFixture {
  /** An empty shard. */
  readonly shard: Shard;
  /** The same shard over a connection of its own, as another process has it. */
  another(): Promise<Shard>;
  /** Writes rows as the billing platform does. */
  seed(seed: ShardSeed): Promise<unknown>;
  /** Engines that are no SQL Server at heart may refuse U+0000 in text; undefined: it is kept like any other. */
  readonly refusesNulCharacter?: boolean;
  /** Gives a row a status that none is, below the shard; undefined: the engine keeps its own pages and types. */
  readonly damage?: (dpId: DpId) => void;
  close(): Promise<void>;
}

const WATER = billerId('water');
const GAS = billerId('gas');
const PAST = instant('2026-01-01T08:00:00.000Z');
const FAR = instant('2099-01-01T00:00:00.000Z');

/** A row whose customer, payment and biller exist; `number` makes the ids and, in milliseconds, the age. */
function wholeRow(number: number, row: Partial<SeedRow> = {}): Required<ShardSeed> {
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

const merged = (seeds: readonly ShardSeed[]): ShardSeed => ({
  billers: [
    ...new Map(seeds.flatMap((seed) => seed.billers ?? []).map((biller) => [biller.billerId, biller])).values(),
  ],
  customers: seeds.flatMap((seed) => seed.customers ?? []),
  payments: seeds.flatMap((seed) => seed.payments ?? []),
  rows: seeds.flatMap((seed) => seed.rows ?? []),
});

const numbered = (from: number, count: number, row: Partial<SeedRow> = {}): ShardSeed =>
  merged(Array.from({ length: count }, (_, index) => wholeRow(from + index, row)));

const claimFrom = (
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

async function idsOf(shard: Shard, chunks: readonly OutboxChunk[]): Promise<readonly DpId[]> {
  const rows = await Promise.all(chunks.map((chunk) => shard.rowsOfChunk(chunk.chunkId)));
  return rows.flat().map((row) => row.dpId);
}

const statusOf = async (shard: Shard, id: string): Promise<string | undefined> =>
  (await shard.findRow(dpId(id)))?.status;

const delivered = (id: string, attempt: number) =>
  ({
    dpId: dpId(id),
    to: 'Delivered',
    from: allowedPredecessors('Delivered'),
    detail: { attempt, outcome: 'Delivered', billerReference: 'R-1', code: '00', recordedAt: PAST },
  }) as const;

export function shardContract(name: string, makeFixture: () => Promise<ShardFixture>): void {
  describe(`Shard laws on ${name}`, () => {
    let fixture: ShardFixture;
    let shard: Shard;
    beforeEach(async () => {
      fixture = await makeFixture();
      shard = fixture.shard;
    });
    afterEach(() => fixture.close());

    it('1: claims only New, due rows of the billers named', async () => {
      await fixture.seed(numbered(1, 2));
      await fixture.seed(numbered(3, 1, { dueAt: FAR }));
      await fixture.seed(numbered(4, 1, { billerId: GAS }));
      await fixture.seed(numbered(5, 1, { status: 'Failed' }));
      const chunks = await claimFrom(shard, [WATER]);
      expect(await idsOf(shard, chunks)).toEqual(['1', '2']);
      expect(await Promise.all(['1', '2', '3', '4', '5'].map((id) => statusOf(shard, id)))).toEqual([
        'Queued',
        'Queued',
        'New',
        'New',
        'Failed',
      ]);
      expect(await claimFrom(shard, [WATER])).toEqual([]);
      expect(await claimFrom(shard, [])).toEqual([]);
    });

    it('1: claims of the data types named, however many others wait before them (issue 8, no 19)', async () => {
      await fixture.seed(numbered(1, 5, { dataType: 'AutoPay' }));
      await fixture.seed(numbered(10, 2));
      await fixture.seed(numbered(20, 1, { dataType: 'Paperless' }));
      const claim = (dataTypes?: readonly DataType[]) =>
        shard.claim({
          billers: [WATER],
          ...(dataTypes && { dataTypes }),
          rowsMax: 3,
          plan: (rows) => planChunks(rows, 10),
          newChunkId: () => chunkId(randomUUID()),
        });
      expect([...(await idsOf(shard, await claim(['Payments', 'Paperless'])))].sort()).toEqual(['10', '11', '20']);
      expect(await claim(['Payments', 'Paperless'])).toEqual([]);
      expect(await claim([])).toEqual([]);
      expect(await statusOf(shard, '1')).toBe('New');
      expect(await idsOf(shard, await claim())).toHaveLength(3);
    });

    it('1: gives each chunk an outbox row that says what the chunk holds', async () => {
      await fixture.seed(numbered(8, 4));
      await fixture.seed(numbered(20, 1, { billerId: GAS, dataType: 'Paperless' }));
      const chunks = await claimFrom(shard, [WATER, GAS], 100, 3);
      const common = { shard: shard.name, chunkId: expect.any(String) };
      expect(chunks).toEqual([
        { ...common, billerId: WATER, dataType: 'Payments', dpStart: '8', dpEnd: '10', rows: 3 },
        { ...common, billerId: WATER, dataType: 'Payments', dpStart: '11', dpEnd: '11', rows: 1 },
        { ...common, billerId: GAS, dataType: 'Paperless', dpStart: '20', dpEnd: '20', rows: 1 },
      ]);
      expect(await shard.unpublishedChunks(10)).toEqual(chunks);
      for (const chunk of chunks) expect(await shard.rowsOfChunk(chunk.chunkId)).toHaveLength(chunk.rows);
    });

    it('1: takes the oldest first, at most rowsMax, and leaves the rest', async () => {
      await fixture.seed(merged([3, 1, 2].map((number) => wholeRow(number))));
      expect(await idsOf(shard, await claimFrom(shard, [WATER], 2))).toEqual(expect.arrayContaining(['1', '2']));
      expect(await statusOf(shard, '3')).toBe('New');
    });

    it('1: leaves New what the plan leaves out', async () => {
      await fixture.seed(numbered(1, 3));
      const chunks = await shard.claim({
        billers: [WATER],
        rowsMax: 10,
        plan: (rows) => planChunks(rows.slice(0, 1), 10),
        newChunkId: () => chunkId('k1'),
      });
      expect(chunks.map((chunk) => chunk.rows)).toEqual([1]);
      expect(await shard.rowsByStatus({ statuses: ['New'], max: 10 })).toHaveLength(2);
    });

    it('1: serves a biller with few rows beside one with a huge backlog', async () => {
      await fixture.seed(numbered(1, 200));
      await fixture.seed(numbered(500, 3, { billerId: GAS }));
      const ids = await idsOf(shard, await claimFrom(shard, [WATER, GAS], 20));
      expect(ids).toHaveLength(20);
      expect(ids).toEqual(expect.arrayContaining(['500', '501', '502']));
    });

    it.each([2, 8])('2: %d concurrent claimers never claim the same row and together claim all', async (claimers) => {
      await fixture.seed(numbered(1, 400));
      const shards = await Promise.all(Array.from({ length: claimers }, () => fixture.another()));
      const claimed = await Promise.all(
        shards.map(async (each) => {
          const mine: OutboxChunk[] = [];
          for (let round = 0; round < 400; round++) {
            const chunks = await claimFrom(each, [WATER], 7, 3);
            if (chunks.length === 0) break;
            mine.push(...chunks);
          }
          return mine;
        }),
      );
      expect(claimed.flat().reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(400);
      const ids = await idsOf(shard, claimed.flat());
      expect(new Set(ids).size).toBe(400);
      expect(ids).toHaveLength(400);
      expect(new Set(await idsOf(shard, await shard.unpublishedChunks(1_000))).size).toBe(400);
    });

    it('3: leaves nothing when the plan throws, or plans what it was not given', async () => {
      await fixture.seed(numbered(1, 3));
      const claim = (plan: Parameters<Shard['claim']>[0]['plan']) =>
        shard.claim({ billers: [WATER], rowsMax: 10, plan, newChunkId: () => chunkId(randomUUID()) });
      await expect(
        claim(() => {
          throw new Error('no plan');
        }),
      ).rejects.toThrow('no plan');
      await expect(
        claim((rows) => [...planChunks(rows, 10), { billerId: WATER, dataType: 'Payments', dpIds: [dpId('99')] }]),
      ).rejects.toThrow(InvariantViolation);
      await expect(claim((rows) => [...planChunks(rows, 10), ...planChunks(rows, 10)])).rejects.toThrow(
        InvariantViolation,
      );
      expect(await shard.unpublishedChunks(10)).toEqual([]);
      expect((await shard.rowsByStatus({ statuses: ['New'], max: 10 })).map((row) => row.chunkId)).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    });

    it('3: leaves nothing when two chunks get the same id, and harms no claim beside it', async () => {
      await fixture.seed(numbered(1, 2));
      await fixture.seed(numbered(10, 2, { billerId: GAS }));
      const [broken, sound] = await Promise.allSettled([
        shard.claim({
          billers: [WATER],
          rowsMax: 10,
          plan: (rows) => planChunks(rows, 1),
          newChunkId: () => chunkId('the-same'),
        }),
        claimFrom(shard, [GAS]),
      ]);
      expect([broken.status, sound.status]).toEqual(['rejected', 'fulfilled']);
      expect((await shard.unpublishedChunks(10)).map((chunk) => chunk.billerId)).toEqual([GAS]);
      expect(await statusOf(shard, '1')).toBe('New');
    });

    it('4: hands an outbox row out until it is marked published, and marking twice is marking once', async () => {
      await fixture.seed(numbered(1, 3));
      const chunks = await claimFrom(shard, [WATER], 10, 1);
      expect(await shard.unpublishedChunks(2)).toEqual(chunks.slice(0, 2));
      const first = chunks[0]!.chunkId;
      await shard.markPublished([first]);
      await shard.markPublished([first, chunkId('of-nobody')]);
      await shard.markFetched(first);
      await shard.markFetched(chunkId('of-another-team'));
      expect(await (await fixture.another()).unpublishedChunks(10)).toEqual(chunks.slice(1));
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
      expect(new Set((await shard.rowsOfChunk(chunkId('foreign'))).map((row) => row.dpId))).toEqual(
        new Set(['9', '10']),
      );
      expect(await statusOf(shard, '60')).toBe('Delivered');
      expect(await range('9', '10')).toHaveLength(2);
    });

    it('6: changes a status only from an allowed predecessor, and tells which rows changed', async () => {
      await fixture.seed(merged(ROW_STATUSES.map((status, index) => wholeRow(index, { status }))));
      const changes = ROW_STATUSES.map(
        (_, index) => ({ dpId: dpId(String(index)), to: 'Published', from: ['Queued', 'Failed'] }) as const,
      );
      const changed = await shard.changeStatuses([...changes, { ...changes[0]!, dpId: dpId('unknown') }]);
      expect(new Set(changed)).toEqual(
        new Set([ROW_STATUSES.indexOf('Queued'), ROW_STATUSES.indexOf('Failed')].map(String)),
      );
      expect(await Promise.all(ROW_STATUSES.map((_, index) => statusOf(shard, String(index))))).toEqual(
        ROW_STATUSES.map((status) => (status === 'Queued' || status === 'Failed' ? 'Published' : status)),
      );
    });

    it('6: does not count a change to the status that stands already', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Published' }));
      const change = { dpId: dpId('1'), to: 'Published', from: ['Queued', 'Published'] } as const;
      expect(await shard.changeStatuses([change])).toEqual([]);
      expect(await shard.changeStatuses([])).toEqual([]);
    });

    it('6: lets one of many concurrent writers change a row', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Queued' }));
      const shards = await Promise.all(Array.from({ length: 4 }, () => fixture.another()));
      const answers = await Promise.all(
        shards.map((each, index) =>
          each.changeStatuses([{ dpId: dpId('1'), to: index % 2 ? 'Delivered' : 'Declined', from: ['Queued'] }]),
        ),
      );
      expect(answers.flat()).toEqual(['1']);
    });

    it('7: reconciles once per attempt: repeated, also at the same time, it is already so', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Published' }));
      const other = await fixture.another();
      const answers = await Promise.all([shard, other, shard].map((each) => each.reconcile(delivered('1', 3))));
      expect([...answers].sort()).toEqual(['already-so', 'already-so', 'applied']);
      expect((await shard.findRow(dpId('1')))!.details).toEqual([delivered('1', 3).detail]);
    });

    it('7: writes nothing where the status is refused or the row is missing', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Rejected' }));
      expect(await shard.reconcile(delivered('1', 1))).toBe('refused');
      expect(await shard.reconcile(delivered('2', 1))).toBe('row-missing');
      expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'Rejected', details: [] });
    });

    it('7: refuses a second attempt, or another outcome of the same one, on a finished row', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Published' }));
      await shard.reconcile(delivered('1', 1));
      expect(await shard.reconcile(delivered('1', 2))).toBe('refused');
      const declined = {
        ...delivered('1', 1),
        to: 'Declined',
        detail: { ...delivered('1', 1).detail, outcome: 'Declined' },
      } as const;
      expect(await shard.reconcile(declined)).toBe('refused');
      expect((await shard.findRow(dpId('1')))!.details).toEqual([delivered('1', 1).detail]);
    });

    it('7: never overwrites the recorded outcome of an attempt, though the status would allow it', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Published' }));
      const declined = { ...delivered('1', 1).detail, outcome: 'Declined' } as const;
      await shard.reconcile({ dpId: dpId('1'), to: 'InDoubt', from: ['Published'], detail: declined });
      expect(await shard.reconcile(delivered('1', 1))).toBe('refused');
      expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'InDoubt', details: [declined] });
    });

    it('7: reconciles a status without a detail', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Published' }));
      const failed = { dpId: dpId('1'), to: 'Failed', from: allowedPredecessors('Failed') } as const;
      expect(await shard.reconcile(failed)).toBe('applied');
      expect(await shard.reconcile(failed)).toBe('already-so');
      expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'Failed', details: [] });
    });

    it('8: hands a stalled row to one caller only, with an ordinal of its own', async () => {
      await fixture.seed(numbered(1, 100));
      const [chunk] = await claimFrom(shard, [WATER]);
      const shards = await Promise.all(Array.from({ length: 4 }, () => fixture.another()));
      const sweep = async (before: Instant) =>
        (await Promise.all(shards.map((each) => each.takeStalled({ before, max: 60 })))).flat();
      const before = plusMs(await shard.now(), 60_000);
      const taken = await sweep(before);
      expect(taken).toHaveLength(100);
      expect(new Set(taken.map((row) => row.dpId)).size).toBe(100);
      expect(taken[0]).toEqual({
        dpId: expect.any(String),
        billerId: WATER,
        dataType: 'Payments',
        status: 'Queued',
        chunkId: chunk!.chunkId,
        ordinal: 1,
      });
      expect(await sweep(before)).toEqual([]);
      const again = await sweep(plusMs(before, 60_000));
      expect(again.map((row) => row.ordinal)).toEqual(Array(100).fill(2));
      expect((await shard.findRow(dpId('1')))!.sweepCount).toBe(2);
    });

    it('8: takes only rows that still owe a result and stand still', async () => {
      await fixture.seed(merged(ROW_STATUSES.map((status, index) => wholeRow(index, { status }))));
      const taken = await shard.takeStalled({ before: PAST, max: 100 });
      expect(taken).toEqual([]);
      const statuses = (await shard.takeStalled({ before: plusMs(PAST, 60_000), max: 100 })).map((row) => row.status);
      expect([...statuses].sort()).toEqual(['InDoubt', 'Published', 'Queued']);
    });

    it('8: sees every status change as progress', async () => {
      await fixture.seed(numbered(1, 2, { status: 'Queued' }));
      const before = await shard.now();
      await shard.changeStatuses([{ dpId: dpId('1'), to: 'Published', from: ['Queued'] }]);
      expect((await shard.takeStalled({ before, max: 10 })).map((row) => row.dpId)).toEqual(['2']);
    });

    it('9: postpones the sweep of a row, and never brings it forward', async () => {
      await fixture.seed(numbered(1, 1, { status: 'Published' }));
      const until = plusMs(await shard.now(), 3_600_000);
      await shard.noteProgress(dpId('1'), until);
      await shard.noteProgress(dpId('1'), PAST);
      await shard.changeStatuses([{ dpId: dpId('1'), to: 'InDoubt', from: ['Published'] }]);
      await shard.noteProgress(dpId('unknown'), until);
      expect(await shard.takeStalled({ before: until, max: 10 })).toEqual([]);
      expect(await shard.takeStalled({ before: plusMs(until, 1), max: 10 })).toHaveLength(1);
    });

    it('10: reopens a Failed or InDoubt row, and raises the ordinal each time', async () => {
      await fixture.seed(merged(ROW_STATUSES.map((status, index) => wholeRow(index, { status }))));
      const answers = await Promise.all(ROW_STATUSES.map((_, index) => shard.reopen(dpId(String(index)))));
      const reopened = ['Failed', 'InDoubt', 'Published'];
      expect(answers).toEqual(ROW_STATUSES.map((status) => (reopened.includes(status) ? 1 : undefined)));
      expect(await Promise.all(ROW_STATUSES.map((_, index) => statusOf(shard, String(index))))).toEqual(
        ROW_STATUSES.map((status) => (reopened.includes(status) ? 'Published' : status)),
      );
      const failed = dpId(String(ROW_STATUSES.indexOf('Failed')));
      expect(await Promise.all([shard.reopen(failed), shard.reopen(failed)])).toEqual([2, 3]);
      expect(await shard.reopen(dpId('unknown'))).toBeUndefined();
    });

    it('10: counts as progress where it changes the status, and only there', async () => {
      await fixture.seed(merged([wholeRow(1, { status: 'Failed' }), wholeRow(2, { status: 'Published' })]));
      const before = await shard.now();
      await shard.reopen(dpId('1'));
      await shard.reopen(dpId('2'));
      expect((await shard.takeStalled({ before, max: 10 })).map((row) => [row.dpId, row.ordinal])).toEqual([['2', 2]]);
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

    it('12: tells the time in UTC to the millisecond, never running backwards', async () => {
      let last = await shard.now();
      expect(last).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      // A shard's clock is a server's: within an hour of ours tells a wrong time zone, not a clock a little off.
      expect(Math.abs(msOf(last) - Date.now())).toBeLessThan(30 * 60_000);
      for (let reading = 0; reading < 200; reading++) {
        const next = await shard.now();
        expect(next >= last).toBe(true);
        last = next;
      }
    });

    const payment = (number: number): PaymentImport => ({
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

    it('13: imports a payment once, with its biller, its customer and a New row that can be claimed at once', async () => {
      expect(await shard.importPayments([payment(1), payment(2), payment(1), payment(4)])).toEqual({
        added: 3,
        known: 1,
        knownAt: [2],
        conflicts: [],
      });
      expect(await shard.importPayments([payment(2), payment(3)])).toEqual({
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
      await shard.importPayments([payment(1), payment(2)]);
      const before = await shard.rowsByStatus({ statuses: ['New'], max: 10 });
      const others: readonly Partial<PaymentImport>[] = [
        { amount: { minorUnits: 1, currency: 'CZK' } },
        { amount: { ...payment(1).amount, currency: 'EUR' } },
        { invoiceType: 'loan' },
        { billerId: WATER },
        { customerReference: 'c-2' },
        { paidAt: plusMs(PAST, 1) },
      ];
      const changed = others.map((other) => ({ ...payment(1), ...other }));
      expect(
        await shard.importPayments([
          payment(2),
          ...changed,
          { ...payment(3), customerReference: 'c-1', accountNumber: '000124' },
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
      await shard.importPayments([payment(1), payment(2)]);
      const [known, unknown] = [payment(2), payment(3)];
      const elsewhere = { ...payment(1), source: 'another-source' };
      const named = ({ source, externalReference }: PaymentImport) => ({ source, externalReference });
      expect(
        (await shard.knownReferences([known, unknown, elsewhere].map(named))).map((each) => ({ ...each })),
      ).toEqual([named(known)]);
      expect(await shard.knownReferences([])).toEqual([]);
    });

    it('13: adds each payment once when several importers load the same ones at the same time', async () => {
      const payments = Array.from({ length: 300 }, (_, number) => payment(number));
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
        ...payment(1),
        source: source!,
        externalReference: externalReference!,
      }));
      expect(await shard.importPayments(payments)).toMatchObject({ added: pairs.length, known: 0, conflicts: [] });
      expect(await shard.importPayments(payments)).toMatchObject({ added: 0, known: pairs.length, conflicts: [] });
      for (const row of await shard.rowsByStatus({ statuses: ['New'], max: 100 }))
        expect(dpId(row.dpId)).toBe(row.dpId);
    });

    it('15: previews what an import would do with each payment, in their order, and writes nothing', async () => {
      await shard.importPayments([payment(1)]);
      const payments = [
        payment(1),
        payment(2),
        payment(2),
        { ...payment(1), invoiceType: 'loan' },
        { ...payment(4), accountNumber: '000124' },
        { ...payment(3), accountNumber: '000125' },
        payment(6),
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
      await shard.importPayments([payment(1), payment(2), payment(4)]);
      const unchanged = { ...payment(2), customerName: 'Other name' };
      const corrections = [
        { ...payment(1), accountNumber: '000777', customerName: 'New name' },
        unchanged,
        { ...payment(3), accountNumber: '000778' },
        { ...payment(1), accountNumber: '000779' },
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
      expect((await shard.importPayments([{ ...payment(7), accountNumber: '000777' }])).added).toBe(1);
      expect((await shard.importPayments([payment(10)])).conflicts).toEqual([{ index: 0, why: 'another-account' }]);
    });

    it('totals per biller, data type, status and currency; a choice carries no money', async () => {
      await fixture.seed(numbered(1, 3));
      await fixture.seed(
        merged([
          wholeRow(4, { status: 'Delivered' }),
          wholeRow(5, { dataType: 'Paperless' }),
          wholeRow(6, { dataType: 'ACHRejects', billerId: GAS }),
        ]),
      );
      await shard.importPayments([{ ...payment(7), billerId: WATER }]);
      await fixture.seed({ billers: [{ billerId: billerId('power'), dba: 'No rows yet', active: true }] });
      const totals = await shard.totals();
      const total = (
        biller: BillerId,
        dataType: string,
        status: string,
        count: number,
        minorUnits: number,
        currency = 'USD',
      ) => ({
        billerId: biller,
        dataType,
        status,
        count,
        amount: { minorUnits, currency },
        oldestAt: expect.any(String),
      });
      expect(totals).toHaveLength(5);
      expect(totals).toEqual(
        expect.arrayContaining([
          total(WATER, 'Payments', 'New', 3, 306),
          total(WATER, 'Payments', 'New', 1, 245_207, 'CZK'),
          total(WATER, 'Payments', 'Delivered', 1, 104),
          total(WATER, 'Paperless', 'New', 1, 0),
          total(GAS, 'ACHRejects', 'New', 1, 106),
        ]),
      );
      expect(totals.find((each) => each.count === 3)!.oldestAt).toBe(plusMs(PAST, 1));
      expect(new Set(await shard.billers())).toEqual(new Set([WATER, GAS, billerId('power')]));
    });

    it('17: tells how many rows are due at no plausible time, so that they do not wait in silence', async () => {
      const never = '2999-01-01T00:00:00.000Z' as Instant;
      await fixture.seed(
        merged([
          wholeRow(1),
          wholeRow(2, { dueAt: never }),
          wholeRow(3, { dueAt: never }),
          wholeRow(4, { dueAt: FAR }),
        ]),
      );
      expect((await shard.totals()).map(({ count, neverDue }) => [count, neverDue])).toEqual([[4, 2]]);
      expect((await claimFrom(shard, [WATER])).map(({ rows }) => rows)).toEqual([1]);
      expect((await shard.totals()).map(({ status, count, neverDue }) => [status, count, neverDue]).sort()).toEqual([
        ['New', 3, 2],
        ['Queued', 1, undefined],
      ]);
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
      expect(
        (await shard.rowsByStatus({ statuses: ['Failed'], billerId: GAS, max: 2 })).map((row) => row.dpId),
      ).toEqual(['2', '4']);
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

    it('19: is a history witness by every law of one, whatever its rows do', async () => {
      await fixture.seed(merged([wholeRow(1)]));
      await exerciseWitness(shard, await fixture.another());
      await claimFrom(shard, [WATER], 1);
      expect(await shard.knownHistory()).toMatchObject({ ordinal: 3 });
    });

    it('refuses more rows in one call than the port allows', async () => {
      const tooMany = ROWS_PER_CALL_MAX + 1;
      await expect(claimFrom(shard, [WATER], tooMany)).rejects.toThrow(InvariantViolation);
      await expect(shard.takeStalled({ before: PAST, max: tooMany })).rejects.toThrow(InvariantViolation);
      await expect(shard.rowsByStatus({ statuses: ['New'], max: tooMany })).rejects.toThrow(InvariantViolation);
      for (const each of [
        () => claimFrom(shard, [WATER], ROWS_PER_CALL_MAX),
        () => shard.takeStalled({ before: PAST, max: ROWS_PER_CALL_MAX }),
        () => shard.rowsByStatus({ statuses: ['New'], max: ROWS_PER_CALL_MAX }),
      ])
        expect(await each()).toEqual([]);
    });
  });
}
