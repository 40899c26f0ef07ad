import jsonata from 'jsonata';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { problemText, validateProfileDocument } from '../../src/adapters/biller-profiles/validate-profile-document';
import { requestContext } from '../../src/adapters/biller-http/request-context';
import { leafPaths, REQUEST_CONTEXT, valueAt } from '../../src/adapters/shared/biller-document/expression-contexts';
import { FUNCTIONS } from '../../src/adapters/shared/biller-document/expression-functions';
import { expressionPaths } from '../../src/adapters/shared/biller-document/expression-paths';
import { compileRequestBody } from '../../src/adapters/shared/biller-document/request-body';
import { LOOPBACK_RULES, paymentRow, profileOf, template } from '../support/biller-fixtures';

const NAME = 'json-oauth2-keys-and-inquiry';
const problemsOf = (overrides: Record<string, unknown>): string[] => {
  const document = instantiateTemplate(template(NAME), { billerId: '12', baseUrl: 'https://api.example', overrides });
  const verdict = validateProfileDocument(document, '12.json', LOOPBACK_RULES);
  return 'problems' in verdict ? verdict.problems.map(problemText) : [];
};
const payment = (change: object): Record<string, unknown> => {
  const { Requests } = template(NAME) as { Requests: Record<string, object> };
  return { Requests: { ...Requests, Payment: { ...Requests['Payment'], ...change } } };
};
const bodyProblems = (Body: string): string[] =>
  problemsOf(payment({ Body, Optional: undefined })).map((text) => text.replace(/^12.json \S+: /, ''));

const row = paymentRow();
const profile = profileOf(NAME, 'https://api.example');
const full = requestContext(profile, { ...row, payment: { ...row.payment!, achReturnCode: 'R01' } }, 'key-1');
const bare = requestContext(profile, { ...row, customer: { ...row.customer!, email: undefined } }, 'key-1');

describe('the context of a request', () => {
  it('has the documented members, no more and no fewer', () => {
    expect(leafPaths(full as never).length).toBeGreaterThan(10);
    const paths = (value: object, under = ''): string[] =>
      Object.entries(value).flatMap(([name, member]) =>
        typeof member === 'object' && member !== null
          ? paths(member as object, `${under}${name}.`)
          : [`${under}${name}`],
      );
    expect(paths(full).sort()).toEqual([...leafPaths(REQUEST_CONTEXT)].sort());
    for (const path of leafPaths(REQUEST_CONTEXT)) expect(valueAt(full, path.split('.'))).toBeDefined();
  });

  it('knows the functions that JSONata has', async () => {
    const forbidden = ['now', 'millis', 'random', 'shuffle', 'eval'];
    for (const name of FUNCTIONS) expect(await jsonata(`$type($${name})`).evaluate({})).toBe('function');
    for (const name of forbidden) expect(FUNCTIONS.has(name)).toBe(false);
  });
});

