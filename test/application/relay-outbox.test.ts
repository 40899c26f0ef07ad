import { type MessageBus } from '../../src/application/ports/message-bus';
import { PortFailure, VersionConflict } from '../../src/application/ports/failures';
import { newTraceparent, relayOutbox } from '../../src/application/scanning/relay-outbox';
import { chunkId } from '../../src/domain/identifiers';
import { planChunks } from '../../src/domain/policies/chunking';
import { faulty, OUTBOX, ShardBench, WATER } from './shard-bench';

let bench: ShardBench;
beforeEach(() => {
  bench = new ShardBench();
});
afterEach(() => bench.close());

/** `count` chunks of one row each, in the outbox. */
async function claimed(count: number): Promise<readonly string[]> {
  await bench.one.seed({ rows: Array.from({ length: count }, (_, index) => bench.row(String(1_000 + index))) });
  let made = 0;
  await bench.one.claim({
    billers: [WATER],
    rowsMax: count,
    plan: (rows) => planChunks(rows, 1),
    newChunkId: () => chunkId(`k${1_000 + made++}`),
  });
  return (await bench.one.unpublishedChunks(5_000)).map(({ chunkId: id }) => id);
}
const lost = new PortFailure('lost', { code: 'connection-lost', retryable: true });
const fails = async (): Promise<never> => Promise.reject(lost);

describe('the relay of the outbox (issue 9, no 16)', () => {
  it('states the plan, then sends the chunk under its own id, then marks it', async () => {
    await bench.one.seed({ rows: ['9', '10'].map((id) => bench.row(id)) });
    await bench.one.claim({
      billers: [WATER],
      rowsMax: 2,
      plan: (rows) => planChunks(rows, 2),
      newChunkId: () => chunkId('k'),
    });
    const order: string[] = [];
    const note = <Result>(what: string, work: Promise<Result>): Promise<Result> =>
      work.then((result) => (order.push(what), result));
    const ports = {
      ...bench,
      history: faulty(bench.history, {
        appendToChunk: (...call) => note('plan', bench.history.appendToChunk(...call)),
      }),
      bus: faulty<MessageBus>(bench.bus, { send: (...call) => note('send', bench.bus.send(...call)) }),
    };
    expect(
      await relayOutbox(ports)(
        faulty(bench.one, { markPublished: (ids) => note('mark', bench.one.markPublished(ids)) }),
      ),
    ).toBe(1);
    expect(order).toEqual(['plan', 'send', 'mark']);
    expect(await bench.planned(chunkId('k'))).toEqual([
      expect.objectContaining({
        type: 'ChunkPlanned',
        chunkId: 'k',
        billerId: WATER,
        dataType: 'Paperless',
        shard: 'Shard-1',
        dpStart: '9',
        dpEnd: '10',
        rows: 2,
      }),
    ]);
    const [message] = await bench.messages(OUTBOX);
    const { traceparent } = message!.properties as { traceparent: string };
    expect(message).toMatchObject({
      messageId: 'k',
      correlationId: WATER,
      properties: { eventType: 'Paperless', billerId: WATER },
      body: {
        billerId: WATER,
        dpStart: '9',
        dpEnd: '10',
        messageId: 'water:9+10',
        chunkId: 'k',
        shard: 'Shard-1',
        eventType: 'Paperless',
        traceparent,
      },
    });
    expect(await bench.one.unpublishedChunks(9)).toEqual([]);
    expect(await relayOutbox(bench)(bench.one)).toBe(0);
  });

  it('a trace is of version 00, sampled, drawn anew for each chunk', async () => {
    await claimed(3);
    await relayOutbox(bench)(bench.one);
    const traces = (await bench.messages(OUTBOX)).map(({ properties }) => String(properties['traceparent']));
    for (const trace of [...traces, newTraceparent(bench.chance)])
      expect(trace).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(new Set(traces.map((trace) => trace.split('-')[1])).size).toBe(3);
    expect(new Set(traces.map((trace) => trace.split('-')[2])).size).toBe(3);
  });

  it.each(['plan', 'send', 'mark'])(
    'where the %s fails it says so, and repeated it ends as if it had not: one plan, one message, one mark',
    async (step) => {
      const [id] = await claimed(1);
      const ports = {
        ...bench,
        ...(step === 'plan' && { history: faulty(bench.history, { appendToChunk: fails }) }),
        ...(step === 'send' && { bus: faulty<MessageBus>(bench.bus, { send: fails }) }),
      };
      await expect(
        relayOutbox(ports)(step === 'mark' ? faulty(bench.one, { markPublished: fails }) : bench.one),
      ).rejects.toBe(lost);
      expect(await bench.planned(chunkId(id!))).toHaveLength(step === 'plan' ? 0 : 1);
      expect(await bench.idsIn(OUTBOX)).toHaveLength(step === 'mark' ? 1 : 0);
      expect(await bench.one.unpublishedChunks(9)).toHaveLength(1);
      expect(await relayOutbox(bench)(bench.one)).toBe(1);
      expect(await bench.planned(chunkId(id!))).toHaveLength(1);
      expect(await bench.idsIn(OUTBOX)).toEqual([id]);
      expect(await bench.one.unpublishedChunks(9)).toEqual([]);
    },
  );

  it('a plan that stands already is taken as done, for that chunk alone', async () => {
    const ids = await claimed(3);
    const append = bench.history.appendToChunk.bind(bench.history);
    const racing = faulty(bench.history, {
      appendToChunk: async (chunk, ...rest) =>
        chunk === ids[1]
          ? Promise.reject(new VersionConflict(`dpChunk-${chunk}` as never, 'new', 0))
          : append(chunk, ...rest),
    });
    expect(await relayOutbox({ ...bench, history: racing })(bench.one)).toBe(3);
    expect(await bench.idsIn(OUTBOX)).toEqual(ids);
    expect((await Promise.all(ids.map((id) => bench.planned(chunkId(id))))).map(({ length }) => length)).toEqual([
      1, 0, 1,
    ]);
  });

  it('takes 200 chunks a round, round after round, and counts them all', async () => {
    const ids = await claimed(401);
    const rounds: number[] = [];
    const asked: number[] = [];
    const shard = faulty(bench.one, {
      unpublishedChunks: (max) => (asked.push(max), bench.one.unpublishedChunks(max)),
    });
    const bus = faulty<MessageBus>(bench.bus, {
      send: async (topic, messages) => (rounds.push(messages.length), bench.bus.send(topic, messages)),
    });
    expect(await relayOutbox({ ...bench, bus })(shard)).toBe(401);
    expect([rounds, asked]).toEqual([
      [200, 200, 1],
      [200, 200, 200, 200],
    ]);
    expect(await bench.idsIn(OUTBOX)).toEqual(ids);
  });

  it('gives up after 50 rounds where marking does not hold, instead of going round for ever', async () => {
    await claimed(1);
    let rounds = 0;
    expect(await relayOutbox(bench)(faulty(bench.one, { markPublished: async () => void rounds++ }))).toBe(50);
    expect(rounds).toBe(50);
    expect(await bench.idsIn(OUTBOX)).toHaveLength(1);
  });
});
