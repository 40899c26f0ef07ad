import { isDataType } from '../../domain/biller/data-type';
import { isRowStatus } from '../../domain/dp-record/row-status';
import { isRowId } from './readable-rows';

/** As SQLite writes a number as text; which of them is an amount is the validation's to say. */
const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;
/** Not judged yet: there an amount that is none is the platform's mistake, and validation refuses it. */
const UNJUDGED: ReadonlySet<unknown> = new Set(['New', 'Queued']);
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const OUTCOMES: ReadonlySet<unknown> = new Set(['Delivered', 'Declined']);

const text = (value: unknown): boolean => typeof value === 'string';
const textOrNone = (value: unknown): boolean => value === null || typeof value === 'string';
/** Anything else would be told to the biller as a "no". */
const flag = (value: unknown): boolean => value === 0 || value === 1;
const whole = (value: unknown): boolean => Number.isSafeInteger(value);
const instant = (value: unknown): boolean => typeof value === 'string' && INSTANT.test(value);

type Checks = Readonly<Record<string, (value: unknown) => boolean>>;

const ROW: Checks = {
  DpId: isRowId,
  BillerId: isRowId,
  EventType: (value) => typeof value === 'string' && isDataType(value),
  CustomerId: text,
  PaymentId: textOrNone,
  Status: (value) => typeof value === 'string' && isRowStatus(value),
  ChunkId: textOrNone,
  CreatedAt: instant,
  SweepCount: whole,
  CustomerBiller: textOrNone,
  PaymentBiller: textOrNone,
  Dba: textOrNone,
};
const CUSTOMER: Checks = {
  AccountNumber: text,
  CustomerName: text,
  Email: textOrNone,
  Paperless: flag,
  AutoPay: flag,
};
const PAYMENT: Checks = {
  PaymentCustomer: text,
  Currency: text,
  InvoiceType: text,
  PaidAt: instant,
  AchReturnCode: textOrNone,
};
const BILLER: Checks = { Active: flag };
const DETAIL: Checks = {
  Attempt: whole,
  Outcome: (value) => OUTCOMES.has(value),
  BillerReference: textOrNone,
  Code: textOrNone,
  RecordedAt: instant,
};

/** The first column of a joined line that holds what was never written there; undefined: all are of their kinds. */
export function damagedColumn(joined: object): string | undefined {
  const line = joined as Readonly<Record<string, unknown>>;
  return (
    first(line, ROW) ??
    (line['CustomerBiller'] === null ? undefined : first(line, CUSTOMER)) ??
    (line['PaymentBiller'] === null ? undefined : (first(line, PAYMENT) ?? damagedAmount(line))) ??
    (line['Dba'] === null ? undefined : first(line, BILLER)) ??
    (line['Attempt'] === null ? undefined : first(line, DETAIL))
  );
}

/** What was judged to be a payment had an amount. */
function damagedAmount(line: Readonly<Record<string, unknown>>): string | undefined {
  const amount = line['AmountMinor'];
  const judged = !UNJUDGED.has(line['Status']);
  return judged && typeof amount === 'string' && !NUMBER.test(amount) ? 'AmountMinor' : undefined;
}

function first(line: Readonly<Record<string, unknown>>, checks: Checks): string | undefined {
  for (const column in checks) if (!checks[column]!(line[column])) return column;
  return undefined;
}
