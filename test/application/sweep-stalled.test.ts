import { withoutMinutes } from '../support/row-counts';
import { type MessageBus } from '../../src/application/ports/message-bus';
import { type Shard } from '../../src/application/ports/shard';
import { sweepStalled, type SweepStalledSettings } from '../../src/application/scanning/sweep-stalled';
import { chunkId, dpId } from '../../src/domain/identifiers';
import { EVENTS, faulty, GAS, OUTBOX, recordsOf, ShardBench } from './shard-bench';

const AFTER_MS = 300_000;
const PAPERLESS = recordsOf('paperless');
let bench: ShardBench;
beforeEach(() => {
  bench = new ShardBench();
});
afterEach(() => bench.close());
const sweep = (
  settings: Partial<SweepStalledSettings> = {},
  more: { readonly shards?: readonly Shard[]; readonly bus?: MessageBus } = {},
) =>
  sweepStalled(
    {
      ...bench,
      ...(more.bus && { bus: more.bus }),
      ...(more.shards && {
        shards: { all: () => more.shards!, named: () => bench.one, ofBiller: async () => undefined },
      }),
    },
    { ...EVENTS, afterMs: AFTER_MS, rowsPerPassMax: 100, ...settings },
  )();
const stalled = (ms = AFTER_MS + 1): void => void (bench.clock.ms += ms);

