import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { parseRecordKey, recordKey, type RecordKey } from '../../domain/identifiers';
import { exponentOf } from '../../domain/currencies';
import { decimalText } from '../../domain/money';
import { isBlank } from '../../domain/invisible-text';
import { type ContextValue, type REQUEST_CONTEXT } from '../shared/biller-document/expression-contexts';

/**
 * Its members are declared once, in expression-contexts.ts; what a row does not have is undefined, never null: so is an account
 * without a visible character, to which nobody could post.
 */
export type RequestContext = ContextValue<typeof REQUEST_CONTEXT>;

/** What the expressions and placeholders of a request see; docs/PROFILES.md describes it for integrators. */
export function requestContext(profile: BillerProfile, row: DpRow, idempotencyKey: string): RequestContext {
  const { payment, customer, biller } = row;
  return {
    record: {
      key: recordKey(row.billerId, row.dpId),
      dpId: row.dpId,
      billerId: row.billerId,
      dataType: row.dataType,
      createdAt: row.createdAt,
    },
    ...(payment && {
      payment: {
        paymentId: payment.paymentId,
        amountMinorUnits: payment.amount.minorUnits,
        amount: decimalText(payment.amount),
        amountExponent: exponentOf(payment.amount.currency),
        currency: payment.amount.currency,
        invoiceType: payment.invoiceType,
        paidAt: payment.paidAt,
        achReturnCode: payment.achReturnCode,
      },
    }),
    ...(customer && {
      customer: {
        customerId: customer.customerId,
        accountNumber: isBlank(customer.accountNumber) ? undefined : customer.accountNumber,
        name: customer.name,
        email: customer.email,
        paperless: customer.paperless,
        autoPay: customer.autoPay,
      },
    }),
    biller: billerContext(profile, biller?.dba),
    idempotencyKey,
  };
}

/** For an inquiry about a record whose row has vanished: only the ids are known. */
export function contextWithoutRow(profile: BillerProfile, key: RecordKey, idempotencyKey: string): RequestContext {
  return { record: { key, ...parseRecordKey(key) }, biller: billerContext(profile, undefined), idempotencyKey };
}

const billerContext = (profile: BillerProfile, dba: string | undefined) => ({
  billerId: profile.billerId,
  dba,
  tenant: profile.tenant,
  displayName: profile.nameTemplate.replaceAll('{DBA}', () => dba ?? ''),
});