describe('names that a profile gets wrong (issue 8, no 2)', () => {
  it.each([
    ['{ "a": customer.acountNumber }', 'customer.acountNumber is not in the context; did you mean customer.accountNumber?'],
    ['{ "a": customr.accountNumber }', 'customr is not in the context; did you mean customer?'],
    ['{ "a": Customer.accountNumber }', 'did you mean customer?'],
    ['{ "a": accountNumber }', 'accountNumber is not in the context; did you mean customer.accountNumber?'],
    ['{ "a": { "b": [ { "c": payment.ammount } ] } }', 'did you mean payment.amount?'],
    ['{ "a": $$.customer.acountNumber }', 'did you mean customer.accountNumber?'],
    ['{ "a": $.customer.acountNumber }', 'did you mean customer.accountNumber?'],
    ['( $c := customer; { "a": $c.acountNumber } )', 'did you mean customer.accountNumber?'],
    ['( $c := customer; $d := $c; { "a": $d.acountNumber } )', 'did you mean customer.accountNumber?'],
    ['customer.{ "a": acountNumber }', 'did you mean customer.accountNumber?'],
    ['customer.( $n := acountNumber; { "a": $n } )', 'did you mean customer.accountNumber?'],
    ['customer { accountNumber: nam }', 'did you mean customer.name?'],
    ['{ "a": customer[paperles].accountNumber }', 'did you mean customer.paperless?'],
    ['{ "a": customer[0].acountNumber }', 'did you mean customer.accountNumber?'],
    ['{ "a": customer@$c.($c.acountNumber) }', 'did you mean customer.accountNumber?'],
    ['{ "a": $lookup(customer, "acountNumber") }', 'did you mean customer.accountNumber?'],
    ['{ "a": $map(customer, function($c){ $c.acountNumber }) }', 'did you mean customer.accountNumber?'],
    ['{ "a": $filter(customer, function($c){ $c.paperles })[0] }', 'did you mean customer.paperless?'],
    ['{ "a": customer^(nme).accountNumber }', 'did you mean customer.name?'],
    ['{ "a": customer.`account number` }', 'customer.account number is not in the context'],
    ['{ "a": customer."acountNumber" }', 'did you mean customer.accountNumber?'],
    ['{ "a": record.key.id }', 'record.key is a value without members'],
    ['{ "a": "x" & payment.ammount }', 'did you mean payment.amount?'],
    ['{ "a": payment.achReturnCode ? customer.acountNumber : 1 }', 'did you mean customer.accountNumber?'],
    ['{ "a": $exists(customer.emial) ? 1 : 2 }', 'did you mean customer.email?'],
    ['{ "a": record.key ~> $uppercase() & customer.acountNumber }', 'did you mean customer.accountNumber?'],
    ['{ customer.acountNumber: 1 }', 'did you mean customer.accountNumber?'],
    ['( $f := function($x){ $x & customer.acountNumber }; { "a": $f("b") } )', 'did you mean customer.accountNumber?'],
    ['{ "a": $upercase(record.key) }', '$upercase is neither a function nor a variable set before; did you mean $uppercase?'],
    ['{ "a": record.key ~> $foo }', '$foo is neither a function nor a variable'],
    ['{ "a": $customer.name }', '$customer is neither'],
    ['{ "a": ($x := 1; $y) }', '$y is neither'],
    ['{ "a": $datapump_present(1, "x") }', '$datapump_present is neither'],
    ['record.key', 'an object was expected'],
  ])('%s', (body, expected) => expect(bodyProblems(body)).toEqual([expect.stringContaining(expected)])); // prettier-ignore

  it('finds a letter that is left out, doubled or changed, of every name, in every form', () => {
    const slips = (name: string): string[] =>
      [...name].flatMap((letter, at) => [
        name.slice(0, at) + name.slice(at + 1),
        name.slice(0, at) + letter + name.slice(at),
        `${name.slice(0, at)}Q${name.slice(at + 1)}`,
      ]);
    for (const path of leafPaths(REQUEST_CONTEXT)) {
      const [object, last] = path.includes('.') ? path.split('.') : [undefined, path];
      const under = object === undefined ? '' : `${object}.`;
      for (const slip of slips(last)) {
        if (slip === '' || leafPaths(REQUEST_CONTEXT).includes(`${under}${slip}`)) continue;
        for (const body of [`{ "a": ${under}${slip} }`, `( $x := $$; { "a": "b" & $x.${under}${slip} } )`]) {
          const { problems } = expressionPaths(jsonata(body).ast(), REQUEST_CONTEXT);
          expect([body, problems]).toEqual([body, [expect.stringContaining(`${under}${slip} is not in the context`)]]);
        }
      }
    }
  });

  it.each([
    '{ "a": customer.*[0], "b": payment.amount }',
    '{ "a": $sum([1, 2]), "b": $string(payment.amountMinorUnits) }',
    '( $c := customer; $n := $c.name; { "a": $n, "b": $c.accountNumber } )',
    'payment.{ "a": amount, "b": $$.customer.name }',
    '$merge([{ "a": record.key }, customer.paperless ? { "b": customer.name }])',
    '{ "a": $map([1, 2], function($v, $i){ $v + $i }) }',
    '{ "a": $reduce([1, 2], function($x, $y){ $x + $y }) }',
    '( $f := function($n){ $n < 2 ? 1 : $n * $f($n - 1) }; { "a": $f(3) } )',
    '{ "a": payment.amount ~> $number() ~> $formatNumber("0.00") }',
    '{ "a": customer.name.$uppercase(), "b": $contains(customer.name, /ada/i) }',
    '{ "a": { "x": record.key }.x }',
    '{ "a": $substring(?, 0, 3)(record.key) }',
  ])('%s is right', (body) => expect(bodyProblems(body)).toEqual([]));

  it.each([
    [
      '/a/{customer.acountNumber}',
      '{customer.acountNumber} is not in the context; did you mean customer.accountNumber?',
    ],
    ['/a/{accountNumber}', 'did you mean customer.accountNumber?'],
    ['/a/{customer}', '{customer} has members'],
    ['/a/{record.key.x}', 'is not in the context'],
    ['/a/{body.reference}', 'is not in the context'],
    ['/a/{constructor}', 'is not in the context'],
  ])('placeholders: %s', (Path, expected) => {
    expect(problemsOf(payment({ Path }))).toEqual([expect.stringContaining(expected)]);
    const { StatusInquiry } = template(NAME) as { StatusInquiry: object };
    expect(problemsOf({ StatusInquiry: { ...StatusInquiry, Path } })).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    ["boddy.status = 'accepted'", 'boddy is not in the context; did you mean body?'],
    ['status.code = 1', 'status is a value without members'],
    ["headers.Location = 'x'", 'header names are in lower case'],
    ["customer.name = 'x'", 'customer is not in the context'],
    ["$lowerCase(body.status) = 'ok'", 'did you mean $lowercase?'],
    ['true', 'says the same to every answer'],
    ['1 = 1', 'says the same to every answer'],
    ['false', 'says the same to every answer'],
  ])('an answer: %s', (When, expected) => {
    const problems = problemsOf({ Answers: [{ Status: 200, When, Outcome: 'accepted' }] });
    expect(problems).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    "body.a.b[c = 1].d = 'x'",
    "headers.`x-state` = 'ok'",
    '$exists(body.id)',
    "$contains($string($), 'ok')",
    'status = 200',
  ])('an answer: %s is right', (When) =>
    expect(problemsOf({ Answers: [{ Status: 200, When, Outcome: 'accepted' }] })).toEqual([]),
  );

  it.each(readdirSync(join(__dirname, '../../billers/templates')))('the template %s has no problem', (file) => {
    const document = { ...template(file.replace('.json', '')), BaseUrl: 'https://api.example' };
    expect(
      validateProfileDocument(document, file, { ...LOOPBACK_RULES, tokenAuthority: 'https://auth.example' }),
    ).toHaveProperty('profile');
  });
});

