import {
  classify,
  classifyFailure,
  firstMatch,
  type ReadAnswer,
  textOf,
  unclear,
} from '../../src/adapters/biller-http/answer-classifier';
import { type CompiledProfile, type CompiledRule } from '../../src/adapters/biller-http/compiled-profile';
import { isFailure, saysNotThrottled } from '../../src/adapters/biller-http/outcome-meaning';
import { ExchangeFailure, type ExchangeFailureCode } from '../../src/adapters/biller-http/undici-transport';
import { type Expression } from '../../src/adapters/shared/biller-document/expression';
import { type CallOutcome } from '../../src/domain/policies/delivery-outcome';

type Result = 'accepted' | 'declined' | 'unknown' | 'not-executed' | 'throttled';
const saying = (value: unknown): Expression => ({ evaluate: () => Promise.resolve(value) });
const broken = { evaluate: () => Promise.reject(new Error('broken')) } as unknown as Expression;
const rule = (
  result: Result,
  when?: Expression,
  status: CompiledRule<Result>['status'] = 200,
): CompiledRule<Result> => ({ status, when, result });
const answer = (more: Partial<ReadAnswer> = {}): ReadAnswer => ({
  status: 200,
  body: {},
  wellFormed: true,
  headers: {},
  ...more,
});
const profile = (answers: readonly CompiledRule<Result>[], more: Partial<CompiledProfile> = {}) =>
  ({ answers, document: {}, ...more }) as unknown as CompiledProfile;
const IN_TIME = { nowMs: 0, isOver: () => false };

describe('the rules of a profile about an answer (issue 9, no 12)', () => {
  it.each<[string, readonly CompiledRule<Result>[], Result | 'failed' | undefined]>([
    [
      'the first that fits wins',
      [rule('accepted', saying(false)), rule('declined', saying(true)), rule('unknown')],
      'declined',
    ],
    [
      'one without a condition fits its status',
      [rule('declined', undefined, 201), rule('accepted'), rule('unknown')],
      'accepted',
    ],
    [
      'what is not true itself does not fit',
      [
        rule('accepted', saying('true')),
        rule('accepted', saying(1)),
        rule('accepted', saying({})),
        rule('declined', saying(undefined)),
      ],
      undefined,
    ],
    ['none fits another status', [rule('accepted', saying(true), 201)], undefined],
    ['one that breaks lets no later one win', [rule('accepted', broken), rule('declined')], 'failed'],
    [
      'one that would break behind the one that fits is not asked',
      [rule('accepted', saying(true)), rule('declined', broken)],
      'accepted',
    ],
    ['one that breaks for another status is not asked', [rule('accepted', broken, 201), rule('declined')], 'declined'],
  ])('%s', async (_, rules, expected) => {
    expect(await firstMatch(rules, answer(), () => false)).toBe(expected);
  });

  it('none is evaluated once the time for judging is over; one without a condition needs none', async () => {
    let asked = 0;
    const counting = { evaluate: () => (asked++, Promise.resolve(false)) } as unknown as Expression;
    expect(await firstMatch([rule('accepted', counting), rule('declined', counting)], answer(), () => asked > 0)).toBe(
      'failed',
    );
    expect(asked).toBe(1);
    expect(await firstMatch([rule('declined')], answer(), () => true)).toBe('declined');
  });

  it.each<[string, readonly CompiledRule<Result>[], Partial<ReadAnswer>, Partial<CallOutcome> & { answer?: object }]>([
    ['accepted by a sound answer', [rule('accepted')], {}, { kind: 'accepted' }],
    [
      'accepted by a malformed one',
      [rule('accepted')],
      { wellFormed: false },
      { kind: 'unknown', code: 'body-malformed' },
    ],
    [
      'declined by a malformed one',
      [rule('declined')],
      { wellFormed: false },
      { kind: 'unknown', code: 'body-malformed' },
    ],
    [
      'not executed, by a malformed one too',
      [rule('not-executed', undefined, 503)],
      { status: 503, wellFormed: false },
      { kind: 'not-executed', code: 'http-503' },
    ],
    [
      'not executed, but a success that cannot be read is unknown (issue 8, no 2)',
      [rule('not-executed')],
      { wellFormed: false },
      { kind: 'unknown', code: 'body-malformed' },
    ],
    [
      'unknown by rule',
      [rule('unknown')],
      {},
      { kind: 'unknown', code: 'http-200', answer: { httpStatus: 200, byRule: true, wellFormed: true } },
    ],
    [
      'no rule',
      [],
      {},
      { kind: 'unknown', code: 'http-200', answer: { httpStatus: 200, byRule: false, wellFormed: true } },
    ],
    ['no rule, malformed', [], { wellFormed: false }, { kind: 'unknown', code: 'body-malformed' }],
    [
      'a rule that breaks',
      [rule('accepted', broken)],
      {},
      { kind: 'unknown', code: 'rule-failed', answer: { httpStatus: 200, byRule: false, wellFormed: true } },
    ],
    ['401 without a rule', [], { status: 401 }, { kind: 'not-executed', code: 'unauthorized' }],
    [
      '429 without a rule',
      [],
      { status: 429, headers: { 'retry-after': '7' } },
      { kind: 'throttled', retryAfterMs: 7_000 },
    ],
    ['a throttle that asks for nothing', [rule('throttled')], {}, { kind: 'throttled', retryAfterMs: 0 }],
    ['401 by a rule', [rule('declined', undefined, 401)], { status: 401 }, { kind: 'declined', httpStatus: 401 }],
    ['409 without keys', [], { status: 409 }, { kind: 'unknown', code: 'http-409' }],
  ])('%s', async (_, rules, more, expected) => {
    expect(await classify(profile(rules), answer(more), IN_TIME)).toMatchObject(expected);
  });

  it('409 of a biller with keys is a conflict of keys', async () => {
    const keyed = profile([], { document: { Idempotency: {} } as unknown as CompiledProfile['document'] });
    expect(await classify(keyed, answer({ status: 409 }), IN_TIME)).toMatchObject({
      kind: 'unknown',
      code: 'key-conflict',
    });
    expect(await classify(keyed, answer({ status: 408 }), IN_TIME)).toMatchObject({
      kind: 'unknown',
      code: 'http-408',
    });
  });

  it('the code that the answer names stands before the status', async () => {
    for (const [result, kind] of [
      ['not-executed', 'not-executed'],
      ['unknown', 'unknown'],
      ['declined', 'declined'],
    ] as const)
      expect(await classify(profile([rule(result)], { code: saying('C-1') }), answer(), IN_TIME)).toMatchObject({
        kind,
        code: 'C-1',
      });
    expect(await classify(profile([rule('accepted')], { reference: saying('R-1') }), answer(), IN_TIME)).toMatchObject({
      billerReference: 'R-1',
    });
  });

  it.each<[unknown, string | undefined]>([
    ['R-1', 'R-1'],
    [71, '71'],
    [0, '0'],
    [' R ', 'R'],
    ['', undefined],
    ['  ', undefined],
    [true, undefined],
    [null, undefined],
    [undefined, undefined],
    [{}, undefined],
    ['x'.repeat(128), 'x'.repeat(128)],
    ['x'.repeat(129), 'x'.repeat(128)],
  ])('text of %j is %j', async (value, expected) => {
    expect(await textOf(saying(value), answer())).toBe(expected);
  });

  it('text of an expression that breaks, or of none, is none', async () => {
    expect([await textOf(broken, answer()), await textOf(undefined, answer())]).toEqual([undefined, undefined]);
  });

  it.each([
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    ['text/html ;x=y', 'text/html'],
    ['json', undefined],
    ['', undefined],
    ['application/json charset', undefined],
    [`${'a'.repeat(64)}/json`, undefined],
  ])('the type %j is told as %j', (header, expected) => {
    expect(unclear(answer({ headers: { 'content-type': header } }), false).contentType).toBe(expected);
  });
});

