import { createReadStream } from 'node:fs';
import { type PaymentLine } from '../../application/operating/load-payments';
import { type CsvRecord, csvRecords } from './csv-records';
import { paymentReader } from './payment-of-line';
import { columnsOf, type PaymentMapping } from './payment-mapping';
import { OtherEncoding, textLines } from './text-lines';

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
  const records = csvRecords(textLines(counted(file, bytesRead), mapping.encoding), mapping.delimiter);
  try {
    const { header, first } = await headerOf(records, file, mapping);
    return payments(records, header, first, mapping);
  } catch (error) {
    await records.return(undefined);
    if (error instanceof OtherEncoding) throw new CsvHeaderProblems([`${file}: ${error.message} (/encoding)`]);
    throw error;
  }
}

async function* counted(file: string, bytesRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    bytesRead(bytes);
    yield chunk;
  }
}

/** `first`: read in looking for a header, and a line of payments. */
async function* payments(
  records: AsyncGenerator<CsvRecord>,
  header: readonly string[],
  first: CsvRecord | undefined,
  mapping: PaymentMapping,
): AsyncGenerator<PaymentLine> {
  const read = paymentReader(mapping, (column) => header.indexOf(column));
  const lineOf = (record: CsvRecord): PaymentLine | undefined => {
    const { line } = record;
    if ('reason' in record) return { line, reason: record.reason };
    const { fields } = record;
    // Spreadsheets write rows that someone emptied as delimiters alone.
    if (fields[0]!.trim() === '' && fields.every((field) => field.trim() === '')) return undefined;
    if (fields.length < header.length || (fields.length > header.length && !restIsEmpty(fields, header.length))) {
      return {
        line,
        reason: `has ${fields.length} columns, the ${mapping.columns ? 'mapping names' : 'header has'} ${header.length}`,
      };
    }
    return { line, ...read(fields) };
  };
  const begun = first && lineOf(first);
  if (begun) yield begun;
  for await (const record of records) {
    const found = lineOf(record);
    if (found) yield found;
  }
}

/** Some programs end every line, or every line but the header, with a delimiter. */
const restIsEmpty = (fields: readonly string[], from: number): boolean =>
  fields.slice(from).every((field) => field.trim() === '');

interface Header {
  readonly header: readonly string[];
  /** A line that was read, and is no header. */
  readonly first: CsvRecord | undefined;
}

/** Excel's own first line, which tells it the delimiter. */
const SEPARATOR_LINE = /^sep=(.)[\s;,|]*$/i;

async function headerOf(records: AsyncGenerator<CsvRecord>, file: string, mapping: PaymentMapping): Promise<Header> {
  const next = async (): Promise<CsvRecord | undefined> => (await records.next()).value as CsvRecord | undefined;
  let record = await next();
  const told =
    record && 'fields' in record ? SEPARATOR_LINE.exec(record.fields.join(mapping.delimiter))?.[1] : undefined;
  if (told !== undefined) {
    // The delimiter itself splits this line: `sep=;` comes as `sep=` and nothing.
    if (told !== mapping.delimiter) {
      throw new CsvHeaderProblems([
        `${file}: its line sep=${told} tells another delimiter than the mapping, ${JSON.stringify(mapping.delimiter)} (/delimiter)`,
      ]);
    }
    record = await next();
  }
  if (mapping.columns) return checkedHeader(file, mapping, mapping.columns, record, 'the mapping names');
  const found = record ?? { line: 1, reason: 'is not there' };
  if ('reason' in found)
    throw new CsvHeaderProblems([`${file}: line ${found.line} ${found.reason}, expected a header line`]);
  const names = found.fields.map((name) => name.trim());
  while (names.length > 1 && names.at(-1) === '') names.pop();
  return checkedHeader(file, mapping, names, undefined, 'the header has');
}

function checkedHeader(
  file: string,
  mapping: PaymentMapping,
  header: readonly string[],
  first: CsvRecord | undefined,
  has: string,
): Header {
  const twice = header.filter((name, index) => name !== '' && header.indexOf(name) !== index);
  const missing = columnsOf(mapping).filter(({ column }) => !header.includes(column));
  const problems = [
    ...twice.map((name) => `${file}: the header names column ${name} more than once`),
    ...missing.map(
      ({ column, place }) =>
        `${file}: column ${column} is missing, ${has} ${header.join(', ')} (the mapping reads it at ${place})`,
    ),
  ];
  if (problems.length > 0) throw new CsvHeaderProblems(problems);
  return { header, first };
}
