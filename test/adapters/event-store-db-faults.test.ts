import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { eventStoreDbClient } from '../../src/adapters/event-store-db/event-store-db-client';
import { kurrentDbClient } from '../../src/adapters/event-store-db/kurrent-db-client';
import { type VendorClient } from '../../src/adapters/event-store-db/vendor-client';
import { EventStoreDbEventStore } from '../../src/adapters/event-store-db/event-store-db-event-store';
import { type NewEvent, type StoredEvent } from '../../src/application/ports/event-store';
import { type PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { projectRecords } from '../../src/application/queries/project-records';
import { SqliteRecordProjection } from '../../src/adapters/sqlite/sqlite-record-projection';
import { type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { EventStorePeer } from '../support/wire-peers/event-store-grpc/event-store-peer';
import { exception } from '../support/wire-peers/event-store-grpc/exceptions';
import { SilentProxy } from '../support/wire-peers/silent-proxy';
import { until } from '../support/until';

let vendorClient: VendorClient = eventStoreDbClient;
let folder: string;
let peer: EventStorePeer;
let ends: (() => Promise<unknown>)[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-faults-'));
  ends = [];
  peer = await startPeer();
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true });
});

async function startPeer(): Promise<EventStorePeer> {
  const started = await EventStorePeer.start({ path: join(folder, 'events.db') });
  ends.push(() => started.stop());
  return started;
}

/** Nothing that is answered takes so long. */
const DEADLINE_MS = 20_000;
/** Of calls that meet silence. */
const SILENCE_MS = 2_000;

function open(connectionString = peer.connectionString, deadlineMs = DEADLINE_MS): EventStoreDbEventStore {
  const store = new EventStoreDbEventStore({ client: vendorClient, connectionString, deadlineMs });
  ends.push(() => store.close());
  return store;
}

/** Of one grpc status: how its failure is told, and whether repeating the same call can help. */
const EXPECTED: Readonly<Record<Exclude<keyof typeof status, 'OK'>, [PortFailure['code'], boolean]>> = {
  CANCELLED: ['unavailable', true],
  UNKNOWN: ['unavailable', true],
  INVALID_ARGUMENT: ['storage-foreign', false],
  DEADLINE_EXCEEDED: ['timed-out', true],
  NOT_FOUND: ['unavailable', true],
  ALREADY_EXISTS: ['unavailable', true],
  PERMISSION_DENIED: ['not-authorized', false],
  RESOURCE_EXHAUSTED: ['unavailable', true],
  FAILED_PRECONDITION: ['unavailable', true],
  // A timeout of the server's.
  ABORTED: ['timed-out', true],
  OUT_OF_RANGE: ['unavailable', true],
  UNIMPLEMENTED: ['storage-foreign', false],
  INTERNAL: ['unavailable', true],
  UNAVAILABLE: ['unavailable', true],
  DATA_LOSS: ['unavailable', true],
  UNAUTHENTICATED: ['not-authorized', false],
};
const CLIENTS: readonly VendorClient[] = [eventStoreDbClient, kurrentDbClient];
const CODES = Object.entries(EXPECTED) as [keyof typeof EXPECTED, [PortFailure['code'], boolean]][];

