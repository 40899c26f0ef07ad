import { RateShare } from '../../src/adapters/biller-http/rate-share';
import { type BillerAllowance } from '../../src/application/ports/biller-allowance';
import { type Clock } from '../../src/application/ports/clock';
import { billerId } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';

type Answer = Awaited<ReturnType<BillerAllowance['take']>>;

function sharing(answers: (Answer | Error)[]) {
  let now = 1_000;
  const slept: number[] = [];
  const wanted: number[] = [];
  const clock: Clock = {
    now: () => instantFromMs(now),
    monotonicMs: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  };
  const allowance: BillerAllowance = {
    take: async (biller, request) => {
      expect([biller, request.perSecond]).toEqual(['12', 100]);
      wanted.push(request.wanted);
      const answer = answers.shift() ?? { granted: 0, retryAfterMs: 7 };
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const share = new RateShare(billerId('12'), allowance, clock);
  const take = (waitMs = 0, signal?: AbortSignal) => share.take(100, now + waitMs, signal);
  return { share, take, slept, wanted, pass: (ms: number) => (now += ms) };
}
const granted = (count: number): Answer => ({ granted: count, retryAfterMs: 0 });
const refused = (retryAfterMs: number): Answer => ({ granted: 0, retryAfterMs });

describe("a process' share of a biller's rate (issue 9, no 12)", () => {
  it('is taken in batches of a twentieth of a second, and spent before more is asked for', async () => {
    const { take, wanted } = sharing([granted(3), granted(1)]);
    for (let calls = 0; calls < 3; calls++) expect(await take()).toBe(0);
    expect(wanted).toEqual([5]);
    expect([await take(), await take()]).toEqual([0, 7]);
    expect(wanted).toEqual([5, 5, 5]);
  });

  it('asks for one call at least', async () => {
    const wanted: number[] = [];
    const take: BillerAllowance['take'] = async (_, request) => (wanted.push(request.wanted), granted(1));
    const clock = { now: () => instantFromMs(0), monotonicMs: () => 0, sleep: () => Promise.resolve() };
    for (const perSecond of [0.1, 1, 20, 21, 1_000])
      await new RateShare(billerId('12'), { take }, clock).take(perSecond, 0, undefined);
    expect(wanted).toEqual([1, 1, 1, 2, 50]);
  });

  it.each([
    [200, 1],
    [201, 2],
  ])('unused for %d ms, it has been asked for %d times', async (ms, asked) => {
    const { take, pass, wanted } = sharing([granted(3), granted(3)]);
    await take();
    pass(ms);
    expect(await take()).toBe(0);
    expect(wanted).toHaveLength(asked);
  });

  it('waits as long as it is told where that ends in time, and else says how long', async () => {
    const inTime = sharing([refused(40), refused(60), granted(1)]);
    expect([await inTime.take(100), inTime.slept]).toEqual([0, [40, 60]]);
    const late = sharing([refused(40), refused(61), granted(1)]);
    expect([await late.take(100), late.slept]).toEqual([61, [40]]);
    const none = sharing([refused(0), granted(1)]);
    expect([await none.take(0), none.slept]).toEqual([1, []]);
  });

  it('waits no longer once nobody wants it', async () => {
    const { take, slept } = sharing([refused(40)]);
    expect([await take(1_000, AbortSignal.abort()), slept]).toEqual([40, []]);
  });

  it('is asked for once by all who wait at the same time, and a failure is told to each and not kept', async () => {
    const { take, wanted } = sharing([granted(2), new Error('out'), granted(2)]);
    expect(await Promise.all([take(), take(), take()])).toEqual([0, 0, 1]);
    expect(wanted).toHaveLength(1);
    const both = [take(10), take(10)].map((each) => each.catch((error: Error) => error.message));
    expect(await Promise.all(both)).toEqual(['out', 'out']);
    expect(wanted).toHaveLength(2);
    expect(await take()).toBe(0);
  });
});
