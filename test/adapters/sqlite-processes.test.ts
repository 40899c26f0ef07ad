import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { type TopicDeclaration } from '../../src/application/ports/message-bus';
import { type StreamName } from '../../src/domain/identifiers';
import { until } from '../support/until';

const BUILT = join(__dirname, '../../dist/adapters/sqlite');
const TOPOLOGY: readonly TopicDeclaration[] = [
  {
    name: 'records',
    duplicateDetectionWindowMs: 60_000,
    timeToLiveMs: undefined,
    subscriptions: [{ name: 'payments', eventType: undefined, lockMs: 60_000, deliveryCountMax: 5 }],
  },
];
const SOURCE = { topic: 'records', subscription: 'payments' };
/** A receiver that nothing wakes looks again after so long. */
const POLL_MS = 60_000;
const WAKE_MEDIAN_MS_MAX = POLL_MS / 3;

/** Real processes over the built code (`npm test` builds first). */
describe('the SQLite bus and event store between processes', () => {
  let folder: string;
  let busPath: string;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-processes-'));
    busPath = join(folder, 'bus.db');
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (work: string, pollMs?: number): ChildProcess => {
    const program = `
      const { SqliteMessageBus } = require(${JSON.stringify(join(BUILT, 'sqlite-message-bus.js'))});
      const { SqliteEventStore } = require(${JSON.stringify(join(BUILT, 'sqlite-event-store.js'))});
      const { randomUUID } = require('node:crypto');
      const { writeSync } = require('node:fs');
      const say = (text) => writeSync(1, text + '\\n');
      const bus = new SqliteMessageBus({ path: ${JSON.stringify(busPath)}, topology: ${JSON.stringify(TOPOLOGY)}, pollMs: ${pollMs} });
      (async () => { ${work} })().catch((error) => { console.error(error); process.exit(1); });`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };

  it('wakes a waiting receiver of another process', async () => {
    const receiving = start(
      `
      const receiver = bus.receiver(${JSON.stringify(SOURCE)});
      say('ready');
      const delays = [];
      while (delays.length < 40) {
        for (const message of await receiver.receive({ max: 10, waitMs: ${POLL_MS} })) {
          delays.push(Date.now() - message.body.sentAt);
          await receiver.complete(message);
        }
      }
      say(JSON.stringify(delays));`,
      POLL_MS,
    );
    const lines = createInterface({ input: receiving.stdout! })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
    start(`
      for (let index = 0; index < 40; index++) {
        await bus.send('records', [{ messageId: 'm' + index, body: { sentAt: Date.now() }, properties: {} }]);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      await bus.close();`);
    const delays = (JSON.parse((await lines.next()).value as string) as number[]).sort((a, b) => a - b);
    expect(delays[20]).toBeLessThan(WAKE_MEDIAN_MS_MAX);
  });

  it('shares a subscription between three processes without doubling or losing a message', async () => {
    const receivers = Array.from({ length: 3 }, () =>
      start(`
        const receiver = bus.receiver(${JSON.stringify(SOURCE)});
        for (;;) {
          const messages = await receiver.receive({ max: 16, waitMs: 1500 });
          await Promise.all(messages.map((message) => receiver.complete(message)));
          for (const message of messages) say(message.messageId);
        }`),
    );
    const received: string[] = [];
    for (const { stdout } of receivers)
      createInterface({ input: stdout! }).on('line', (messageId) => received.push(messageId));
    const bus = new SqliteMessageBus({ path: busPath, topology: TOPOLOGY });
    const ids = Array.from({ length: 2_000 }, (_, index) => `m${index}`);
    for (let at = 0; at < ids.length; at += 50) {
      await bus.send(
        'records',
        ids.slice(at, at + 50).map((messageId) => ({ messageId, body: 0, properties: {} })),
      );
    }
    await until('every message is completed', () => received.length >= ids.length);
    const ended = receivers.map((receiver) => once(receiver, 'close'));
    for (const receiver of receivers) receiver.kill('SIGKILL');
    await Promise.all(ended);
    expect(received.sort()).toEqual([...ids].sort());
    expect(await bus.depth(SOURCE)).toEqual({ active: 0, scheduled: 0, deadLettered: 0 });
    await bus.close();
  });

  it('event store 12, bus 12: everything acknowledged before kill -9 is there, whole, afterwards', async () => {
    const storePath = join(folder, 'events.db');
    const child = start(`
      const store = new SqliteEventStore({ path: ${JSON.stringify(storePath)} });
      await Promise.all(Array.from({ length: 16 }, async (_, lane) => {
        for (let index = 0; ; index++) {
          const name = lane + '.' + index;
          const events = [1, 2, 3].map(() => ({ id: randomUUID(), type: 'T', data: { name }, metadata: { by: 'x', at: '2026-01-01T00:00:00.000Z' } }));
          await store.append('dpRecord-' + name, 'new', events);
          say('event ' + name);
          await bus.send('records', [{ messageId: name, body: { name }, properties: {} }]);
          say('message ' + name);
        }
      }));`);
    const output = collect(child);
    let acknowledged = 0;
    for await (const _ of createInterface({ input: child.stdout! })) if (++acknowledged === 500) child.kill('SIGKILL');
    const lines = await output;
    expect(lines.length).toBeGreaterThanOrEqual(500);

    const store = new SqliteEventStore({ path: storePath });
    const bus = new SqliteMessageBus({ path: busPath, topology: TOPOLOGY });
    const messages = new Set<string>();
    for (let after = '0'; ;) {
      const page = await bus.peek(SOURCE, { after, max: 1_000 });
      if (page.length === 0) break;
      for (const message of page) messages.add(message.messageId);
      after = page.at(-1)!.sequenceNumber;
    }
    for (const line of lines) {
      const [kind, name] = line.split(' ') as [string, string];
      if (kind === 'message') expect(messages.has(name)).toBe(true);
      else expect(await store.readStream(`dpRecord-${name}` as StreamName)).toHaveLength(3);
    }
    await bus.send('records', [{ messageId: 'after', body: 0, properties: {} }]);
    await Promise.all([bus.close(), store.close()]);
  });
});

/** The complete lines a process has written when it ends. */
async function collect(child: ChildProcess): Promise<string[]> {
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return text.split('\n').slice(0, -1);
}
