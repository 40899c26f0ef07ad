import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { THOUSANDS_SEPARATORS } from '../../src/adapters/csv/amount-format';
import { CsvHeaderProblems, openCsvPayments } from '../../src/adapters/csv/csv-payments';
import { decoderOf, type Encoding, encodingNamed, ENCODINGS } from '../../src/adapters/csv/encodings';
import { type PaymentMapping } from '../../src/adapters/csv/payment-mapping';
import { readPaymentMapping } from '../../src/adapters/csv/read-payment-mapping';
import { type PaymentLine } from '../../src/application/operating/load-payments';
import { CURRENCIES } from '../../src/domain/currencies';
import { instantFromMs, msOf } from '../../src/domain/instant';
import { decimalText } from '../../src/domain/money';

const EXAMPLES = join(__dirname, '../../examples');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'csv-formats-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The bytes of a text: every byte of a one-byte encoding decodes to one character, which is its code page. */
function encoded(text: string, encoding: Encoding): Buffer {
  if (encoding === 'utf-8') return Buffer.from(text);
  if (encoding === 'utf-16le') return Buffer.from(text, 'utf16le');
  if (encoding === 'utf-16be') return Buffer.from(text, 'utf16le').swap16();
  const decode = decoderOf(encoding);
  const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [decode(Uint8Array.of(byte)), byte]));
  return Buffer.from([...text].map((character) => byteOf.get(character)!));
}

const COLUMNS = ['Číslo', 'Firma', 'Účet', 'Jméno', 'Částka', 'Měna', 'Datum', 'Směr'];
const FIELDS = {
  source: { constant: 'bank' },
  externalReference: { column: 'Číslo' },
  billerId: { column: 'Firma' },
  billerName: { template: 'Firma {Firma}' },
  customerReference: { template: '{Účet}' },
  accountNumber: { column: 'Účet' },
  customerName: { column: 'Jméno' },
  amount: { column: 'Částka' },
  currency: { column: 'Měna' },
  invoiceType: { constant: 'household' },
  paidAt: { column: 'Datum' },
};

function mappingOf(format: object): PaymentMapping {
  const read = readPaymentMapping(JSON.stringify({ fields: FIELDS, ...format }));
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return read.mapping;
}

async function linesOf(text: string | Uint8Array, format: object): Promise<PaymentLine[]> {
  const file = join(folder, 'export.csv');
  writeFileSync(file, text);
  const found: PaymentLine[] = [];
  for await (const line of await openCsvPayments(file, mappingOf(format))) found.push(line);
  return found;
}

/** What became of each line, in short. */
const told = (line: PaymentLine): unknown =>
  'payment' in line
    ? [line.payment.amount.minorUnits, line.payment.amount.currency, line.payment.paidAt, line.payment.customerName]
    : 'reason' in line ? line.reason : `passed over: ${line.passedOver}`; // prettier-ignore

const BANK = { delimiter: ';', decimalSeparator: ',', dateFormat: 'DD.MM.YYYY' };
const line = (over: Partial<Record<string, string>> = {}): string => {
  const cells = {
    Číslo: '1',
    Firma: 'AB',
    Účet: '123',
    Jméno: 'Jan',
    Částka: '1,50',
    Měna: 'CZK',
    Datum: '01.11.2026',
    Směr: 'D',
    ...over,
  };
  return COLUMNS.map((column) => cells[column as keyof typeof cells]).join(';');
};
const HEADER = COLUMNS.join(';');
const oneLine = async (over: Partial<Record<string, string>>, format: object = {}): Promise<unknown> =>
  told((await linesOf(`${HEADER}\n${line(over)}\n`, { ...BANK, ...format }))[0]!);

