import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { statusMatches } from '../shared/biller-document/biller-document';
import { type Expression } from '../shared/biller-document/expression';
import { parseBody, type ParsedBody } from './body-formats';
import { type CompiledProfile, type CompiledRule } from './compiled-profile';
import { type ExchangeFailure, type HttpAnswer } from './undici-transport';

/** References and codes of billers are short; a longer one is cut, so that no body hides in it. */
const TEXT_MAX = 128;
const RETRY_AFTER_DEFAULT_MS = 1_000;

export interface ReadAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly wellFormed: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export function readAnswer(answer: HttpAnswer, expected: 'json' | 'xml'): ReadAnswer {
  const parsed: ParsedBody = parseBody(answer.body, answer.headers, expected);
  return {
    status: answer.status,
    headers: answer.headers,
    wellFormed: parsed.wellFormed,
    body: parsed.wellFormed ? parsed.body : undefined,
  };
}

/**
 * Strict: what the profile does not say is `unknown`. Built in are only 429 (throttled) and 401 (not executed: a
 * request refused for its credentials was refused before it was carried out), and a rule may overrule both.
 * `accepted` and `declined` are final, so they also need a body that is what it claims to be.
 */
export async function classify(compiled: CompiledProfile, answer: ReadAnswer, nowMs: number): Promise<CallOutcome> {
  const { status } = answer;
  const rule = await firstMatch(compiled.answers, answer);
  if (rule === 'failed') return { kind: 'unknown', code: 'rule-failed' };
  const result = rule ?? (status === 429 ? 'throttled' : status === 401 ? 'unauthorized' : undefined);
  switch (result) {
    case 'accepted':
      if (!answer.wellFormed) return { kind: 'unknown', code: 'body-malformed' };
      return { kind: 'accepted', httpStatus: status, billerReference: await textOf(compiled.reference, answer) };
    case 'declined':
      if (!answer.wellFormed) return { kind: 'unknown', code: 'body-malformed' };
      return { kind: 'declined', httpStatus: status, code: await textOf(compiled.code, answer) };
    case 'throttled':
      return { kind: 'throttled', retryAfterMs: retryAfterMs(answer.headers['retry-after'], nowMs) };
    case 'not-executed':
      return { kind: 'not-executed', code: (await textOf(compiled.code, answer)) ?? `http-${status}` };
    case 'unauthorized':
      return { kind: 'not-executed', code: 'unauthorized' };
    case 'unknown':
      return { kind: 'unknown', code: (await textOf(compiled.code, answer)) ?? `http-${status}` };
    case undefined:
      if (!answer.wellFormed) return { kind: 'unknown', code: 'body-malformed' };
      return {
        kind: 'unknown',
        code: status === 409 && compiled.document.Idempotency ? 'key-conflict' : `http-${status}`,
      };
  }
}

/** Nothing left: not executed, or not sent where the deadline came first. Anything may have left: unknown. */
export function classifyFailure(failure: ExchangeFailure, lateByMs: number): CallOutcome {
  if (failure.left) return { kind: 'unknown', code: failure.code };
  if (failure.code === 'too-late') return { kind: 'not-sent', lateByMs };
  return { kind: 'not-executed', code: failure.code };
}

export async function firstMatch<Result>(
  rules: readonly CompiledRule<Result>[],
  answer: ReadAnswer,
): Promise<Result | 'failed' | undefined> {
  for (const rule of rules) {
    if (!statusMatches(rule.status, answer.status)) continue;
    if (!rule.when) return rule.result;
    try {
      if ((await rule.when.evaluate(answer)) === true) return rule.result;
    } catch {
      // A later rule must not win because an earlier one broke on this answer.
      return 'failed';
    }
  }
  return undefined;
}

/** Undefined where the expression finds no short text or number; a reference is not worth failing a call for. */
export async function textOf(expression: Expression | undefined, answer: ReadAnswer): Promise<string | undefined> {
  if (!expression) return undefined;
  try {
    const value = await expression.evaluate(answer);
    if (typeof value !== 'string' && typeof value !== 'number') return undefined;
    const text = String(value).trim().slice(0, TEXT_MAX);
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3). */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return RETRY_AFTER_DEFAULT_MS;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? RETRY_AFTER_DEFAULT_MS : Math.max(0, at - nowMs);
}
