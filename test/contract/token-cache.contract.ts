import { type FetchedToken, type TokenCache } from '../../src/application/ports/token-cache';
import { type SystemClock } from '../../src/adapters/system/system-clock';

/** The laws of TokenCache. Time is real and lives are short, so that caches with a clock of their own can run it too. */
export function tokenCacheContract(
  name: string,
  open: () => Promise<{ cache: TokenCache; clock: SystemClock; close(): Promise<void> }>,
): void {
  describe(`TokenCache: ${name}`, () => {
    let under: Awaited<ReturnType<typeof open>>;
    let fetches: number;
    beforeEach(async () => {
      under = await open();
      fetches = 0;
    });
    afterEach(() => under.close());
    const token = (expiresInMs = 60_000): Promise<FetchedToken> =>
      Promise.resolve({ value: `t${++fetches}`, expiresInMs });

    it('1: callers at the same time share one fetch, per key', async () => {
      const slow = async (): Promise<FetchedToken> => {
        await under.clock.sleep(30);
        return token();
      };
      const got = await Promise.all(Array.from({ length: 20 }, () => under.cache.get('a', slow)));
      expect(new Set(got)).toEqual(new Set(['t1']));
      expect(await under.cache.get('b', token)).toBe('t2');
      expect(await under.cache.get('a', token)).toBe('t1');
    });

    it('2: hands out no token after its expiry less a margin', async () => {
      expect(await under.cache.get('a', () => token(400))).toBe('t1');
      await under.clock.sleep(390);
      expect(await under.cache.get('a', token)).toBe('t2');
    });

    it('3: a failed fetch fails all who waited and is not kept', async () => {
      const failing = async (): Promise<FetchedToken> => {
        await under.clock.sleep(10);
        throw new Error('no token today');
      };
      const outcomes = await Promise.allSettled([under.cache.get('a', failing), under.cache.get('a', token)]);
      expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
      expect(await under.cache.get('a', token)).toBe('t1');
    });

    it('4: forget drops the refused value only', async () => {
      await under.cache.get('a', token);
      await under.cache.forget('a', 'an older one');
      expect(await under.cache.get('a', token)).toBe('t1');
      await under.cache.forget('a', 't1');
      expect(await under.cache.get('a', token)).toBe('t2');
    });
  });
}
