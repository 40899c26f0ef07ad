import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import { EventStoreDbEventStore } from '../../src/adapters/event-store-db/event-store-db-event-store';
import { REFUSED_PAUSE_MS } from '../../src/adapters/shared/secret-in-use';
import { type NewEvent } from '../../src/application/ports/event-store';
import { PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { selfSignedCertificate } from '../support/self-signed-certificate';
import { until } from '../support/until';
import { EventStorePeer, type EventStorePeerOptions } from '../support/wire-peers/event-store-grpc/event-store-peer';

describe('the EventStoreDB adapter', () => {
  let folder: string;
  let ends: (() => Promise<void>)[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-event-store-db-'));
    ends = [];
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true });
  });

  const startPeer = async (options: Partial<EventStorePeerOptions> = {}): Promise<EventStorePeer> => {
    const peer = await EventStorePeer.start({ path: join(folder, 'events.db'), ...options });
    ends.push(() => peer.stop());
    return peer;
  };
  const open = (connectionString: string, deadlineMs = 20_000): EventStoreDbEventStore => {
    const store = new EventStoreDbEventStore({ connectionString, deadlineMs });
    ends.push(() => store.close());
    return store;
  };

  it('loses and doubles nothing when the server goes away for seconds under load and comes back', async () => {
    let peer = await startPeer();
    const store = open(peer.connectionString);
    const acknowledged: StreamName[] = [];
    const failures: PortFailure[] = [];
    let running = true;
    const callers = Array.from({ length: 8 }, async () => {
      while (running) {
        const stream = newStream();
        const batch = events(2);
        // The same batch until it is acknowledged, as the application does.
        for (let done = false; !done;) {
          try {
            await store.append(stream, 'new', batch);
            acknowledged.push(stream);
            done = true;
          } catch (error) {
            if (!(error instanceof PortFailure)) throw error;
            failures.push(error);
            await pause(50);
          }
        }
      }
    });
    const several = async (count: number): Promise<void> => {
      const goal = acknowledged.length + count;
      await until(`${count} more are acknowledged`, () => acknowledged.length >= goal);
    };
    await several(50);
    await peer.stop();
    await pause(3_000);
    const before = acknowledged.length;
    peer = await startPeer({ port: peer.port });
    await several(50);
    running = false;
    await Promise.all(callers);

    expect(acknowledged.length).toBeGreaterThan(before);
    expect(failures.length).toBeGreaterThan(0);
    expect(new Set(failures.map(({ code, retryable }) => `${code} ${retryable}`))).toEqual(
      new Set(['unavailable true']),
    );
    const fresh = open(peer.connectionString);
    for (const stream of acknowledged) expect(await fresh.readStream(stream)).toHaveLength(2);
  });

  it('repeats an append whose answer got lost as an idempotent success, and refuses it cut anew', async () => {
    const peer = await startPeer();
    const store = open(peer.connectionString);
    const stream = newStream();
    const [a, b, c] = events(3) as [NewEvent, NewEvent, NewEvent];
    peer.loseAnswers(1);
    await expect(store.append(stream, 'new', [a, b])).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await expect(store.append(stream, 'new', [a])).rejects.toBeInstanceOf(VersionConflict);
    await expect(store.append(stream, 1, [b, c])).rejects.toBeInstanceOf(VersionConflict);
    expect(await store.append(stream, 'new', [a, b])).toEqual({ revision: 1 });
    expect((await store.readStream(stream)).map(({ id }) => id)).toEqual([a.id, b.id]);
  });

  it('appends at last what did not arrive at first', async () => {
    const port = await freePort();
    const store = open(`esdb://127.0.0.1:${port}?tls=false`);
    const stream = newStream();
    const batch = events(2);
    await expect(store.append(stream, 'new', batch)).rejects.toMatchObject({ code: 'unavailable' });
    await startPeer({ port });
    expect(await store.append(stream, 'new', batch)).toEqual({ revision: 1 });
  });

  it('gives up on a server that is silent, for reads and appends alike', async () => {
    const peer = await startPeer();
    const store = open(peer.connectionString, 1_000);
    const first = (): Promise<boolean> =>
      store.append(newStream(), 'new', events(1)).then(
        () => true,
        () => false,
      );
    await until('it is connected', first);
    peer.fallSilent();
    const calls = [
      store.append(newStream(), 'new', events(1)),
      store.readStream(newStream()),
      store.readAll({ max: 10 }),
    ];
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'timed-out', retryable: true } });
  });

  it('names the step and the hosts, never the credentials, where nothing answers', async () => {
    const store = open(`esdb://admin:changeit@127.0.0.1:${await freePort()}?tls=false`);
    const failure = await store.readStream('dpRecord-12:100' as StreamName).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'PortFailure', code: 'unavailable', retryable: true });
    expect((failure as Error).message).toMatch(
      /^failed to read stream dpRecord-12:100 at the event store 127\.0\.0\.1:\d+: /,
    );
    expect((failure as Error).message).not.toContain('changeit');
  });

  it('fails in time where none of several hosts answers, each time anew', async () => {
    const store = open(
      `esdb://127.0.0.1:${await freePort()},127.0.0.1:${await freePort()}?tls=false&maxDiscoverAttempts=2`,
    );
    for (let times = 0; times < 3; times++) {
      const outcomes = await Promise.allSettled([
        store.append(newStream(), 'new', events(1)),
        store.readAll({ max: 1 }),
      ]);
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', retryable: true } });
    }
  });

  it('speaks TLS unless told otherwise, and refuses a certificate nobody vouched for', async () => {
    const { certificate, certificateFile, key } = selfSignedCertificate(folder);
    const peer = await startPeer({ tls: { certificate, key } });
    const vouched = open(`esdb://localhost:${peer.port}?tlsCAFile=${encodeURIComponent(certificateFile)}`);
    expect(await vouched.append(newStream(), 'new', events(1))).toEqual({ revision: 0 });
    const stranger = open(`esdb://localhost:${peer.port}`);
    await expect(stranger.append(newStream(), 'new', events(1))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is not authorized with a wrong password, and says so without retrying', async () => {
    const { certificate, certificateFile, key } = selfSignedCertificate(folder);
    const peer = await startPeer({ tls: { certificate, key }, user: 'datapump:right' });
    const at = (password: string): EventStoreDbEventStore =>
      open(`esdb://datapump:${password}@localhost:${peer.port}?tlsCAFile=${encodeURIComponent(certificateFile)}`);
    expect(await at('right').append(newStream(), 'new', events(1))).toEqual({ revision: 0 });
    const wrong = at('wrong');
    await expect(wrong.append(newStream(), 'new', events(1))).rejects.toMatchObject({
      code: 'not-authorized',
      retryable: false,
    });
    await expect(wrong.readAll({ max: 1 })).rejects.toMatchObject({ code: 'not-authorized', retryable: false });
  });

  it('reads its connection string again when the password has changed, once for all who were refused', async () => {
    const { certificate, certificateFile, key } = selfSignedCertificate(folder);
    const peer = await startPeer({ tls: { certificate, key }, user: 'datapump:first' });
    const at = (password: string): string =>
      `esdb://datapump:${password}@localhost:${peer.port}?tlsCAFile=${encodeURIComponent(certificateFile)}`;
    let rereads = 0;
    let secret = at('first');
    const store = new EventStoreDbEventStore({
      connectionString: secret,
      deadlineMs: 20_000,
      reread: async () => (rereads++, secret),
    });
    ends.push(() => store.close());
    const stream = newStream();
    const batch = events(2);
    await store.append(stream, 'new', batch);

    // Changed at the server first: refused, and left alone.
    peer.changeUser('datapump:second');
    const refusals: PortFailure[] = [];
    for (let times = 0; times < 200; times++)
      await store.append(newStream(), 'new', events(1)).catch((error: PortFailure) => refusals.push(error));
    expect(refusals).toHaveLength(200);
    expect(refusals[0]).toMatchObject({
      code: 'not-authorized',
      message: expect.stringContaining('its secret was read again and is the same') as string,
    });
    expect([peer.refused, rereads]).toEqual([1, 1]);

    // Then in the vault.
    secret = at('second');
    await pause(REFUSED_PAUSE_MS);
    const streams = Array.from({ length: 20 }, () => newStream());
    expect(await Promise.all(streams.map((each) => store.append(each, 'new', events(1))))).toHaveLength(20);
    expect(rereads).toBe(2);
    expect(await store.append(stream, 'new', batch)).toEqual({ revision: 1 });
    expect(await store.readStream(stream)).toHaveLength(2);
  });

  it('refuses what is too large for one append', async () => {
    const peer = await startPeer();
    const store = open(peer.connectionString);
    const large = [{ ...events(1)[0]!, data: 'x'.repeat(1_100_000) }];
    await expect(store.append(newStream(), 'new', large)).rejects.toMatchObject({
      code: 'message-too-large',
      retryable: false,
    });
  });

  it('reads past events of the system, and past events of strangers', async () => {
    const peer = await startPeer();
    const store = open(peer.connectionString);
    const vendor = EventStoreDBClient.connectionString(peer.connectionString);
    ends.push(() => vendor.dispose());
    const stream = newStream();
    await store.append(stream, 'new', events(1));
    const plain = { id: randomUUID(), contentType: 'application/json' as const, data: {}, metadata: undefined };
    await vendor.appendToStream(`$$${stream}`, [{ ...plain, type: '$metadata' }], { expectedRevision: 'no_stream' });
    await store.append(stream, 0, events(1));
    expect((await store.readAll({ max: 10 })).events.map(({ revision }) => revision)).toEqual([0, 1]);
    const bytes = {
      id: randomUUID(),
      contentType: 'application/octet-stream' as const,
      data: Buffer.from('\u0001'),
      metadata: undefined,
    };
    await vendor.appendToStream('other-1', [{ ...bytes, type: 'Foreign' }], { expectedRevision: 'no_stream' });
    const { events: read, damaged } = await store.readAll({ max: 10 });
    expect([read.length, damaged]).toEqual([2, undefined]);
    await expect(store.readStream('other-1' as StreamName)).rejects.toMatchObject({
      code: 'storage-damaged',
      retryable: false,
    });
    expect((await store.readAll({ max: 10, categories: ['dpRecord'] })).events).toHaveLength(2);
  });

  it('takes no further call once closed, and lets the last ones end', async () => {
    const peer = await startPeer();
    const store = open(peer.connectionString);
    const stream = newStream();
    const last = store.append(stream, 'new', events(1));
    await store.close();
    expect(await last).toEqual({ revision: 0 });
    await expect(store.readStream(stream)).rejects.toMatchObject({ code: 'closed', retryable: false });
    await store.close();
  });

  it('refuses a broken connection string at once, without quoting it', () => {
    const attempt = (): unknown =>
      new EventStoreDbEventStore({ connectionString: 'esdb://me:change:it@host?tls=maybe' });
    expect(attempt).toThrow(TypeError);
    expect(attempt).not.toThrow('change');
  });
});

