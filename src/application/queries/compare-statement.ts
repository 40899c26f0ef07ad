import { idempotencyKeyOf } from '../../domain/policies/idempotency-key';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { type Day, dayOf } from '../../domain/instant';
import { type Money, moneyText, sameMoney } from '../../domain/money';
import { type Digest } from '../ports/digest';
import { type ProjectedRecord, type RecordProjection, type RecordStatus } from '../ports/record-projection';

/** What a biller says of one payment: that it was posted, or that it was declined. It names our record, its key, or the biller's reference. */
export interface StatementLine {
  /** In the file, from 1. */
  readonly line: number;
  readonly record?: RecordKey;
  readonly key?: string;
  readonly reference?: string;
  readonly outcome: StatedOutcome;
  readonly amount?: Money;
}
export type StatedOutcome = 'posted' | 'declined';

export interface Statement {
  readonly billerId: BillerId;
  readonly lines: readonly StatementLine[];
  /** The statement lists everything that the biller posted on these days (UTC): what we call delivered then must be in it. */
  readonly covers?: { readonly from: Day; readonly to: Day };
}

/** What a line says beside what we know. */
export type Finding = { readonly line: StatementLine } & (
  | { readonly verdict: 'agrees' | 'settles'; readonly record: RecordKey }
  /** The same record, and another amount, reference or outcome. */
  | {
      readonly verdict: 'contradicts';
      readonly record: RecordKey;
      readonly field: 'amount' | 'reference' | 'outcome';
      readonly ours: string;
      readonly theirs: string;
    }
  /** The biller posted it twice: the line that said so first. */
  | { readonly verdict: 'repeats'; readonly record: RecordKey; readonly first: number }
  /** We say that nothing was posted: an effect of which nobody heard. */
  | { readonly verdict: 'posted-though-ended'; readonly record: RecordKey; readonly status: RecordStatus }
  /** It is on its way and may be called for again. */
  | { readonly verdict: 'posted-under-way'; readonly record: RecordKey }
  /** Under no record of this biller. */
  | { readonly verdict: 'unknown' }
);
export type StatementVerdict = Finding['verdict'];

export interface StatementComparison {
  /** In the order of the lines. */
  readonly findings: readonly Finding[];
  /** In doubt, and in no line. */
  readonly unlistedDoubts: readonly RecordKey[];
  /** Delivered on a day that the statement covers, and in no line: a payment that the biller may not have. */
  readonly missing: readonly RecordKey[];
}

const PAGE = 1_000;

/**
 * A biller's statement beside what the event store says of its records, line by line: sums hide a payment posted twice
 * behind one that is missing. Bring the projection up to date first. Reads every record of the biller once; keeps the
 * statement, not the records.
 */
export function compareStatement(ports: { readonly projection: RecordProjection; readonly digest: Digest }) {
  return async ({ billerId, lines, covers }: Statement): Promise<StatementComparison> => {
    const index = indexOf(lines);
    const findings = new Map<StatementLine, Finding>();
    const unlistedDoubts: RecordKey[] = [];
    const missing: RecordKey[] = [];
    for await (const entry of recordsOf(ports.projection, billerId)) {
      const key = index.hasKeys ? idempotencyKeyOf(entry.record, ports.digest) : undefined;
      const listed = index.of(entry, key);
      judge(entry, key, listed, findings);
      if (listed.length > 0) continue;
      if (entry.status === 'in-doubt') unlistedDoubts.push(entry.record);
      const day = dayOf(entry.changedAt);
      if (covers && entry.status === 'delivered' && day >= covers.from && day <= covers.to) missing.push(entry.record);
    }
    return {
      findings: lines.map((line) => findings.get(line) ?? { line, verdict: 'unknown' }),
      unlistedDoubts,
      missing,
    };
  };
}