const CASES = CLIENTS.flatMap((client) => CODES.map((each) => [each[0], client.scheme, each[1], client] as const));
describe.each(CASES)(
  'the server answers %s to the client of %s (issue 9, no 8)',
  (name, _scheme, [code, retryable], client) => {
    beforeAll(() => void (vendorClient = client));
    afterAll(() => void (vendorClient = eventStoreDbClient));

    const error = Object.assign(new Error('as told'), { code: status[name], details: 'as told' });

    it.each(['before', 'after'] as const)(
      'to an append %s it took effect: told so, and repeated as one append',
      async (when) => {
        const store = open();
        const stream = newStream();
        const batch = events(2);
        peer.plan('append', { when, error });
        await expect(store.append(stream, 'new', batch)).rejects.toMatchObject({
          name: 'PortFailure',
          code,
          retryable,
        });
        // After a refusal the connection string's user rests for a while: another process repeats the append.
        const again = code === 'not-authorized' ? open() : store;
        expect(await again.append(stream, 'new', batch)).toEqual({ revision: 1 });
        expect((await again.readStream(stream)).map(({ id }) => id)).toEqual(batch.map(({ id }) => id));
      },
    );

    it('to reads: told so, and they work again', async () => {
      const store = open();
      const stream = newStream();
      await store.append(stream, 'new', events(1));
      for (const read of [() => store.readStream(stream), () => store.readAll({ max: 10 })]) {
        // A read that met its deadline in silence is repeated once by itself.
        peer.plan('read', { when: 'before', error }, name === 'DEADLINE_EXCEEDED' ? 2 : 1);
        await expect(read()).rejects.toMatchObject({ name: 'PortFailure', code, retryable });
        if (code === 'not-authorized') return;
        await read();
      }
    });
  },
);

describe('RESOURCE_EXHAUSTED (issue 9, no 8)', () => {
  it.each([
    ['grpc: received message larger than max (1100000 vs. 1048576)', 1, 'message-too-large', false],
    ['Sent message larger than max (5 vs 4)', 1, 'message-too-large', false],
    ['Bandwidth exhausted or memory limit exceeded', 1, 'unavailable', true],
    ['ENHANCE_YOUR_CALM: too_many_pings', 1, 'unavailable', true],
    ['', 1, 'unavailable', true],
    ['', 1_100_000, 'message-too-large', false],
  ])('%j of %d bytes is %s', async (details, bytes, code, retryable) => {
    peer.plan('append', {
      when: 'before',
      error: Object.assign(new Error(details), { code: status.RESOURCE_EXHAUSTED, details }),
    });
    const batch = events(1).map((event) => ({ ...event, data: 'x'.repeat(bytes) }));
    await expect(open().append(newStream(), 'new', batch)).rejects.toMatchObject({ code, retryable });
  });
});

it('a conflict that is told as an error is a conflict', async () => {
  const error = exception('wrong-expected-version', 'actual-version', '4', status.FAILED_PRECONDITION);
  error.metadata?.set('expected-version', '-1');
  error.metadata?.set('stream-name', 'x');
  peer.plan('append', { when: 'before', error });
  const failure = await open()
    .append(newStream(), 'new', events(1))
    .catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(VersionConflict);
  expect(failure).toMatchObject({ actual: 4 });
});

describe.each(CLIENTS.map((client) => [client.scheme, client] as const))(
  'the leader changes, by the client of %s (issue 9, no 8)',
  (_scheme, client) => {
    beforeAll(() => void (vendorClient = client));
    afterAll(() => void (vendorClient = eventStoreDbClient));

    it('under appends and reads in flight: none fails, each takes effect once, and the new leader is followed', async () => {
      const other = await startPeer();
      const store = open();
      const streams = Array.from({ length: 40 }, newStream);
      await store.append(newStream(), 'new', events(1));
      const batches = new Map(streams.map((stream) => [stream, events(2)]));
      const appended = streams.map(async (stream, index) => {
        await pause(index * 5);
        await store.append(stream, 'new', batches.get(stream)!);
        await store.append(stream, 1, events(1));
        return store.readStream(stream);
      });
      await pause(60);
      other.follow(undefined);
      peer.follow({ host: '127.0.0.1', port: other.port });
      for (const read of await Promise.all(appended)) expect(read).toHaveLength(3);
      expect(peer.notLeaderAnswers).toBeGreaterThan(0);
      // And back.
      peer.follow(undefined);
      other.follow({ host: '127.0.0.1', port: peer.port });
      expect(await store.append(streams[0]!, 2, events(1))).toEqual({ revision: 3 });
      expect(await store.append(streams[0]!, 3, events(1))).toEqual({ revision: 4 });
    });

    it('is told as an outage where nobody takes the lead', async () => {
      peer.follow({ host: '127.0.0.1', port: peer.port });
      const began = performance.now();
      await expect(open().append(newStream(), 'new', events(1))).rejects.toMatchObject({
        code: 'unavailable',
        retryable: true,
      });
      // After so many tries, that is, and not only at its deadline.
      expect(performance.now() - began).toBeLessThan(0.75 * DEADLINE_MS);
    });

    it('is an outage too where the node that refuses knows no leader yet', async () => {
      const error = exception('not-leader', 'x', 'y', status.NOT_FOUND);
      peer.plan('append', { when: 'before', error });
      await expect(open().append(newStream(), 'new', events(1))).rejects.toMatchObject({ retryable: true });
    });
  },
);

