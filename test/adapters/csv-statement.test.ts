import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readStatement, type StatementFormat } from '../../src/adapters/csv/csv-statement';
import { billerId } from '../../src/domain/identifiers';

const folder = mkdtempSync(join(tmpdir(), 'statement-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const FORMAT: StatementFormat = { billerId: billerId('12'), delimiter: ',', encoding: 'utf-8', columns: {} };
const file = join(folder, 's.csv');
const read = (text: string | Buffer, more: Partial<StatementFormat> = {}) => {
  writeFileSync(file, text);
  return readStatement(file, { ...FORMAT, ...more });
};

describe('a statement as CSV', () => {
  it('is read by our names of its columns', async () => {
    const { lines, problems } = await read(
      'record,key,reference,amount,currency,outcome,theirs\n12:100,,R-1,12.50,CZK,posted,x\n101,,,.8,CZK,DECLINED,\n,k,,,,,\n\n,,,,,,\n',
    );
    expect(problems).toEqual([]);
    expect(lines).toEqual([
      {
        line: 2,
        outcome: 'posted',
        record: '12:100',
        reference: 'R-1',
        amount: { minorUnits: 1_250, currency: 'CZK' },
      },
      { line: 3, outcome: 'declined', record: '12:101', amount: { minorUnits: 80, currency: 'CZK' } },
      { line: 4, outcome: 'posted', key: 'k' },
    ]);
  });

  it('is read by its own names, delimiter, decimals, encoding and currency', async () => {
    const { lines, problems } = await read(Buffer.from('\u010c\u00edslo;\u010c\u00e1stka\n100;1250,5\n'.replace(/./g, (c) => c), 'utf16le'), {
      encoding: 'utf-16le', delimiter: ';', decimalSeparator: ',', currency: 'CZK', columns: { record: 'Číslo', amount: 'Částka' },
    }); // prettier-ignore
    expect(problems).toEqual([]);
    expect(lines).toEqual([
      { line: 2, outcome: 'posted', record: '12:100', amount: { minorUnits: 125_050, currency: 'CZK' } },
    ]);
  });

  it.each<[string, string, Partial<StatementFormat>, RegExp]>([
    ['nothing in it', '', {}, /is empty, a header line was expected/],
    [
      'no column that names a record',
      'amount,currency\n1,CZK\n',
      {},
      /none of the columns record, key and reference is there/,
    ],
    ['amounts of no currency', 'record,amount\n1,1\n', {}, /no column currency/],
    [
      'a column that is not there',
      'record\n1\n',
      { columns: { amount: 'Sum' } },
      /column Sum \(--columns amount=…\) is missing/,
    ],
    ['a column twice', 'record,record\n1,1\n', {}, /column record more than once/],
    ['another biller’s record', 'record\n13:1\n', {}, /line 2: record "13:1": expected the id of a row of biller 12/],
    ['an id that is none', 'record\na b\n', {}, /line 2: record "a b"/],
    ['no name', 'record,amount,currency\n,1,CZK\n', {}, /line 2: names neither record nor key nor reference/],
    [
      'an outcome that is none',
      'record,outcome\n1,pending\n',
      {},
      /line 2: outcome "pending": expected posted or declined/,
    ],
    ['an amount that is none', 'record,amount,currency\n1,1 0,CZK\n', {}, /line 2: amount "1 0": expected a number/],
    ['too many decimals', 'record,amount,currency\n1,1.005,CZK\n', {}, /at most 2 decimals \(too-many-decimals\)/],
    ['a currency that is none', 'record,amount,currency\n1,1,XQX\n', {}, /line 2: currency "XQX"/],
    ['too few columns', 'record,amount,currency\n1,1\n', {}, /line 2: has 2 columns, the header has 3/],
    ['an open quote', 'record\n"1\n', {}, /line 2 opens a quote that is not closed/],
    [
      'another encoding by its mark',
      '\ufeffrecord\n1\n',
      { encoding: 'utf-16le' },
      /byte order mark of utf-8.*--encoding/,
    ],
  ])('says its place where it has %s', async (_, text, more, problem) => {
    const found = await read(text, more);
    expect(found.problems.join('\n')).toMatch(problem);
    expect(found.lines).toEqual([]);
  });

  it('keeps no card number', async () => {
    const { lines } = await read('reference\n4111111111111111\n');
    expect(JSON.stringify(lines)).not.toContain('4111111111111111');
  });
});