describe('the sweep (issue 9, no 16)', () => {
  it('a row that was published, or is held in doubt, gets a message of its own under its new count', async () => {
    await bench.one.seed({
      rows: [
        bench.row('1', { status: 'Published' }),
        bench.row('2', { status: 'InDoubt' }),
        bench.row('3', { status: 'Delivered' }),
        bench.row('4', { status: 'New' }),
      ],
    });
    stalled();
    expect(await sweep()).toBe(2);
    const messages = await bench.messages(PAPERLESS);
    expect(messages.map(({ messageId }) => withoutMinutes(messageId)).sort()).toEqual(['water:1:s1.0', 'water:2:s1.0']);
    expect(messages.find(({ messageId }) => messageId.startsWith('water:1:'))).toMatchObject({
      correlationId: 'water',
      properties: {
        eventType: 'Paperless',
        tenant: 'tenant-of-water',
        billerId: 'water',
        hop: 0,
        target: 'paperless',
        traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
      },
      body: {
        dpId: '1',
        billerId: 'water',
        eventType: 'Paperless',
        traceId: 'water:1',
        occurredAt: bench.clock.now(),
        source: { shard: 'Shard-1' },
      },
    });
    expect(await bench.idsIn(OUTBOX)).toEqual([]);
    expect(bench.told.lines).toEqual(['warn rows stalled, sending them again {"shard":"Shard-1","rows":2}']);
  });

  it('waits its time, to the millisecond, and as long again after each sweep', async () => {
    await bench.one.seed({ rows: [bench.row('1', { status: 'Published' })] });
    stalled(AFTER_MS);
    expect(await sweep()).toBe(0);
    expect(bench.told.lines).toEqual([]);
    stalled(1);
    expect([await sweep(), await sweep()]).toEqual([1, 0]);
    stalled(AFTER_MS);
    expect(await sweep()).toBe(0);
    stalled(1);
    expect(await sweep()).toBe(1);
    expect((await bench.idsIn(PAPERLESS)).map(withoutMinutes)).toEqual(['water:1:s1.0', 'water:1:s2.0']);
  });

  it('a row that was restored, or put there anew, counts anew, and its message has an id of its own all the same', async () => {
    for (const dataset of [bench.one, bench.two]) {
      await dataset.seed({ rows: [bench.row('1', { status: 'Published' })] });
      stalled();
      // The first: what the row was before. The second: the same row as of a backup, with the same count.
      expect(await sweep({}, { shards: [dataset] })).toBe(1);
    }
    const ids = await bench.idsIn(PAPERLESS);
    expect(ids.map(withoutMinutes)).toEqual(['water:1:s1.0', 'water:1:s1.0']);
    expect(new Set(ids).size).toBe(2);
  });

  it('rows that nobody fetched go again as their chunks, one message a chunk, under the highest count of its rows', async () => {
    await bench.one.seed({
      rows: ['8', '9', '10', '11'].map((id, index) => bench.row(id, index === 3 ? { billerId: GAS } : {})),
    });
    await bench.one.adopt(
      ['8', '9', '10'].map((id) => dpId(id)),
      chunkId('k1'),
    );
    await bench.one.adopt([dpId('11')], chunkId('k2'));
    stalled();
    expect(await sweep({ rowsPerPassMax: 1 })).toBe(1);
    stalled();
    expect(await sweep()).toBe(4);
    const [first, ...both] = await bench.messages(OUTBOX);
    expect(withoutMinutes(first!.messageId)).toMatch(/^k[12]:s1$/);
    const swept = Object.fromEntries(
      both.map(({ messageId, body, correlationId }) => [
        messageId.split(':')[0],
        { messageId: withoutMinutes(messageId), correlationId, body: body as Record<string, string> },
      ]),
    );
    expect(Object.keys(swept).sort()).toEqual(['k1', 'k2']);
    const again = first!.messageId.split(':')[0]!;
    for (const name of ['k1', 'k2']) expect(swept[name]!.messageId).toBe(`${name}:s${name === again ? 2 : 1}`);
    expect(swept['k2']).toMatchObject({
      correlationId: 'gas',
      body: {
        chunkId: 'k2',
        dpStart: '11',
        dpEnd: '11',
        shard: 'Shard-1',
        eventType: 'Paperless',
        messageId: 'gas:11+11',
        billerId: 'gas',
      },
    });
    const ids = [swept['k1']!.body['dpStart'], swept['k1']!.body['dpEnd']];
    for (const id of ids) expect(['8', '9', '10']).toContain(id);
    expect(ids[0]).not.toBe(ids[1]);
    expect(await bench.idsIn(PAPERLESS)).toEqual([]);
  });

  it('a queued row of no chunk is nobody’s chunk: it goes as a record', async () => {
    await bench.one.seed({ rows: [bench.row('1', { status: 'Queued' })] });
    stalled();
    expect(await sweep()).toBe(1);
    expect(await bench.idsIn(OUTBOX)).toEqual([]);
    expect((await bench.idsIn(PAPERLESS)).map(withoutMinutes)).toEqual(['water:1:s1.0']);
  });

  it('takes at most so many rows of each shard, and adds up what it took', async () => {
    for (const shard of [bench.one, bench.two])
      await shard.seed({
        rows: Array.from({ length: 5 }, (_, index) => bench.row(`${shard.name}-${index}`, { status: 'Published' })),
      });
    stalled();
    expect([
      await sweep({ rowsPerPassMax: 3 }),
      await sweep({ rowsPerPassMax: 3 }),
      await sweep({ rowsPerPassMax: 3 }),
    ]).toEqual([6, 4, 0]);
    expect(await bench.idsIn(PAPERLESS)).toHaveLength(10);
  });

  it('a shard that is away, or whose messages are not taken, is told; the others are swept', async () => {
    for (const shard of [bench.one, bench.two])
      await shard.seed({ rows: [bench.row(`${shard.name}-1`, { status: 'Published' })] });
    stalled();
    const away = faulty<Shard>(bench.one, { takeStalled: () => Promise.reject(new Error('away')) });
    expect(await sweep({}, { shards: [away, bench.two] })).toBe(1);
    let sends = 0;
    const bus = faulty<MessageBus>(bench.bus, {
      send: (...call) => (++sends === 1 ? Promise.reject(new Error('bus away')) : bench.bus.send(...call)),
    });
    stalled();
    expect(await sweep({}, { bus })).toBe(1);
    expect(bench.told.lines.filter((line) => line.startsWith('error'))).toEqual([
      'error failed to sweep a shard: Error: away {"shard":"Shard-1"}',
      'error failed to sweep a shard: Error: bus away {"shard":"Shard-1"}',
    ]);
    stalled();
    expect(await sweep()).toBe(2);
    expect((await bench.idsIn(PAPERLESS)).map(withoutMinutes).sort()).toEqual([
      'water:Shard-1-1:s2.0',
      'water:Shard-2-1:s1.0',
      'water:Shard-2-1:s2.0',
      'water:Shard-2-1:s3.0',
    ]);
  });
});
