import currencyCodes from 'currency-codes';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CURRENCIES, exponentEverOf, exponentOf } from '../../src/domain/currencies';
import { decimalText, minorUnitsFromText, moneyText } from '../../src/domain/money';

/**
 * Where our table differs from the package on purpose: [code, what the package says, what we say, reason and source].
 * Amendments are those of the ISO 4217 maintenance agency (SIX), effective on the date named.
 */
const DECIDED: readonly (readonly [string, number | undefined, number | undefined, string])[] = [
  ['XCG', undefined, 2, 'Caribbean guilder, new on 2025-03-31 (amendment 176); the package is of 2024-06-25'],
  ['ANG', 2, undefined, 'replaced by XCG on 2025-03-31, electronic payments no longer accepted (amendment 176)'],
  ['CUC', 2, undefined, 'withdrawn 2021-06, moved to list three (amendment 178)'],
  ['XAD', undefined, 2, 'Arab accounting dinar, new on 2025-05-12 (amendment 179)'],
  ['BGN', 2, undefined, 'Bulgaria uses EUR since 2026-01-01 (amendment 180)'],
  ...['XAG', 'XAU', 'XBA', 'XBB', 'XBC', 'XBD', 'XDR', 'XPD', 'XPT', 'XSU', 'XTS', 'XUA', 'XXX'].map(
    (code) => [code, 0, undefined, 'list one says "N.A." for its minor unit; the package makes a 0 of it'] as const,
  ),
];

const anyCurrency = fc.constantFrom(...CURRENCIES);

describe('currencies (issue 8, no 3)', () => {
  it('are those of the kept list, but for what we decided with a reason: a drift of either is told here', () => {
    const theirs = new Map(currencyCodes.data.map(({ code, digits }) => [code, digits]));
    const codes = [...new Set([...theirs.keys(), ...CURRENCIES])].sort();
    const differences = codes
      .filter((code) => theirs.get(code) !== exponentOf(code))
      .map((code) => [code, theirs.get(code), exponentOf(code)]);
    expect(differences).toEqual(DECIDED.map(([code, said, ours]) => [code, said, ours]).sort());
  });

  it('are listed by their decimals in the page for mapped tables', () => {
    const page = readFileSync(join(__dirname, '../../docs/SQL-SERVER.md'), 'utf8');
    const listed = [...page.matchAll(/p\.Currency IN \(([^)]*)\) THEN (\d+)/g)].map(([, codes, units]) => [
      Math.log10(Number(units)),
      codes!.match(/[A-Z]{3}/g),
    ]);
    expect(listed).toEqual(
      [0, 3, 4].map((exponent) => [exponent, CURRENCIES.filter((code) => exponentOf(code) === exponent)]),
    );
  });

  it('that the package made a 0 of have no minor unit in the standard itself', () => {
    const list = readFileSync(require.resolve('currency-codes/iso-4217-list-one.xml'), 'utf8');
    const without = new Set(
      [...list.matchAll(/<Ccy>(\w+)<\/Ccy>\s*<CcyNbr>\d+<\/CcyNbr>\s*<CcyMnrUnts>N\.A\./g)].map(([, code]) => code),
    );
    expect([...without].sort()).toEqual(
      DECIDED.filter(([, said, ours]) => said === 0 && ours === undefined)
        .map(([code]) => code)
        .sort(),
    );
  });

  it.each([
    ['JPY', 0], ['CZK', 2], ['USD', 2], ['KWD', 3], ['BHD', 3], ['CLF', 4], ['UYW', 4], ['ZWG', 2], ['XCG', 2], ['SLE', 2],
    ['ZZZ', undefined], ['usd', undefined], ['Usd', undefined], ['US', undefined], ['USDX', undefined], ['', undefined], [' USD', undefined],
    ['HRK', undefined], ['BGN', undefined], ['XXX', undefined], ['XTS', undefined], ['XAU', undefined], ['XDR', undefined],
    ['ＵＳＤ', undefined], ['toString', undefined], ['__proto__', undefined],
  ])('%s has %s decimals', (code, exponent) => expect(exponentOf(code)).toBe(exponent)); // prettier-ignore

  it('that were money once are still told in decimals, and no others', () => {
    expect(['HRK', 'BGN', 'USD', 'XXX', 'usd'].map(exponentEverOf)).toEqual([2, 2, 2, undefined, undefined]);
    expect(moneyText({ minorUnits: 1234, currency: 'HRK' })).toBe('12.34 HRK');
    expect(moneyText({ minorUnits: 1234, currency: 'usd' })).toBe('1234 minor units of "usd"');
    expect(moneyText({ minorUnits: 1234, currency: 'US\u001bD' })).toBe('1234 minor units of "US\\u001bD"');
  });
});

