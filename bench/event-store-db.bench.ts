import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDbEventStore } from '../src/adapters/event-store-db/event-store-db-event-store';
import { type NewEvent } from '../src/application/ports/event-store';
import { type StreamName } from '../src/domain/identifiers';
import { instantFromMs } from '../src/domain/instant';
import { EventStorePeer } from '../test/support/wire-peers/event-store-grpc/event-store-peer';

/*
 * Appends and reads per second through the EventStoreDB adapter: `npx tsx bench/event-store-db.bench.ts`. The server is
 * DATAPUMP_TEST_EVENTSTORE, else the wire peer in a process of its own, whose figures say what the adapter can do with
 * half the machine, not what EventStoreDB can.
 */
const CALLERS = 64;
const APPENDS = 6_000;

const event = (): NewEvent => ({
  id: randomUUID(),
  type: 'DeliveryAttemptStarted',
  data: { n: 1, notAfter: '2026-11-20T10:00:00.000Z', idempotencyKey: randomUUID(), requestHash: 'f'.repeat(64) },
  metadata: { by: 'bench@host:1', at: instantFromMs(Date.now()) },
});

async function perSecond(callers: number, count: number, work: () => Promise<unknown>): Promise<string> {
  let left = count;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left-- > 0) await work();
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  return `${Math.round(count / seconds)}/s (${((callers * seconds * 1_000) / count).toFixed(1)} ms each)`;
}

async function measure(connectionString: string): Promise<void> {
  const store = new EventStoreDbEventStore({ connectionString });
  const streams: StreamName[] = [];
  const appendNew = async (): Promise<void> => {
    const stream = `bench-${randomUUID()}` as StreamName;
    await store.append(stream, 'new', [event()]);
    streams.push(stream);
  };
  await perSecond(CALLERS, 500, appendNew);
  console.log(`append 1 event, ${CALLERS} callers: ${await perSecond(CALLERS, APPENDS, appendNew)}`);
  console.log(`append 1 event, 1 caller: ${await perSecond(1, 300, appendNew)}`);
  let next = 0;
  const readOne = (): Promise<unknown> => store.readStream(streams[next++ % streams.length]!);
  console.log(`read a stream of 1, ${CALLERS} callers: ${await perSecond(CALLERS, APPENDS, readOne)}`);
  console.log(`read a stream of 1, 1 caller: ${await perSecond(1, 300, readOne)}`);
  await store.close();
}

async function main(): Promise<void> {
  const server = process.env['DATAPUMP_TEST_EVENTSTORE'];
  if (server !== undefined) return measure(server);
  const folder = mkdtempSync(join(tmpdir(), 'datapump-bench-'));
  const peer = fork(__filename, ['peer', join(folder, 'events.db')], { execArgv: process.execArgv });
  const connectionString = await new Promise<string>((resolve) =>
    peer.once('message', (text) => resolve(String(text))),
  );
  await measure(connectionString).finally(() => peer.kill());
  rmSync(folder, { recursive: true });
}

if (process.argv[2] === 'peer') {
  void EventStorePeer.start({ path: process.argv[3]! }).then((peer) => process.send!(peer.connectionString));
} else void main();