describe.each(CLIENTS.map((client) => [client.scheme, client] as const))(
  'the server tells its connections to go away, by the client of %s (grpc-node 2694 and 3068)',
  (_scheme, client) => {
    beforeAll(() => void (vendorClient = client));
    afterAll(() => void (vendorClient = eventStoreDbClient));

    it.each([0, 50])(
      'each append takes effect once, with %d ms of grace',
      async (graceMs) => {
        const store = open(`${peer.connectionString}&keepAliveInterval=100&keepAliveTimeout=100`);
        await store.append(newStream(), 'new', events(1));
        let over = false;
        const goingAway = (async () => {
          for (; !over; await pause(40)) peer.goAway(graceMs);
        })();
        const streams = Array.from({ length: 40 }, newStream);
        await Promise.all(
          streams.map(async (stream, index) => {
            await pause(index * 10);
            const batch = events(2);
            for (const end = performance.now() + 10_000; ;) {
              const done = await store.append(stream, 'new', batch).catch((error: PortFailure) => error);
              if ('revision' in done) break;
              expect(done).toMatchObject({ name: 'PortFailure', retryable: true });
              expect(performance.now()).toBeLessThan(end);
            }
            batches.set(stream, batch);
          }),
        );
        over = true;
        await goingAway;
        for (const stream of streams)
          expect((await again(() => store.readStream(stream))).map(({ id }) => id)).toEqual(
            batches.get(stream)!.map(({ id }) => id),
          );
      },
      30_000,
    );

    const batches = new Map<StreamName, readonly NewEvent[]>();
    const again = <T>(work: () => Promise<T>): Promise<T> => work().catch(work);
  },
);

it('a connection that is half open costs each call its deadline, and a new one takes over (issue 9, no 4)', async () => {
  const proxy = await SilentProxy.to(peer.port);
  ends.unshift(() => proxy.close());
  const store = open(`esdb://127.0.0.1:${proxy.port}?tls=false&keepAliveInterval=500&keepAliveTimeout=500`, SILENCE_MS);
  const [stream, batch] = [newStream(), events(2)];
  await store.append(newStream(), 'new', events(1));
  proxy.silenceOpenConnections();
  await expect(store.append(stream, 'new', batch)).rejects.toMatchObject({ retryable: true });
  await appended(store, stream, batch);
  expect(await store.readStream(stream)).toHaveLength(2);
});

it('a connection that was opened into silence is given up, not waited for for ever (issue 9, no 4)', async () => {
  const proxy = await SilentProxy.to(peer.port);
  ends.unshift(() => proxy.close());
  const store = open(`esdb://127.0.0.1:${proxy.port}?tls=false`, SILENCE_MS);
  proxy.fallSilent();
  await expect(store.append(newStream(), 'new', events(1))).rejects.toMatchObject({
    code: 'timed-out',
    retryable: true,
  });
  proxy.speak();
  const [stream, batch] = [newStream(), events(2)];
  await appended(store, stream, batch);
  expect(await store.readStream(stream)).toHaveLength(2);
  // A read is repeated by itself.
  proxy.silenceOpenConnections();
  expect(await store.readStream(stream)).toHaveLength(2);
});

