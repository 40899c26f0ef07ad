import fc from 'fast-check';
import jsonata from 'jsonata';
import { readFragments } from '../../src/adapters/biller-profiles/profile-fragments';
import { holdsForSilence } from '../../src/adapters/biller-profiles/condition-scope';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { problemText, validateProfileDocument } from '../../src/adapters/biller-profiles/validate-profile-document';
import { repeatedMember } from '../../src/adapters/shared/repeated-member';
import { LOOPBACK_RULES, template } from '../support/biller-fixtures';

const NAME = 'json-oauth2-keys-and-inquiry';
const KEYS = template(NAME) as {
  Requests: Record<string, object>;
  StatusInquiry: object;
  Idempotency: object;
};
const problemsOf = (overrides: Record<string, unknown>): string[] => {
  const document = instantiateTemplate(template(NAME), { billerId: '12', baseUrl: 'https://api.example', overrides });
  const verdict = validateProfileDocument(JSON.parse(JSON.stringify(document)), '12.json', LOOPBACK_RULES);
  return 'problems' in verdict ? verdict.problems.map(problemText) : [];
};
const payment = (change: object) => ({
  Requests: { ...KEYS.Requests, Payment: { ...KEYS.Requests['Payment'], ...change } },
});
const inquiry = (change: object) => ({ StatusInquiry: { ...KEYS.StatusInquiry, ...change } });

