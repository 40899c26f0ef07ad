import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { EvaluationFailure, ExpressionPool, WORKERS_MAX } from '../../src/adapters/biller-http/expression-pool';
import { compileExpression, expressionProblem } from '../../src/adapters/shared/biller-document/expression';
import { expectLinearTime } from '../support/linear-time';
import { ENDED_WITHIN_MS } from '../support/until';

/** Longer than any test waits; by tail calls, so that no guard of depth ends it. */
const RUNAWAY = '($f := function($n){ $n = 0 ? 0 : $f($n - 1) }; $f(1000000000))';
const FULL = '($f := function($o){ $f({ "a": $o, "b": [1..9999] }) }; $f(1))';
/** Each of the innocent's evaluations that waited for a thread would see a runaway to its end. */
const EVALUATIONS = 40;
const ENDED_MAX = EVALUATIONS / 2;
const WORDS = '$contains(text, /^(\\w+\\s?)*$/)';

describe('an expression that does not end is ended, and costs no other biller (issue 8, no 7)', () => {
  let pool: ExpressionPool;
  beforeEach(() => (pool = new ExpressionPool()));
  afterEach(() => pool.close());

  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'no failure',
      (error: unknown) => error,
    );

  it('yields what JSONata yields', async () => {
    const context = { body: { items: [{ code: 'a' }, { code: 'b' }], n: 1.5, none: null } };
    for (const text of [
      'body.items.code',
      '$sum([1, 2])',
      'body.none',
      'body.nothing',
      '{ "z": body.n, "a": "x" & body.n }',
    ]) {
      const expected = await compileExpression(text).evaluate(context);
      const found = await pool.evaluate('1', text, context);
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected));
    }
  });

  it.each([
    ['never ends', RUNAWAY],
    ['fills the memory', FULL],
  ])('one that %s is a failure, and the next evaluation of that biller is done', async (_name, text) => {
    const failed = (await failure(pool.evaluate('1', text, {}))) as EvaluationFailure;
    expect(failed).toBeInstanceOf(EvaluationFailure);
    expect(failed.code).toBe('expression-overrun');
    expect(await pool.evaluate('1', '1 + 1', {})).toBe(2);
  });

  /** How many runaways are ended while the innocent evaluates, and these billers do so without pause. */
  const endedMeanwhile = async (bad: readonly string[]): Promise<number> => {
    let ended = 0;
    let isOver = false;
    const running = bad.map(async (biller) => {
      while (!isOver) {
        const { code } = (await failure(pool.evaluate(biller, RUNAWAY, {}))) as EvaluationFailure;
        if (code === 'expression-overrun') ended++;
      }
    });
    try {
      for (let n = 0; n < EVALUATIONS; n++) {
        const turn = new Promise((resolve) => setTimeout(resolve, 5));
        const began = performance.now();
        expect(await pool.evaluate('innocent', '1 + 1', {})).toBe(2);
        await turn;
        // An expression that held the loop up would do so for minutes.
        expect(performance.now() - began).toBeLessThan(ENDED_WITHIN_MS);
      }
      return ended;
    } finally {
      isOver = true;
      await pool.close();
      await Promise.all(running);
    }
  };

  it('runaways of a few billers, again and again, leave the loop free and the others in time', async () => {
    await pool.evaluate('innocent', '1 + 1', {});
    expect(await endedMeanwhile(['bad-0', 'bad-1'])).toBeLessThan(ENDED_MAX);
  });

  it('as many runaways as threads delay another biller by one deadline at most, and suspects share one thread', async () => {
    const bad = Array.from({ length: WORKERS_MAX + 2 }, (_, n) => `bad-${n}`);
    const first = bad.map((biller) => failure(pool.evaluate(biller, RUNAWAY, {})));
    // Whose turn does not come in time is refused.
    expect(await pool.evaluate('innocent', '1 + 1', {})).toBe(2);
    await Promise.all(first);
    expect(await endedMeanwhile(bad)).toBeLessThan(ENDED_MAX);
  });

  it('a result that is too large, or no data, is a failure that quotes none of it', async () => {
    const large = (await failure(
      pool.evaluate('1', '$join($map([1..20], function($n){ text }))', { text: 'secret'.repeat(10_000) }),
    )) as EvaluationFailure;
    expect(large).toMatchObject({ code: 'result-too-large' });
    expect(large.message).not.toContain('secret');
    expect(await failure(pool.evaluate('1', 'function($x){ $x }', {}))).toBeInstanceOf(EvaluationFailure);
    expect(await failure(pool.evaluate('1', '$number("secret")', {}))).toMatchObject({ code: 'D3030' });
  });

  it('what waits is refused when it is closed', async () => {
    const waiting = [1, 2, 3].map(() => failure(pool.evaluate('1', RUNAWAY, {})));
    await pool.close();
    for (const one of await Promise.all(waiting)) expect(one).toMatchObject({ transient: true });
    expect(await failure(pool.evaluate('1', '1', {}))).toMatchObject({ transient: true });
  });

  it('keeps no process alive, from the build too', () => {
    const built = join(__dirname, '../../dist/adapters/biller-http/expression-pool.js');
    const script = `const { ExpressionPool } = require(${JSON.stringify(built)});
      new ExpressionPool().evaluate('1', '1 + 1', {}).then((value) => process.stdout.write(String(value)));`;
    expect(execFileSync(process.execPath, ['-e', script], { timeout: 60_000, encoding: 'utf8' })).toBe('2');
  });
});

describe('regular expressions of a profile are matched in linear time (issue 8, no 7)', () => {
  const attacks = ['a'.repeat(54) + '!', 'word '.repeat(20_000) + '!', ' '.repeat(100_000)];
  it.each([
    WORDS,
    '$contains(text, /(a+)+$/)',
    '$contains(text, /(a|a)*$/)',
    '$contains(text, /(.*)*x/)',
    '$contains(text, /(\\s*)*\\d/)',
  ])('%s', async (text) => {
    const expression = compileExpression(text);
    for (const attack of attacks)
      await expectLinearTime((share) => expression.evaluate({ text: attack.slice(0, attack.length * share) }), 500);
  });

  it.each([
    ['$match(text, /(\\w)(\\d)?/).match', ['a', 'b1']],
    ['$match(text, /([a-z])(\\d)?/).groups', ['a', '', 'b', '1']],
    ['$replace(text, /[ab]/i, "<$0>")', '<a> <b>1'],
    ['$split(text, /\\s/)', ['a', 'b1']],
    ['$contains(text, /^B/im)', false],
    ['$contains(text, /B/i)', true],
    ['$contains(text, /\\u0061/)', true],
  ])('%s finds what RegExp finds', async (text, expected) => {
    const found = await compileExpression(text).evaluate({ text: 'a b1' });
    expect(JSON.parse(JSON.stringify(found).replaceAll('null', '""'))).toEqual(expected);
  });

  it.each(['/(a)\\1/', '/a(?=b)/', '/a(?!b)/', '/(?<=a)b/', '/(?<!a)b/', '/(?<x>a)\\k<x>/', '/(a{500}){500}/'])(
    'refuses %s in words',
    (regex) => {
      expect(expressionProblem(`$contains(body.text, ${regex})`)).toMatch(
        /cannot be matched in linear time .*write it without/,
      );
      expect(expressionProblem(`body.items[$contains(text, ${regex})].code`)).toMatch(/linear time/);
    },
  );
});
