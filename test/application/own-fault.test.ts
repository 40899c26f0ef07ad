import { recordMessageOf } from '../support/record-messages';
import { fetchChunk } from '../../src/application/fetching/fetch-chunk';
import { createHistory } from '../../src/application/history/history';
import { type EventStore } from '../../src/application/ports/event-store';
import { PortFailure, type PortFailureCode, VersionConflict } from '../../src/application/ports/failures';
import { type ReceivedMessage } from '../../src/application/ports/message-bus';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { type ChunkId, dpId } from '../../src/domain/identifiers';
import { DeliveryBench } from './delivery-bench';
import { CONFLICTS_MAX } from '../../src/application/history/transact';

const SETTINGS = { eventsTopic: 'datapump-events', batchSize: 10, concurrentBillersMax: 1 };
const CODES: readonly [PortFailureCode, boolean][] = [
  ['storage-busy', true],
  ['storage-full', true],
  ['connection-lost', true],
  ['timed-out', true],
  ['unavailable', true],
  ['storage-broken', false],
  ['storage-foreign', false],
  ['not-authorized', false],
  ['not-found', false],
  ['closed', false],
  ['profile-invalid', false],
  ['profile-missing', false],
  ['secret-missing', false],
  ['message-too-large', false],
];

let bench: DeliveryBench;
beforeEach(async () => {
  bench = await DeliveryBench.start();
  await bench.shard.adopt([dpId('100')], 'c-1' as ChunkId);
});
afterEach(() => bench.close());

const chunk = (deliveryCount: number): ReceivedMessage => ({
  messageId: '12:100+100',
  body: { billerId: '12', dpStart: '100', dpEnd: '100', messageId: '12:100+100' },
  correlationId: '12',
  properties: {},
  sequenceNumber: '1',
  enqueuedAt: bench.clock.now(),
  deliveryCount,
  deadLetterReason: undefined,
  deadLetterDescription: undefined,
  lockToken: 'token',
  lockedUntil: bench.clock.now(),
});

/** Fetches as often as the broker would deliver, through a store whose appends of records fail so long as `fails` says. */
async function fetchUntilDone(fails: (appends: number) => Error | undefined, deliveriesMax = 10) {
  let appends = 0;
  const eventStore: EventStore = Object.assign(Object.create(bench.eventStore) as EventStore, {
    append: async (...parameters: Parameters<EventStore['append']>) => {
      const failure = parameters[0].startsWith('dpRecord-') ? fails(++appends) : undefined;
      if (failure) throw failure;
      return bench.eventStore.append(...parameters);
    },
  });
  const history = createHistory({ eventStore, chance: new SystemChance(), clock: bench.clock }, 'test');
  const fetch = fetchChunk({ ...bench.ports, history }, SETTINGS);
  for (let delivery = 1; delivery <= deliveriesMax; delivery++) {
    try {
      return { settlement: await fetch(chunk(delivery)), delivery };
    } catch {
      // It comes back.
    }
  }
  return undefined;
}

describe("an end has a reason that is the record's own (issue 9, no 1)", () => {
  it.each([1, 3, 7, 20])('takes no number of conflicts (%i) for the fault of a row', async (conflicts) => {
    const done = await fetchUntilDone((appends) =>
      appends <= conflicts ? new VersionConflict('dpRecord-12:100', 'new', 'new') : undefined,
    );
    expect(done?.settlement).toEqual({ settle: 'complete' });
    expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordValidated']);
    expect(await bench.rowStatus()).toBe('Published');
  });

  it('tries a conflict again a bounded number of times, then gives the chunk back', async () => {
    let appends = 0;
    const done = await fetchUntilDone((count) => {
      appends = count;
      return new VersionConflict('dpRecord-12:100', 'new', 'new');
    }, 3);
    expect(done).toBeUndefined();
    expect(appends).toBeLessThanOrEqual(3 * (CONFLICTS_MAX + 1));
    expect(await bench.recordEvents()).toEqual([]);
    expect(await bench.rowStatus()).toBe('Queued');
  });

  it.each(CODES)('takes no port that fails with %s for the fault of a row', async (code, retryable) => {
    const done = await fetchUntilDone(
      (appends) => (appends <= 20 ? new PortFailure('the store fails', { code, retryable }) : undefined),
      25,
    );
    expect(done?.settlement).toEqual({ settle: 'complete' });
    expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordValidated']);
  });

  it('takes no defect of an adapter for the fault of a row', async () => {
    await fetchUntilDone((appends) =>
      appends <= 6 ? new TypeError('cannot read properties of undefined') : undefined,
    );
    expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordValidated']);
  });

  it('rejects a row that breaks its own judging, and only once it is judged alone', async () => {
    const row = (await bench.shard.findRow(dpId('100')))!;
    Object.defineProperty(row.customer!, 'billerId', {
      get: () => {
        throw new TypeError('the row breaks processing');
      },
    });
    const shard = Object.assign(Object.create(bench.shard) as typeof bench.shard, { rowsInRange: async () => [row] });
    const fetch = fetchChunk(
      { ...bench.ports, shards: { all: () => [shard], named: () => shard, ofBiller: async () => shard } },
      SETTINGS,
    );
    await expect(fetch(chunk(1))).rejects.toThrow('breaks processing');
    expect(await bench.recordEvents()).toEqual([]);
    await expect(fetch(chunk(3))).resolves.toEqual({ settle: 'complete' });
    expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordRejected']);
  });

  it.each(['chunk', 'record'] as const)(
    'rejects no row for a profile that cannot be found: the %s waits',
    async (kind) => {
      const profiles = { ...bench.ports.profiles, current: async () => undefined };
      if (kind === 'chunk') {
        await expect(fetchChunk({ ...bench.ports, profiles }, SETTINGS)(chunk(1))).resolves.toEqual({
          settle: 'complete',
        });
        const [again] = await bench.bus.peek({ topic: 'datapump-outbox', subscription: 'fetcher' }, { max: 1 });
        expect(again?.body).toMatchObject({ billerId: '12', dpStart: '100', dpEnd: '100' });
      } else {
        await bench.bus.send('datapump-events', [recordMessageOf('foreign-1')]);
        const message = (await bench.receive())!;
        await bench.settle(message, await bench.handle(message, { profiles }));
        await bench.runUntilQuiet({ withinMs: 600_000 });
        expect(await bench.rowStatus()).toBe('Delivered');
        return;
      }
      expect(await bench.recordEvents()).toEqual([]);
      expect(await bench.rowStatus()).toBe('Queued');
    },
  );
});