it('the peer serves the vendor client forwards and backwards', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-peer-'));
  const peer = await EventStorePeer.start({ path: join(folder, 'events.db') });
  const client = EventStoreDBClient.connectionString(peer.connectionString);
  const append = (stream: string, expectedRevision: 'no_stream' | bigint, type: string): Promise<unknown> =>
    client.appendToStream(
      stream,
      [{ id: randomUUID(), type, contentType: 'application/json', data: { type }, metadata: undefined }],
      { expectedRevision },
    );
  await append('a-1', 'no_stream', 'First');
  await append('b-1', 'no_stream', 'Second');
  await append('a-1', 0n, 'Third');
  const typesOf = async (read: AsyncIterable<{ event?: { type: string } }>): Promise<readonly unknown[]> => {
    const types: unknown[] = [];
    for await (const { event } of read) types.push(event?.type);
    return types;
  };
  expect(await typesOf(client.readStream('a-1'))).toEqual(['First', 'Third']);
  expect(await typesOf(client.readStream('a-1', { direction: 'backwards', fromRevision: 'end' }))).toEqual([
    'Third',
    'First',
  ]);
  expect(await typesOf(client.readAll())).toEqual(['First', 'Second', 'Third']);
  expect(await typesOf(client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 2 }))).toEqual([
    'Third',
    'Second',
  ]);
  await expect(typesOf(client.readStream('a-2'))).rejects.toMatchObject({ type: 'stream-not-found' });
  await expect(append('a-1', 0n, 'Late')).rejects.toMatchObject({ type: 'wrong-expected-version', actualVersion: 1n });
  await client.dispose();
  await peer.stop();
  rmSync(folder, { recursive: true });
});

const newStream = (): StreamName => `dpRecord-${randomUUID()}` as StreamName;

const events = (count: number): readonly NewEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    type: 'Tested',
    data: { index },
    metadata: { by: 'test', at: instantFromMs(1_700_000_000_000) },
  }));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
