import { type ShardSeed } from '../../src/adapters/shared/shard-seed';
import { ROWS_PER_CALL_MAX, type Shard } from '../../src/application/ports/shard';
import { type BillerId, billerId, type DpId } from '../../src/domain/identifiers';
import { type Instant, msOf, plusMs } from '../../src/domain/instant';
import { InvariantViolation } from '../../src/domain/invariant';
import { exerciseWitness } from './history-witness.contract';
import { claimLaws } from './shard.claims.contract';
import { importLaws } from './shard.imports.contract';
import { questionLaws } from './shard.questions.contract';
import { resultLaws } from './shard.results.contract';
import { rowLaws } from './shard.rows.contract';
import { claimFrom, importOf, FAR, GAS, merged, numbered, PAST, WATER, wholeRow } from './shard.seeds';

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
export function shardContract(name: string, makeFixture: () => Promise<ShardFixture>): void {
  describe(`Shard laws on ${name}`, () => {
    let fixture: ShardFixture;
    let shard: Shard;
    beforeEach(async () => {
      fixture = await makeFixture();
      shard = fixture.shard;
    });
    afterEach(() => fixture.close());

    claimLaws(() => fixture);
    rowLaws(() => fixture);
    resultLaws(() => fixture);
    importLaws(() => fixture);
    questionLaws(() => fixture);

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

    it('totals per biller, data type, status and currency; a choice carries no money', async () => {
      await fixture.seed(numbered(1, 3));
      await fixture.seed(
        merged([
          wholeRow(4, { status: 'Delivered' }),
          wholeRow(5, { dataType: 'Paperless' }),
          wholeRow(6, { dataType: 'ACHRejects', billerId: GAS }),
        ]),
      );
      await shard.importPayments([{ ...importOf(7), billerId: WATER }]);
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
