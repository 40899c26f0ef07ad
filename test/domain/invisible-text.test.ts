import fc from 'fast-check';
import { hasInvisible, isBlank, visible, visibleJson } from '../../src/domain/invisible-text';
import { HIDDEN } from '../support/hidden-characters';

describe('invisible text (issue 8, no 11)', () => {
  it.each(HIDDEN)('shows %j, counts it as nothing, and finds it', (character) => {
    expect(visible(`a${character}b`)).toMatch(/^a\\(n|r|t|u\{[0-9a-f]+\})b$/);
    expect(isBlank(character)).toBe(true);
    expect(hasInvisible(`12${character}`)).toBe(true);
    const json = visibleJson(JSON.stringify({ [`a${character}`]: [`${character}b`] }, undefined, 2));
    expect(JSON.parse(json)).toEqual({ [`a${character}`]: [`${character}b`] });
    expect(json.replace(/\n/g, '')).toMatch(/^[ -~]*$/);
  });

  it.each([
    'Jan Novák',
    'žluťoučký kůň',
    '支払い済み',
    'оплачено',
    'مدفوع',
    'हिन्दी',
    'e\u0301',
    '👍',
    'a\\nb',
    '12:100',
  ])('leaves %j as it is', (text) => {
    expect(visible(text)).toBe(text);
    expect(hasInvisible(text)).toBe(false);
    expect(isBlank(text)).toBe(false);
  });

  it('of any text shows printable characters alone, on one line, and twice is once', () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.array(fc.constantFrom(...HIDDEN, 'a', ' ', '\u0301'), { maxLength: 20 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(any, (text) => {
        const shown = visible(text);
        expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(shown).not.toMatch(/\p{M}{5}/u);
        expect(visible(shown)).toBe(shown);
      }),
      { numRuns: 5_000 },
    );
  });
});