describe('a store shared with other programs (issue 9, no 8)', () => {
  it.each([
    ['bytes', 'application/octet-stream', Buffer.from('\u0001'), undefined],
    ['JSON without our metadata', 'application/json', { dpId: 1 }, undefined],
    ['JSON with metadata of theirs', 'application/json', { dpId: 1 }, { $correlationId: 'x' }],
    ['bytes as metadata', 'application/json', {}, Buffer.from('\u0002')],
  ])(
    'is read past what they wrote: %s at its head, between ours and in our category',
    async (_name, contentType, data, metadata) => {
      const vendor = EventStoreDBClient.connectionString(peer.connectionString);
      ends.push(() => vendor.dispose());
      const foreign = (stream: string, count: number): Promise<unknown> =>
        vendor.appendToStream(
          stream,
          Array.from({ length: count }, () => ({
            id: randomUUID(),
            type: 'Foreign',
            contentType,
            data,
            metadata,
          })) as never,
          { expectedRevision: 'no_stream' },
        );
      const store = open();
      const wanted: StoredEvent['id'][] = [];
      const own = async (stream: StreamName): Promise<void> => {
        const batch = events(2);
        await store.append(stream, 'new', batch);
        wanted.push(...batch.map(({ id }) => id));
      };
      await foreign('dpRecord-theirs', 7);
      await foreign('other-1', 3);
      expect((await store.readAll({ max: 1 })).events).toEqual([]);
      await own('dpRecord-12:100' as StreamName);
      await foreign('dpRecord-more', 5);
      await own('dpRecord-12:101' as StreamName);
      await foreign('other-2', 4);
      for (const categories of [undefined, ['dpRecord']]) {
        for (const max of [1, 3, 10, 1_000]) {
          const found: string[] = [];
          let after: Awaited<ReturnType<typeof store.readAll>>['next'];
          for (let pages = 0; pages < 50; pages++) {
            const page = await store.readAll({ max, ...(after && { after }), ...(categories && { categories }) });
            found.push(...page.events.map(({ id }) => id));
            if (page.events.length === 0) break;
            after = page.next;
          }
          expect(found).toEqual(wanted);
        }
      }
      const projection = new SqliteRecordProjection({ path: ':memory:' });
      await projectRecords({ eventStore: store, projection })();
      projection.close();
    },
  );

  it('yet a stream of ours with a hole in its history is refused', async () => {
    const vendor = EventStoreDBClient.connectionString(peer.connectionString);
    ends.push(() => vendor.dispose());
    const foreign = {
      id: randomUUID(),
      type: 'F',
      contentType: 'application/octet-stream' as const,
      data: Buffer.from('x'),
      metadata: undefined,
    };
    await vendor.appendToStream('dpRecord-12:100', [foreign], { expectedRevision: 'no_stream' });
    await expect(open().readStream('dpRecord-12:100' as StreamName)).rejects.toMatchObject({ code: 'storage-damaged' });
  });
});

it('the peer dates events as the server does (issue 9, no 10)', async () => {
  const vendor = EventStoreDBClient.connectionString(peer.connectionString);
  ends.push(() => vendor.dispose());
  await open().append('dpRecord-12:100' as StreamName, 'new', events(1));
  for await (const { event } of vendor.readStream('dpRecord-12:100'))
    expect(Math.abs(Number(event?.created) - Date.now())).toBeLessThan(60_000);
});

/** The same batch until it is acknowledged; what comes before can be repeated. */
const appended = (store: EventStoreDbEventStore, stream: StreamName, batch: readonly NewEvent[]): Promise<void> =>
  until('the append is acknowledged', async () => {
    const done = await store.append(stream, 'new', batch).catch((error: PortFailure) => error);
    if ('revision' in done) return true;
    expect(done).toMatchObject({ retryable: true });
    return false;
  });
const newStream = (): StreamName => `dpRecord-${randomUUID()}` as StreamName;
const events = (count: number): readonly NewEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    type: 'Tested',
    data: { index },
    metadata: { by: 'test', at: instantFromMs(1_700_000_000_000) },
  }));
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
