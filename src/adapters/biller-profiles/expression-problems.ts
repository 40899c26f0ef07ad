import jsonata from 'jsonata';
import { carriesMoney, type DataType, DATA_TYPES, actionOf } from '../../domain/biller/data-type';
import { type BillerDocument, type RequestDocument } from '../shared/biller-document/biller-document';
import { expressionProblem } from '../shared/biller-document/expression';
import { ANSWER_CONTEXT, leafPaths, memberAt, REQUEST_CONTEXT } from '../shared/biller-document/expression-contexts';
import { type ExpressionPaths, expressionPaths } from '../shared/biller-document/expression-paths';
import { didYouMean } from '../shared/biller-document/nearest-name';
import { fixedTextProblem, parsePathTemplate } from '../shared/biller-document/path-template';
import { type Found } from '../shared/biller-document/profile-headers';
import { whatItLooksAt } from './condition-scope';

/** Every expression and placeholder of a profile that names what its context does not have. */
export function expressionProblems(document: BillerDocument): readonly Found[] {
  const found: Found[] = [];
  const note = (path: string, problems: readonly string[]): void =>
    void found.push(...problems.map((problem): Found => [path, problem]));
  const ofAnswer = (path: string, text: string | undefined): void => note(path, answerExpression(text));

  for (const [action, request] of Object.entries(document.Requests)) {
    note(`/Requests/${action}/Path`, placeholderProblems(request.Path));
    note(`/Requests/${action}/Body`, bodyProblems(request.Body));
    const type = DATA_TYPES.find((one) => actionOf(one) === action);
    (request.Optional ?? []).forEach((path, index) =>
      note(`/Requests/${action}/Optional/${index}`, optionalProblems(path, request, type)),
    );
  }
  document.Answers.forEach(({ When }, index) => note(`/Answers/${index}/When`, whenProblems(When)));
  ofAnswer('/Reference', document.Reference);
  ofAnswer('/Code', document.Code);
  const { StatusInquiry: inquiry } = document;
  if (inquiry) {
    note('/StatusInquiry/Path', inquiryPathProblems(inquiry.Path));
    inquiry.Answers.forEach(({ When }, index) => note(`/StatusInquiry/Answers/${index}/When`, whenProblems(When)));
    ofAnswer('/StatusInquiry/Reference', inquiry.Reference);
    ofAnswer('/StatusInquiry/AmountMinorUnits', inquiry.AmountMinorUnits);
    ofAnswer('/StatusInquiry/Amount', inquiry.Amount);
  }
  return found;
}

/** Undefined, with its problem, where the text is no expression at all. */
function read(text: string, context: object): ExpressionPaths | { readonly problems: readonly string[] } {
  const problem = expressionProblem(text);
  if (problem !== undefined) return { problems: [`a JSONata expression was expected: ${problem}`] };
  return expressionPaths(jsonata(text).ast(), context);
}

const answerExpression = (text: string | undefined): readonly string[] =>
  text === undefined ? [] : read(text, ANSWER_CONTEXT).problems;

/** A condition that looks at nothing of the answer says the same to every one. */
function whenProblems(text: string | undefined): readonly string[] {
  const problems = answerExpression(text);
  if (text === undefined || problems.length > 0 || whatItLooksAt(text) !== 'nothing') return problems;
  return ['a condition on status, body or headers was expected: this one says the same to every answer'];
}

const MONEY = ['payment.amountMinorUnits', 'payment.amount'];
/** Forms whose value is text, a number, true or false, or a list, whatever the row. */
const NO_OBJECT = new Set(['string', 'number', 'value', 'regex', 'binary', 'lambda']);

function bodyProblems(text: string): readonly string[] {
  const paths = read(text, REQUEST_CONTEXT);
  if (paths.problems.length > 0 || !('result' in paths)) return paths.problems;
  const { type, value } = jsonata(text).ast() as { readonly type: string; readonly value?: unknown };
  if (NO_OBJECT.has(type) || (type === 'unary' && value !== '{'))
    return ['an object was expected, such as { "reference": record.key }'];
  const scaled = MONEY.find((path) => paths.scaledByNumber.has(path));
  if (scaled !== undefined && !paths.reads.has('payment.amountExponent'))
    return [
      `payment.amount, or payment.amountMinorUnits as it is, was expected: a currency has 0 to 4 decimals, so ${scaled} times or by a fixed number is another amount in some`,
    ];
  return paths.result.kind === 'value'
    ? [`an object was expected, such as { "reference": record.key }: ${paths.result.path} is a single value`]
    : [];
}

function placeholderProblems(text: string): readonly string[] {
  let template: ReturnType<typeof parsePathTemplate>;
  try {
    template = parsePathTemplate(text);
  } catch (error) {
    return [`a path with {dotted.path} placeholders was expected: ${(error as Error).message}`];
  }
  const fixed = fixedTextProblem(text);
  const ofPlaceholders = template.flatMap((part) => {
    if (typeof part === 'string') return [];
    const path = part.path.join('.');
    const member = memberAt(REQUEST_CONTEXT, part.path);
    if (member === undefined) return [`{${path}} is not in the context${didYouMean(path, leafPaths(REQUEST_CONTEXT))}`];
    return typeof member === 'string' ? [] : [`a single value was expected: {${path}} has members`];
  });
  return fixed === undefined ? ofPlaceholders : [fixed, ...ofPlaceholders];
}

/** Each names one record alone. By the customer's account, say, another payment's fate would be taken for this one's. */
const NAMES_THE_RECORD = ['record.key', 'record.dpId', 'payment.paymentId', 'idempotencyKey'];

function inquiryPathProblems(text: string): readonly string[] {
  const problems = placeholderProblems(text);
  if (problems.length > 0 || NAMES_THE_RECORD.some((path) => text.includes(`{${path}}`))) return problems;
  return [
    `a placeholder that names the record was expected (${NAMES_THE_RECORD.map((path) => `{${path}}`).join(', ')}): this path asks the same for several of them`,
  ];
}

/** Only what a row of this action need not have may be left out; an amount or an account never. */
function optionalProblems(path: string, request: RequestDocument, type: DataType | undefined): readonly string[] {
  const member = memberAt(REQUEST_CONTEXT, path.split('.'));
  if (member === undefined) return [`${path} is not in the context${didYouMean(path, leafPaths(REQUEST_CONTEXT))}`];
  if (typeof member !== 'string') return [`a single value was expected: ${path} has members`];
  const withoutPayment = type !== undefined && !carriesMoney(type) && member === 'with-payment';
  if (member !== 'may-be-missing' && !withoutPayment)
    return [`a value that a row need not have was expected: ${path} is always there`];
  const paths = read(request.Body, REQUEST_CONTEXT);
  return 'reads' in paths && !paths.reads.has(path) ? [`the Body does not name ${path}`] : [];
}
