import { CallCoalescer } from '../../src/adapters/sql-server/call-coalescer';
import { ROW_KEYS, type RowKey } from '../../src/adapters/sql-server/row-key';
import { SqlServerShardStatuses } from '../../src/adapters/sql-server/shard-statuses';
import { PortFailure } from '../../src/application/ports/failures';
import { type RowResult } from '../../src/application/ports/shard-results';
import { type DpId } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { type Asked, type Line, scriptedSqlServer } from '../support/scripted-sql-server';

const BIGINT = ROW_KEYS.find(({ name }) => name === 'bigint')!;
const AT = instant('2026-11-20T08:00:00.123Z');
const ids = (...of: readonly string[]): readonly DpId[] => of as readonly DpId[];

function server(answer: (asked: Asked, call: number) => readonly (readonly Line[])[], key: RowKey = BIGINT) {
  const { asked, transactions, connection } = scriptedSqlServer(answer);
  return { asked, transactions: () => transactions.length, statuses: new SqlServerShardStatuses(connection, key) };
}
const result = (dpId: DpId, more: Partial<RowResult> = {}): RowResult => ({
  dpId,
  to: 'Delivered',
  from: ['Published'],
  ...more,
});
const placesOf = (asked: Asked, name: string) =>
  (asked.values[name] as readonly { readonly dpId: string; readonly place: number }[]).map(({ dpId, place }) => [
    dpId,
    place,
  ]);

