import { createReadStream } from 'node:fs';
import { type StatementLine } from '../../application/queries/compare-statement';
import { exponentOf } from '../../domain/currencies';
import { type BillerId, dpId, isId, parseRecordKey, recordKey } from '../../domain/identifiers';
import { isBlank } from '../../domain/invisible-text';
import { type Money, minorUnitsFromText } from '../../domain/money';
import { maskCardData } from '../../domain/policies/card-data';
import { amountReader, type AmountFormat } from './amount-format';
import { csvRecords } from './csv-records';
import { type Encoding } from './encodings';
import { OtherEncoding, textLines } from './text-lines';

export const STATEMENT_FIELDS = ['record', 'key', 'reference', 'amount', 'currency', 'outcome'] as const;
export type StatementField = (typeof STATEMENT_FIELDS)[number];
const STATEMENT_LINES_MAX = 1_000_000;
const NAME_LENGTH_MAX = 200;

export interface StatementFormat extends Pick<AmountFormat, 'decimalSeparator'> {
  readonly billerId: BillerId;
  readonly delimiter: string;
  readonly encoding: Encoding;
  /** What the file calls its columns, where it does not use our names. */
  readonly columns: Partial<Readonly<Record<StatementField, string>>>;
  /** Of amounts in a file without a column for it. */
  readonly currency?: string;
}

export interface ReadStatement {
  readonly lines: readonly StatementLine[];
  /** What is wrong with the file or its lines, each with its place. */
  readonly problems: readonly string[];
}

/** The whole statement: it is compared as one. A line that cannot be read is a problem, since it may say anything. */
export async function readStatement(file: string, format: StatementFormat): Promise<ReadStatement> {
  const lines: StatementLine[] = [];
  const problems: string[] = [];
  let read: ((line: number, fields: readonly string[]) => StatementLine | string | undefined) | undefined;
  try {
    for await (const found of csvRecords(textLines(createReadStream(file), format.encoding), format.delimiter)) {
      if ('reason' in found) {
        problems.push(`${file}: line ${found.line} ${found.reason}`);
        continue;
      }
      if (!read) {
        const header = found.fields.map((name) => name.trim());
        const missing = headerProblems(header, format);
        if (missing.length > 0) return { lines, problems: missing.map((what) => `${file}: ${what}`) };
        read = lineReader(header, format);
        continue;
      }
      if (lines.length >= STATEMENT_LINES_MAX)
        return {
          lines,
          problems: [...problems, `${file}: has more than ${STATEMENT_LINES_MAX} lines; split it by days`],
        };
      const line = read(found.line, found.fields);
      if (typeof line === 'string') problems.push(`${file}: line ${found.line}: ${line}`);
      else if (line) lines.push(line);
    }
  } catch (error) {
    if (!(error instanceof OtherEncoding)) throw error;
    return { lines, problems: [`${file}: ${error.message} (--encoding)`] };
  }
  return read
    ? { lines, problems }
    : { lines, problems: [...problems, `${file}: is empty, a header line was expected`] };
}

const nameOf = (field: StatementField, { columns }: StatementFormat): string => columns[field] ?? field;

function headerProblems(header: readonly string[], format: StatementFormat): readonly string[] {
  const has = (field: StatementField): boolean => header.includes(nameOf(field, format));
  const read = STATEMENT_FIELDS.map((field) => nameOf(field, format));
  const twice = header.filter((name, index) => read.includes(name) && header.indexOf(name) !== index);
  const named = STATEMENT_FIELDS.filter((field) => format.columns[field] !== undefined && !has(field));
  return [
    ...twice.map((name) => `the header names column ${name} more than once`),
    ...named.map(
      (field) =>
        `column ${nameOf(field, format)} (--columns ${field}=…) is missing, the header has ${header.join(', ')}`,
    ),
    ...(has('record') || has('key') || has('reference')
      ? []
      : [
          `none of the columns record, key and reference is there, the header has ${header.join(', ')}; --columns says what the file calls them`,
        ]),
    ...(has('amount') && !has('currency') && format.currency === undefined
      ? ['has amounts and no column currency; --currency says which it is']
      : []),
  ];
}

function lineReader(header: readonly string[], format: StatementFormat) {
  const amountOf = amountReader({ ...(format.decimalSeparator && { decimalSeparator: format.decimalSeparator }) });
  return (line: number, fields: readonly string[]): StatementLine | string | undefined => {
    if (fields.every((field) => field.trim() === '')) return undefined;
    if (fields.length < header.length || fields.slice(header.length).some((field) => field.trim() !== ''))
      return `has ${fields.length} columns, the header has ${header.length}`;
    const cell = (field: StatementField): string | undefined => {
      const at = header.indexOf(nameOf(field, format));
      const text = at < 0 ? '' : fields[at]!.trim();
      return text === '' ? undefined : text;
    };
    const [record, key, reference, amount] = [cell('record'), cell('key'), cell('reference'), cell('amount')];
    if (record === undefined && key === undefined && reference === undefined)
      return 'names neither record nor key nor reference';
    if ([record, key, reference].some((text) => text !== undefined && (isBlank(text) || text.length > NAME_LENGTH_MAX)))
      return `record, key and reference are expected to have 1 to ${NAME_LENGTH_MAX} visible characters`;
    const ours = record === undefined ? undefined : keyOf(record, format.billerId);
    if (ours === 'none')
      return `record ${JSON.stringify(record)}: expected the id of a row of biller ${format.billerId}`;
    const outcome = (cell('outcome') ?? 'posted').toLowerCase();
    if (outcome !== 'posted' && outcome !== 'declined')
      return `outcome ${JSON.stringify(outcome.slice(0, NAME_LENGTH_MAX))}: expected posted or declined`;
    const money = amount === undefined ? undefined : moneyOf(amount, cell('currency') ?? format.currency, amountOf);
    if (typeof money === 'string') return money;
    return {
      line,
      outcome,
      ...(ours === undefined ? {} : { record: ours }),
      ...(key === undefined ? {} : { key }),
      ...(reference === undefined ? {} : { reference: maskCardData(reference) }),
      ...(money === undefined ? {} : { amount: money }),
    };
  };
}

/** `billerId:dpId`, or the dpId alone. */
function keyOf(text: string, billerId: BillerId): StatementLine['record'] | 'none' {
  const whole = parseRecordKey(text);
  if (whole) return whole.billerId === billerId ? recordKey(billerId, whole.dpId) : 'none';
  return isId(text) ? recordKey(billerId, dpId(text)) : 'none';
}

function moneyOf(
  text: string,
  currency: string | undefined,
  amountOf: (text: string) => string | undefined,
): Money | string {
  const exponent = currency === undefined ? undefined : exponentOf(currency);
  if (currency === undefined || exponent === undefined)
    return `currency ${JSON.stringify(currency ?? '')}: expected an ISO 4217 code such as CZK`;
  const plain = amountOf(text);
  const minorUnits = plain === undefined ? 'no-number' : minorUnitsFromText(plain, exponent);
  return typeof minorUnits === 'number'
    ? { minorUnits, currency }
    : `amount ${JSON.stringify(text.slice(0, NAME_LENGTH_MAX))}: expected a number with at most ${exponent} decimals (${minorUnits})`;
}
