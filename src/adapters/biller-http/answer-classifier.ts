import { maskCardData } from '../../domain/policies/card-data';
import { type CallOutcome, type UnclearAnswer } from '../../domain/policies/delivery-outcome';
import { statusMatches } from '../shared/biller-document/biller-document';
import { type Expression } from '../shared/biller-document/expression';
import { parseBody, type ParsedBody } from './body-formats';
import { type CompiledProfile, type CompiledRule } from './compiled-profile';
import { waitAskedMs } from './retry-after';
import { type ExchangeFailure, type HttpAnswer } from './undici-transport';

/** References and codes of billers are short; a longer one is cut, so that no body hides in it. */
const TEXT_MAX = 128;
/** Enough that a card number, however spaced, is masked before its text is cut. */
const LOOKED_AT_MAX = 1_024;

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
export async function classify(
  compiled: CompiledProfile,
  answer: ReadAnswer,
  time: { readonly nowMs: number; readonly isOver: () => boolean },
): Promise<CallOutcome> {
  const { status } = answer;
  const rule = await firstMatch(compiled.answers, answer, time.isOver);
  const unknown = (code: string): CallOutcome => ({
    kind: 'unknown',
    code,
    answer: unclear(answer, rule === 'unknown'),
  });
  if (rule === 'failed') return unknown('rule-failed');
  const result = rule ?? (status === 429 ? 'throttled' : status === 401 ? 'unauthorized' : undefined);
  switch (result) {
    case 'accepted':
      if (!answer.wellFormed) return unknown('body-malformed');
      return { kind: 'accepted', httpStatus: status, billerReference: await textOf(compiled.reference, answer) };
    case 'declined':
      if (!answer.wellFormed) return unknown('body-malformed');
      return { kind: 'declined', httpStatus: status, code: await textOf(compiled.code, answer) };
    case 'throttled':
      return { kind: 'throttled', retryAfterMs: waitAskedMs(answer.headers, time.nowMs) ?? 0 };
    case 'not-executed':
      // By its status it succeeded, and what it says of itself cannot be read.
      if (!answer.wellFormed && status < 300) return unknown('body-malformed');
      return { kind: 'not-executed', code: (await textOf(compiled.code, answer)) ?? `http-${status}` };
    case 'unauthorized':
      return { kind: 'not-executed', code: 'unauthorized' };
    case 'unknown':
      return unknown((await textOf(compiled.code, answer)) ?? `http-${status}`);
    case undefined:
      if (!answer.wellFormed) return unknown('body-malformed');
      return unknown(status === 409 && compiled.document.Idempotency ? 'key-conflict' : `http-${status}`);
  }
}

/** Nothing left: not executed, or not sent where the deadline came first. Anything may have left: unknown. */
export function classifyFailure(failure: ExchangeFailure, lateByMs: number): CallOutcome {
  if (failure.left) return { kind: 'unknown', code: failure.code };
  if (failure.code === 'too-late') return { kind: 'not-sent', lateByMs };
  // Looking again would find the same: it spends a try, so that the schedule bounds it.
  if (failure.code === 'key-not-carried') return { kind: 'not-sent', lateByMs: 0, code: failure.code };
  return { kind: 'not-executed', code: failure.code };
}

export async function firstMatch<Result>(
  rules: readonly CompiledRule<Result>[],
  answer: ReadAnswer,
  isOver: () => boolean,
): Promise<Result | 'failed' | undefined> {
  for (const rule of rules) {
    if (!statusMatches(rule.status, answer.status)) continue;
    if (!rule.when) return rule.result;
    // Each evaluation is bounded; many slow ones in a row must be too.
    if (isOver()) return 'failed';
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
    const text = maskCardData(String(value).trim().slice(0, LOOKED_AT_MAX)).slice(0, TEXT_MAX);
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Type and subtype alone: parameters may hold anything. */
const MEDIA_TYPE = /^[a-z0-9!#$&^_.+-]{1,63}\/[a-z0-9!#$&^_.+-]{1,63}(?=\s*(?:;|$))/i;

export function unclear({ status, wellFormed, headers }: ReadAnswer, byRule: boolean): UnclearAnswer {
  const contentType = MEDIA_TYPE.exec(headers['content-type'] ?? '')?.[0].toLowerCase();
  return { httpStatus: status, byRule, wellFormed, ...(contentType !== undefined && { contentType }) };
}
