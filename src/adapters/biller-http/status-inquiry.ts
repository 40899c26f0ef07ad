import { type BillerGateway } from '../../application/ports/biller-gateway';
import { exponentOf } from '../../domain/currencies';
import { minorUnitsFromText, type Money } from '../../domain/money';
import { type InquiryAnswer } from '../../domain/policies/in-doubt-resolution';
import { renderPath } from '../shared/biller-document/path-template';
import { firstMatch, readAnswer, type ReadAnswer, textOf } from './answer-classifier';
import { type CompiledInquiry, type CompiledProfile } from './compiled-profile';
import { contextWithoutRow, requestContext } from './request-context';
import { urlOf } from './request-builder';
import { type HttpAnswer, type HttpRequest } from './undici-transport';

export type InquireRequest = Parameters<BillerGateway['inquire']>[0];

/** ISO 4217's code for "no currency": the row is gone, so the currency of the answered amount is not known. */
const NO_CURRENCY = 'XXX';

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
  request: InquireRequest,
  answer: ReadAnswer,
): Promise<InquiryAnswer> {
  const billerReference = await textOf(inquiry.reference, answer);
  const amount = inquiry.amountMinorUnits ?? inquiry.amount;
  const carriesMoney = request.row ? request.row.payment !== undefined : request.amountMinorUnits !== undefined;
  if (!amount || !carriesMoney) return { answer: 'delivered', billerReference, amount: undefined };
  const text = await textOf(amount, answer);
  // The profile has the amounts compared: an answer that tells none would go uncompared, every time if a name is mistyped.
  if (text === undefined) return { answer: 'cannot-tell' };
  // An amount that is none, has more decimals than the currency, or whose currency went with its row, says nothing about
  // this payment: a person has to look.
  const exponent = inquiry.amountMinorUnits ? 0 : exponentOf(request.row?.payment?.amount.currency ?? '');
  const minorUnits = exponent === undefined ? undefined : minorUnitsFromText(text, exponent);
  if (typeof minorUnits !== 'number') return { answer: 'cannot-tell' };
  return { answer: 'delivered', billerReference, amount: amountOf(minorUnits, request) };
}

function amountOf(minorUnits: number, { row, amountMinorUnits }: InquireRequest): Money | undefined {
  if (row?.payment) return { minorUnits, currency: row.payment.amount.currency };
  // Without its row only a difference can be told; it must not be lost.
  return minorUnits === amountMinorUnits ? undefined : { minorUnits, currency: NO_CURRENCY };
}
