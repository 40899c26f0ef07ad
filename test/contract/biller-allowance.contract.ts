import { InvariantViolation } from '../../src/domain/invariant';
import { type BillerAllowance } from '../../src/application/ports/biller-allowance';
import { billerId } from '../../src/domain/identifiers';

export interface BillerAllowanceFixture {
  readonly allowance: BillerAllowance;
  /** The same allowance over a connection of its own, as another process has it. */
  another(): Promise<BillerAllowance>;
  /** Lets time pass: really, or on the fixture's clock. */
  pass(ms: number): Promise<void>;
  /** On the clock that is waited on: what a machine of any speed may be granted follows from it. */
  nowMs(): number;
  close(): Promise<void>;
}

const WATER = billerId('water');
const GAS = billerId("gas'; DROP TABLE Bucket;--".replace(/\s/g, '_'));

/** Each asks for all that is there: the second of them finds nothing, unless a quarter of a second has passed. */
const DRAINED_AFTER_MAX = 20;

export function billerAllowanceContract(name: string, makeFixture: () => Promise<BillerAllowanceFixture>): void {
  describe(`BillerAllowance laws on ${name}`, () => {
    let fixture: BillerAllowanceFixture;
    let allowance: BillerAllowance;
    beforeEach(async () => {
      fixture = await makeFixture();
      allowance = fixture.allowance;
    });
    afterEach(() => fixture.close());

    it('1: grants all takers together one burst and then the rate', async () => {
      const takers = [allowance, ...(await Promise.all(Array.from({ length: 3 }, () => fixture.another())))];
      const request = { perSecond: 50, wanted: 20 };
      const beganMs = fixture.nowMs();
      let granted = 0;
      for (let round = 0; round < 10; round++) {
        granted += (await Promise.all(takers.map((taker) => taker.take(WATER, request)))).reduce(
          (sum, answer) => sum + answer.granted,
          0,
        );
        await fixture.pass(100);
      }
      expect(granted).toBeLessThanOrEqual(50 + (50 * (fixture.nowMs() - beganMs)) / 1_000);
      // 900 ms lie between the first and the last round; each of the rounds may leave a fraction of a token behind.
      expect(granted).toBeGreaterThanOrEqual(50 + 45 - 10);
    });

    it('1: saves up one burst, however long nobody asks', async () => {
      await allowance.take(WATER, { perSecond: 10, wanted: 10 });
      await fixture.pass(1_500);
      const { granted } = await allowance.take(WATER, { perSecond: 10, wanted: 1_000 });
      expect(granted).toBe(10);
    });

    it('1: gives each biller a rate of its own', async () => {
      // So slow a rate that its next call comes long after the test.
      const request = { perSecond: 0.001, wanted: 1 };
      expect((await allowance.take(WATER, request)).granted).toBe(1);
      expect((await allowance.take(GAS, request)).granted).toBe(1);
      expect((await allowance.take(WATER, request)).granted).toBe(0);
    });

    it('1: holds to a rate that was lowered meanwhile', async () => {
      await allowance.take(WATER, { perSecond: 1_000, wanted: 1 });
      expect((await allowance.take(WATER, { perSecond: 2, wanted: 1_000 })).granted).toBe(2);
    });

    it('2: answers what it can give, and when to ask again', async () => {
      const beganMs = fixture.nowMs();
      expect(await allowance.take(WATER, { perSecond: 4, wanted: 3 })).toEqual({ granted: 3, retryAfterMs: 0 });
      const partly = await allowance.take(WATER, { perSecond: 4, wanted: 3 });
      expect(partly.granted).toBeGreaterThanOrEqual(1);
      let granted = 3 + partly.granted;
      let none = partly;
      for (let asked = 0; asked < DRAINED_AFTER_MAX && none.granted > 0; asked++) {
        none = await allowance.take(WATER, { perSecond: 4, wanted: 100 });
        granted += none.granted;
      }
      expect(granted).toBeLessThanOrEqual(4 + (4 * (fixture.nowMs() - beganMs)) / 1_000);
      expect(none.granted).toBe(0);
      expect(none.retryAfterMs).toBeGreaterThan(0);
      expect(none.retryAfterMs).toBeLessThanOrEqual(250);
      await fixture.pass(none.retryAfterMs + 1);
      expect((await allowance.take(WATER, { perSecond: 4, wanted: 1 })).granted).toBe(1);
    });

    it('2: takes a rate below one a second, and asks for nothing', async () => {
      const perSecond = 0.01;
      expect(await allowance.take(WATER, { perSecond, wanted: 0 })).toEqual({ granted: 0, retryAfterMs: 0 });
      expect((await allowance.take(WATER, { perSecond, wanted: 3 })).granted).toBe(1);
      const { granted, retryAfterMs } = await allowance.take(WATER, { perSecond, wanted: 1 });
      expect(granted).toBe(0);
      // Of the 100 s, what has passed since.
      expect(retryAfterMs).toBeGreaterThan(50_000);
      expect(retryAfterMs).toBeLessThanOrEqual(100_000);
    });

    it('2: refuses what is no rate and no number of calls', async () => {
      for (const perSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(allowance.take(WATER, { perSecond, wanted: 1 })).rejects.toThrow(InvariantViolation);
      }
      for (const wanted of [-1, 0.5, Number.NaN]) {
        await expect(allowance.take(WATER, { perSecond: 1, wanted })).rejects.toThrow(InvariantViolation);
      }
    });

    it('3: gives the others what a taker that is gone did not take', async () => {
      const gone = await fixture.another();
      const beganMs = fixture.nowMs();
      expect((await gone.take(WATER, { perSecond: 10, wanted: 4 })).granted).toBe(4);
      const { granted } = await allowance.take(WATER, { perSecond: 10, wanted: 10 });
      expect(granted).toBeGreaterThanOrEqual(6);
      expect(granted).toBeLessThanOrEqual(6 + (10 * (fixture.nowMs() - beganMs)) / 1_000);
    });
  });
}
