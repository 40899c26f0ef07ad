import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type Action, ACTIONS } from '../../domain/biller/data-type';
import { type BillerId } from '../../domain/identifiers';
import {
  type AnswerRuleDocument,
  type BillerDocument,
  type BodyFormat,
  durationMs,
  type InquiryRuleDocument,
  type RequestDocument,
  type StatusPattern,
} from '../shared/biller-document/biller-document';
import { compileExpression, type EvaluateElsewhere, type Expression } from '../shared/biller-document/expression';
import { parsePathTemplate, type PathTemplate } from '../shared/biller-document/path-template';
import { headerProblems } from '../shared/biller-document/profile-headers';
import { compileRequestBody, type RequestBody } from '../shared/biller-document/request-body';

/** A profile made ready for calls: expressions compiled, templates taken apart, once per version. */
export interface CompiledProfile {
  readonly document: BillerDocument;
  readonly requests: ReadonlyMap<Action, CompiledRequest>;
  readonly answers: readonly CompiledRule<AnswerRuleDocument['Outcome']>[];
  readonly reference: Expression | undefined;
  readonly code: Expression | undefined;
  readonly inquiry: CompiledInquiry | undefined;
  /** Why no request may be built: a version stored under older rules may name headers that do not arrive. */
  readonly headerProblem: string | undefined;
}

export interface CompiledRequest {
  readonly method: RequestDocument['Method'];
  readonly path: PathTemplate;
  readonly headers: Readonly<Record<string, string>>;
  readonly format: BodyFormat;
  readonly rootElement: string | undefined;
  readonly body: RequestBody;
}

export interface CompiledRule<Result> {
  readonly status: StatusPattern;
  readonly when: Expression | undefined;
  readonly result: Result;
}

export interface CompiledInquiry {
  readonly path: PathTemplate;
  readonly headers: Readonly<Record<string, string>>;
  readonly answers: readonly CompiledRule<InquiryRuleDocument['Answer']>[];
  readonly reference: Expression | undefined;
  readonly amountMinorUnits: Expression | undefined;
  readonly amount: Expression | undefined;
  readonly timeoutMs: number;
}

const INQUIRY_TIMEOUT_DEFAULT_MS = 5_000;
const COMPILED_MAX = 512;

/** Keeps the profiles used last; an old version is needed again only while one of its attempts is open. */
export class CompiledProfiles {
  private readonly kept = new Map<string, CompiledProfile>();

  /** Where a biller's expressions are evaluated, unless they are plain. */
  constructor(private readonly elsewhere: (biller: BillerId) => EvaluateElsewhere) {}

  of(profile: BillerProfile): CompiledProfile {
    const key = `${profile.billerId}:${profile.version}`;
    const known = this.kept.get(key);
    if (known) {
      // Move to the young end: the oldest is dropped first.
      this.kept.delete(key);
      this.kept.set(key, known);
      return known;
    }
    const compiled = compile(profile.document as unknown as BillerDocument, this.elsewhere(profile.billerId));
    this.kept.set(key, compiled);
    if (this.kept.size > COMPILED_MAX) this.kept.delete(this.kept.keys().next().value!);
    return compiled;
  }
}

function compile(document: BillerDocument, elsewhere: EvaluateElsewhere): CompiledProfile {
  const expression = (text: string): Expression => compileExpression(text, elsewhere);
  const optionally = (text: string | undefined): Expression | undefined =>
    text === undefined ? undefined : expression(text);
  const requests = new Map<Action, CompiledRequest>();
  for (const action of ACTIONS) {
    const request = document.Requests[action];
    if (!request) continue;
    requests.set(action, {
      method: request.Method,
      path: parsePathTemplate(request.Path),
      headers: request.Headers ?? {},
      format: request.Format,
      rootElement: request.RootElement,
      body: compileRequestBody(request.Body, request.Optional, elsewhere),
    });
  }
  const { StatusInquiry: inquiry } = document;
  const [headerProblem] = headerProblems(document);
  return {
    document,
    headerProblem: headerProblem?.join(': '),
    requests,
    answers: document.Answers.map((rule) => ({
      status: rule.Status,
      when: optionally(rule.When),
      result: rule.Outcome,
    })),
    reference: optionally(document.Reference),
    code: optionally(document.Code),
    inquiry: inquiry && {
      path: parsePathTemplate(inquiry.Path),
      headers: inquiry.Headers ?? {},
      answers: inquiry.Answers.map((rule) => ({
        status: rule.Status,
        when: optionally(rule.When),
        result: rule.Answer,
      })),
      reference: optionally(inquiry.Reference),
      amountMinorUnits: optionally(inquiry.AmountMinorUnits),
      amount: optionally(inquiry.Amount),
      timeoutMs: inquiry.Timeout === undefined ? INQUIRY_TIMEOUT_DEFAULT_MS : durationMs(inquiry.Timeout),
    },
  };
}
