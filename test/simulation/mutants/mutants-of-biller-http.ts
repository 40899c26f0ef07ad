import { type Mutant } from './mutant';

const HTTP = 'src/adapters/biller-http';

/**
 * Defects of the real HTTP gateway, hunted by the suites that put it over a simulated connection in virtual time, with
 * crossed faults and many callers at once, and by its rules alone.
 */
const of = (file: string, name: string, find: string, replace: string): Mutant => ({
  name,
  rule: 'the gateway keeps its laws',
  file: `${HTTP}/${file}`,
  find,
  replace,
  shows: /the HTTP gateway|rules of a profile|a failed exchange|a biller that throttles|the breaker/,
  suites: ['test/adapters/(biller-http\\.(crossed-faults|crowd|classifier)|biller-backoff)'],
});

const BY_SUITES: readonly Mutant[] = [
  of(
    'http-biller-gateway.ts',
    'tells a 401 and then silence as not executed',
    'if (error instanceof ExchangeFailure && !error.left) return undefined;',
    'if (error instanceof ExchangeFailure) return undefined;',
  ),
  of(
    'http-biller-gateway.ts',
    'throws an error that came after the request had left',
    "return { kind: 'unknown', code: 'gateway-failed' };",
    'throw error;',
  ),
  of(
    'http-biller-gateway.ts',
    'throws a broken connection instead of telling it',
    'if (error instanceof ExchangeFailure) return classifyFailure(error, lateByMs());',
    'if (error instanceof ExchangeFailure && !error.left) return classifyFailure(error, lateByMs()); if (error instanceof ExchangeFailure) throw error;',
  ),
  of(
    'http-biller-gateway.ts',
    'repeats a refused call with the credential that was refused',
    'await refused.forget(); return this.credential(profile, compiled);',
    'return this.credential(profile, compiled);',
  ),
  of('http-biller-gateway.ts', 'never lets another ask for a credential again', 'if (shut) asking.end();', ''),
  of(
    'http-biller-gateway.ts',
    'inquires of a biller that asked to be left alone',
    "if (this.admission(request.profile).shutForMs() > 0) return { answer: 'unavailable' };",
    '',
  ),
  of(
    'answer-classifier.ts',
    'accepts a malformed answer where the rule has no condition',
    "case 'accepted': if (!answer.wellFormed) return unknown('body-malformed');",
    "case 'accepted':",
  ),
  of(
    'answer-classifier.ts',
    'declines by a malformed answer',
    "case 'declined': if (!answer.wellFormed) return unknown('body-malformed');",
    "case 'declined':",
  ),
  of(
    'answer-classifier.ts',
    'tells a request that left as not executed',
    "if (failure.left) return { kind: 'unknown', code: failure.code };",
    '',
  ),
  of(
    'answer-classifier.ts',
    'lets a later rule win where an earlier one broke',
    "// A later rule must not win because an earlier one broke on this answer.\n      return 'failed';",
    'continue;',
  ),
  of(
    'answer-classifier.ts',
    'ignores Retry-After',
    'retryAfterMs: waitAskedMs(answer.headers, time.nowMs) ?? 0',
    'retryAfterMs: 0 * time.nowMs',
  ),
  of(
    'credentials.ts',
    'shares a token between two billers',
    "const key = [document.BillerID, tokenUrl, auth.ClientIdSecret, auth.Scope ?? ''].join('|');",
    "const key = [tokenUrl, auth.ClientIdSecret, auth.Scope ?? ''].join('|');",
  ),
  of(
    'credentials.ts',
    'shares a token between two scopes',
    "const key = [document.BillerID, tokenUrl, auth.ClientIdSecret, auth.Scope ?? ''].join('|');",
    "const key = [document.BillerID, tokenUrl, auth.ClientIdSecret].join('|');",
  ),
  of(
    'credentials.ts',
    'shares a token between two token endpoints',
    "const key = [document.BillerID, tokenUrl, auth.ClientIdSecret, auth.Scope ?? ''].join('|');",
    "const key = [document.BillerID, auth.ClientIdSecret, auth.Scope ?? ''].join('|');",
  ),
  of(
    'admission.ts',
    'keeps the place of a call that is over',
    'for (const [gate] of probed) gate.probe.end(); release();',
    'for (const [gate] of probed) gate.probe.end();',
  ),
  of(
    'admission.ts',
    'keeps the place of a call that a gate refused at last',
    'if (late) { release(); return late; }',
    'if (late) return late;',
  ),
  of(
    'admission.ts',
    'keeps the place of a call whose rate could not be asked for',
    'catch (error) { release(); throw error; }',
    'catch (error) { throw error; }',
  ),
  of(
    'admission.ts',
    'keeps the probe of a call that is over',
    'for (const [gate] of probed) gate.probe.end(); release();',
    'release();',
  ),
  of('admission.ts', 'gives a place back twice', 'if (!held) return; held = false;', 'if (!held) held = true;'),
  of('admission.ts', 'lets everyone probe at once', 'for (const [gate] of probed) gate.probe.begin();', ''),
  of(
    'backoff.ts',
    'never shuts the gate of a biller that throttles',
    'if (!this.isShut() && ++this.failures < this.words.failuresToShut) return asked;',
    'if (!this.isShut()) return asked;',
  ),
  of(
    'backoff.ts',
    'shuts the gate at a single throttled call',
    'const THROTTLES_TO_SHUT = 2;',
    'const THROTTLES_TO_SHUT = 1;',
  ),
  of(
    'backoff.ts',
    'forgets no throttled call however many worked since',
    'worked(): void { this.failures = 0;',
    'worked(): void {',
  ),
  of(
    'backoff.ts',
    'opens the gate by an answer to a call of before',
    'if (!this.isShut() || this.remainingMs() > 0) return;',
    'if (!this.isShut()) return;',
  ),
  of('backoff.ts', 'waits as long after each round', '2 ** Math.min(this.rounds, DOUBLINGS_MAX)', '2 ** 0'),
  of(
    'breaker.ts',
    'opens for no failure',
    '} else if (this.isShut() || ++this.failures >= this.terms.failuresToOpen) {',
    '} else if (this.isShut()) {',
  ),
  of('breaker.ts', 'counts failures that others lie between', 'if (!failed) { this.failures = 0;', 'if (!failed) {'),
  of(
    'undici-transport.ts',
    'sends after the deadline',
    "if (deadline.remainingMs() <= 0) return fail(new ExchangeFailure('too-late', false));",
    '',
  ),
  of(
    'undici-transport.ts',
    'lets a request leave twice',
    "if (wire.started) return fail(new ExchangeFailure('reset', true));",
    '',
  ),
  of(
    'undici-transport.ts',
    'takes a broken connection for one that never was',
    'onResponseError: (_controller, error) => fail(failureOf(error, wire.started)),',
    'onResponseError: (_controller, error) => fail(failureOf(error, false)),',
  ),
];

