import { carriesMoney, type DataType } from '../../domain/biller/data-type';
import { exponentOf } from '../../domain/currencies';
import { readFields, UnreadableBody, type Fields } from './sandbox-bodies';
import { type SandboxBiller } from './sandbox-configuration';
import { type Submission } from './sandbox-ledger';

const TEXT_LENGTH_MAX = 200;

/** The body of a business request as a submission; throws UnreadableBody with a sentence for the sender. */
export function readSubmission(
  body: string,
  dataType: DataType,
  biller: SandboxBiller,
  idempotencyKey: string | undefined,
): Submission {
  const fields = readFields(body, biller.format);
  const reference = textOf(fields, 'reference') ?? '';
  if (reference === '') throw new UnreadableBody('reference is missing');
  const currency = textOf(fields, 'currency');
  if (currency !== undefined && exponentOf(currency) === undefined)
    throw new UnreadableBody('currency must be a code of ISO 4217 that is money, in capital letters');
  const amountMinorUnits = amountOf(fields);
  if (carriesMoney(dataType) && (amountMinorUnits === undefined || currency === undefined)) {
    throw new UnreadableBody('amountMinorUnits and currency are needed where money moves');
  }
  if (idempotencyKey !== undefined && (idempotencyKey === '' || idempotencyKey.length > TEXT_LENGTH_MAX)) {
    throw new UnreadableBody(`an idempotency key has 1 to ${TEXT_LENGTH_MAX} characters`);
  }
  return {
    billerId: biller.billerId,
    dataType,
    reference,
    account: textOf(fields, 'account') ?? '',
    amountMinorUnits,
    currency,
    idempotencyKey,
  };
}

function textOf(fields: Fields, name: string): string | undefined {
  const value = fields.get(name);
  if (value === undefined) return undefined;
  const text = String(value);
  if (text.length > TEXT_LENGTH_MAX) throw new UnreadableBody(`${name} is longer than ${TEXT_LENGTH_MAX} characters`);
  return text;
}

/** JSON must carry a number; in xml and forms everything is text. */
function amountOf(fields: Fields): number | undefined {
  const value = fields.get('amountMinorUnits');
  if (value === undefined) return undefined;
  const amount = typeof value === 'string' && !/^-?\d+$/.test(value) ? NaN : Number(value);
  if (!Number.isSafeInteger(amount)) throw new UnreadableBody('amountMinorUnits must be an integer');
  return amount;
}