/** They stand together in the order of the keys. */
async function* recordsOf(projection: RecordProjection, billerId: BillerId): AsyncGenerator<ProjectedRecord> {
  let after = `${billerId}:` as RecordKey;
  for (;;) {
    const page = await projection.entries(after, PAGE);
    for (const entry of page) {
      if (entry.billerId !== billerId) return;
      yield entry;
    }
    if (page.length < PAGE) return;
    after = page.at(-1)!.record;
  }
}

function indexOf(lines: readonly StatementLine[]) {
  const by = <Name extends string>(nameOf: (line: StatementLine) => Name | undefined): Map<Name, StatementLine[]> => {
    const map = new Map<Name, StatementLine[]>();
    for (const line of lines) {
      const name = nameOf(line);
      if (name === undefined) continue;
      const same = map.get(name);
      if (same) same.push(line);
      else map.set(name, [line]);
    }
    return map;
  };
  const byRecord = by(({ record }) => record);
  const byKey = by(({ record, key }) => (record === undefined ? key : undefined));
  const byReference = by(({ record, key, reference }) =>
    record === undefined && key === undefined ? reference : undefined,
  );
  return {
    /** Without any the key of a record need not be drawn. */
    hasKeys: lines.some((line) => line.key !== undefined),
    of: ({ record, reference }: ProjectedRecord, key: string | undefined): readonly StatementLine[] =>
      [
        ...(byRecord.get(record) ?? []),
        ...((key !== undefined && byKey.get(key)) || []),
        ...((reference !== undefined && byReference.get(reference)) || []),
      ].sort((a, b) => a.line - b.line),
  };
}

function judge(
  entry: ProjectedRecord,
  key: string | undefined,
  listed: readonly StatementLine[],
  findings: Map<StatementLine, Finding>,
): void {
  let posted: StatementLine | undefined;
  for (const line of listed) {
    const { record } = entry;
    if (posted && line.outcome === 'posted')
      findings.set(line, { line, record, verdict: 'repeats', first: posted.line });
    else findings.set(line, { line, record, ...verdictOf(entry, key, line) });
    if (line.outcome === 'posted') posted ??= line;
  }
}

type Judged = Finding extends infer Each
  ? Each extends { readonly record: RecordKey }
    ? Omit<Each, 'line' | 'record'>
    : never
  : never;

function verdictOf(entry: ProjectedRecord, key: string | undefined, line: StatementLine): Judged {
  const contradiction = differenceOf(entry, key, line);
  // That it was posted at all is the worse news, whatever the amount.
  const isNews = line.outcome === 'posted' && !['delivered', 'in-doubt'].includes(entry.status);
  if (contradiction && !isNews) return { verdict: 'contradicts', ...contradiction };
  switch (entry.status) {
    case 'in-doubt':
      return { verdict: 'settles' };
    case 'delivered':
      return line.outcome === 'posted'
        ? { verdict: 'agrees' }
        : { verdict: 'contradicts', field: 'outcome', ours: 'delivered', theirs: 'declined' };
    case 'pending':
      return line.outcome === 'posted' ? { verdict: 'posted-under-way' } : { verdict: 'agrees' };
    default:
      return line.outcome === 'posted'
        ? { verdict: 'posted-though-ended', status: entry.status }
        : { verdict: 'agrees' };
  }
}

/** A record with money is the same payment only with the same money: an id or a reference may be used again. */
function differenceOf(
  { amount, reference }: ProjectedRecord,
  key: string | undefined,
  line: StatementLine,
): { readonly field: 'amount' | 'reference'; readonly ours: string; readonly theirs: string } | undefined {
  if (amount && !(line.amount && sameMoney(line.amount, amount)))
    return { field: 'amount', ours: moneyText(amount), theirs: line.amount ? moneyText(line.amount) : 'none' };
  if (line.key !== undefined && key !== undefined && line.key !== key)
    return { field: 'reference', ours: key, theirs: line.key };
  if (line.reference !== undefined && reference !== undefined && line.reference !== reference)
    return { field: 'reference', ours: reference, theirs: line.reference };
  return undefined;
}
