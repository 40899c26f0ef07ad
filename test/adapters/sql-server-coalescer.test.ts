import { PortFailure } from '../../src/application/ports/failures';
import { CallCoalescer } from '../../src/adapters/sql-server/call-coalescer';

interface Call {
  readonly id: string;
  readonly lane?: string;
}

/** Batches wait until they are let go, so that a test says what is under way. */
function held(options: { callsMax?: number; batchesMax?: number; waitingMax?: number } = {}) {
  const batches: string[][] = [];
  const letGo: (() => void)[] = [];
  const coalescer = new CallCoalescer<Call, string>({
    keyOf: ({ id }) => id,
    laneOf: ({ lane = '' }) => lane,
    run: async (calls) => {
      batches.push(calls.map(({ id }) => id));
      await new Promise<void>((resolve) => letGo.push(resolve));
      return calls.map(({ id }) => `answer ${id}`);
    },
    callsMax: options.callsMax ?? 100,
    batchesMax: options.batchesMax ?? 1,
    waitingMax: options.waitingMax ?? 100,
  });
  const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return { coalescer, batches, turn, release: async () => (letGo.shift()!(), turn()) };
}

it('makes one batch of the calls of one turn, and gives each caller its own answer', async () => {
  const { coalescer, batches, turn, release } = held();
  const answers = Promise.all(['a', 'b', 'c'].map((id) => coalescer.call({ id })));
  await turn();
  expect(batches).toEqual([['a', 'b', 'c']]);
  await release();
  expect(await answers).toEqual(['answer a', 'answer b', 'answer c']);
});

it('gathers what is called while its batches are under way, up to its limits', async () => {
  const { coalescer, batches, turn, release } = held({ callsMax: 2, batchesMax: 2 });
  const answers = Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id) => coalescer.call({ id })));
  await turn();
  expect(batches).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  await release();
  expect(batches).toEqual([
    ['a', 'b'],
    ['c', 'd'],
    ['e', 'f'],
  ]);
  await release();
  await release();
  await release();
  expect((await answers).at(-1)).toBe('answer g');
});

it('never has two calls of one key under way, and keeps their order', async () => {
  const { coalescer, batches, turn, release } = held({ batchesMax: 2 });
  const order: string[] = [];
  const calls = [{ id: 'a' }, { id: 'b' }, { id: 'a', lane: 'other' }, { id: 'a' }].map((call, index) =>
    coalescer.call(call).then(() => order.push(`${call.id}${index}`)),
  );
  await turn();
  expect(batches).toEqual([['a', 'b']]);
  await release();
  expect(batches).toEqual([['a', 'b'], ['a']]);
  await release();
  await release();
  await Promise.all(calls);
  expect(order).toEqual(['a0', 'b1', 'a2', 'a3']);
});

it('keeps lanes apart', async () => {
  const { coalescer, batches, turn } = held({ batchesMax: 3 });
  for (const [id, lane] of [
    ['a', 'x'],
    ['b', 'y'],
    ['c', 'x'],
  ] as const)
    void coalescer.call({ id, lane });
  await turn();
  expect(batches).toEqual([['a', 'c'], ['b']]);
});

it('halves a batch that is refused until the call that breaks it stands alone', async () => {
  const batches: number[] = [];
  const coalescer = new CallCoalescer<number, number>({
    run: async (calls) => {
      batches.push(calls.length);
      if (calls.includes(5)) throw new PortFailure('no', { code: 'storage-broken', retryable: false });
      return calls;
    },
    callsMax: 100,
    batchesMax: 1,
    waitingMax: 100,
  });
  const settled = await Promise.allSettled(Array.from({ length: 16 }, (_, index) => coalescer.call(index)));
  expect(settled.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([5]);
  expect(batches.length).toBeLessThanOrEqual(9);
});

it('repeats nothing where the wire failed: all of the batch hear of it', async () => {
  let runs = 0;
  const failure = new PortFailure('lost', { code: 'connection-lost', retryable: true });
  const coalescer = new CallCoalescer<number, number>({
    run: async () => {
      runs++;
      throw failure;
    },
    callsMax: 100,
    batchesMax: 1,
    waitingMax: 100,
  });
  const settled = await Promise.allSettled([1, 2, 3].map((call) => coalescer.call(call)));
  expect(settled).toEqual([1, 2, 3].map(() => ({ status: 'rejected', reason: failure })));
  expect(runs).toBe(1);
  await expect(coalescer.call(4)).rejects.toBe(failure);
});

it('refuses more waiting calls than its limit, and drains', async () => {
  const { coalescer, turn, release } = held({ waitingMax: 2 });
  const calls = Promise.all([coalescer.call({ id: 'a' }), coalescer.call({ id: 'b' })]);
  await expect(coalescer.call({ id: 'c' })).rejects.toMatchObject({ code: 'storage-busy', retryable: true });
  await turn();
  let drained = false;
  const draining = coalescer.drain().then(() => (drained = true));
  await turn();
  expect(drained).toBe(false);
  await release();
  await Promise.all([calls, draining]);
  await coalescer.drain();
});
