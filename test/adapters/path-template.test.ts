import fc from 'fast-check';
import { parsePathTemplate, renderPath } from '../../src/adapters/shared/biller-document/path-template';

const CONTEXT = {
  record: { key: '12:1', dpId: 'ä/b', none: undefined, list: [1] },
  ok: true,
  n: 0,
  dot: '..',
  text: '',
};
const rendered = (text: string): string => renderPath(parsePathTemplate(text), CONTEXT);

it.each([
  ['/p', '/p'],
  ['/p/{record.key}', '/p/12%3A1'],
  ['/p/{record.dpId}/x?k={record.key}&n={n}#', '/p/%C3%A4%2Fb/x?k=12%3A1&n=0#'],
  ['{ok}', 'true'],
  ['/{n}{n}', '/00'],
])('%s becomes %s', (text, path) => expect(rendered(text)).toBe(path));

it.each(['/{record.none}', '/{record.list}', '/{record}', '/{record.missing}', '/{missing.key}', '/{dot}', '/{text}', '/{record.constructor}'])(
  '%s finds no usable value', (text) => expect(() => rendered(text)).toThrow('found no usable value'),
); // prettier-ignore

it.each(['/{', '/}', '/{}', '/{a b}', '/{1a}', '/{a.}', '/{{record.key}}', '/{a-b}'])('%s is no template', (text) =>
  expect(() => parsePathTemplate(text)).toThrow('a brace stands alone'),
);

it('keeps the fixed text to the letter, and lets no value add a step or a query member', () => {
  const wellFormed = fc.string({ unit: 'grapheme', minLength: 1 });
  const fixed = fc.stringMatching(/^[a-z/?=&.~-]{0,8}$/);
  fc.assert(
    fc.property(fixed, wellFormed, fixed, (before, value, after) => {
      fc.pre(value !== '.' && value !== '..');
      const path = renderPath(parsePathTemplate(`${before}{v}${after}`), { v: value });
      expect(path.startsWith(before) && path.endsWith(after)).toBe(true);
      const middle = path.slice(before.length, path.length - after.length);
      expect(decodeURIComponent(middle)).toBe(value);
      expect(middle).not.toMatch(/[/?#&]/);
    }),
  );
});
