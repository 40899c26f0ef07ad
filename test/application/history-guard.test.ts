import { randomUUID } from 'node:crypto';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteHistoryWitness } from '../../src/adapters/sqlite/sqlite-history-witness';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { SqliteShards } from '../../src/adapters/sqlite/sqlite-shards';
import { checkHistory } from '../../src/application/history/check-history';
import { createHistoryGuard, HISTORY_LEASE_MS, HISTORY_LOOK_MS } from '../../src/application/history/history-guard';
import { type EventStore } from '../../src/application/ports/event-store';
import { PortFailure } from '../../src/application/ports/failures';
import { type RowStatus } from '../../src/domain/dp-record/row-status';
import { shardName, type StreamName } from '../../src/domain/identifiers';
import { paymentRow } from '../support/biller-fixtures';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { SteppedClock } from './delivery-bench';

const event = () => ({
  id: randomUUID(),
  type: 'Tested',
  data: {},
  metadata: { by: 'test', at: new SteppedClock().now() },
});
const record = (): StreamName => `dpRecord-12:${randomUUID()}` as StreamName;

/** An installation whose event store can be exchanged under it. */
function installation() {
  const clock = new SteppedClock();
  const shards = ['Shard-1', 'Shard-2'].map((name) => new SqliteShard({ name: shardName(name), path: ':memory:' }));
  const witness = new SqliteHistoryWitness({ path: ':memory:' });
  const place: { store: EventStore; failing: boolean } = {
    store: new SqliteEventStore({ path: ':memory:' }),
    failing: false,
  };
  const eventStore = new Proxy({} as EventStore, {
    get:
      (_, name) =>
      async (...parameters: unknown[]) => {
        if (place.failing) throw new PortFailure('failed', { code: 'unavailable', retryable: true });
        return (Reflect.get(place.store, name) as (...all: unknown[]) => unknown).apply(place.store, parameters);
      },
  });
  const ports = {
    eventStore,
    shards: new SqliteShards(shards),
    witnesses: [witness],
    clock,
    telemetry: recordedTelemetry().telemetry,
  };
  return { clock, shards, witness, place, ports, guard: createHistoryGuard(ports) };
}

const seeded = async (shard: SqliteShard, status: RowStatus): Promise<void> => {
  const row = paymentRow();
  await shard.seed({
    rows: [
      {
        dpId: row.dpId,
        billerId: row.billerId,
        dataType: 'Payments',
        customerId: row.customerId,
        paymentId: row.paymentId!,
        createdAt: row.createdAt,
        status,
      },
    ],
  });
};

const faultsOf = async ({ ports }: ReturnType<typeof installation>): Promise<readonly string[]> =>
  (await checkHistory(ports)).findings.map(({ witness, fault }) => `${witness} ${fault}`);

/** A copy of a store as it was: the same identity and the events so far. */
async function copyOf(store: EventStore): Promise<SqliteEventStore> {
  const copy = new SqliteEventStore({ path: ':memory:' });
  const identity = await store.identity();
  (copy as unknown as { database: { prepare(sql: string): { run(value: string): void } } }).database
    .prepare('UPDATE store_identity SET identity = ?')
    .run(identity);
  for (const { stream, revision, ...stored } of (await store.readAll({ max: 1_000 })).events)
    await copy.append(stream, revision === 0 ? 'new' : revision - 1, [stored]);
  return copy;
}

