import fc from 'fast-check';
import { type Caller, Crowd, type Share } from '../support/simulated-billers/crowd';
import { inquiryPlan, plan, tokenPlan } from '../support/simulated-billers/plans';
import { PROFILES } from '../support/simulated-billers/simulated-billers';
import { inVirtualTime } from '../support/simulated-billers/virtual-time';
import { WHOLE_RUN_MS } from '../support/until';

const SEED = 912;
const CASES = 300;

inVirtualTime();

const tens = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: max / 10 }).map((ten) => ten * 10);

const caller = (profiles: fc.Arbitrary<number>): fc.Arbitrary<Caller> =>
  fc
    .record({
      profile: profiles,
      startMs: fc.oneof(fc.constant(0), tens(300), tens(30_000)),
      waitMs: fc.oneof(fc.constant(0), tens(300), tens(10_000)),
      stopsWaitingMs: fc.option(tens(500), { nil: undefined, freq: 4 }),
      rated: fc.boolean(),
      does: fc.constantFrom('call' as const, 'call' as const, 'call' as const, 'ask' as const, 'give back' as const),
      holdsMs: tens(2_000),
      withinMs: tens(15_000).map((ms) => ms + 5),
      first: plan,
      second: plan,
      asked: inquiryPlan,
    })
    .map(({ asked, ...one }) => ({
      ...one,
      // A process that is held up is late for everything; here all shall be in time.
      first: { ...(one.does === 'ask' ? asked : one.first), stallMs: 0 },
      second: { ...one.second, stallMs: 0 },
    }));

const share: fc.Arbitrary<Share> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }).map((granted) => ({ granted, retryAfterMs: 0 })) },
  { weight: 2, arbitrary: tens(400).map((retryAfterMs) => ({ granted: 0, retryAfterMs })) },
  { weight: 1, arbitrary: fc.constant('out' as const) },
);

describe('many callers of the HTTP gateway at once (issue 9, no 12)', () => {
  it(
    'keeps places, rates, waits and deadlines, and afterwards all is free again',
    async () => {
      const any = fc.nat({ max: PROFILES.length - 1 });
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            fraction: fc.constantFrom(0, 0.25, 0.999),
            tokenPlans: fc.array(
              tokenPlan.map((one) => ({ ...one, plan: { ...one.plan, stallMs: 0 } })),
              { minLength: 1, maxLength: 4 },
            ),
          }),
          fc.array(share, { minLength: 1, maxLength: 5 }),
          fc.oneof(
            fc.array(caller(any), { minLength: 2, maxLength: 12 }),
            any.chain((one) => fc.array(caller(fc.constant(one)), { minLength: 2, maxLength: 12 })),
          ),
          async (options, shares, callers) => {
            await new Crowd(options, shares).run(callers);
          },
        ),
        { seed: SEED, numRuns: CASES, endOnFailure: process.env['DATAPUMP_MUTATION'] !== undefined },
      );
    },
    WHOLE_RUN_MS,
  );
});