describe('Optional (issue 8, no 2)', () => {
  const ofBody = (path: string, Body = `{ "a": ${path} }`) => problemsOf(payment({ Body, Optional: [path] }));

  it.each(['customer.email', 'payment.achReturnCode'])('%s may be missing', (path) => expect(ofBody(path)).toEqual([]));
  it.each(['record.key', 'payment.amount', 'payment.currency', 'customer.accountNumber', 'idempotencyKey'])(
    '%s may not',
    (path) => expect(ofBody(path)).toEqual([expect.stringContaining('is always there')]),
  );
  it('is checked like any other name', () => {
    expect(ofBody('customer.emial')).toContainEqual(expect.stringContaining('did you mean customer.email?'));
    expect(ofBody('customer')).toEqual([expect.stringContaining('customer has members')]);
    expect(ofBody('customer.email', '{ "a": record.key }')).toEqual([
      expect.stringContaining('does not name customer.email'),
    ]);
  });
});

describe('a value that is not there (issue 8, no 2)', () => {
  const evaluate = (text: string, context: object = bare, optional: readonly string[] = []) =>
    compileRequestBody(text, optional).evaluate(context);

  it.each([
    '{ "a": customer.acountNumber }',
    '{ "a": customer.email }',
    '{ "a": { "b": { "c": customer.email } } }',
    '{ "a": [ 1, customer.email ] }',
    '{ "a": "to " & customer.email }',
    '{ "a": $uppercase(customer.email) }',
    '{ "a": customer }',
    '{ "a": $merge([customer, {}]) }',
    '{ "a": customer.email = "x" ? 1 : 2 }',
    '{ "a": $join(["a", customer.email], ",") }',
    '( $c := customer; { "a": $c.email } )',
    'customer.{ "a": email }',
    '{ "a": $lookup(customer, "email") }',
    '{ "a": customer.* }',
    '{ "a": $each(customer, function($v, $k){ $k }) }',
    '{ "a": record.key[5] }',
    '{ "a": payment.amount = "0" ? 1 }',
    '{ "a": "x" & $match(record.key, /never/)[0].match }',
    '{ "a": [$lookup({ "x": 1 }, record.key)] }',
    '{ "a": $sum }',
    '{ "a": function($x){ $x } }',
    '{ "a": $unknown }',
    'record { key: payment.ammount }',
    '{ "a": $filter([1], function($v){ $v > 1 }) }',
    '{ "a": ($x := record.key; ()) }',
  ])('%s is an error', async (text) => {
    await expect(evaluate(text)).rejects.toMatchObject({ name: 'MissingValue' });
    await expect(evaluate(text)).rejects.not.toThrow(/Ada|A&1|12:100/);
  });

  it.each([
    ['{ "a": record.key, "b": customer.email }', { a: '12:100' }],
    ['{ "a": record.key, "b": { "c": customer.email } }', { a: '12:100', b: {} }],
    ['{ "a": record.key, "b": $uppercase(customer.email) }', { a: '12:100' }],
    ['{ "a": $exists(customer.email) ? customer.email : null }', { a: null }],
    ['{ "a": customer.email ? customer.email : "none" }', { a: 'none' }],
    ['{ "a": "to " & customer.email }', { a: 'to ' }],
    ['$merge([{ "a": 1 }, customer.email ? { "b": customer.email }])', { a: 1 }],
  ])('%s with Optional customer.email', async (text, expected) =>
    expect(JSON.parse(JSON.stringify(await evaluate(text, bare, ['customer.email'])))).toEqual(expected),
  );

  it('a test for existence needs no mark, null is no value', async () => {
    expect(await evaluate('{ "a": $exists(customer.email), "b": $not($exists(customer.email)) }')).toEqual({
      a: false,
      b: true,
    });
    await expect(evaluate('{ "a": customer.email }', { customer: { email: null } })).rejects.toMatchObject({
      name: 'MissingValue',
    });
  });

  it.each([
    '{ "a": record.key, "n": payment.amountMinorUnits, "p": customer.paperless }',
    '{ "a": $uppercase(customer.name), "l": [1, record.key], "t": "x" & record.key & payment.amount }',
    'payment.{ "a": amount, "c": $$.customer.name }',
    '( $c := customer; { "a": $c.name, "n": $number(payment.amount) + 1 } )',
    '{ "a": customer.paperless ? "e" : "p", "g": $map([1, 2], function($v){ { "v": $v } }) }',
    '$merge([{ "a": 1 }, customer.autoPay ? { "b": 2 }])',
    '{ "a": [customer.name, record.key].{ "x": $ } }',
    '{ "a": [[1, 2], [[record.key]]], "b": [{ "c": [] }] }',
    '{ "s": [3, 1, 2]^($), "g": [{ "k": "x", "v": 1 }, { "k": "x", "v": 2 }]{ k: $sum(v) } }',
    '{ "t": $clone(payment) ~> |$|{ "extra": $.amount }, "currency"| }',
    'payment.{ "a": amount, "b": %.customer.name }',
    '{ "a": ($f := function($n){ $n = 0 ? 1 : $n * $f($n - 1) }; $f(5)), "z": $zip([1], [2]) }',
    '( $up := $trim ~> $uppercase; { "a": $up(" x "), "b": $substring(?, 0, 2)(customer.name) } )',
    '{ "empty": "", "zero": 0, "no": false, "nothing": null, "list": [] }',
  ])('%s comes out as JSONata itself has it', async (text) =>
    expect(JSON.stringify(await evaluate(text, full))).toBe(JSON.stringify(await jsonata(text).evaluate(full))),
  );
});
