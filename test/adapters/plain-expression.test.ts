import fc from 'fast-check';
import jsonata from 'jsonata';
import { NOT_PLAIN, plainExpression } from '../../src/adapters/shared/biller-document/plain-expression';

const NAMES = ['body', 'status', 'a', 'b', 'toString', 'constructor', 'length'];
const name = fc.constantFrom(...NAMES);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('.'));
const literal = fc.oneof(
  fc.constantFrom('"accepted"', "'x'", '""', 'true', 'false', 'null', '0', '-1', '12.5', '1e3'),
  fc.integer({ min: 0, max: 99 }).map(String),
);
const members = fc
  .uniqueArray(
    fc.tuple(fc.constantFrom('reference', 'z', 'a', '1', '__proto__', '_jsonata_lambda'), fc.oneof(path, literal)),
    { selector: ([key]) => key, maxLength: 5 },
  )
  .map((pairs) => `{ ${pairs.map(([key, value]) => `"${key}": ${value}`).join(', ')} }`);
const list = fc.array(literal, { minLength: 1, maxLength: 3 }).map((literals) => `[${literals.join(', ')}]`);
const comparison = fc.oneof(
  fc.tuple(path, fc.constantFrom('=', '!='), literal).map((parts) => parts.join(' ')),
  fc.tuple(path, list).map(([left, right]) => `${left} in ${right}`),
);
const combined = fc
  .tuple(comparison, fc.constantFrom('and', 'or'), comparison, fc.constantFrom('and', 'or'), comparison)
  .map((parts) => parts.join(' '));
const expression = fc.oneof(path, comparison, combined, members);
/** Contexts as they come from JSON: with nulls, nested arrays and values where an object was expected. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom('accepted', 'x', '', 0, -1, 12.5, true, false, null, undefined),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
})).value;
const context = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(name, value, { maxKeys: 5 }) },
  { weight: 1, arbitrary: value },
);

const plainOf = (text: string) => plainExpression(jsonata(text).ast());

it('yields what JSONata yields, or asks it', async () => {
  let plainly = 0;
  await fc.assert(
    fc.asyncProperty(expression, context, async (text, input) => {
      const plain = plainOf(text);
      const found = plain ? plain(input) : NOT_PLAIN;
      if (found === NOT_PLAIN) return;
      plainly++;
      const expected: unknown = await jsonata(text).evaluate(input);
      expect(found).toStrictEqual(expected);
      // Members in the same order, too: equal rows give equal bytes.
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected));
    }),
    { numRuns: 5_000 },
  );
  expect(plainly).toBeGreaterThan(1_000);
});

it.each([
  'body.status',
  "body.status = 'declined'",
  "body.status != 'declined'",
  "body.status in ['declined', 'refused']",
  "body.status = 'a' or body.status = 'b' and body.c != 1",
  '{ "reference": record.key, "account": customer.accountNumber, "amountMinorUnits": payment.amountMinorUnits }',
])('does %s without JSONata', (text) => {
  expect(plainOf(text)).toBeDefined();
});

it.each([
  'body.items[0].code',
  'body.$x',
  '$uppercase(body.code)',
  'body.status < 1',
  'body.status = body.other',
  'body.status in body.list',
  "body.status in 'a'",
  'body.status in [body.a]',
  'body.status in []',
  "body.status and body.code = 'x'",
  "not(body.status = 'x')",
  'body.a + 1',
  '{ "a": body.a, "a": body.b }',
  '{ body.key: body.value }',
  '{}',
  'body.a[]',
  'body.*',
  'body.a.{ "b": c }',
])('leaves %s to JSONata', (text) => {
  expect(plainOf(text)).toBeUndefined();
});

it('asks JSONata where a value on the way is an array', () => {
  expect(plainOf('body.status')!({ body: [{ status: 'accepted' }] })).toBe(NOT_PLAIN);
  expect(plainOf('{ "a": body.list }')!({ body: { list: [1] } })).toBe(NOT_PLAIN);
});
