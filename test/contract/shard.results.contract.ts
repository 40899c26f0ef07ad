import { type Shard } from '../../src/application/ports/shard';
import { allowedPredecessors, ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { dpId } from '../../src/domain/identifiers';
import { type Instant, plusMs } from '../../src/domain/instant';
import { type ShardFixture } from './shard.contract';
import { claimFrom, delivered, merged, numbered, PAST, statusOf, WATER, wholeRow } from './shard.seeds';

/** What becomes of a row, and who looks after it. Called within the suite, which makes a fixture for each test. */
export function resultLaws(made: () => ShardFixture): void {
  let fixture: ShardFixture;
  let shard: Shard;
  beforeEach(() => {
    fixture = made();
    shard = fixture.shard;
  });

  it('6: changes a status only from an allowed predecessor, and tells which rows changed', async () => {
    await fixture.seed(merged(ROW_STATUSES.map((status, index) => wholeRow(index, { status }))));
    const changes = ROW_STATUSES.map(
      (_, index) => ({ dpId: dpId(String(index)), to: 'Published', from: ['Queued', 'Failed'] }) as const,
    );
    const changed = await shard.changeStatuses([...changes, { ...changes[0]!, dpId: dpId('unknown') }]);
    expect(new Set(changed)).toEqual(
      new Set([ROW_STATUSES.indexOf('Queued'), ROW_STATUSES.indexOf('Failed')].map(String)),
    );
    expect(await Promise.all(ROW_STATUSES.map((_, index) => statusOf(shard, String(index))))).toEqual(
      ROW_STATUSES.map((status) => (status === 'Queued' || status === 'Failed' ? 'Published' : status)),
    );
  });

  it('6: does not count a change to the status that stands already', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Published' }));
    const change = { dpId: dpId('1'), to: 'Published', from: ['Queued', 'Published'] } as const;
    expect(await shard.changeStatuses([change])).toEqual([]);
    expect(await shard.changeStatuses([])).toEqual([]);
  });

  it('6: lets one of many concurrent writers change a row', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Queued' }));
    const shards = await Promise.all(Array.from({ length: 4 }, () => fixture.another()));
    const answers = await Promise.all(
      shards.map((each, index) =>
        each.changeStatuses([{ dpId: dpId('1'), to: index % 2 ? 'Delivered' : 'Declined', from: ['Queued'] }]),
      ),
    );
    expect(answers.flat()).toEqual(['1']);
  });

  it('7: reconciles once per attempt: repeated, also at the same time, it is already so', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Published' }));
    const other = await fixture.another();
    const answers = await Promise.all([shard, other, shard].map((each) => each.reconcile(delivered('1', 3))));
    expect([...answers].sort()).toEqual(['already-so', 'already-so', 'applied']);
    expect((await shard.findRow(dpId('1')))!.details).toEqual([delivered('1', 3).detail]);
  });

  it('7: writes nothing where the status is refused or the row is missing', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Rejected' }));
    expect(await shard.reconcile(delivered('1', 1))).toBe('refused');
    expect(await shard.reconcile(delivered('2', 1))).toBe('row-missing');
    expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'Rejected', details: [] });
  });

  it('7: refuses a second attempt, or another outcome of the same one, on a finished row', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Published' }));
    await shard.reconcile(delivered('1', 1));
    expect(await shard.reconcile(delivered('1', 2))).toBe('refused');
    const declined = {
      ...delivered('1', 1),
      to: 'Declined',
      detail: { ...delivered('1', 1).detail, outcome: 'Declined' },
    } as const;
    expect(await shard.reconcile(declined)).toBe('refused');
    expect((await shard.findRow(dpId('1')))!.details).toEqual([delivered('1', 1).detail]);
  });

  it('7: never overwrites the recorded outcome of an attempt, though the status would allow it', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Published' }));
    const declined = { ...delivered('1', 1).detail, outcome: 'Declined' } as const;
    await shard.reconcile({ dpId: dpId('1'), to: 'InDoubt', from: ['Published'], detail: declined });
    expect(await shard.reconcile(delivered('1', 1))).toBe('refused');
    expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'InDoubt', details: [declined] });
  });

  it('7: reconciles a status without a detail', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Published' }));
    const failed = { dpId: dpId('1'), to: 'Failed', from: allowedPredecessors('Failed') } as const;
    expect(await shard.reconcile(failed)).toBe('applied');
    expect(await shard.reconcile(failed)).toBe('already-so');
    expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'Failed', details: [] });
  });

  it('8: hands a stalled row to one caller only, with an ordinal of its own', async () => {
    await fixture.seed(numbered(1, 100));
    const [chunk] = await claimFrom(shard, [WATER]);
    const shards = await Promise.all(Array.from({ length: 4 }, () => fixture.another()));
    const sweep = async (before: Instant) =>
      (await Promise.all(shards.map((each) => each.takeStalled({ before, max: 60 })))).flat();
    const before = plusMs(await shard.now(), 60_000);
    const taken = await sweep(before);
    expect(taken).toHaveLength(100);
    expect(new Set(taken.map((row) => row.dpId)).size).toBe(100);
    expect(taken[0]).toEqual({
      dpId: expect.any(String),
      billerId: WATER,
      dataType: 'Payments',
      status: 'Queued',
      chunkId: chunk!.chunkId,
      ordinal: 1,
    });
    expect(await sweep(before)).toEqual([]);
    const again = await sweep(plusMs(before, 60_000));
    expect(again.map((row) => row.ordinal)).toEqual(Array(100).fill(2));
    expect((await shard.findRow(dpId('1')))!.sweepCount).toBe(2);
  });

  it('8: takes only rows that still owe a result and stand still', async () => {
    await fixture.seed(merged(ROW_STATUSES.map((status, index) => wholeRow(index, { status }))));
    const taken = await shard.takeStalled({ before: PAST, max: 100 });
    expect(taken).toEqual([]);
    const statuses = (await shard.takeStalled({ before: plusMs(PAST, 60_000), max: 100 })).map((row) => row.status);
    expect([...statuses].sort()).toEqual(['InDoubt', 'Published', 'Queued']);
  });

  it('8: sees every status change as progress', async () => {
    await fixture.seed(numbered(1, 2, { status: 'Queued' }));
    const before = await shard.now();
    await shard.changeStatuses([{ dpId: dpId('1'), to: 'Published', from: ['Queued'] }]);
    expect((await shard.takeStalled({ before, max: 10 })).map((row) => row.dpId)).toEqual(['2']);
  });

  it('9: postpones the sweep of a row, and never brings it forward', async () => {
    await fixture.seed(numbered(1, 1, { status: 'Published' }));
    const until = plusMs(await shard.now(), 3_600_000);
    await shard.noteProgress(dpId('1'), until);
    await shard.noteProgress(dpId('1'), PAST);
    await shard.changeStatuses([{ dpId: dpId('1'), to: 'InDoubt', from: ['Published'] }]);
    await shard.noteProgress(dpId('unknown'), until);
    expect(await shard.takeStalled({ before: until, max: 10 })).toEqual([]);
    expect(await shard.takeStalled({ before: plusMs(until, 1), max: 10 })).toHaveLength(1);
  });

  it('10: reopens a Failed or InDoubt row, and raises the ordinal each time', async () => {
    await fixture.seed(merged(ROW_STATUSES.map((status, index) => wholeRow(index, { status }))));
    const answers = await Promise.all(ROW_STATUSES.map((_, index) => shard.reopen(dpId(String(index)))));
    const reopened = ['Failed', 'InDoubt', 'Published'];
    expect(answers).toEqual(ROW_STATUSES.map((status) => (reopened.includes(status) ? 1 : undefined)));
    expect(await Promise.all(ROW_STATUSES.map((_, index) => statusOf(shard, String(index))))).toEqual(
      ROW_STATUSES.map((status) => (reopened.includes(status) ? 'Published' : status)),
    );
    const failed = dpId(String(ROW_STATUSES.indexOf('Failed')));
    expect(await Promise.all([shard.reopen(failed), shard.reopen(failed)])).toEqual([2, 3]);
    expect(await shard.reopen(dpId('unknown'))).toBeUndefined();
  });

  it('10: counts as progress where it changes the status, and only there', async () => {
    await fixture.seed(merged([wholeRow(1, { status: 'Failed' }), wholeRow(2, { status: 'Published' })]));
    const before = await shard.now();
    await shard.reopen(dpId('1'));
    await shard.reopen(dpId('2'));
    expect((await shard.takeStalled({ before, max: 10 })).map((row) => [row.dpId, row.ordinal])).toEqual([['2', 2]]);
  });
}
