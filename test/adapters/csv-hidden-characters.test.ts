import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCsvPayments } from '../../src/adapters/csv/csv-payments';
import { readPaymentMapping } from '../../src/adapters/csv/read-payment-mapping';
import { type PaymentLine } from '../../src/application/operating/load-payments';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'csv-hidden-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const COLUMNS = ['source', 'externalReference', 'billerId', 'billerName', 'customerReference', 'accountNumber', 'customerName', 'amount', 'currency', 'invoiceType', 'paidAt'] as const; // prettier-ignore
type Column = (typeof COLUMNS)[number];
const SOUND: Record<Column, string> = {
  source: 'bank', externalReference: 'r1', billerId: 'AB', billerName: 'Bank', customerReference: 'c1', accountNumber: 'a1', customerName: 'Ada',
  amount: '1.00', currency: 'EUR', invoiceType: 'bill', paidAt: '2026-11-20',
}; // prettier-ignore
/** Breaks, what moves a cursor, what shows as nothing, what turns the reading: in the middle, where nothing trims them. */
const HIDING = ['\n', '\r', '\t', '\u0000', '\u0007', '\u001b', '\u0085', '\u200b', '\u200d', '\u2060', '\ufeff', '\u00ad', '\u202e', '\u2066', '\u2028', '\u3164', '\ufe0f', '\u2800', '\u{e0041}']; // prettier-ignore

async function linesOf(rows: readonly Record<Column, string>[]): Promise<PaymentLine[]> {
  const read = readPaymentMapping(
    JSON.stringify({ fields: Object.fromEntries(COLUMNS.map((column) => [column, { column }])) }),
  );
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  const quoted = (row: Record<Column, string>): string => COLUMNS.map((column) => `"${row[column]}"`).join(',');
  const file = join(folder, 'orders.csv');
  writeFileSync(file, [COLUMNS.join(','), ...rows.map(quoted)].join('\n') + '\n');
  const found: PaymentLine[] = [];
  for await (const line of await openCsvPayments(file, read.mapping)) found.push(line);
  return found;
}

describe('what names a payment or an account, in a file (issue 8, no 17)', () => {
  it.each([
    'source',
    'externalReference',
    'billerId',
    'customerReference',
    'accountNumber',
    'currency',
    'invoiceType',
    'amount',
    'paidAt',
  ] as const)('hides nothing: %s', async (column) => {
    const rows = HIDING.map((hidden) => ({
      ...SOUND,
      [column]: `${SOUND[column].slice(0, 1)}${hidden}${SOUND[column].slice(1)}`,
    }));
    const lines = await linesOf([SOUND, ...rows]);
    expect(lines).toHaveLength(1 + HIDING.length);
    expect(lines[0]).toHaveProperty('payment');
    lines
      .slice(1)
      .forEach((line, index) =>
        expect([HIDING[index], 'reason' in line && line.reason.includes(column)]).toEqual([HIDING[index], true]),
      );
  });

  it('may hold blanks of any width, which people see', async () => {
    for (const blank of [' ', '\u00a0', '\u202f'])
      expect(await linesOf([{ ...SOUND, accountNumber: `12${blank}34` }])).toEqual([
        expect.objectContaining({ payment: expect.anything() }),
      ]);
  });
});
