import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { CsvHeaderProblems, openCsvPayments } from '../../src/adapters/csv/csv-payments';
import { type CsvRecord, csvRecords, LINES_PER_RECORD_MAX } from '../../src/adapters/csv/csv-records';
import { type PaymentMapping } from '../../src/adapters/csv/payment-mapping';
import { readPaymentMapping } from '../../src/adapters/csv/read-payment-mapping';
import { LINE_LENGTH_MAX, textLines } from '../../src/adapters/csv/text-lines';
import { MAPPING } from '../support/operator-world';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const recordsOf = (text: string, chunkSize = 7, delimiter = ','): Promise<CsvRecord[]> =>
  all(csvRecords(textLines(chunksOf(Buffer.from(text), chunkSize)), delimiter));

describe('lines', () => {
  it('are the same however the bytes come in', async () => {
    const text = '\ufeffžluť,1\r\nkůň\n\n"x",2';
    for (const size of [1, 2, 3, 1_000]) {
      expect(await all(textLines(chunksOf(Buffer.from(text), size)))).toEqual([
        { line: 1, text: 'žluť,1' }, { line: 2, text: 'kůň' }, { line: 3, text: '' }, { line: 4, text: '"x",2' },
      ]); // prettier-ignore
    }
  });

  it('that are too long are left out, and what follows is read', async () => {
    const text = `a\n${'x'.repeat(LINE_LENGTH_MAX * 2 + 1)}\nb\n${'y'.repeat(LINE_LENGTH_MAX + 1)}`;
    expect(await all(textLines(chunksOf(Buffer.from(text), 65_536)))).toEqual([
      { line: 1, text: 'a' }, { line: 2, text: undefined }, { line: 3, text: 'b' }, { line: 4, text: undefined },
    ]); // prettier-ignore
  });
});

describe('records', () => {
  it('take quotes, doubled quotes, delimiters and line ends inside quotes', async () => {
    expect(await recordsOf('a;"b;c"\n"say ""hi""";"two\nlines"\n\nlast;', 3, ';')).toEqual([
      { line: 1, fields: ['a', 'b;c'] },
      { line: 2, fields: ['say "hi"', 'two\nlines'] },
      { line: 5, fields: ['last', ''] },
    ]);
  });

  it('a broken line costs itself alone', async () => {
    const after = Array.from({ length: LINES_PER_RECORD_MAX + 5 }, (_, index) => `r${index},1`);
    const found = await recordsOf(`1,2\n3,"4"x\n5,"never closed\n${after.join('\n')}\n`);
    expect(found.slice(0, 3)).toEqual([
      { line: 1, fields: ['1', '2'] },
      { line: 2, reason: expect.stringContaining('misplaced quote') },
      { line: 3, reason: 'opens a quote that is not closed' },
    ]);
    expect(found.slice(3)).toEqual(after.map((text, index) => ({ line: index + 4, fields: text.split(',') })));
  });

  it('an open quote at the very end costs its line, and an early one none of the last', async () => {
    expect(await recordsOf('1,"open\n2,x\n3,y')).toEqual([
      { line: 1, reason: 'opens a quote that is not closed' },
      { line: 2, fields: ['2', 'x'] },
      { line: 3, fields: ['3', 'y'] },
    ]);
  });

  it('give back whatever was written with quotes', async () => {
    const field = fc.stringMatching(/^[a-z",;\r\n ž]{0,8}$/).filter((text) => (text.match(/\n/g) ?? []).length < 3);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        async (rows, size) => {
          const text = rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(',')).join('\n');
          const fields = (await recordsOf(text, size)).map((record) =>
            'fields' in record ? record.fields : record.reason,
          );
          // A line end of two characters inside quotes comes back as one: the lines were cut before.
          expect(fields).toEqual(rows.map((row) => row.map((value) => value.replaceAll('\r\n', '\n'))));
        },
      ),
    );
  });
});

describe('payments', () => {
  const mapping = MAPPING as unknown as PaymentMapping;
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'csv-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (text: string | Uint8Array): string => {
    const file = join(folder, 'x.csv');
    writeFileSync(file, text);
    return file;
  };
  const withDelimiter = { ...mapping, delimiter: ',' };

  it('read columns, constants, templates, and what stands for an empty cell', async () => {
    const file = write('category,amount,account,biller,order\n , 1.5 ,000123,AB,7\n');
    expect(await all(await openCsvPayments(file, withDelimiter))).toEqual([
      {
        line: 2,
        payment: {
          source: 'bank', externalReference: '7', billerId: 'AB', billerName: 'Bank AB', customerReference: '000123', accountNumber: '000123',
          customerName: 'Customer', amount: { minorUnits: 150, currency: 'CZK' }, currency: 'CZK', invoiceType: 'none', paidAt: '2026-11-20T00:00:00.000Z',
        },
      },
    ]); // prettier-ignore
  });

  it.each([
    ['2026-02-31', undefined],
    ['2026-02-28', '2026-02-28T00:00:00.000Z'],
    ['2026-11-20T09:00:00+01:00', '2026-11-20T08:00:00.000Z'],
    ['20.11.2026', undefined],
    ['2026-11-20T09:00:00', undefined],
  ])('%s as a date is %s', async (text, expected) => {
    const dated = { ...withDelimiter, fields: { ...mapping.fields, paidAt: { column: 'at' } } };
    const [line] = await all(
      await openCsvPayments(write(`order,biller,account,amount,category,at\n1,AB,1,1,x,${text}\n`), dated),
    );
    expect('payment' in line! ? line.payment.paidAt : undefined).toBe(expected);
    if (expected === undefined) expect(line).toMatchObject({ reason: expect.stringContaining('paidAt') });
  });

  it('name bytes that are not UTF-8, and text that is too long', async () => {
    const file = write(
      Buffer.concat([
        Buffer.from('order,biller,account,amount,category\n1,AB,1,1,'),
        Buffer.from([0xff]),
        Buffer.from(`\n2,AB,${'9'.repeat(300)},1,x\n`),
      ]),
    );
    expect(
      (await all(await openCsvPayments(file, withDelimiter))).map((line) => ('reason' in line ? line.reason : '')),
    ).toEqual([
      expect.stringMatching(/^holds byte 0xFF at line 2, column 10, which is no character of utf-8/),
      expect.stringContaining('accountNumber is longer than 256 characters'),
    ]);
  });

  it('a file with a wrong header is refused before its first line', async () => {
    await expect(openCsvPayments(write('order,biller\n'), withDelimiter)).rejects.toThrow(CsvHeaderProblems);
  });

  it('a mapping tells all its problems at once', () => {
    const read = readPaymentMapping(
      JSON.stringify({ fields: { amount: { column: '' }, source: 'x' }, more: 1, delimiter: '""' }),
    );
    expect('problems' in read && read.problems).toEqual(
      expect.arrayContaining([
        expect.stringContaining('/more'),
        expect.stringContaining('/delimiter'),
        expect.stringContaining('/fields/amount'),
        expect.stringContaining('/fields/source'),
        expect.stringContaining('/fields/billerId'),
      ]),
    );
    expect(readPaymentMapping('{')).toEqual({ problems: [expect.stringContaining('is not JSON')] });
  });
});
