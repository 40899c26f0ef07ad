import fc from 'fast-check';
import { maskCardData } from '../../src/domain/policies/card-data';
import { expectLinearTime } from '../support/linear-time';

/** Prefixes of the issuers with a length that each uses. */
const ISSUED = [
  ['4', 13], ['4', 16], ['4', 19], ['51', 16], ['55', 16], ['2221', 16], ['2720', 16], ['34', 15], ['37', 15], ['36', 14],
  ['3095', 14], ['3528', 16], ['3589', 16], ['6011', 16], ['65', 16], ['62', 19], ['5018', 13], ['6759', 19], ['2200', 16], ['9792', 16],
] as const; // prettier-ignore

const luhnDigit = (digits: string): string => {
  const sum = [...digits].reverse().reduce((total, digit, back) => {
    const value = back % 2 === 0 ? Number(digit) * 2 : Number(digit);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return String((10 - (sum % 10)) % 10);
};

const cardNumber = fc.constantFrom(...ISSUED).chain(([prefix, length]) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), {
      minLength: length - prefix.length - 1,
      maxLength: length - prefix.length - 1,
    })
    .map((rest) => prefix + rest.join(''))
    .map((digits) => digits + luhnDigit(digits)),
);

/** The first digit of some scripts; each has its ten in a row. */
const ZEROS = [0x30, 0x660, 0x6f0, 0x966, 0x0e50, 0xff10, 0x1d7ce, 0x1d7d8, 0x1d7f6, 0x1e950];
const SEPARATORS = [
  '',
  ' ',
  '-',
  '.',
  '/',
  '\u00a0',
  '\u200b',
  '\u2013',
  ' - ',
  '\t',
  '\n',
  '_',
  '\u2060',
  '  ',
  '\u2009',
];

/** As people and machines write it: in groups, with separators, in the digits of some script, in the middle of a text. */
const spelled = (digits: string) =>
  fc
    .record({
      zero: fc.constantFrom(...ZEROS),
      separators: fc.array(fc.constantFrom(...SEPARATORS), { minLength: digits.length, maxLength: digits.length }),
      before: fc.constantFrom('', 'card ', 'PAN:', '(', 'x', '"ref":"', '00'),
      after: fc.constantFrom('', ' paid', ')', 'x', '"', '=2512'),
    })
    .map(({ zero, separators, before, after }) => {
      const shown = [...digits].map((digit) => String.fromCodePoint(zero + Number(digit)));
      return before + shown.map((digit, index) => (index === 0 ? '' : separators[index]!) + digit).join('') + after;
    });

const plainDigits = (text: string): string => text.normalize('NFKC').replace(/[^0-9]/g, '');

describe('card data (issue 8, no 14)', () => {
  it('no card number is left, whatever its spelling: only its last four digits', () => {
    fc.assert(
      fc.property(
        cardNumber.chain((digits) => spelled(digits).map((text) => ({ digits, text }))),
        ({ digits, text }) => {
          const masked = maskCardData(text);
          expect(masked).toContain(`[card ****${digits.slice(-4)}]`);
          expect(plainDigits(masked)).not.toContain(digits.slice(0, -4));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('masking twice is masking once, for any text of digits and separators', () => {
    const piece = fc.oneof(
      cardNumber,
      fc.constantFrom(...SEPARATORS),
      fc.integer({ min: 0, max: 99_999 }).map(String),
      fc.constantFrom('cvv', 'cvc: ', 'a'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const once = maskCardData(pieces.join(''));
        expect(maskCardData(once)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['two that overlap', '4242 4242 4242 4242 4242 4242 4242', '[card ****4242]'],
    ['two in a row', '378282246310005 4111111111111111', '[card ****0005] [card ****1111]'],
    ['leading zeros', '00004111111111111111', '0000[card ****1111]'],
    ['after a date', 'on 2026-11-20 4111111111111111', 'on 2026-11-20 [card ****1111]'],
  ])('finds %s', (_, text, masked) => expect(maskCardData(text)).toBe(masked));

  it.each([
    'cvv: 123', 'CVV2=123', "cvc='123'", '"cvc2": "1234"', 'card_cvv=123', 'security code 123', 'Security Code is 1234',
    'card verification value: 123', 'cvv number 123', 'CVV kód 123', 'bezpečnostní kód: 123', 'cvv-123', 'cvv ١٢٣',
  ])('masks the verification code of %j', (text) => {
    expect(maskCardData(text)).toContain('***');
    expect(plainDigits(maskCardData(text).replace(/c[vc][vc]2/gi, ''))).toBe('');
  }); // prettier-ignore

  it.each([
    'PAY-2026-000123456', '9007199254740993', '18446744073709551615', 'bank.1', '550e8400-e29b-41d4-a716-446655440000',
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', '2026-11-20T14:05:11.123Z', '1763647511123',
    'a423c1e0-0000-4000-8111-411111111111', '0a4111111111111111aaaaaaaaaaaaaaaaaaaaaa',
    'http-404', 'error code 1234', 'cvc-mismatch', 'CVV_FAILED', 'cvc 12345', '4111111111111112', '12:100', 'R01',
  ])('leaves %j as it is', (text) => expect(maskCardData(text)).toBe(text)); // prettier-ignore

  it('leaves UUIDs and hashes alone', () => {
    const hash = fc
      .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 })
      .map((digits) => digits.join(''));
    fc.assert(
      fc.property(fc.oneof(fc.uuid(), hash), (id) => expect(maskCardData(id)).toBe(id)),
      { numRuns: 5_000 },
    );
  });

  it('takes time linear in the length', async () => {
    for (const piece of ['4 ', '41-', '6', 'cvv is ', '0 ', 'a   1'])
      await expectLinearTime((share) => maskCardData(piece.repeat(100_000 * share)), 5_000);
  });
});