/** Of these, what the seeds that run through the real gateway must find as well, by what follows from each. */
const BY_SEEDS: Readonly<Record<string, RegExp>> = {
  'tells a 401 and then silence as not executed':
    /came to not-executed; 2 requests left|^doubled|closed as not executed/,
  'throws a broken connection instead of telling it': /threw/,
  'repeats a refused call with the credential that was refused': /repeated with the credential that was refused/,
  'accepts a malformed answer where the rule has no condition':
    /came to accepted; .* unclear|delivered without an effect/,
  'declines by a malformed answer': /came to declined; .* unclear|declined though the biller never said so/,
  'tells a request that left as not executed': /came to not-executed; \d requests left|^doubled|closed as not executed/,
  'ignores Retry-After': /before its biller's Retry-After was over/,
  'shares a token between two billers': /was shown a token of biller/,
  'shares a token between two scopes': /was shown a token for/,
  'keeps the place of a call that is over': /still holds \d+ permits or probes/,
  'keeps the probe of a call that is over': /still holds \d+ permits or probes/,
  'sends after the deadline': /a call of .* left at .*, after/,
  'takes a broken connection for one that never was':
    /came to not-executed; \d requests left|^doubled|closed as not executed/,
};

const bySeeds = (mutant: Mutant): readonly Mutant[] => {
  const { suites, ...found } = mutant;
  const shows = BY_SEEDS[mutant.name];
  return suites && shows ? [{ ...found, name: `${mutant.name}, as seeds see it`, on: 'http', shows }] : [];
};

export const MUTANTS_OF_BILLER_HTTP: readonly Mutant[] = [
  ...BY_SUITES,
  ...BY_SUITES.flatMap(bySeeds),
  {
    name: 'counts a date of the biller by the clock of this machine',
    rule: 'the gateway keeps its laws',
    file: `${HTTP}/retry-after.ts`,
    find: 'Number.isNaN(answeredAtMs) ? ownNowMs : answeredAtMs',
    replace: 'Number.isNaN(answeredAtMs) ? ownNowMs : ownNowMs',
    on: 'http',
    shows: /before its biller's Retry-After was over/,
  },
];