describe('SQL Server answers in an order of its own; each caller gets its own answer (issue 9, no 16)', () => {
  it('results: by their places, also where some ids are not spelt as the database spells them', async () => {
    const { statuses, asked } = server(() => [
      [
        { Place: 4, Answer: 'refused' },
        { Place: 0, Answer: 'applied' },
        { Place: 2, Answer: 'already-so' },
      ],
    ]);
    const answers = await statuses.reconcile(ids('1', '007', '3', 'x', '5', '6').map((id) => result(id)));
    expect(answers).toEqual(['applied', 'row-missing', 'already-so', 'row-missing', 'refused', 'row-missing']);
    expect(placesOf(asked[0]!, 'results')).toEqual([
      ['1', 0],
      ['3', 2],
      ['5', 4],
      ['6', 5],
    ]);
    expect(asked[0]!).toMatchObject({
      step: 'reconcile 6 rows to Delivered',
      values: { to: 'Delivered', from: [{ status: 'Published' }] },
    });
  });

  it('one result names its row, and its time goes without the Z', async () => {
    const { statuses, asked } = server(() => [[{ Place: 0, Answer: 'applied' }]]);
    const detail = { attempt: 2, outcome: 'Delivered' as const, billerReference: 'R', code: '00', recordedAt: AT };
    expect(
      await statuses.reconcile([result('1' as DpId, { detail, from: ['Published', 'Queued', 'Published'] })]),
    ).toEqual(['applied']);
    expect(asked).toEqual([
      {
        step: 'reconcile row 1 to Delivered',
        values: {
          results: [{ dpId: '1', place: 0, ...detail, recordedAt: '2026-11-20T08:00:00.123' }],
          from: [{ status: 'Published' }, { status: 'Queued' }],
          to: 'Delivered',
        },
      },
    ]);
  });

  it('reopened ordinals: by their places', async () => {
    const { statuses, asked } = server(() => [
      [
        { Place: 3, SweepCount: 9 },
        { Place: 1, SweepCount: 7 },
      ],
    ]);
    expect(await statuses.reopen(ids('x', '2', '3', '4'))).toEqual([undefined, 7, undefined, 9]);
    expect(placesOf(asked[0]!, 'rows')).toEqual([
      ['2', 1],
      ['3', 2],
      ['4', 3],
    ]);
  });

  it('changes: by their places within each kind, in one transaction where there are several kinds', async () => {
    const { statuses, asked, transactions } = server((_, call) => [
      [[{ Place: 1 }, { Place: 0 }], [{ Place: 1 }], []][call]!,
    ]);
    const to = (dpId: string, status: 'Published' | 'Rejected') => ({
      dpId: dpId as DpId,
      to: status,
      from: ['Queued' as const],
    });
    const changed = await statuses.change([
      to('1', 'Published'),
      to('x', 'Published'),
      to('2', 'Rejected'),
      to('3', 'Published'),
      to('4', 'Rejected'),
    ]);
    expect([...changed].sort()).toEqual(['1', '3', '4']);
    expect(asked.map((each) => [each.values['to'], placesOf(each, 'rows')])).toEqual([
      [
        'Published',
        [
          ['1', 0],
          ['3', 1],
        ],
      ],
      [
        'Rejected',
        [
          ['2', 0],
          ['4', 1],
        ],
      ],
    ]);
    expect(transactions()).toBe(1);
    expect(await statuses.change([to('3', 'Published')])).toEqual([]);
    expect(transactions()).toBe(1);
  });

  it('asks nothing where no id is one of the database', async () => {
    const { statuses, asked } = server(() => [[]]);
    expect([
      await statuses.reconcile([result('x' as DpId)]),
      await statuses.reopen(ids('x')),
      await statuses.noteProgress([{ dpId: 'x' as DpId, until: AT }]),
      await statuses.change([{ dpId: 'x' as DpId, to: 'Queued', from: ['New'] }]),
    ]).toEqual([['row-missing'], [undefined], [undefined], []]);
    expect(asked).toEqual([]);
    expect(
      await statuses.noteProgress([
        { dpId: 'x' as DpId, until: AT },
        { dpId: '1' as DpId, until: AT },
      ]),
    ).toEqual([undefined, undefined]);
    expect(asked).toEqual([
      { step: 'note the progress of 1 rows', values: { rows: [{ dpId: '1', until: '2026-11-20T08:00:00.123' }] } },
    ]);
  });

  const swept = (id: string): Line => ({
    DpId: id,
    BillerId: 'b',
    EventType: 'Payments',
    Status: 'Queued',
    ChunkId: id === '1' ? null : 'k',
    SweepCount: 1,
  });
  it.each<[string, readonly (readonly [taken: number, still: number])[], readonly number[]]>([
    ['nothing is left', [[2, 0]], [5]],
    [
      'some are left, until all are taken',
      [
        [2, 1],
        [3, 1],
      ],
      [5, 3],
    ],
    [
      'some are left, until none is',
      [
        [2, 1],
        [1, 0],
      ],
      [5, 3],
    ],
    [
      'others are always quicker: eight times',
      Array.from({ length: 20 }, () => [0, 1] as const),
      [5, 5, 5, 5, 5, 5, 5, 5],
    ],
  ])('a sweep looks again where %s', async (_, rounds, wanted) => {
    const { statuses, asked } = server((_asked, call) => [
      Array.from({ length: rounds[call]![0] }, (_line, index) => swept(String(call * 10 + index + 1))),
      [{ Taken: String(rounds[call]![0]), StillStalled: rounds[call]![1] }],
    ]);
    const taken = await statuses.takeStalled({ before: AT, max: 5 });
    expect(asked.map(({ values }) => values['rowsMax'])).toEqual(wanted);
    expect(taken.length).toBe(rounds.slice(0, wanted.length).reduce((sum, [count]) => sum + count, 0));
    if (taken.length > 0)
      expect(taken.slice(0, 2)).toEqual(
        ['1', '2'].map((dpId) => ({
          dpId,
          billerId: 'b',
          dataType: 'Payments',
          status: 'Queued',
          chunkId: dpId === '1' ? undefined : 'k',
          ordinal: 1,
        })),
      );
  });
});