describe('what a failed exchange and an outcome mean', () => {
  const NOTHING_LEFT: readonly ExchangeFailureCode[] = [
    'connection-refused',
    'dns-failed',
    'connect-timeout',
    'tls-failed',
    'connection-failed',
    'host-not-allowed',
  ];
  const MAY_HAVE_LEFT: readonly ExchangeFailureCode[] = [
    'reset',
    'timed-out',
    'redirected',
    'body-too-large',
    'answer-malformed',
  ];

  it('what may have left is unknown, whatever its code; what did not was not executed', () => {
    for (const code of [...NOTHING_LEFT, ...MAY_HAVE_LEFT]) {
      expect(classifyFailure(new ExchangeFailure(code, true), 5)).toEqual({ kind: 'unknown', code });
      expect(classifyFailure(new ExchangeFailure(code, false), 5)).toEqual({ kind: 'not-executed', code });
    }
    expect(classifyFailure(new ExchangeFailure('too-late', false), 5)).toEqual({ kind: 'not-sent', lateByMs: 5 });
    expect(classifyFailure(new ExchangeFailure('key-not-carried', false), 5)).toEqual({
      kind: 'not-sent',
      lateByMs: 0,
      code: 'key-not-carried',
    });
  });

  const unknown = (httpStatus: number, byRule: boolean, wellFormed: boolean): CallOutcome => ({
    kind: 'unknown',
    code: 'x',
    answer: { httpStatus, byRule, wellFormed },
  });
  it.each<[CallOutcome, failure: boolean, spoke: boolean]>([
    [{ kind: 'accepted', httpStatus: 200, billerReference: undefined }, false, true],
    [{ kind: 'declined', httpStatus: 422, code: undefined }, false, true],
    [{ kind: 'throttled', retryAfterMs: 0 }, false, false],
    [{ kind: 'not-sent', lateByMs: 0 }, false, false],
    [{ kind: 'not-executed', code: 'unauthorized' }, false, true],
    ...NOTHING_LEFT.map((code): [CallOutcome, boolean, boolean] => [{ kind: 'not-executed', code }, true, false]),
    ...MAY_HAVE_LEFT.map((code): [CallOutcome, boolean, boolean] => [{ kind: 'unknown', code }, true, false]),
    [unknown(200, false, true), false, true],
    [unknown(299, false, true), false, true],
    [unknown(300, false, true), true, true],
    [unknown(199, false, true), true, true],
    [unknown(200, false, false), true, true],
    [unknown(404, false, true), true, true],
    [unknown(404, true, true), false, true],
    [unknown(404, true, false), false, true],
    [unknown(499, true, true), false, true],
    [unknown(500, true, true), true, true],
    [unknown(503, false, true), true, true],
  ])('%j: counted by the breaker %j, ends a throttle %j', (outcome, failure, spoke) => {
    expect([isFailure(outcome), saysNotThrottled(outcome)]).toEqual([failure, spoke]);
  });
});