describe('money as text (issue 8, no 3)', () => {
  it.each([
    [1234, 'JPY', '1234'], [-5, 'JPY', '-5'], [0, 'JPY', '0'], [1234, 'USD', '12.34'], [5, 'USD', '0.05'], [-5, 'USD', '-0.05'],
    [1234, 'KWD', '1.234'], [1, 'KWD', '0.001'], [1234, 'CLF', '0.1234'], [-0, 'USD', '0.00'],
    [Number.MAX_SAFE_INTEGER, 'USD', '90071992547409.91'], [1, 'ZZZ', undefined], [1.5, 'USD', undefined], [NaN, 'USD', undefined],
  ])('%d minor units of %s are %s', (minorUnits, currency, text) => expect(decimalText({ minorUnits, currency })).toBe(text)); // prettier-ignore

  it.each([
    ['1234', 'JPY', 1234], ['1234.', 'JPY', 'no-number'], ['1234.0', 'JPY', 1234], ['1234.5', 'JPY', 'too-many-decimals'],
    ['1.234', 'KWD', 1234], ['1.2345', 'KWD', 'too-many-decimals'], ['1.234', 'USD', 'too-many-decimals'], ['1.230', 'USD', 123],
    ['.80', 'USD', 80], ['-0', 'USD', 0], ['-0.00', 'USD', 0], ['-12.5', 'USD', -1250], ['0.0001', 'CLF', 1], ['007', 'USD', 700],
    ['1,2', 'USD', 'no-number'], ['', 'USD', 'no-number'], ['.', 'USD', 'no-number'], ['-', 'USD', 'no-number'], ['1e3', 'USD', 'no-number'],
    [' 1', 'USD', 'no-number'], ['٣', 'USD', 'no-number'], ['0x10', 'USD', 'no-number'], ['Infinity', 'USD', 'no-number'],
    ['90071992547409.91', 'USD', Number.MAX_SAFE_INTEGER], ['90071992547409.92', 'USD', 'beyond-exact'], ['9'.repeat(400), 'JPY', 'beyond-exact'],
  ])('%s in %s is %s', (text, currency, expected) => expect(minorUnitsFromText(text, exponentOf(currency)!)).toBe(expected)); // prettier-ignore

  it('comes back the same in every currency, with exactly its decimals', () => {
    fc.assert(
      fc.property(anyCurrency, fc.maxSafeInteger(), (currency, drawn) => {
        const minorUnits = drawn === 0 ? 0 : drawn;
        const text = decimalText({ minorUnits, currency })!;
        expect(minorUnitsFromText(text, exponentOf(currency)!)).toBe(minorUnits);
        expect((text.split('.')[1] ?? '').length).toBe(exponentOf(currency));
      }),
    );
  });

  it('with one digit more than the currency has is refused, unless that digit is 0', () => {
    fc.assert(
      fc.property(
        anyCurrency,
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: 0, max: 9 }),
        (currency, minorUnits, digit) => {
          const exponent = exponentOf(currency)!;
          const text = decimalText({ minorUnits, currency })! + (exponent === 0 ? '.' : '') + digit;
          expect(minorUnitsFromText(text, exponent)).toBe(digit === 0 ? minorUnits : 'too-many-decimals');
        },
      ),
    );
  });
});
