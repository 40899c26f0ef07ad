import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { createHistory, type Patience } from '../../src/application/history/history';
import { type EventStore, type NewEvent } from '../../src/application/ports/event-store';
import { PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { chunkDecider } from '../../src/domain/chunk/chunk.decider';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import {
  billerId,
  chunkId,
  deliveryAttemptStream,
  dpChunkStream,
  dpId,
  recordKey,
  shardName,
} from '../../src/domain/identifiers';
import { SteppedClock } from './delivery-bench';
import { faulty } from './shard-bench';

const CHUNK = chunkId('k');
const KEY = recordKey(billerId('12'), dpId('100'));
const NEW = { state: chunkDecider.initialState, revision: 'new' as const };
const away = new PortFailure('away', { code: 'unavailable', retryable: true });
const refused = new PortFailure('refused', { code: 'not-authorized', retryable: false });
const broken = new PortFailure('broken', { code: 'storage-broken', retryable: false });

describe('appends and reads through outages (issue 9, no 16)', () => {
  let eventStore: SqliteEventStore;
  let clock: SteppedClock;
  let slept: number[];
  let drawn: number;
  beforeEach(() => {
    eventStore = new SqliteEventStore({ path: ':memory:' });
    clock = new SteppedClock();
    slept = [];
    drawn = 0;
    clock.sleep = async (ms) => void (slept.push(ms), (clock.ms += ms));
  });
  afterEach(() => eventStore.close());
  const history = (store: Partial<EventStore> = {}) =>
    createHistory(
      {
        eventStore: faulty<EventStore>(eventStore, store),
        clock,
        chance: { uuid: () => `id-${++drawn}`, fraction: () => 0 },
      },
      'fetcher',
    );
  const planned = () => {
    const plan = {
      chunkId: CHUNK,
      billerId: billerId('12'),
      dataType: 'Payments' as const,
      shard: shardName('Shard-1'),
      dpStart: dpId('1'),
      dpEnd: dpId('2'),
      rows: 2,
    };
    const decision = chunkDecider.decide({ type: 'PlanChunk', plan }, chunkDecider.initialState);
    if (decision.outcome !== 'accepted') throw new Error('refused');
    return decision.events;
  };
  const stored = () => eventStore.readStream(dpChunkStream(CHUNK));
  /** Fails so often, with this, then is itself again; `after`: what was asked takes effect though the answer is lost. */
  const failing = (times: number, error: Error, after = false) => {
    const asked: (readonly [unknown, readonly NewEvent[]])[] = [];
    const append: EventStore['append'] = async (stream, expected, events) => {
      asked.push([expected, events]);
      if (asked.length > times) return eventStore.append(stream, expected, events);
      if (after) await eventStore.append(stream, expected, events);
      throw error;
    };
    return { append, asked };
  };

  it('an append carries who and when, and what is decided next stands at its revision', async () => {
    const loaded = await history().appendToChunk(CHUNK, NEW, planned(), clock.now());
    expect(loaded.revision).toBe(0);
    expect(await history().chunk(CHUNK)).toEqual(loaded);
    expect(await stored()).toMatchObject([
      { id: 'id-1', type: 'ChunkPlanned', metadata: { by: 'fetcher', at: clock.now() } },
    ]);
    expect(await history().appendToChunk(CHUNK, loaded, [], clock.now())).toBe(loaded);
    expect(await stored()).toHaveLength(1);
  });

  it.each([
    ['before', false],
    ['after', true],
  ])('the very same append is repeated where the store is away %s it took effect: it stands once', async (_, after) => {
    const { append, asked } = failing(1, away, after);
    expect((await history({ append }).appendToChunk(CHUNK, NEW, planned(), clock.now())).revision).toBe(0);
    expect(asked).toHaveLength(2);
    expect(asked[1]).toEqual(asked[0]);
    expect(await stored()).toHaveLength(1);
  });

  it.each([[away], [refused]])('it is repeated four times, with longer waits, and then given up: %s', async (error) => {
    const { append, asked } = failing(99, error);
    await expect(history({ append }).appendToChunk(CHUNK, NEW, planned(), clock.now())).rejects.toBe(error);
    expect([asked.length, slept]).toEqual([5, [100, 200, 400, 800]]);
    const four = failing(4, error);
    await history({ append: four.append }).appendToChunk(CHUNK, NEW, planned(), clock.now());
    expect(four.asked).toHaveLength(5);
  });

  it.each([[broken], [new VersionConflict(dpChunkStream(CHUNK), 'new', 0)], [new TypeError('odd')]])(
    'what no waiting mends is told at once: %s',
    async (error) => {
      const { append, asked } = failing(99, error);
      await expect(history({ append }).appendToChunk(CHUNK, NEW, planned(), clock.now())).rejects.toBe(error);
      expect([asked.length, slept]).toEqual([1, []]);
    },
  );

  const closing = [
    { type: 'DeliveryAttemptNotSent', data: { lateByMs: 0 } },
  ] as unknown as readonly DeliveryAttemptEvent[];
  it.each<[Patience | undefined, number]>([
    [undefined, 4],
    ['own-knowledge', 40],
  ])('with patience %s an attempt is appended through %i failures', async (patience, repeats) => {
    const state = (await history().attempt(KEY, 1)).state;
    const enough = failing(repeats, away);
    await history({ append: enough.append }).appendToAttempt(
      KEY,
      1,
      { state, revision: 'new' },
      closing,
      clock.now(),
      patience,
    );
    expect(enough.asked).toHaveLength(repeats + 1);
    expect(Math.max(...slept)).toBe(patience ? 15_000 : 800);
    const one = failing(repeats + 1, away);
    await expect(
      history({ append: one.append }).appendToAttempt(
        KEY,
        2,
        { state, revision: 'new' },
        closing,
        clock.now(),
        patience,
      ),
    ).rejects.toBe(away);
    expect(await eventStore.readStream(deliveryAttemptStream(KEY, 1))).toHaveLength(1);
  });

  it.each<[Patience | undefined, number, boolean]>([
    [undefined, 1, false],
    ['own-knowledge', 40, true],
    ['own-knowledge', 41, false],
  ])('with patience %s a read that fails %i times has its answer: %s', async (patience, times, answered) => {
    let reads = 0;
    const readStream: EventStore['readStream'] = async (...call) =>
      reads++ < times ? Promise.reject(away) : eventStore.readStream(...call);
    const read = history({ readStream }).attempt(KEY, 1, patience);
    if (answered) expect((await read).state.status).toBe('absent');
    else await expect(read).rejects.toBe(away);
  });
});
