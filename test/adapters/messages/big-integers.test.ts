import fc from 'fast-check';
import { parseJsonKeepingBigIntegers } from '../../../src/adapters/shared/big-integers';

describe('parseJsonKeepingBigIntegers', () => {
  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740993', '-9007199254740993'],
    ['{"id":9223372036854775807}', { id: '9223372036854775807' }],
    ['[1, 9223372036854775807 , 18446744073709551615]', [1, '9223372036854775807', '18446744073709551615']],
    [
      '{"text":"9223372036854775807","quoted":"\\"9223372036854775807"}',
      { text: '9223372036854775807', quoted: '"9223372036854775807' },
    ],
    ['{"9223372036854775807":1}', { '9223372036854775807': 1 }],
    [
      '[1.9223372036854775807, 1e0000000000000000001, 9223372036854775807.5, 9223372036854775807e2]',
      [1.9223372036854775807, 10, 9223372036854775807.5, 9223372036854775807e2],
    ],
  ])('reads %s', (text, expected) => {
    expect(parseJsonKeepingBigIntegers(text)).toEqual(expected);
  });

  it.each(['', '{', '{9223372036854775807:1}', '[09223372036854775807]', '9223372036854775807 9223372036854775807'])(
    'refuses what is not JSON: %j',
    (text) => {
      expect(() => parseJsonKeepingBigIntegers(text)).toThrow(SyntaxError);
    },
  );

  it('reads everything else exactly as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, tail) => {
        const text = JSON.stringify({ pad: `${tail}1234567890123456`, value });
        const big = /(?<![\d.eE])\d{16,}(?![\d.eE])/.test(JSON.stringify(value).replace(/"(?:[^"\\]|\\.)*"/g, ''));
        if (!big) expect(parseJsonKeepingBigIntegers(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('keeps every integer of any length', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 200n), 2n ** 200n), (big) => {
        const read = (parseJsonKeepingBigIntegers(`{"id": ${big}}`) as { id: string | number }).id;
        expect(String(read)).toBe(String(big));
      }),
    );
  });
});