describe("a bank's export loads by its mapping alone (issue 8, no 20)", () => {
  it('semicolons, decimal comma, grouped thousands, 01.11.2026, quoted Czech names, windows-1250', async () => {
    const text = [
      HEADER,
      '1;AB;000123;"Novák; Jiří";1\u00a0234,50;CZK;01.11.2026;D',
      '2;AB;000124;"Žluťoučký ""Kůň"" Šťastný";-12;JPY;28.2.2027;D',
      '3;AB;000125;Dvořák,5;0,005;KWD;01.11.2026;D',
      '',
    ].join('\r\n');
    const format = {
      ...BANK,
      dateFormat: 'D.M.YYYY',
      thousandsSeparator: ' ',
      encoding: 'windows-1250',
      timeZone: 'Europe/Prague',
    };
    expect((await linesOf(encoded(text, 'windows-1250'), format)).map(told)).toEqual([
      [123_450, 'CZK', '2026-10-31T23:00:00.000Z', 'Novák; Jiří'],
      'amount is "-12", expected more than 0',
      [5, 'KWD', '2026-10-31T23:00:00.000Z', 'Dvořák,5'],
    ]);
  });

  it('what is written in any format is read back the same by the mapping of that format', async () => {
    const dateFormats = [
      'DD.MM.YYYY',
      'D.M.YYYY',
      'YYYYMMDD',
      'MM/DD/YYYY',
      'YYYY-MM-DD HH:mm',
      'D. M. YYYY H:mm:ss',
      'DD.MM.YY',
    ];
    const payment = fc.record({
      currency: fc.constantFrom(...CURRENCIES),
      minorUnits: fc.integer({ min: 1, max: 10_000_000_000 }),
      minute: fc.integer({ min: 0, max: 20_000_000 }),
      name: fc.stringMatching(/^[a-zA-Z0-9"' ,;.|&-]{1,20}$/).filter((name) => name.trim() !== ''),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(payment, { minLength: 1, maxLength: 8 }),
        fc.record({
          delimiter: fc.constantFrom(',', ';', '\t', '|'),
          encoding: fc.constantFrom(...ENCODINGS),
          decimalSeparator: fc.constantFrom('.', ','),
          thousandsSeparator: fc.option(
            fc.constantFrom(...THOUSANDS_SEPARATORS.filter((each) => each.charCodeAt(0) < 128)),
            { nil: undefined },
          ),
          dateFormat: fc.constantFrom(...dateFormats),
          negate: fc.boolean(),
        }),
        fc.record({
          end: fc.constantFrom('\n', '\r\n'),
          mark: fc.boolean(),
          sep: fc.boolean(),
          trailing: fc.boolean(),
          blank: fc.integer({ min: 0, max: 3 }),
        }),
        async (payments, format, { end, mark, sep, trailing, blank }) => {
          fc.pre(format.thousandsSeparator !== format.decimalSeparator);
          const hasTime = format.dateFormat.includes('mm');
          const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
          const amount = ({ currency, minorUnits }: (typeof payments)[number]): string => {
            const [whole, decimals] = decimalText({ currency, minorUnits })!.split('.') as [string, string?];
            const grouped = whole.replace(/\B(?=(\d{3})+$)/g, format.thousandsSeparator ?? '');
            return (
              (format.negate ? '-' : '') + grouped + (decimals === undefined ? '' : format.decimalSeparator + decimals)
            );
          };
          const atOf = (minute: number): string => {
            const ms = msOf(instantFromMs(Date.UTC(2000, 0, 1) + minute * 60_000));
            return instantFromMs(hasTime ? ms : ms - (ms % 86_400_000));
          };
          const date = (minute: number): string => {
            const at = atOf(minute);
            const [y, mo, d, h, mi] = [
              at.slice(0, 4),
              at.slice(5, 7),
              at.slice(8, 10),
              at.slice(11, 13),
              at.slice(14, 16),
            ] as [string, string, string, string, string];
            const values: Record<string, string> = {
              YYYY: y,
              YY: y.slice(2),
              MM: mo,
              M: String(Number(mo)),
              DD: d,
              D: String(Number(d)),
              HH: h,
              H: String(Number(h)),
              mm: mi,
              ss: '00',
            };
            return format.dateFormat.replace(/YYYY|YY|MM|M|DD|D|HH|H|mm|ss/g, (token) => values[token]!);
          };
          const rows = payments.map((each, index) => [
            String(index),
            'AB',
            `a-${index}`,
            quoted(each.name),
            quoted(amount(each)),
            each.currency,
            quoted(date(each.minute)),
            'D',
          ]);
          const tail = trailing ? format.delimiter : '';
          const names = ['no', 'biller', 'account', 'name', 'amount', 'currency', 'date', 'direction'];
          const empty = Array.from({ length: blank }, (_, index) =>
            index % 2 === 0 ? '' : format.delimiter.repeat(7),
          );
          const wide = format.encoding.startsWith('utf');
          const text = (mark && wide ? '\ufeff' : '') + (sep ? `sep=${format.delimiter}${end}` : '') +
            [names, ...rows].map((cells) => cells.join(format.delimiter) + tail).concat(empty).join(end) + end; // prettier-ignore
          const columns = {
            externalReference: 'no',
            billerId: 'biller',
            accountNumber: 'account',
            customerName: 'name',
            amount: 'amount',
            currency: 'currency',
            paidAt: 'date',
          };
          const fields = {
            ...FIELDS,
            billerName: { constant: 'x' },
            customerReference: { column: 'account' },
            ...Object.fromEntries(Object.entries(columns).map(([field, column]) => [field, { column }])),
          };
          const years = format.dateFormat.includes('YYYY') ? {} : { twoDigitYearsFrom: 2000 };
          const found = await linesOf(encoded(text, format.encoding), { ...format, ...years, fields });
          expect(found.map(told)).toEqual(
            payments.map(({ minorUnits, currency, minute, name }) => [minorUnits, currency, atOf(minute), name.trim()]),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each<[string, string, object, unknown]>([
    ['1234,5', 'CZK', {}, 123_450], ['1.234,50', 'CZK', { thousandsSeparator: '.' }, 123_450], ['1 234 567,5', 'CZK', { thousandsSeparator: ' ' }, 123_456_750],
    ['1\u202f234,5', 'CZK', { thousandsSeparator: '\u00a0' }, 123_450], ["1'234.50", 'CZK', { decimalSeparator: '.', thousandsSeparator: "'" }, 123_450],
    ['1’234.50', 'CZK', { decimalSeparator: '.', thousandsSeparator: "'" }, 123_450], ['1234,50', 'CZK', { thousandsSeparator: ' ' }, 123_450],
    ['+1,5', 'CZK', {}, 150], ['1,500', 'CZK', {}, 150], ['1.234', 'KWD', { decimalSeparator: '.' }, 1_234], ['1.234', 'KWD', { thousandsSeparator: '.' }, 1_234_000],
    ['-1,5', 'CZK', { negate: true }, 150], ['\u22121,5', 'CZK', { negate: true }, 150], ['1,5-', 'CZK', { negate: true }, 150],
    ['1,5', 'CZK', { negate: true }, 'amount is "1,5", expected less than 0: the mapping negates the amounts'],
    ['-1,5', 'CZK', {}, 'amount is "-1,5", expected more than 0'], ['1,5-', 'CZK', {}, 'amount is "1,5-", expected more than 0'], ['0,00', 'CZK', {}, 'amount is "0,00", expected more than 0'],
    ['1.234,50', 'CZK', {}, 'amount is "1.234,50", expected a number as the mapping says'], ['1.5', 'CZK', {}, 'amount is "1.5", expected a number as the mapping says'],
    ['1 23', 'CZK', { thousandsSeparator: ' ' }, 'amount is "1 23", expected a number as the mapping says'], ['1.23,4.5', 'CZK', { thousandsSeparator: '.' }, 'amount is "1.23,4.5", expected a number as the mapping says'],
    ['12.34', 'CZK', { thousandsSeparator: '.' }, 'amount is "12.34", expected a number as the mapping says'], ['--1', 'CZK', {}, 'amount is "--1", expected a number as the mapping says'], ['-1-', 'CZK', { negate: true }, 'amount is "-1-", expected a number as the mapping says'],
    ['1,234', 'CZK', {}, 'amount is "1,234", expected at most 2 decimals, as CZK has'], ['1,5', 'JPY', {}, 'amount is "1,5", expected no decimals, as JPY has'],
    ['100000000,01', 'USD', {}, 'amount is "100000000,01", expected at most 100000000.00'], ['9'.repeat(30), 'JPY', {}, `amount is "${'9'.repeat(30)}", expected at most 10000000000`],
    ['1,5', 'usd', {}, 'currency is "usd", expected a code of ISO 4217 that is money, in capital letters'], ['1,5', 'ZZZ', {}, 'currency is "ZZZ", expected a code of ISO 4217 that is money, in capital letters'],
    ['1,23456', 'ZZZ', {}, 'currency is "ZZZ", expected a code of ISO 4217 that is money, in capital letters'], ['', 'CZK', {}, 'amount is empty'],
  ])('amount %s %s in %j', async (amount, currency, format, expected) => {
    const found = await oneLine({ Částka: amount, Měna: currency }, format);
    expect(Array.isArray(found) ? found[0] : found).toBe(expected);
  }); // prettier-ignore

  it.each<[string, object, string]>([
    ['01.11.2026', {}, '2026-11-01T00:00:00.000Z'], ['29.02.2028', {}, '2028-02-29T00:00:00.000Z'],
    ['29.02.2026', {}, 'paidAt is "29.02.2026", which is in no calendar'], ['31.02.2026', {}, 'paidAt is "31.02.2026", which is in no calendar'], ['00.11.2026', {}, 'paidAt is "00.11.2026", which is in no calendar'], ['01.13.2026', {}, 'paidAt is "01.13.2026", which is in no calendar'],
    ['1.11.2026', {}, 'paidAt is "1.11.2026", expected a date as DD.MM.YYYY'], ['01.11.26', {}, 'paidAt is "01.11.26", expected a date as DD.MM.YYYY'], ['01/11/2026', {}, 'paidAt is "01/11/2026", expected a date as DD.MM.YYYY'], ['2026-11-01', {}, 'paidAt is "2026-11-01", expected a date as DD.MM.YYYY'],
    ['01.11.0000', {}, 'paidAt is "01.11.0000", expected a date from 1970 to 2099'], ['01.11.2999', {}, 'paidAt is "01.11.2999", expected a date from 1970 to 2099'], ['31.12.1969', {}, 'paidAt is "31.12.1969", expected a date from 1970 to 2099'],
    ['01.01.0001', { timeZone: 'Europe/Prague' }, 'paidAt is "01.01.0001", expected a date from 1970 to 2099'],
    ['01.11.26', { dateFormat: 'DD.MM.YY', twoDigitYearsFrom: 1980 }, '2026-11-01T00:00:00.000Z'], ['01.11.99', { dateFormat: 'DD.MM.YY', twoDigitYearsFrom: 1980 }, '1999-11-01T00:00:00.000Z'],
    ['01.07.2026', { timeZone: 'Europe/Prague' }, '2026-06-30T22:00:00.000Z'], ['01.07.2026 12:00', { timeZone: 'America/New_York', dateFormat: 'DD.MM.YYYY HH:mm' }, '2026-07-01T16:00:00.000Z'],
    ['29.03.2026 02:30', { timeZone: 'Europe/Prague', dateFormat: 'DD.MM.YYYY HH:mm' }, 'paidAt is "29.03.2026 02:30", which no clock in Europe/Prague showed: there they were put forward over it'],
    ['29.03.2026 03:00', { timeZone: 'Europe/Prague', dateFormat: 'DD.MM.YYYY HH:mm' }, '2026-03-29T01:00:00.000Z'], ['25.10.2026 02:30', { timeZone: 'Europe/Prague', dateFormat: 'DD.MM.YYYY HH:mm' }, '2026-10-25T00:30:00.000Z'],
    ['24.04.2026', { timeZone: 'Africa/Cairo' }, '2026-04-23T22:00:00.000Z'], ['25.10.2026 25:00', { dateFormat: 'DD.MM.YYYY HH:mm' }, 'paidAt is "25.10.2026 25:00", which is in no calendar'],
    ['2026-11-01T09:00:00+01:00', { dateFormat: undefined }, '2026-11-01T08:00:00.000Z'], ['2026-11-01', { dateFormat: undefined, timeZone: 'Asia/Tokyo' }, '2026-10-31T15:00:00.000Z'], ['2999-11-01T09:00:00Z', { dateFormat: undefined }, 'paidAt is "2999-11-01T09:00:00Z", expected a date from 1970 to 2099'],
  ])('date %s in %j', async (date, format, expected) => {
    const found = await oneLine({ Datum: date }, format);
    expect(Array.isArray(found) ? found[2] : found).toBe(expected);
  }); // prettier-ignore

  it('passes over what is no payment by its direction, and refuses a direction that nobody described', async () => {
    const text = [HEADER, line(), line({ Směr: 'K' }), line({ Směr: '' }), line({ Směr: 'X' })].join('\n');
    const both = { ...BANK, direction: { column: 'Směr', payment: ['D'], passOver: ['K', ''] } };
    expect((await linesOf(text, both)).map(told)).toEqual([
      [150, 'CZK', '2026-11-01T00:00:00.000Z', 'Jan'], 'passed over: Směr is "K"', 'passed over: Směr is ""',
      'Směr is "X", expected "D", "K", "" (the mapping\'s direction)',
    ]); // prettier-ignore
    const paidOut = { ...BANK, direction: { column: 'Částka', passOver: [''] } };
    expect(told((await linesOf(`${HEADER}\n${line({ Částka: '' })}`, paidOut))[0]!)).toBe('passed over: Částka is ""');
  });

  it('takes a file without a header by the names in its mapping', async () => {
    expect((await linesOf(`${line()}\n${line({ Číslo: '2' })};\n1;2\n`, { ...BANK, columns: COLUMNS })).map(told)).toEqual([
      [150, 'CZK', '2026-11-01T00:00:00.000Z', 'Jan'], [150, 'CZK', '2026-11-01T00:00:00.000Z', 'Jan'], 'has 2 columns, the mapping names 8',
    ]); // prettier-ignore
    await expect(linesOf(`${line()}\n`, { ...BANK, columns: ['a', 'b'] })).rejects.toThrow(CsvHeaderProblems);
  });

  it("takes Excel's quirks: a mark, sep=, CRLF, unnamed columns, emptied and trailing lines", async () => {
    const text = `\ufeffsep=;\r\n${HEADER};;\r\n${line()};;\r\n;;;;;;;;;\r\n\r\n${line()}\r\n;;\r\n`;
    expect((await linesOf(text, BANK)).map(told)).toEqual(
      Array(2).fill([150, 'CZK', '2026-11-01T00:00:00.000Z', 'Jan']),
    );
    await expect(linesOf(`sep=,\r\n${HEADER}\r\n`, BANK)).rejects.toThrow('its line sep=, tells another delimiter');
  });

  it('reads numbers in a field that runs over lines, and more fields than the header are a bad line', async () => {
    const text = `${HEADER}\n${line({ Jméno: '"Jan\nNovák"' })}\n${line()};x\n`;
    expect((await linesOf(text, BANK)).map(told)).toEqual([
      [150, 'CZK', '2026-11-01T00:00:00.000Z', 'Jan\nNovák'],
      'has 9 columns, the header has 8',
    ]);
  });
});

describe('bytes of another encoding (issue 8, no 20)', () => {
  it.each<[Encoding, number[], string]>([
    ['utf-8', [0x4a, 0xe1, 0x6e], 'holds byte 0xE1 at line 3, column 11, which is no character of utf-8'],
    ['windows-1250', [0x4a, 0x81, 0x6e], 'holds byte 0x81 at line 3, column 11, which is no character of windows-1250'],
    ['windows-1252', [0x4a, 0x9d, 0x6e], 'holds byte 0x9D at line 3, column 11, which is no character of windows-1252'],
    ['iso-8859-2', [0x4a, 0x9e, 0x6e], 'holds byte 0x9E at line 3, column 11, which is no character of iso-8859-2'],
    ['iso-8859-1', [0x4a, 0x80, 0x6e], 'holds byte 0x80 at line 3, column 11, which is no character of iso-8859-1'],
    ['utf-8', [0xef, 0xbf, 0xbd], 'holds a character that was lost before (U+FFFD) at line 3, column 10'],
  ])('%s: %j', async (encoding, name, expected) => {
    const names = ['no', 'biller', 'account', 'name', 'amount', 'currency', 'date', 'direction'];
    const good = '1;AB;123;Jan;1,50;CZK;01.11.2026;D';
    const [before, after] = ['1;AB;123;', ';1,50;CZK;01.11.2026;D\n'];
    const bytes = Buffer.concat([
      Buffer.from(`\ufeff${names.join(';')}\n${good}\n`.slice(encoding === 'utf-8' ? 0 : 1)),
      Buffer.from(before),
      Buffer.from(name),
      Buffer.from(after),
      Buffer.from(good),
    ]);
    const columns = ['externalReference', 'billerId', 'accountNumber', 'customerName', 'amount', 'currency', 'paidAt'];
    const fields = {
      ...FIELDS,
      billerName: { constant: 'x' },
      customerReference: { column: 'account' },
      ...Object.fromEntries(columns.map((field, index) => [field, { column: names[index] }])),
    };
    const found = (await linesOf(bytes, { ...BANK, encoding, fields })).map(told);
    expect(found).toHaveLength(3);
    expect(found[1]).toContain(expected);
    expect(found[0]).toEqual(found[2]);
  });

  it('windows-1252 is read as it is, not as ISO-8859-1 (a defect of the runtime)', () => {
    const decode = decoderOf('windows-1252');
    expect(decode(Uint8Array.of(0x80, 0x82, 0x8a, 0x8e, 0x91, 0x92, 0x95, 0x99, 0x9e, 0x9f, 0xe9, 0x41))).toBe(
      '€‚ŠŽ‘’•™žŸéA',
    );
    expect(decode(Uint8Array.of(0x81, 0x8d, 0x8f, 0x90, 0x9d))).toBe('\ufffd'.repeat(5));
  });

  it.each([['cp1250', 'windows-1250'], ['UTF8', 'utf-8'], ['Windows-1252', 'windows-1252'], ['latin2', 'iso-8859-2'], ['ISO-8859-1', 'iso-8859-1'], ['utf-16', 'utf-16le'], ['cp852', undefined], ['x', undefined]])('%s is %s', (name, encoding) => expect(encodingNamed(name)).toBe(encoding)); // prettier-ignore

  it('a file whose mark says another encoding is refused whole', async () => {
    const wide = Buffer.from(`\ufeff${HEADER}\n${line()}`, 'utf16le');
    await expect(linesOf(wide, BANK)).rejects.toThrow(
      'begins with the byte order mark of utf-16le, the mapping reads it as utf-8 (/encoding)',
    );
    expect((await linesOf(wide, { ...BANK, encoding: 'utf-16le' })).map(told)).toEqual([
      [150, 'CZK', '2026-11-01T00:00:00.000Z', 'Jan'],
    ]);
    await expect(linesOf(`\ufeff${HEADER}\n`, { ...BANK, encoding: 'windows-1250' })).rejects.toThrow(
      CsvHeaderProblems,
    );
  });
});

describe('a mapping tells every mistake at once, with place, expectation and remedy (issue 8, no 20)', () => {
  const problemsOf = (mapping: object): readonly string[] => {
    const read = readPaymentMapping(JSON.stringify({ fields: FIELDS, ...mapping }));
    return 'problems' in read ? read.problems : [];
  };
  it.each<[object, string]>([
    [{ encoding: 'cp852' }, '/encoding: expected one of utf-8, utf-16le, utf-16be, windows-1250'],
    [{ decimalSeparator: ';' }, '/decimalSeparator: expected "." or ","'],
    [{ decimalSeparator: ',', thousandsSeparator: ',' }, '/thousandsSeparator: is ",", which is the decimal separator already'],
    [{ thousandsSeparator: '.' }, '/thousandsSeparator: is ".", which is the decimal separator already'],
    [{ thousandsSeparator: '_' }, '/thousandsSeparator: expected'],
    [{ dateFormat: 'dd.mm.yyyy' }, '/dateFormat: "dd.mm.yyyy" holds "dd", expected YYYY'],
    [{ dateFormat: 'DD.MM.YYYYconstructor' }, 'holds "constructor"'],
    [{ dateFormat: 'DD.MM' }, 'does not name year, month and day once each'],
    [{ dateFormat: 'DD.MM.YYYY.MM' }, 'does not name year, month and day once each'],
    [{ dateFormat: 'DD.MM.YYYY HH' }, 'has a time that is not HH:mm or HH:mm:ss'],
    [{ dateFormat: 'DMYYYY' }, 'does not say where a number of one or two digits ends'],
    [{ dateFormat: 'DD.MM.YY' }, '/dateFormat: YY does not say which century'],
    [{ dateFormat: 'DD.MM.YYYY', twoDigitYearsFrom: 2000 }, '/twoDigitYearsFrom: is only for a "dateFormat" with YY'],
    [{ timeZone: 'Prague' }, '/timeZone: "Prague" is no time zone, expected an IANA name'],
    [{ timeZone: '+01:00' }, '/timeZone: "+01:00" is no time zone'],
    [{ direction: { column: 'x' } }, '/direction: expected { "column"'],
    [{ direction: { column: 'x', payment: ['D'], passOver: ['D'] } }, '/direction: "D" is both a payment and passed over'],
    [{ columns: [] }, '/columns: expected'],
    [{ negate: 'yes' }, '/negate: expected true or false'],
    [{ fields: { ...FIELDS, currency: { constant: 'czk' } } }, '/fields/currency/constant: is "czk", expected a code of ISO 4217'],
    [{ fields: { ...FIELDS, paidAt: { constant: '2999-01-01' } } }, '/fields/paidAt/constant: is "2999-01-01", expected a date from 1970 to 2099'],
    [{ fields: { ...FIELDS, paidAt: { constant: '01.11.2026' } } }, '/fields/paidAt/constant: is "01.11.2026", expected a date (2026-11-20)'],
    [{ fields: { ...FIELDS, amount: { constant: '-1' } } }, '/fields/amount/constant: is "-1", expected more than 0'],
    [{ fields: { ...FIELDS, billerId: { constant: 'a b' } } }, '/fields/billerId/constant: is "a b", expected 1 to 56 characters'],
  ])('%j', (mapping, expected) => expect(problemsOf(mapping)).toEqual([expect.stringContaining(expected)])); // prettier-ignore

  it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.mapping.json')))('the example %s has none', (name) => {
    expect(readPaymentMapping(readFileSync(join(EXAMPLES, name), 'utf8'))).toHaveProperty('mapping');
  });

  it('of any shape, without a crash', () => {
    const odd = fc.oneof(
      fc.constant(null),
      fc.string(),
      fc.integer(),
      fc.array(fc.string()),
      fc.dictionary(fc.string(), fc.string()),
    );
    const keys = fc.constantFrom(
      'delimiter',
      'encoding',
      'columns',
      'decimalSeparator',
      'thousandsSeparator',
      'negate',
      'dateFormat',
      'timeZone',
      'twoDigitYearsFrom',
      'direction',
      'fields',
    );
    fc.assert(
      fc.property(
        fc.dictionary(keys, odd),
        fc.dictionary(fc.constantFrom('amount', 'currency', 'paidAt'), odd),
        fc.boolean(),
        (mapping, fields, whole) => {
          const constant = { amount: { constant: '1.50' } };
          const read = readPaymentMapping(
            JSON.stringify(whole ? { ...mapping, fields: { ...FIELDS, ...constant, ...fields } } : mapping),
          );
          expect('mapping' in read || read.problems.length > 0).toBe(true);
        },
      ),
    );
    for (const json of ['null', '[]', '1', '"x"']) expect(readPaymentMapping(json)).toHaveProperty('problems');
  });

  it('of several kinds together', () => {
    expect(
      problemsOf({
        encoding: 'x',
        dateFormat: 'x',
        timeZone: 'x',
        more: 1,
        fields: { ...FIELDS, currency: { constant: 'x' }, amount: {} },
      }),
    ).toHaveLength(6);
  });
});
