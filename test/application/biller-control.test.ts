import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { type BillerControl, createBillerControl } from '../../src/application/operating/biller-control';
import { APPEND_EVENTS_MAX, type EventStore, READ_EVENTS_MAX } from '../../src/application/ports/event-store';
import { VersionConflict } from '../../src/application/ports/failures';
import { type BillerControlCommand } from '../../src/domain/biller/biller-control.decider';
import { EVERYTHING, uncontrolled } from '../../src/domain/biller/biller-control.state';
import { billerControlStream, billerId } from '../../src/domain/identifiers';
import { SteppedClock } from './delivery-bench';
import { faulty } from './shard-bench';
import { CONFLICTS_MAX } from '../../src/application/history/transact';

const WATER = billerId('water');
const GAS = billerId('gas');
const CACHE_MS = 5_000;

describe('what operators ordered for a biller (issue 9, no 16)', () => {
  let eventStore: SqliteEventStore;
  let clock: SteppedClock;
  let drawn: number;
  beforeEach(() => {
    eventStore = new SqliteEventStore({ path: ':memory:' });
    clock = new SteppedClock();
    drawn = 0;
  });
  afterEach(() => eventStore.close());
  const control = (store: EventStore = eventStore): BillerControl =>
    createBillerControl(
      { eventStore: store, clock, chance: { uuid: () => `id-${++drawn}`, fraction: () => 0 } },
      { cacheMs: CACHE_MS, by: 'scanner' },
    );
  const said = (more: object = {}) => ({ by: 'root@ops-1', reason: 'works', at: clock.now(), ...more });
  const pause = (more: object = {}): BillerControlCommand => ({ type: 'PauseBiller', ordered: said(more) });
  const resume = (): BillerControlCommand => ({ type: 'ResumeBiller', ordered: said() });
  const rate = (perSecond?: number): BillerControlCommand => ({
    type: 'SetBillerRate',
    ordered: said(),
    ...(perSecond === undefined ? {} : { perSecond }),
  });
  const stored = () => eventStore.readStream(billerControlStream(WATER));

  it('a stop of everything holds for every biller within the cache’s time, over restarts, and leaves each as it was', async () => {
    const [one, other] = [control(), control()];
    await one.order(GAS, pause({ reason: 'its own' }));
    expect(await other.state(WATER)).toEqual(uncontrolled);
    expect(await one.order(EVERYTHING, pause({ reason: 'all' }))).toBe('done');
    expect(await one.order(EVERYTHING, pause({ reason: 'again' }))).toBe('already-so');
    const stopped = { paused: { by: 'root@ops-1', reason: 'all', since: clock.now() }, everythingStopped: true };
    expect(await one.state(WATER)).toMatchObject(stopped);
    expect(await one.state(GAS)).toMatchObject(stopped);
    expect(await control().state(WATER)).toMatchObject(stopped);
    expect((await other.state(WATER)).paused).toBeUndefined();
    clock.ms += CACHE_MS;
    expect(await other.state(WATER)).toMatchObject(stopped);
    // Resuming one does not lift the stop.
    expect(await one.order(WATER, resume())).toBe('already-so');
    expect(await one.state(WATER)).toMatchObject(stopped);
    expect(await one.order(EVERYTHING, resume())).toBe('done');
    expect(await one.state(WATER)).toEqual(uncontrolled);
    expect(await one.state(GAS)).toMatchObject({ paused: { reason: 'its own' } });
    expect((await one.state(GAS)).everythingStopped).toBeUndefined();
  });

  it('where the stop cannot be read, nothing is said to be allowed', async () => {
    const store: EventStore = Object.assign(Object.create(eventStore) as EventStore, {
      readStream: (name: string) =>
        name === billerControlStream(EVERYTHING) ? Promise.reject(new Error('away')) : Promise.resolve([]),
    });
    await expect(control(store).state(WATER)).rejects.toThrow('away');
  });

  it('is nothing at first; a pause says who, why and since when; resuming ends it; the rate stands beside it', async () => {
    const one = control();
    expect(await one.state(WATER)).toEqual(uncontrolled);
    expect(await one.order(WATER, pause({ claimedBy: 'anna' }))).toBe('done');
    expect(await one.state(WATER)).toEqual({
      paused: { by: 'root@ops-1', claimedBy: 'anna', reason: 'works', since: clock.now() },
      ratePerSecond: undefined,
    });
    expect(await one.state(GAS)).toEqual(uncontrolled);
    expect(await one.order(WATER, rate(3))).toBe('done');
    expect(await one.order(WATER, resume())).toBe('done');
    expect(await one.state(WATER)).toEqual({ paused: undefined, ratePerSecond: 3 });
    expect(await one.order(WATER, pause())).toBe('done');
    expect((await one.state(WATER)).paused).toEqual({ by: 'root@ops-1', reason: 'works', since: clock.now() });
    expect(await one.order(WATER, rate())).toBe('done');
    expect((await one.state(WATER)).ratePerSecond).toBeUndefined();
    expect((await stored()).map(({ type, id, metadata }) => [type, id, metadata])).toEqual(
      ['BillerPaused', 'BillerRateSet', 'BillerResumed', 'BillerPaused', 'BillerRateSet'].map((type, index) => [
        type,
        `id-${index + 1}`,
        { by: 'scanner', at: clock.now() },
      ]),
    );
  });

  it.each<[string, () => readonly BillerControlCommand[], () => BillerControlCommand]>([
    ['a pause in a pause', () => [pause()], () => pause({ reason: 'other' })],
    ['resuming what runs', () => [], resume],
    ['resuming twice', () => [pause(), resume()], resume],
    ['the rate that stands', () => [rate(3)], () => rate(3)],
    ['no rate where none is set', () => [], () => rate()],
  ])('%s is already so, and states nothing', async (_, before, order) => {
    const one = control();
    for (const each of before()) expect(await one.order(WATER, each)).toBe('done');
    expect(await one.order(WATER, order())).toBe('already-so');
    expect(await stored()).toHaveLength(before().length);
  });

  it('what another process ordered is seen when the cache has had its time, and no later; one’s own at once', async () => {
    const [one, two] = [control(), control()];
    expect((await one.state(WATER)).paused).toBeUndefined();
    await two.order(WATER, pause());
    expect((await two.state(WATER)).paused).toBeDefined();
    clock.ms += CACHE_MS - 1;
    expect((await one.state(WATER)).paused).toBeUndefined();
    clock.ms += 1;
    expect((await one.state(WATER)).paused).toBeDefined();
  });

  it('reads a biller, and the stop of everything, once for all who ask within the cache’s time, and a failed look is not kept', async () => {
    const reads: string[] = [];
    let away = true;
    const one = control(
      faulty<EventStore>(eventStore, {
        readStream: async (...call) => (
          reads.push(call[0]),
          away ? Promise.reject(new Error('away')) : eventStore.readStream(...call)
        ),
      }),
    );
    await expect(one.state(WATER)).rejects.toThrow('away');
    away = false;
    expect(await Promise.all([one.state(WATER), one.state(WATER), one.state(WATER)])).toEqual([
      uncontrolled,
      uncontrolled,
      uncontrolled,
    ]);
    const both = [billerControlStream(WATER), billerControlStream(EVERYTHING)];
    expect(reads).toEqual([...both, ...both]);
  });

  it.each([
    [CONFLICTS_MAX, true],
    [CONFLICTS_MAX + 1, false],
  ])('an order that loses %i races in a row stands: %s', async (races, stands) => {
    let lost = 0;
    const one = control(
      faulty<EventStore>(eventStore, {
        append: async (...call) =>
          lost++ < races
            ? Promise.reject(new VersionConflict(billerControlStream(WATER), 'new', 0))
            : eventStore.append(...call),
      }),
    );
    if (stands) expect(await one.order(WATER, pause())).toBe('done');
    else await expect(one.order(WATER, pause())).rejects.toThrow(VersionConflict);
    expect(await stored()).toHaveLength(stands ? 1 : 0);
  });

  it('an order that fails otherwise says so at once', async () => {
    let appends = 0;
    const one = control(
      faulty<EventStore>(eventStore, { append: async () => (appends++, Promise.reject(new Error('away'))) }),
    );
    await expect(one.order(WATER, pause())).rejects.toThrow('away');
    expect(appends).toBe(1);
  });

  it('reads a stream of more than a page to its end', async () => {
    const one = control();
    const orders = READ_EVENTS_MAX + 1;
    for (let from = 0; from < orders; from += APPEND_EVENTS_MAX) {
      const events = Array.from({ length: Math.min(APPEND_EVENTS_MAX, orders - from) }, (_, index) => ({
        id: `old-${from + index}`,
        type: 'BillerRateSet',
        data: said({ perSecond: from + index }),
        metadata: { by: 'x', at: clock.now() },
      }));
      await eventStore.append(billerControlStream(WATER), from === 0 ? 'new' : from - 1, events);
    }
    expect((await one.state(WATER)).ratePerSecond).toBe(orders - 1);
    expect(await one.order(WATER, rate(orders - 1))).toBe('already-so');
    expect(await one.order(WATER, pause())).toBe('done');
  });
});
