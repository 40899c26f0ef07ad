import { whatItLooksAt } from '../../src/adapters/biller-profiles/condition-scope';
import { DURATION_BOUNDS, durationProblems } from '../../src/adapters/biller-profiles/duration-bounds';
import { ProfileHistory } from '../../src/adapters/biller-profiles/profile-history';
import { profileFromDocument } from '../../src/adapters/biller-profiles/profile-from-document';
import { type BillerDocument, durationMs } from '../../src/adapters/shared/biller-document/biller-document';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { type EventStore, READ_EVENTS_MAX } from '../../src/application/ports/event-store';
import { PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { billerId, billerProfileStream, type ProfileVersion } from '../../src/domain/identifiers';
import { template } from '../support/biller-fixtures';

const WHOLE = {
  ...template('json-oauth2-keys-and-inquiry'),
  RetrySchedule: { Kind: 'Exponential', Initial: '1s', Max: '1h', MaxAge: '1d', Jitter: 0 },
} as unknown as BillerDocument;
/** The document with this value at this place. */
function placed(path: readonly string[], value: unknown, into: object = WHOLE): BillerDocument {
  const [name, ...rest] = path as [string, ...string[]];
  const inner = (into as Record<string, object>)[name] ?? {};
  return { ...into, [name]: rest.length === 0 ? value : placed(rest, value, inner) } as unknown as BillerDocument;
}
const problemsAt = (path: readonly string[], value: unknown) => durationProblems(placed(path, value)).map(([at]) => at);

describe('durations of a profile at their bounds (issue 9, no 16)', () => {
  const PLACES: readonly (readonly [keyof typeof DURATION_BOUNDS, readonly string[]])[] = [
    ['Timeout', ['Timeout']],
    ['Quarantine', ['Quarantine']],
    ['Retention', ['Idempotency', 'Retention']],
    ['Margin', ['Idempotency', 'Margin']],
    ['Lag', ['StatusInquiry', 'Lag']],
    ['InquiryTimeout', ['StatusInquiry', 'Timeout']],
    ['Open', ['Breaker', 'Open']],
    ['MaxAge', ['RetrySchedule', 'MaxAge']],
    ['Wait', ['RetrySchedule', 'Initial']],
    ['Wait', ['RetrySchedule', 'Max']],
  ];

  it.each(PLACES)('%s at %j: its least and its most are taken, and nothing beyond', (name, path) => {
    const { least, most } = DURATION_BOUNDS[name];
    const own = `/${path.join('/')}`;
    // A number of a duration has nine digits at most.
    const beyond = (text: string, by: number): string =>
      durationMs(text) < 1e9 - 1 ? `${durationMs(text) + by}ms` : `${durationMs(text) / 1_000 + by}s`;
    // What a wait says against other waits is looked at below.
    const outOfBounds = (value: string): boolean =>
      durationProblems(placed(path, value)).some(([at, why]) => at === own && why.startsWith('a duration from'));
    expect([outOfBounds(least), outOfBounds(most), outOfBounds(beyond(most, 1))]).toEqual([false, false, true]);
    if (durationMs(least) > 0) expect(outOfBounds(beyond(least, -1))).toBe(true);
  });

  it('a wait as long as MaxAge is taken, a longer one would never come', () => {
    const fixed = (...waits: readonly string[]) =>
      problemsAt(['RetrySchedule'], { Kind: 'Fixed', Waits: waits, MaxAge: '10m' });
    expect(fixed('10m', '1m')).toEqual([]);
    expect(fixed('1m', '600001ms', '10m', '11m')).toEqual(['/RetrySchedule/Waits/1', '/RetrySchedule/Waits/3']);
    const growing = (Initial: string, Max: string) =>
      problemsAt(['RetrySchedule'], { Kind: 'Exponential', Initial, Max, MaxAge: '10m' });
    expect([growing('1m', '10m'), growing('1m', '1m'), growing('61s', '1m'), growing('1m', '11m')]).toEqual([
      [],
      [],
      ['/RetrySchedule/Initial'],
      ['/RetrySchedule/Max'],
    ]);
    expect(durationProblems(placed(['RetrySchedule'], undefined))).toEqual([]);
  });
});

describe('what a condition looks at', () => {
  it.each([
    ['true', 'nothing'],
    ['1 = 1', 'nothing'],
    ["'a'", 'nothing'],
    ['status = 200', 'status'],
    ['$$.status = 200', 'status'],
    ['$.status = 200', 'status'],
    ['status = 200 or status = 201', 'status'],
    ['body.status = 200', 'content'],
    ["headers.status = 'x'", 'content'],
    ['$ = 1', 'content'],
    ['$$ = 1', 'content'],
    ['$x', 'nothing'],
    ['*', 'content'],
    ['**', 'content'],
    ['status and body', 'content'],
    ['$count($) > 0', 'content'],
    ['$string($$)', 'content'],
    ['($x := 1; $x = 1)', 'nothing'],
  ])('%s: %s', (condition, looksAt) => expect(whatItLooksAt(condition)).toBe(looksAt));
});

describe('the versions of a profile in the event store', () => {
  const BILLER = billerId(String(WHOLE.BillerID));
  const profile = profileFromDocument(WHOLE, 'v1' as ProfileVersion);
  const over = (eventStore: EventStore) =>
    new ProfileHistory({ eventStore, clock: new SystemClock(), chance: new SystemChance(), by: 'test' });
  async function withStore(work: (store: SqliteEventStore) => Promise<void>): Promise<void> {
    const store = new SqliteEventStore({ path: ':memory:' });
    await work(store).finally(() => store.close());
  }
  const failing = (store: EventStore, error: () => Error, times: number) => {
    let appends = 0;
    const failed: EventStore = Object.assign(Object.create(store) as EventStore, {
      append: (...args: Parameters<EventStore['append']>) =>
        ++appends <= times ? Promise.reject(error()) : store.append(...args),
    });
    return { store: failed, appends: () => appends };
  };
  const conflict = (): Error => new VersionConflict(billerProfileStream(BILLER), 'new', 0);

  it('a version is registered once, whoever asks again', () =>
    withStore(async (store) => {
      await over(store).register(profile);
      const history = over(store);
      await history.register(profile);
      await history.register(profile);
      await over(store).register({ ...profile, version: 'v2' as ProfileVersion });
      expect((await store.readStream(billerProfileStream(BILLER))).map(({ revision }) => revision)).toEqual([0, 1]);
      expect([
        (await over(store).newest(BILLER))?.version,
        (await over(store).version(BILLER, profile.version))?.version,
      ]).toEqual(['v2', 'v1']);
      expect(await over(store).version(BILLER, 'v3' as ProfileVersion)).toBeUndefined();
      expect(await over(store).newest(billerId('none'))).toBeUndefined();
      expect(await over(store).tenants(BILLER)).toHaveLength(1);
    }));

  it.each([
    [5, true],
    [6, false],
  ])('%d conflicts in a row: registered %p', (times, registered) =>
    withStore(async (store) => {
      const { store: contested, appends } = failing(store, conflict, times);
      const registering = over(contested).register(profile);
      if (registered) await registering;
      else await expect(registering).rejects.toBeInstanceOf(VersionConflict);
      expect(appends()).toBe(6);
    }),
  );

  it('another failure is told at once', () =>
    withStore(async (store) => {
      const { store: broken, appends } = failing(
        store,
        () => new PortFailure('out', { code: 'unavailable', retryable: true }),
        9,
      );
      await expect(over(broken).register(profile)).rejects.toMatchObject({ code: 'unavailable' });
      expect(appends()).toBe(1);
    }));

  it('more versions than a page holds are all read', () =>
    withStore(async (store) => {
      const data = { document: WHOLE };
      for (let at = 0; at <= READ_EVENTS_MAX; at += 50) {
        const events = Array.from({ length: Math.min(50, READ_EVENTS_MAX + 1 - at) }, (_, index) => ({
          id: `${at + index}`.padStart(8, '0') + '-0000-4000-8000-000000000000',
          type: 'BillerProfileRegistered',
          data: { ...data, version: `v${at + index}` },
          metadata: { by: 'test', at: new SystemClock().now() },
        }));
        if (events.length > 0) await store.append(billerProfileStream(BILLER), at === 0 ? 'new' : at - 1, events);
      }
      expect((await over(store).newest(BILLER))?.version).toBe(`v${READ_EVENTS_MAX}`);
      await over(store).register({ ...profile, version: 'after' as ProfileVersion });
      expect((await over(store).newest(BILLER))?.version).toBe('after');
    }));
});
