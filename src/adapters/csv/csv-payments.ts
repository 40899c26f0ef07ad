import { createReadStream } from 'node:fs';
import { type PaymentLine } from '../../application/load-payments';
import { type PaymentImport } from '../../application/ports/shard';
import { billerId } from '../../domain/identifiers';
import { type Instant, instant, instantFromMs, msOf } from '../../domain/instant';
import { minorUnitsFromText } from '../../domain/money';
import { AMOUNT_MAX_MINOR_UNITS } from '../../domain/policies/validation';
import { type CsvRecord, csvRecords } from './csv-records';
import { columnsOf, MAPPED_FIELDS, type MappedField, type PaymentMapping, valueOf } from './payment-mapping';
import { textLines } from './text-lines';

const TEXT_LENGTH_MAX = 256;

/** A header that does not hold what the mapping reads: nothing of the file was taken. */
export class CsvHeaderProblems extends Error {
  override readonly name = 'CsvHeaderProblems';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/**
 * Payments out of a CSV file, one line after the other. Throws CsvHeaderProblems where the header does not hold what
 * the mapping reads. `bytesRead` is told as the file is read.
 */
export async function openCsvPayments(
  file: string,
  mapping: PaymentMapping,
  bytesRead: (bytes: number) => void = () => undefined,
): Promise<AsyncGenerator<PaymentLine>> {
  const records = csvRecords(textLines(counted(file, bytesRead)), mapping.delimiter);
  return payments(records, await headerOf(records, file, mapping), mapping);
}

async function* counted(file: string, bytesRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    bytesRead(bytes);
    yield chunk;
  }
}

async function* payments(
  records: AsyncGenerator<CsvRecord>,
  header: readonly string[],
  mapping: PaymentMapping,
): AsyncGenerator<PaymentLine> {
  const at = new Map(header.map((name, index) => [name, index]));
  for await (const record of records) {
    const { line } = record;
    if ('reason' in record) yield { line, reason: record.reason };
    else if (record.fields.length !== header.length) {
      yield { line, reason: `has ${record.fields.length} columns, the header has ${header.length}` };
    } else yield { line, ...paymentOf((column) => record.fields[at.get(column)!]!.trim(), mapping) };
  }
}

async function headerOf(
  records: AsyncGenerator<CsvRecord>,
  file: string,
  mapping: PaymentMapping,
): Promise<readonly string[]> {
  const first = await records.next();
  const record = first.done === true ? { line: 1, reason: 'is not there' } : first.value;
  if ('reason' in record)
    throw new CsvHeaderProblems([`${file}: line ${record.line} ${record.reason}, expected a header line`]);
  const header = record.fields.map((name) => name.trim());
  const twice = header.filter((name, index) => header.indexOf(name) !== index);
  const missing = columnsOf(mapping).filter(({ column }) => !header.includes(column));
  const has = `the header has ${header.join(', ')}`;
  const problems = [
    ...twice.map((name) => `${file}: the header names column ${name} more than once`),
    ...missing.map(
      ({ column, place }) => `${file}: column ${column} is missing, ${has} (the mapping reads it at ${place})`,
    ),
  ];
  if (problems.length > 0) throw new CsvHeaderProblems(problems);
  return header;
}

/** Every reason at once, so that a line is mended in one go. */
function paymentOf(
  cell: (column: string) => string,
  mapping: PaymentMapping,
): { payment: PaymentImport } | { reason: string } {
  const value = Object.fromEntries(
    MAPPED_FIELDS.map((field) => [field, valueOf(mapping.fields[field], cell)]),
  ) as Record<MappedField, string>;
  const minorUnits = minorUnitsFromText(value.amount);
  const paidAt = instantOf(value.paidAt);
  const problems = MAPPED_FIELDS.flatMap((field) => {
    const problem = textProblem(value[field]);
    return problem === undefined ? [] : [`${field} ${problem}`];
  });
  const wrong = (field: MappedField, expected: string): void => {
    if (value[field] !== '')
      problems.push(`${field} is ${JSON.stringify(value[field].slice(0, 40))}, expected ${expected}`);
  };
  if (!isBillerId(value.billerId)) wrong('billerId', '1 to 56 characters without blanks or colons');
  if (minorUnits === undefined) wrong('amount', 'digits with at most two decimals after a point');
  else if (minorUnits <= 0) wrong('amount', 'more than 0');
  else if (minorUnits > AMOUNT_MAX_MINOR_UNITS) wrong('amount', 'at most one hundred million');
  if (!/^[A-Z]{3}$/.test(value.currency)) wrong('currency', 'three capital letters');
  if (paidAt === undefined) wrong('paidAt', 'a date (2026-11-20) or an instant with an offset (2026-11-20T08:00:00Z)');
  if (problems.length > 0) return { reason: problems.join('; ') };
  return {
    payment: {
      ...value,
      billerId: billerId(value.billerId),
      amount: { minorUnits: minorUnits!, currency: value.currency },
      paidAt: paidAt!,
    },
  };
}

function textProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > TEXT_LENGTH_MAX) return `is longer than ${TEXT_LENGTH_MAX} characters`;
  if (text.includes('\ufffd')) return 'holds bytes that are not UTF-8';
  return undefined;
}

const isBillerId = (text: string): boolean => /^[^\s:]{1,56}$/.test(text);

/** A date alone is its midnight in UTC. A day that is in no calendar is none. */
function instantOf(text: string): Instant | undefined {
  const date = /^\d{4}-\d\d-\d\d/.exec(text)?.[0];
  if (date === undefined || Number.isNaN(Date.parse(date)) || !instantFromMs(Date.parse(date)).startsWith(date))
    return undefined;
  try {
    return instantFromMs(msOf(instant(text === date ? `${text}T00:00:00Z` : text)));
  } catch {
    return undefined;
  }
}
