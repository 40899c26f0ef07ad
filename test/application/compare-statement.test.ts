import { SqliteRecordProjection } from '../../src/adapters/sqlite/sqlite-record-projection';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import { type Position } from '../../src/application/ports/event-store';
import { type ProjectedRecord, type RecordStatus } from '../../src/application/ports/record-projection';
import { compareStatement, type Statement, type StatementLine } from '../../src/application/queries/compare-statement';
import { billerId, dpId, recordKey, type RecordKey, shardName } from '../../src/domain/identifiers';
import { type Day, instant } from '../../src/domain/instant';
import { idempotencyKeyOf } from '../../src/domain/policies/idempotency-key';

const BILLER = billerId('12');
const DAY = '2026-11-20' as Day;
const NOON = instant('2026-11-20T12:00:00.000Z');
const CZK = { minorUnits: 1_250, currency: 'CZK' };
const keyOf = (id: string, of = '12'): RecordKey => recordKey(billerId(of), dpId(id));

const entry = (id: string, status: RecordStatus, more: Partial<ProjectedRecord> = {}): ProjectedRecord => ({
  record: keyOf(id, more.billerId),
  shard: shardName('Shard-1'),
  billerId: BILLER,
  dataType: 'Payments',
  status,
  amount: CZK,
  attempts: 1,
  cause: undefined,
  reference: undefined,
  createdAt: NOON,
  changedAt: NOON,
  ...more,
});
let number = 0;
const line = (more: Partial<StatementLine>): StatementLine => ({
  line: ++number,
  outcome: 'posted',
  amount: CZK,
  ...more,
});

async function compared(
  entries: readonly ProjectedRecord[],
  lines: readonly StatementLine[],
  covers?: Statement['covers'],
) {
  const projection = new SqliteRecordProjection({ path: ':memory:' });
  try {
    await projection.advance({ from: undefined, to: '1' as Position, entries, changes: [] });
    return await compareStatement({ projection, digest: sha256Digest })({
      billerId: BILLER,
      lines,
      ...(covers && { covers }),
    });
  } finally {
    projection.close();
  }
}
const verdicts = async (entries: readonly ProjectedRecord[], lines: readonly StatementLine[]) =>
  (await compared(entries, lines)).findings.map(({ verdict }) => verdict);

