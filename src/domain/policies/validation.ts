import { type BillerProfile } from '../biller/biller-profile';
import { actionOf, carriesMoney } from '../biller/data-type';
import { type RejectionReason } from '../dp-record/dp-record.events';
import { exponentOf } from '../currencies';
import { type DpRow } from '../dp-record/dp-row';
import { isPlausible } from '../instant';

/** The largest amount taken as sane, in minor units of every currency: 100 million USD, 10 billion JPY, 10 million KWD. */
export const AMOUNT_MAX_MINOR_UNITS = 10_000_000_000;

export type Validation =
  | { readonly verdict: 'valid' }
  | { readonly verdict: 'rejected'; readonly reasons: readonly RejectionReason[] }
  | { readonly verdict: 'skipped'; readonly constraint: 'AllowedInvoiceTypes' | 'SkipNOCs' };

/** Every reason at once, so that a person mends a row in one go. A rejected row is never merely skipped. */
export function validateRow(row: DpRow, profile: BillerProfile): Validation {
  const reasons = [...billerReasons(row, profile), ...customerReasons(row), ...paymentReasons(row)];
  if (!isPlausible(row.createdAt) || (row.payment && !isPlausible(row.payment.paidAt)))
    reasons.push('date-implausible');
  if (reasons.length > 0) return { verdict: 'rejected', reasons };
  const { allowedInvoiceTypes, skipNocs } = profile.constraints;
  if (row.payment && allowedInvoiceTypes && !allowedInvoiceTypes.includes(row.payment.invoiceType)) {
    return { verdict: 'skipped', constraint: 'AllowedInvoiceTypes' };
  }
  if (skipNocs && row.dataType === 'ACHRejects' && row.payment?.achReturnCode?.startsWith('C')) {
    return { verdict: 'skipped', constraint: 'SkipNOCs' };
  }
  return { verdict: 'valid' };
}

function* billerReasons(row: DpRow, profile: BillerProfile): Generator<RejectionReason> {
  if (!row.biller) yield 'biller-missing';
  else if (!row.biller.active) yield 'biller-inactive';
  if (!profile.actions.includes(actionOf(row.dataType))) yield 'action-not-allowed';
}

function* customerReasons(row: DpRow): Generator<RejectionReason> {
  if (!row.customer) yield 'customer-missing';
  else if (row.customer.billerId !== row.billerId) yield 'customer-of-another-biller';
}

function* paymentReasons(row: DpRow): Generator<RejectionReason> {
  if (!carriesMoney(row.dataType)) return;
  if (!row.payment) {
    yield 'payment-missing';
    return;
  }
  const { amount, customerId, billerId } = row.payment;
  if (customerId !== row.customerId || billerId !== row.billerId) yield 'payment-of-another-customer';
  if (!Number.isSafeInteger(amount.minorUnits) || amount.minorUnits <= 0) yield 'amount-not-positive';
  else if (amount.minorUnits > AMOUNT_MAX_MINOR_UNITS) yield 'amount-too-large';
  // Never mended here: `usd` may be meant as USD, and is told as it was received.
  if (!/^[A-Z]{3}$/.test(amount.currency)) yield 'currency-malformed';
  else if (exponentOf(amount.currency) === undefined) yield 'currency-unknown';
}

/**
 * The fields validation reads, in a fixed order, as text to be hashed. What is not here (a name, an e-mail address)
 * may change between fetch and delivery without a second validation.
 */
export function validatedFields(row: DpRow): string {
  return JSON.stringify([
    row.billerId,
    row.dataType,
    row.customerId,
    row.paymentId ?? null,
    row.biller ? row.biller.active : null,
    row.customer ? [row.customer.billerId, row.customer.paperless, row.customer.autoPay] : null,
    row.payment
      ? [
          row.payment.customerId,
          row.payment.billerId,
          row.payment.amount.minorUnits,
          row.payment.amount.currency,
          row.payment.invoiceType,
          row.payment.achReturnCode ?? null,
          row.payment.paidAt,
        ]
      : null,
  ]);
}