describe('the event store that the shards know (issue 8, no 4)', () => {
  it('is taken for theirs at the first look, with all that is seen in it later', async () => {
    const { guard, shards, witness, clock, place } = installation();
    expect(await guard.look()).toEqual([]);
    const identity = await place.store.identity();
    for (const each of [...shards, witness]) expect(await each.knownHistory()).toMatchObject({ ordinal: 1, identity });
    await guard.eventStore.append(record(), 'new', [event()]);
    expect(await guard.look()).toEqual([]);
    expect(await shards[0]!.knownHistory()).toMatchObject({ ordinal: 1 });
    clock.ms += HISTORY_LOOK_MS;
    await guard.look();
    for (const each of [...shards, witness])
      expect(await each.knownHistory()).toMatchObject({ ordinal: 2, mark: await place.store.head() });
    clock.ms += HISTORY_LOOK_MS;
    await guard.look();
    expect(await shards[0]!.knownHistory()).toMatchObject({ ordinal: 2 });
  });

  it.each<readonly [string, (at: ReturnType<typeof installation>) => Promise<EventStore>, string]>([
    ['emptied', async () => new SqliteEventStore({ path: ':memory:' }), 'new'],
    [
      'one that holds orders and profiles alone',
      async () => {
        const store = new SqliteEventStore({ path: ':memory:' });
        await store.append('billerProfile-12' as StreamName, 'new', [event()]);
        return store;
      },
      'new',
    ],
    [
      "another installation's",
      async () => {
        const store = new SqliteEventStore({ path: ':memory:' });
        await store.append(record(), 'new', [event()]);
        return store;
      },
      'other',
    ],
  ])('%s is refused by every witness', async (_, replacement, fault) => {
    const at = installation();
    await at.guard.look();
    at.place.store = await replacement(at);
    expect(await faultsOf(at)).toEqual([`Shard-1 ${fault}`, `Shard-2 ${fault}`, `:memory: ${fault}`]);
  });

  it('an older copy is behind, also when it went on by itself, and one witness is enough to say so', async () => {
    const at = installation();
    await at.guard.look();
    await at.guard.eventStore.append(record(), 'new', [event()]);
    const older = await copyOf(at.place.store);
    const lost = record();
    await at.guard.eventStore.append(lost, 'new', [event()]);
    at.clock.ms += HISTORY_LOOK_MS;
    await at.guard.look();
    at.place.store = older;
    expect(await faultsOf(at)).toEqual(['Shard-1 behind', 'Shard-2 behind', ':memory: behind']);
    // The same stream at the same revision, another event.
    await older.append(lost, 'new', [event()]);
    expect(await faultsOf(at)).toEqual(['Shard-1 behind', 'Shard-2 behind', ':memory: behind']);
    const [forgetful, knowing] = at.shards as [SqliteShard, SqliteShard];
    const mark = await older.head();
    for (const witness of [forgetful, at.witness]) {
      const known = (await witness.knownHistory())!;
      await witness.noteHistory({ ...known, ordinal: known.ordinal + 1, mark });
    }
    expect(await faultsOf(at)).toEqual([`${knowing.name} behind`]);
  });

  it.each<readonly [RowStatus, readonly string[]]>([
    ['New', []],
    ['Delivered', []],
    ['Queued', ['Shard-1 new']],
    ['Published', ['Shard-1 new']],
    ['InDoubt', ['Shard-1 new']],
  ])('a shard that never noted anything and has a row %s says of an empty store: %j', async (status, faults) => {
    const at = installation();
    await seeded(at.shards[0]!, status);
    expect(await faultsOf(at)).toEqual(faults);
    await at.place.store.append(record(), 'new', [event()]);
    expect(await faultsOf(at)).toEqual([]);
  });

  it('a shard out of reach says nothing; the others speak', async () => {
    const at = installation();
    await at.guard.look();
    await at.shards[0]!.close();
    at.shards[0]!.knownHistory = () =>
      Promise.reject(new PortFailure('gone', { code: 'unavailable', retryable: true }));
    expect(await faultsOf(at)).toEqual([]);
    at.place.store = new SqliteEventStore({ path: ':memory:' });
    expect(await faultsOf(at)).toEqual(['Shard-2 new', ':memory: new']);
  });
});

