import fc from 'fast-check';
import { paymentRow } from '../support/biller-fixtures';
import { SETTLED, UNCLEAR } from '../support/simulated-billers/answers';
import { CheckedCalls, type Step } from '../support/simulated-billers/checked-calls';
import { inquiryPlan, type Plan, plan, tokenPlan } from '../support/simulated-billers/plans';
import { PROFILES, SimulatedBillers } from '../support/simulated-billers/simulated-billers';
import { inVirtualTime } from '../support/simulated-billers/virtual-time';
import { WHOLE_RUN_MS } from '../support/until';

const SEED = 912;
const CASES = 2_000;

/** Asks for one second. */
const THROTTLE = { kind: 'throttle' as const, afterMs: 10, status: 429, shape: 7 };

inVirtualTime();

/** Deadlines end between the tens at which everything else happens: nothing is a matter of which timer was first. */
const odd = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: max / 10 }).map((ten) => ten * 10 + 5);

const step: fc.Arbitrary<Step> = fc
  .record({
    profile: fc.nat({ max: PROFILES.length - 1 }),
    kind: fc.constantFrom('pay' as const, 'pay' as const, 'pay' as const, 'ask' as const, 'give back' as const),
    rest: fc.oneof(
      fc.constantFrom('until it opens' as const, 'until it opens' as const, 'almost until it opens' as const),
      fc.constantFrom(0, 10, 3_000, 50_000, 100_000, 300_000, 4_000_000),
    ),
    withoutPermit: fc.integer({ min: 0, max: 4 }).map((one) => one === 0),
    secretsMissing: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
    lateMs: fc.constantFrom(0, 0, 0, 50, 20_000),
    withinMs: fc.oneof(odd(300), odd(15_000), odd(15_000)),
    first: plan,
    second: plan,
    asked: inquiryPlan,
    askedAgain: inquiryPlan,
  })
  .map(({ asked, askedAgain, ...one }) => (one.kind === 'ask' ? { ...one, first: asked, second: askedAgain } : one));

describe('the HTTP gateway under crossed faults (issue 9, no 12)', () => {
  it(
    'says of each call what an oracle says that knows the faults',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            skewMs: fc.constantFrom(0, 86_400_000, -86_400_123),
            fraction: fc.constantFrom(0, 0.25, 0.999),
            tokenPlans: fc.array(tokenPlan, { minLength: 1, maxLength: 5 }),
          }),
          fc.oneof(
            fc.array(step, { minLength: 1, maxLength: 6 }),
            // One biller alone: its waits grow and its breaker opens.
            fc
              .tuple(fc.nat({ max: PROFILES.length - 1 }), fc.array(step, { minLength: 2, maxLength: 8 }))
              .map(([profile, steps]) => steps.map((one) => ({ ...one, profile }))),
          ),
          async (options, steps) => {
            const calls = new CheckedCalls(options);
            for (const one of steps) await calls.step(one);
          },
        ),
        { seed: SEED, numRuns: CASES, endOnFailure: process.env['DATAPUMP_MUTATION'] !== undefined },
      );
    },
    WHOLE_RUN_MS,
  );

  it('a longer wait that is asked for during a wait is kept too', async () => {
    const throttled = (shape: number): Plan => ({
      connectMs: 0,
      stallMs: 0,
      effect: false,
      end: { kind: 'throttle', afterMs: 10, status: 429, shape },
    });
    const calls = new CheckedCalls({ skewMs: 0, fraction: 0, tokenPlans: [] });
    const usual = {
      profile: PROFILES.length - 1,
      kind: 'pay' as const,
      secretsMissing: false,
      lateMs: 0,
      withinMs: 1_005,
    };
    // Shapes 7 to 9 ask for one, ninety and seven seconds.
    for (const [shape, rest] of [
      [7, 0],
      [8, 0],
      [9, 0],
      [8, 'almost until it opens'],
      [7, 'until it opens'],
    ] as const) {
      const first = throttled(shape);
      await calls.step({ ...usual, rest, withoutPermit: typeof rest === 'number', first, second: first });
    }
  });

  it('a throttled call between calls that work stops its own record alone, however often it happens', async () => {
    const works = { kind: 'answer' as const, headMs: 10, bodyMs: 0, known: SETTLED[0]! };
    const planOf = (end: Plan['end']): Plan => ({ connectMs: 0, stallMs: 0, effect: false, end });
    const calls = new CheckedCalls({ skewMs: 0, fraction: 0, tokenPlans: [] });
    for (const end of Array.from({ length: 6 }, (_, at) => (at % 2 === 0 ? THROTTLE : works))) {
      const first = planOf(end);
      await calls.step({
        profile: PROFILES.length - 1,
        kind: 'pay',
        rest: 0,
        withoutPermit: false,
        secretsMissing: false,
        lateMs: 0,
        withinMs: 1_005,
        first,
        second: first,
      });
    }
  });

  it('never throws once the request may have left, whatever breaks on this side', async () => {
    const answer = UNCLEAR.find(({ outcome }) => outcome.kind === 'unknown' && outcome.answer?.snippet !== undefined)!;
    const end = { kind: 'answer' as const, headMs: 10, bodyMs: 0, known: answer };
    const { gateway, time } = new SimulatedBillers({
      skewMs: 0,
      fraction: 0,
      tokenPlans: [],
      planOf: () => ({ connectMs: 0, stallMs: 0, effect: true, end }),
      keepSnippet: () => {
        throw new Error('not even a promise');
      },
    });
    const profile = PROFILES.at(-1)!;
    const row = paymentRow({ billerId: profile.billerId });
    const call = await time.until(gateway.prepare({ profile, row, idempotencyKey: 'key-1' }));
    expect(await time.until(call.send({ since: time.monotonicMs(), sendWithinMs: 1_005 }))).toMatchObject({
      kind: 'unknown',
    });
  });
});