describe('calls that share a round trip, with failures in the middle (issue 9, no 16)', () => {
  const broken = new PortFailure('no', { code: 'storage-broken', retryable: false });
  const lost = new PortFailure('lost', { code: 'connection-lost', retryable: true });
  const settledOf = async (
    count: number,
    run: (calls: readonly number[]) => Promise<readonly string[]>,
    more: { callsMax?: number; keyOf?: (call: number) => string; laneOf?: (call: number) => string } = {},
  ) => {
    const order: number[] = [];
    const coalescer = new CallCoalescer<number, string>({
      run,
      callsMax: 100,
      batchesMax: 1,
      waitingMax: 1_000,
      ...more,
    });
    const settled = await Promise.allSettled(
      Array.from({ length: count }, (_, call) => coalescer.call(call).finally(() => order.push(call))),
    );
    await coalescer.drain();
    return {
      answers: settled.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as Error).message)),
      order,
    };
  };
  const answered = (calls: readonly number[]): readonly string[] => calls.map((call) => `answer ${call}`);

  it.each([[[0]], [[6]], [[3]], [[2, 3]], [[0, 6]], [[1, 3, 5]], [[0, 1, 2, 3, 4, 5, 6]]])(
    'of seven, %j break: they alone are refused, every other gets its own answer',
    async (bad) => {
      const { answers, order } = await settledOf(7, async (calls) => {
        if (calls.some((call) => bad.includes(call))) throw broken;
        return answered(calls);
      });
      expect(answers).toEqual(Array.from({ length: 7 }, (_, call) => (bad.includes(call) ? 'no' : `answer ${call}`)));
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
    },
  );

  it('an error of no kind is found out as well; one of the wire ends only the half it struck', async () => {
    const plain = await settledOf(5, async (calls) => {
      if (calls.includes(2)) throw new Error('odd');
      return answered(calls);
    });
    expect(plain.answers).toEqual(['answer 0', 'answer 1', 'odd', 'answer 3', 'answer 4']);
    let runs = 0;
    const wire = await settledOf(4, async (calls) => {
      if (++runs === 1) throw broken;
      if (calls.includes(0)) throw lost;
      return answered(calls);
    });
    expect([wire.answers, runs]).toEqual([['lost', 'lost', 'answer 2', 'answer 3'], 3]);
  });

  it.each([
    [1, 5],
    [2, 3],
    [5, 1],
    [6, 1],
  ])('batches hold at most %i calls', async (callsMax, batches) => {
    let most = 0;
    let runs = 0;
    const { answers } = await settledOf(
      5,
      async (calls) => ((most = Math.max(most, calls.length)), runs++, answered(calls)),
      { callsMax },
    );
    expect([answers, most, runs]).toEqual([answered([0, 1, 2, 3, 4]), Math.min(5, callsMax), batches]);
  });

  it('calls of one key go one after the other in their order, also after one of them broke', async () => {
    const seen: (readonly number[])[] = [];
    const { answers } = await settledOf(
      6,
      async (calls) => {
        seen.push(calls);
        if (calls.includes(0)) throw broken;
        return answered(calls);
      },
      { keyOf: (call) => String(call % 2) },
    );
    expect(answers).toEqual(['no', 'answer 1', 'answer 2', 'answer 3', 'answer 4', 'answer 5']);
    expect(seen).toEqual([[0, 1], [0], [1], [2, 3], [4, 5]]);
  });

  it('calls of one lane share a batch, and none overtakes one of its key that another lane holds up', async () => {
    const seen: (readonly number[])[] = [];
    // 1 and 2 are of one row; 1 waits for its lane, so 2, which would fit, waits for 1.
    const { answers } = await settledOf(4, async (calls) => (seen.push(calls), answered(calls)), {
      keyOf: (call) => (call === 2 ? '1' : String(call)),
      laneOf: (call) => (call === 1 ? 'B' : 'A'),
    });
    expect(answers).toEqual(answered([0, 1, 2, 3]));
    expect(seen).toEqual([[0, 3], [1], [2]]);
  });

  it('is drained when nothing waits and nothing runs, and not before', async () => {
    const letGo: (() => void)[] = [];
    const run = async (calls: readonly number[]): Promise<readonly string[]> => (
      await new Promise<void>((resolve) => letGo.push(resolve)),
      answered(calls)
    );
    const coalescer = new CallCoalescer<number, string>({ run, callsMax: 1, batchesMax: 2, waitingMax: 9 });
    const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const calls = [0, 1, 2].map((call) => coalescer.call(call));
    let drained = 0;
    const draining = [coalescer.drain(), coalescer.drain()].map((each) => each.then(() => drained++));
    for (let released = 0; released < 3; released++) {
      await turn();
      expect(drained).toBe(0);
      letGo.shift()!();
    }
    await Promise.all([...calls, ...draining]);
    expect(drained).toBe(2);
    const later = coalescer.call(3);
    const again = coalescer.drain().then(() => drained++);
    await turn();
    expect(drained).toBe(2);
    letGo.shift()!();
    await Promise.all([later, again]);
  });
});
