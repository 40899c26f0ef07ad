import {
  type AnswerRuleDocument,
  type InquiryRuleDocument,
  statusMatches,
  type StatusPattern,
} from '../shared/biller-document/biller-document';
import { expressionProblem } from '../shared/biller-document/expression';
import { type Found } from '../shared/biller-document/profile-headers';
import { holdsForSilence, whatItLooksAt } from './condition-scope';

interface Rule {
  readonly Status: StatusPattern;
  readonly When?: string;
  readonly result: string;
}

/** Every status that a rule can name: a redirect is no answer. */
const STATUSES: readonly number[] = [...range(200, 299), ...range(400, 599)];

/** Rules for a call's answer that can never be reached, or that would take a failure for a delivery. */
export const answerProblems = (rules: readonly AnswerRuleDocument[], hasKeys: boolean): readonly Found[] =>
  problemsOf(
    '/Answers',
    rules.map(({ Outcome, ...rule }) => ({ ...rule, result: Outcome })),
    { final: 'accepted', again: 'not-executed', hasKeys },
  );

/** The same for the answers of an inquiry. */
export const inquiryAnswerProblems = (rules: readonly InquiryRuleDocument[], hasKeys: boolean): readonly Found[] =>
  problemsOf(
    '/StatusInquiry/Answers',
    rules.map(({ Answer, ...rule }) => ({ ...rule, result: Answer })),
    { final: 'delivered', again: 'absent', hasKeys },
  );

interface Meanings {
  /** What ends a record as delivered. */
  readonly final: 'accepted' | 'delivered';
  /** What has a record sent again. */
  readonly again: 'not-executed' | 'absent';
  /** The biller tells a repetition from a second payment. */
  readonly hasKeys: boolean;
}

/** These settle what became of a call; the others leave it open. */
const SETTLING = new Set(['accepted', 'delivered', 'declined', 'not-executed', 'absent']);

function problemsOf(path: string, rules: readonly Rule[], meanings: Meanings): readonly Found[] {
  const found: Found[] = [];
  rules.forEach((rule, index) => {
    const place = `${path}/${index}`;
    const earlier = rules.slice(0, index);
    const unreachable = coveredBy(rule, earlier);
    if (unreachable !== undefined) found.push([place, unreachable]);
    const why =
      rule.result === meanings.final
        ? tooWide(rule, index === rules.length - 1, meanings.final)
        : rule.result === meanings.again
          ? sentAgain(rule, meanings)
          : undefined;
    if (why !== undefined) found.push([place, why]);
    if (SETTLING.has(rule.result) && saysYesToSilence(rule))
      found.push([
        `${place}/When`,
        `a condition on what the biller says was expected: this one holds for an answer without body and headers too, which would count as ${rule.result}`,
      ]);
  });
  return found;
}

/** The first rule that matches wins: one whose every status is taken by earlier rules is never looked at. */
function coveredBy(rule: Rule, earlier: readonly Rule[]): string | undefined {
  const covering = earlier.filter((one) => always(one) || sameWhen(one, rule));
  const open = statusesOf(rule).find((status) => !covering.some((one) => statusMatches(one.Status, status)));
  if (open !== undefined) return undefined;
  const places = covering
    .filter((one) => statusesOf(rule).some((status) => statusMatches(one.Status, status)))
    .map((one) => earlier.indexOf(one));
  return `a rule that can be reached was expected: ${places.length === 1 ? 'rule' : 'rules'} ${places.join(', ')} above ${places.length === 1 ? 'takes' : 'take'} every answer that it names; put it above them, or give them a When`;
}

function tooWide(rule: Rule, last: boolean, final: string): string | undefined {
  const statuses = statusesOf(rule);
  const refusals = statuses.filter((status) => status >= 400);
  if (refusals.length > 0 && (ofStatusAlone(rule) || !namedOneByOne(rule.Status)))
    return `${final} for a status of 400 or above was expected only for single statuses with a When: such an answer is a refusal unless its body says otherwise`;
  if (ofStatusAlone(rule) && statuses.length > 1 && !last)
    return `a When, or the last place, was expected: without one that looks at the body or the headers this rule takes every answer of ${statusText(rule.Status)} for ${final}, and stands above others`;
  return undefined;
}

/** Sent again while it may have been carried out: without a key that is a second payment, with one a try for nothing. */
function sentAgain(rule: Rule, { again, hasKeys }: Meanings): string | undefined {
  if (!ofStatusAlone(rule)) return undefined;
  const { Status: pattern } = rule;
  if (statusesOf(rule).some((status) => status < 300))
    return `a When on the body or the headers was expected: by its status such an answer is a success, and ${again} has the record sent again`;
  const all5xx = pattern === '5xx' || (Array.isArray(pattern) && pattern.includes('5xx'));
  return all5xx && !hasKeys
    ? `single statuses, or a When, were expected: among 5xx are answers of gateways that gave up waiting (502, 504), and ${again} has the record sent again, without Idempotency as a second payment`
    : undefined;
}

const saysYesToSilence = ({ When }: Rule): boolean =>
  When !== undefined && expressionProblem(When) === undefined && holdsForSilence(When);

const always = ({ When }: Rule): boolean => When === undefined || When.trim() === 'true';
/** A condition that is no expression is told elsewhere. */
const ofStatusAlone = (rule: Rule): boolean =>
  always(rule) || (expressionProblem(rule.When!) === undefined && whatItLooksAt(rule.When!) !== 'content');
const sameWhen = (one: Rule, other: Rule): boolean =>
  one.When !== undefined && one.When.replace(/\s+/g, ' ').trim() === other.When?.replace(/\s+/g, ' ').trim();
const statusesOf = ({ Status }: Rule): readonly number[] => STATUSES.filter((status) => statusMatches(Status, status));
const namedOneByOne = (pattern: StatusPattern): boolean =>
  typeof pattern === 'number' || (typeof pattern !== 'string' && pattern.every((one) => typeof one === 'number'));
const statusText = (pattern: StatusPattern): string => (Array.isArray(pattern) ? pattern.join(', ') : String(pattern));

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