describe("a biller's statement (issue 9, no 15)", () => {
  it.each<[RecordStatus, StatementLine['outcome'], string]>([
    ['in-doubt', 'posted', 'settles'],
    ['in-doubt', 'declined', 'settles'],
    ['delivered', 'posted', 'agrees'],
    ['delivered', 'declined', 'contradicts'],
    ['declined', 'declined', 'agrees'],
    ['declined', 'posted', 'posted-though-ended'],
    ['dead-lettered', 'posted', 'posted-though-ended'],
    ['rejected', 'posted', 'posted-though-ended'],
    ['skipped', 'posted', 'posted-though-ended'],
    ['withdrawn', 'posted', 'posted-though-ended'],
    ['dead-lettered', 'declined', 'agrees'],
    ['pending', 'posted', 'posted-under-way'],
    ['pending', 'declined', 'agrees'],
  ])('of a record that is %s, "%s" %s', async (status, outcome, verdict) => {
    expect(await verdicts([entry('1', status)], [line({ record: keyOf('1'), outcome })])).toEqual([verdict]);
  });

  it('finds a record by our id, by its key, or by the biller’s reference, and no other biller’s', async () => {
    const entries = [
      entry('1', 'in-doubt'),
      entry('2', 'delivered', { reference: 'R-2' }),
      entry('3', 'in-doubt'),
      entry('1', 'in-doubt', { billerId: billerId('120') }),
      entry('9', 'in-doubt', { billerId: billerId('13') }),
    ];
    const { findings, unlistedDoubts } = await compared(entries, [
      line({ record: keyOf('1') }),
      line({ reference: 'R-2' }),
      line({ key: idempotencyKeyOf(keyOf('3'), sha256Digest) }),
      line({ reference: 'R-9' }),
      line({ record: keyOf('9') }),
      line({ key: idempotencyKeyOf(keyOf('9', '13'), sha256Digest) }),
    ]);
    expect(findings.map(({ verdict }) => verdict)).toEqual([
      'settles',
      'agrees',
      'settles',
      'unknown',
      'unknown',
      'unknown',
    ]);
    expect(findings.map((each) => ('record' in each ? each.record : undefined)).slice(0, 3)).toEqual([
      '12:1',
      '12:2',
      '12:3',
    ]);
    expect(unlistedDoubts).toEqual([]);
  });

  it('resolves nothing where money, key or reference are others, or the money is not told', async () => {
    const entries = [entry('1', 'in-doubt', { reference: 'R-1' }), entry('2', 'in-doubt', { amount: undefined })];
    const { findings } = await compared(entries, [
      line({ record: keyOf('1'), amount: { minorUnits: 1_251, currency: 'CZK' } }),
    ]);
    expect(findings).toMatchObject([
      { verdict: 'contradicts', field: 'amount', ours: '12.50 CZK', theirs: '12.51 CZK' },
    ]);
    const no = { amount: undefined } as unknown as Partial<StatementLine>;
    for (const [more, field] of [
      [{ amount: { minorUnits: 1_250, currency: 'EUR' } }, 'amount'],
      [no, 'amount'],
      [{ key: 'another' }, 'reference'],
      [{ reference: 'R-2' }, 'reference'],
    ] as const)
      expect((await compared(entries, [line({ record: keyOf('1'), ...more })])).findings).toMatchObject([
        { verdict: 'contradicts', field },
      ]);
    // Where no money moves there is none to compare.
    expect(await verdicts(entries, [line({ record: keyOf('2'), ...no })])).toEqual(['settles']);
  });

  it('tells a second posting of one record whatever names it, and that a wrong amount was posted though we ended it', async () => {
    const entries = [entry('1', 'delivered', { reference: 'R-1' }), entry('2', 'declined')];
    const lines = [
      line({ record: keyOf('1') }),
      line({ reference: 'R-1' }),
      line({ record: keyOf('2'), amount: { minorUnits: 1, currency: 'CZK' } }),
    ];
    const { findings } = await compared(entries, lines);
    expect(findings).toMatchObject([
      { verdict: 'agrees' },
      { verdict: 'repeats', record: '12:1', first: lines[0]!.line },
      { verdict: 'posted-though-ended', status: 'declined' },
    ]);
  });

  it('a double and a loss of the same money, which sums hide, are both named', async () => {
    const entries = [entry('1', 'delivered'), entry('2', 'delivered')];
    const twice = [line({ record: keyOf('1') }), line({ record: keyOf('1') })];
    const { findings, missing } = await compared(entries, twice, { from: DAY, to: DAY });
    expect(findings.map(({ verdict }) => verdict)).toEqual(['agrees', 'repeats']);
    expect(missing).toEqual(['12:2']);
  });

  it('names doubts in no line; what was delivered is missed only on days that the statement covers', async () => {
    const entries = [
      entry('1', 'in-doubt'),
      entry('2', 'delivered', { changedAt: instant('2026-11-19T23:59:59.999Z') }),
      entry('3', 'delivered', { changedAt: instant('2026-11-21T00:00:00.000Z') }),
      entry('4', 'declined'),
    ];
    expect(await compared(entries, [])).toEqual({ findings: [], unlistedDoubts: ['12:1'], missing: [] });
    expect((await compared(entries, [], { from: DAY, to: DAY })).missing).toEqual([]);
    expect((await compared(entries, [], { from: '2026-11-19' as Day, to: '2026-11-21' as Day })).missing).toEqual([
      '12:2',
      '12:3',
    ]);
  });

  it('reads page after page', async () => {
    const entries = Array.from({ length: 2_500 }, (_, id) => entry(String(id), 'in-doubt'));
    const lines = entries.map(({ record }) => line({ record }));
    const { findings, unlistedDoubts } = await compared(entries, lines);
    expect(findings.filter(({ verdict }) => verdict === 'settles')).toHaveLength(2_500);
    expect(unlistedDoubts).toEqual([]);
  });
});