/* Slips that a reader passes over: each is valid, and would have sent, or settled, something other than was meant. */
describe('a Body that means something else than it seems to (issue 8, no 2)', () => {
  it.each([
    ['{ "a": customer["accountNumber"] }', 'a condition or a number was expected in ["accountNumber"]'],
    ['{ "a": customer.name["first"] }', 'a condition or a number was expected in ["first"]'],
    ['{ "a": customer[true].name }', 'a condition or a number was expected in [true]'],
    ['{ "a": (customer)["name"] }', 'a condition or a number was expected in ["name"]'],
    ['{ "a": record.key, "a": record.dpId }', 'the member a stands twice in one object'],
    ['{ "a": { "b": 1, "b": record.key } }', 'the member b stands twice in one object'],
    ['"text"', 'an object was expected'],
    ['42', 'an object was expected'],
    ['true', 'an object was expected'],
    ['[customer.name]', 'an object was expected'],
    ['record.key & "x"', 'an object was expected'],
    ['payment.amountMinorUnits = 5', 'an object was expected'],
    ['function($x){ $x }', 'an object was expected'],
  ])('%s', (Body, words) => {
    const problems = problemsOf(payment({ Body }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`12.json /Requests/Payment/Body: ${words}`);
  });
});

describe('an amount that fits some currencies alone (issue 8, no 3)', () => {
  it.each([
    '{ "amount": payment.amountMinorUnits / 100, "currency": payment.currency }',
    '{ "amount": payment.amountMinorUnits * 0.01 }',
    '{ "amount": 0.01 * payment.amountMinorUnits }',
    '{ "amount": $round(payment.amountMinorUnits / 100, 2) }',
    '{ "amount": $formatNumber($number(payment.amount) * 100, "0") }',
    '( $minor := payment.amountMinorUnits; { "amount": $minor / 1000 } )',
    '{ "cents": payment.amountMinorUnits % 100 }',
  ])('%s is refused', (Body) =>
    expect(problemsOf(payment({ Body }))).toEqual([
      expect.stringMatching(/^12\.json \/Requests\/Payment\/Body: payment\.amount, .* was expected: a currency has 0/),
    ]),
  );

  it.each([
    '{ "amount": payment.amount }',
    '{ "amount": $number(payment.amount) }',
    '{ "amount": payment.amountMinorUnits / $power(10, payment.amountExponent) }',
    '{ "amount": payment.amountExponent = 2 ? payment.amountMinorUnits / 100 : payment.amount }',
    '{ "large": payment.amountMinorUnits > 100 ? "yes" : "no", "amount": payment.amount }',
  ])('%s is sound', (Body) => expect(problemsOf(payment({ Body }))).toEqual([]));
});

describe('answers that say nothing (issue 8, no 2)', () => {
  const rules = (...Answers: object[]) =>
    problemsOf({ Answers: [{ Status: 201, When: 'body.ok = true', Outcome: 'accepted' }, ...Answers] });

  it.each([
    ['2xx', '$not($exists(body.error))', 'accepted'],
    ['2xx', '$exists(body.error) = false', 'accepted'],
    [200, "$not(body.status = 'declined')", 'accepted'],
    [200, "$not(body.a = 1 or headers.`x-error` = 'yes')", 'declined'],
    [200, '$not($exists(body.error)) and body.b != 1 = false', 'declined'],
    ['5xx', '$not($exists(body.receipt))', 'not-executed'],
    [200, 'body.error ? false : true', 'accepted'],
  ])('%s: %s is no %s', (Status, When, Outcome) =>
    expect(rules({ Status, When, Outcome })).toEqual([
      expect.stringMatching(/\/Answers\/1\/When: a condition on what the biller says was expected/),
    ]),
  );

  it.each([
    ['2xx', "$not($exists(body.error)) and body.status = 'ok'", 'accepted'],
    [200, '$not($exists(body))', 'accepted'],
    [200, '$exists(body)', 'accepted'],
    [200, "body.status != 'declined'", 'accepted'],
    [200, '$not($exists(body.error))', 'unknown'],
    [200, "$contains(body.text, 'ok')", 'accepted'],
    [503, "headers.`retry-after` != ''", 'not-executed'],
  ])('%s: %s may be %s', (Status, When, Outcome) => expect(rules({ Status, When, Outcome })).toEqual([]));

  it('of an inquiry too', () => {
    const Answers = [
      { Status: 200, When: "body.state = 'posted'", Answer: 'delivered' },
      { Status: 200, When: '$not($exists(body.reference))', Answer: 'absent' },
    ];
    expect(problemsOf(inquiry({ Answers }))).toEqual([
      expect.stringContaining(
        '12.json /StatusInquiry/Answers/1/When: a condition on what the biller says was expected',
      ),
    ]);
  });

  it('is told of a condition only where JSONata says the same', async () => {
    const leaf = fc.constantFrom(
      'body.a',
      'body.a.b',
      'headers.x',
      '$$.body.c',
      'status',
      '1',
      '"t"',
      'null',
      'true',
      'body',
      '$.headers.`y-z`',
    );
    const { condition } = fc.letrec<{ condition: string }>((tie) => ({
      condition: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.tuple(tie('condition'), fc.constantFrom('=', '!=', '<', '>=', 'and', 'or', 'in'), tie('condition')).map(([a, is, b]) => `(${a} ${is} ${b})`),
        fc.tuple(fc.constantFrom('$not', '$exists', '$boolean', '$string'), tie('condition')).map(([call, of]) => `${call}(${of})`),
        fc.tuple(tie('condition'), tie('condition'), tie('condition')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      ),
    })); // prettier-ignore
    let held = 0;
    await fc.assert(
      fc.asyncProperty(condition, async (text) => {
        if (!holdsForSilence(text)) return;
        held++;
        for (const status of [200, 503])
          expect(await jsonata(text).evaluate({ status, body: undefined, headers: {} })).toBe(true);
      }),
      { numRuns: 3_000 },
    );
    expect(held).toBeGreaterThan(50);
  });
});

describe('rules that send again (issue 8, no 2)', () => {
  const rules = (keys: object | undefined, ...Answers: object[]) =>
    problemsOf({
      Idempotency: keys,
      Answers: [{ Status: 200, When: "body.status = 'ok'", Outcome: 'accepted' }, ...Answers],
    });
  it.each([
    ['a success without a condition', KEYS.Idempotency, { Status: '2xx', Outcome: 'not-executed' }],
    ['a success in a list', KEYS.Idempotency, { Status: [202, 503], Outcome: 'not-executed' }],
    ['a success by a condition on its status', undefined, { Status: '2xx', When: 'status = 202', Outcome: 'not-executed' }],
    ['every error of a gateway, without keys', undefined, { Status: '5xx', Outcome: 'not-executed' }],
    ['the same in a list', undefined, { Status: [429, '5xx'], Outcome: 'not-executed' }],
  ])('%s is refused', (_, keys, rule) =>
    expect(rules(keys, rule)).toEqual([expect.stringMatching(/\/Answers\/1: .* was expected|were expected/)])); // prettier-ignore
  it.each([
    ['a success that says so', undefined, { Status: '2xx', When: "body.status = 'retry'", Outcome: 'not-executed' }],
    ['an error by its number', undefined, { Status: 503, Outcome: 'not-executed' }],
    ['errors that say so', undefined, { Status: '5xx', When: "body.code = 'down'", Outcome: 'not-executed' }],
    ['every error, where the biller knows keys', KEYS.Idempotency, { Status: '5xx', Outcome: 'not-executed' }],
  ])('%s is sound', (_, keys, rule) => expect(rules(keys, rule)).toEqual([]));
  it('an inquiry: absent for every success is refused', () => {
    const Answers = [
      { Status: 200, When: "body.state = 'posted'", Answer: 'delivered' },
      { Status: '2xx', Answer: 'absent' },
    ];
    expect(problemsOf(inquiry({ Answers }))).toEqual([expect.stringContaining('/StatusInquiry/Answers/1: a When')]);
  });
});

describe('places that are not where they seem (issue 8, no 2)', () => {
  it.each(['/status', '/status?account={customer.accountNumber}', '/status/{biller.billerId}?c={customer.customerId}'])(
    'an inquiry at %s asks about no one record',
    (Path) =>
      expect(problemsOf(inquiry({ Path }))).toEqual([
        expect.stringContaining('12.json /StatusInquiry/Path: a placeholder that names the record was expected'),
      ]),
  );
  it.each(['/s/{record.key}', '/s/{record.dpId}', '/s?p={payment.paymentId}', '/s?k={idempotencyKey}'])(
    'an inquiry at %s is sound',
    (Path) => expect(problemsOf(inquiry({ Path }))).toEqual([]),
  );
  it.each([
    ['/p/%zz', 'two hexadecimal digits'],
    ['/p/100%', 'two hexadecimal digits'],
    ['/../p', 'without the steps . and ..'],
    ['/p/./q', 'without the steps . and ..'],
    ['/p/%2E%2e/q', 'without the steps . and ..'],
    ['/p\\q', 'without a backslash'],
  ])('the path %s is refused', (Path, words) =>
    expect(problemsOf(payment({ Path }))).toEqual([expect.stringContaining(words)]),
  );
  it.each(['/p/..a', '/p?x=../y', '/p/%41?x=a%20b', '/a..b/{record.key}'])('the path %s is sound', (Path) =>
    expect(problemsOf(payment({ Path }))).toEqual([]),
  );
  it.each(['https://api.example/{record.key}', 'https://api.example\\@other.example', ' https://api.example', 'https://api.example/a b'])(
    'the URL %j is refused',
    (BaseUrl) => expect(problemsOf({ BaseUrl })).toEqual([expect.stringContaining('12.json /BaseUrl: a URL without placeholders')]),
  ); // prettier-ignore
});

describe('a member that stands twice (issue 8, no 2)', () => {
  it.each([
    ['{"a":1,"b":{"c":2,"c":3}}', '/b/c'],
    ['[{"a":1},{"a":{"b":[0,{"x":1,"x":1}]}}]', '/1/a/b/1/x'],
    ['{"a":"\\"a\\":1,","\\u0061":2}', '/a'],
    ['{"a":[{"b":1},{"b":1}],"b":{"a":1}}', undefined],
    ['{"a":{},"b":[],"c":"{\\"a\\":1,\\"a\\":2}"}', undefined],
    ['"text"', undefined],
  ])('%s: %s', (json, place) => expect(repeatedMember(json)).toBe(place));

  it('is found wherever it is put, and nowhere else', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.string(), (json, name) => {
        expect(repeatedMember(json)).toBeUndefined();
        const key = JSON.stringify(name);
        expect(repeatedMember(`[0,{${key}:${json},${key}:${json}}]`)).toBe(`/1/${name}`);
      }),
    );
  });

  it('is told by file and place, and nothing of the file is used', () => {
    const text = JSON.stringify(template(NAME)).replace('"Quarantine":"30s"', '"Quarantine":"30s","Quarantine":"1s"');
    expect(readFragments(text, '12.json', '12')).toEqual({
      fragments: [],
      problems: [
        { file: '12.json', path: '/Quarantine', expected: 'one definition was expected: it stands twice in this object' },
      ],
    }); // prettier-ignore
  });

  it('a list of many billers is read up to its own bound', () => {
    const one = JSON.stringify({ BillerID: 1, Description: 'x'.repeat(1_000) });
    const list = `[${Array.from({ length: 1_500 }, () => one).join(',')}]`;
    expect(list.length).toBeGreaterThan(1024 * 1024);
    expect(readFragments(list, 'all.json', 'all').fragments).toHaveLength(1_500);
  });
});
