import { type InquireRequest } from '../../application/ports/biller-gateway';
import { exponentOf } from '../../domain/currencies';
import { minorUnitsFromText } from '../../domain/money';
import { type InquiryAnswer } from '../../domain/policies/in-doubt-resolution';
import { renderPath } from '../shared/biller-document/path-template';
import { firstMatch, readAnswer, type ReadAnswer, textOf } from './answer-classifier';
import { type CompiledInquiry, type CompiledProfile } from './compiled-profile';
import { contextWithoutRow, requestContext } from './request-context';
import { urlOf } from './request-builder';
import { type HttpAnswer, type HttpRequest } from './undici-transport';

/** Asks what became of a record. Only what the profile's rules name counts as an answer. */
export async function askStatus(
  compiled: CompiledProfile,
  request: InquireRequest,
  exchange: (asked: HttpRequest) => Promise<HttpAnswer>,
): Promise<InquiryAnswer> {
  const { inquiry } = compiled;
  if (!inquiry || compiled.headerProblem !== undefined) return { answer: 'unavailable' };
  const { profile, row, record, idempotencyKey } = request;
  const context = row
    ? requestContext(profile, row, idempotencyKey)
    : contextWithoutRow(profile, record, idempotencyKey);
  const url = urlOf(compiled, renderPath(inquiry.path, context));
  const expected = Object.values(compiled.document.Requests).some((one) => one.Format === 'xml') ? 'xml' : 'json';
  const answer = readAnswer(
    await exchange({ method: 'GET', url, headers: inquiry.headers, body: undefined }),
    expected,
  );
  if (!answer.wellFormed) return { answer: 'unavailable' };
  const told = await firstMatch(inquiry.answers, answer, () => false);
  switch (told) {
    case 'delivered':
      return delivered(inquiry, request, answer);
    case 'declined':
      return { answer: 'declined', code: await textOf(compiled.code, answer) };
    case 'pending':
    case 'absent':
    case 'cannot-tell':
      return { answer: told };
    case 'failed':
    case undefined:
      return { answer: 'unavailable' };
  }
}

async function delivered(
  inquiry: CompiledInquiry,
  { amount: calledFor, row }: InquireRequest,
  answer: ReadAnswer,
): Promise<InquiryAnswer> {
  const billerReference = await textOf(inquiry.reference, answer);
  const told = inquiry.amountMinorUnits ?? inquiry.amount;
  const ours = calledFor ?? row?.payment?.amount;
  if (!told || !ours) return { answer: 'delivered', billerReference, amount: undefined };
  // The profile has the amounts compared. An answer that tells none, as each does where a name is mistyped, and one that is
  // no amount of this currency say nothing about this payment: a person has to look.
  const text = await textOf(told, answer);
  const exponent = inquiry.amountMinorUnits ? 0 : exponentOf(ours.currency);
  const minorUnits = text === undefined || exponent === undefined ? undefined : minorUnitsFromText(text, exponent);
  if (typeof minorUnits !== 'number') return { answer: 'cannot-tell' };
  return { answer: 'delivered', billerReference, amount: { minorUnits, currency: ours.currency } };
}