describe('appends behind the guard (issue 8, no 4)', () => {
  const refused = { name: 'PortFailure', code: 'history-lost', retryable: false };

  it('wait for the first look', async () => {
    const at = installation();
    await at.guard.look();
    const store = (at.place.store = new SqliteEventStore({ path: ':memory:' }));
    const late = createHistoryGuard(at.ports);
    await expect(late.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject(refused);
    expect(await store.head()).toBeUndefined();
  });

  it('wait for a look after the store failed, since another may have come back', async () => {
    const at = installation();
    await at.guard.look();
    await at.guard.eventStore.append(record(), 'new', [event()]);
    at.place.failing = true;
    await expect(at.guard.eventStore.readAll({ max: 1 })).rejects.toMatchObject({ code: 'unavailable' });
    await expect(at.guard.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject({ code: 'unavailable' });
    at.place.failing = false;
    at.place.store = new SqliteEventStore({ path: ':memory:' });
    await expect(at.guard.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject(refused);
    expect(await at.place.store.head()).toBeUndefined();
  });

  it("wait for no look where a biller's answer is stated, which only a store with its start takes", async () => {
    const at = installation();
    await at.guard.look();
    const attempt = 'deliveryAttempt-12:100:1' as StreamName;
    await at.guard.eventStore.append(attempt, 'new', [event()]);
    at.clock.ms += HISTORY_LEASE_MS;
    for (const shard of at.shards) shard.knownHistory = () => Promise.reject(new Error('a look was taken'));
    await at.guard.eventStore.append(attempt, 0, [event()]);
    const resent = { ...event(), type: 'DeliveryAttemptResent' };
    await expect(at.guard.eventStore.append(attempt, 1, [resent])).rejects.toThrow('a look was taken');
    await expect(at.guard.eventStore.append(record(), 0, [event()])).rejects.toThrow('a look was taken');
  });

  it('an answer that another store refuses is no lost race', async () => {
    const at = installation();
    await at.guard.look();
    const attempt = 'deliveryAttempt-12:100:1' as StreamName;
    await at.guard.eventStore.append(attempt, 'new', [event()]);
    at.place.store = new SqliteEventStore({ path: ':memory:' });
    at.clock.ms += HISTORY_LEASE_MS;
    await expect(at.guard.eventStore.append(attempt, 0, [event()])).rejects.toMatchObject(refused);
  });

  it('wait, and end no record, where the look meets what is damaged', async () => {
    const at = installation();
    at.place.store.head = () =>
      Promise.reject(new PortFailure('damaged', { code: 'storage-damaged', retryable: false }));
    await expect(at.guard.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject({ code: 'unavailable' });
    const other = installation();
    other.shards[0]!.knownHistory = () =>
      Promise.reject(new PortFailure('damaged', { code: 'storage-damaged', retryable: false }));
    expect(await other.guard.eventStore.append(record(), 'new', [event()])).toEqual({ revision: 0 });
  });

  it('wait until each shard was heard once: what is lost may be known to the one that is out of reach (seed 1999)', async () => {
    const outage = (): Promise<never> =>
      Promise.reject(new PortFailure('out of reach', { code: 'connection-lost', retryable: true }));
    const begun = installation();
    const known = begun.shards.map((shard) => shard.knownHistory.bind(shard));
    for (const shard of begun.shards) shard.knownHistory = outage;
    await expect(begun.guard.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringContaining('Shard-1'),
    });
    begun.shards.forEach((shard, index) => (shard.knownHistory = known[index]!));
    expect(await begun.guard.eventStore.append(record(), 'new', [event()])).toEqual({ revision: 0 });
    // Heard once, a shard that goes away holds up nobody else's work.
    for (const shard of begun.shards) shard.knownHistory = outage;
    begun.clock.ms += HISTORY_LEASE_MS;
    expect(await begun.guard.eventStore.append(record(), 'new', [event()])).toEqual({ revision: 0 });
  });

  it('wait for a look where this process had none for long, as after it was frozen', async () => {
    const at = installation();
    await at.guard.look();
    at.place.store = new SqliteEventStore({ path: ':memory:' });
    at.clock.ms += HISTORY_LEASE_MS;
    await expect(at.guard.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject(refused);
  });

  it('are refused for ever once the history was lost, also when the right store comes back', async () => {
    const at = installation();
    await at.guard.look();
    const right = at.place.store;
    at.place.store = new SqliteEventStore({ path: ':memory:' });
    expect(await at.guard.look()).toHaveLength(3);
    at.place.store = right;
    await expect(at.guard.eventStore.append(record(), 'new', [event()])).rejects.toMatchObject(refused);
  });

  it('the watch ends with what it found, or when it is told to', async () => {
    const at = installation();
    const stop = new AbortController();
    const watching = at.guard.watch(stop.signal);
    at.clock.sleep = async () => void (at.place.store = new SqliteEventStore({ path: ':memory:' }));
    await at.place.store.append(record(), 'new', [event()]);
    expect(await watching).toHaveLength(3);
    const well = installation();
    stop.abort();
    expect(await well.guard.watch(stop.signal)).toEqual([]);
  });
});
