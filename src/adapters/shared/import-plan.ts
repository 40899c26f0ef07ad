import { type ImportFate, type ImportResult, type PaymentImport } from '../../application/ports/payment-imports';
import { derivedId } from './derived-id';

export interface StoredPayment {
  readonly customerId: string;
  readonly billerId: string;
  readonly minorUnits: number;
  readonly currency: string;
  readonly invoiceType: string;
  readonly paidAt: string;
  readonly source: string | undefined;
  readonly externalReference: string | undefined;
}

export interface Standing {
  readonly payments: ReadonlyMap<string, StoredPayment>;
  readonly accounts: ReadonlyMap<string, string>;
  readonly billers: ReadonlySet<string>;
}

/**
 * What an import adds to what stands, decided payment by payment in their order, as if each were inserted before the
 * next is looked at. Pure. A payment's id is derived from its reference, so a known reference is a known id.
 */
export function planImport(payments: readonly PaymentImport[], standing: Standing, { anyAccount = false } = {}) {
  const stored = new Map(standing.payments);
  const accounts = new Map(standing.accounts);
  const billers = new Set(standing.billers);
  const seed = { billers: [] as object[], customers: [] as object[], payments: [] as object[], rows: [] as object[] };
  const fates = payments.map((payment, index): ImportFate => {
    const { source, externalReference, billerId, invoiceType } = payment;
    const paymentId = derivedId(source, externalReference);
    const customerId = derivedId(billerId, payment.customerReference);
    const account = accounts.get(customerId);
    // The row would be delivered to the stored account: another one must not pass unseen.
    if (!anyAccount && account !== undefined && account !== payment.accountNumber) return 'another-account';
    const wanted: StoredPayment = {
      customerId,
      billerId,
      ...payment.amount,
      invoiceType,
      paidAt: payment.paidAt,
      source,
      externalReference,
    };
    const known = stored.get(paymentId);
    if (known !== undefined) return same(known, wanted) ? 'known' : 'another-payment';
    stored.set(paymentId, wanted);
    seed.payments.push({ ...wanted, paymentId, paidAt: payment.paidAt.slice(0, -1) });
    seed.rows.push({
      dpId: paymentId,
      place: index,
      billerId,
      dataType: 'Payments',
      customerId,
      paymentId,
      status: 'New',
    });
    if (!billers.has(billerId)) {
      billers.add(billerId);
      seed.billers.push({ billerId, dba: payment.billerName, active: 1 });
    }
    if (account === undefined) {
      accounts.set(customerId, payment.accountNumber);
      const { accountNumber, customerName: name } = payment;
      seed.customers.push({ customerId, billerId, accountNumber, name, paperless: 0, autoPay: 0 });
    }
    return 'added';
  });
  return { seed, fates };
}

/** The same, counted. */
export function importResult(fates: readonly ImportFate[]): ImportResult {
  const placesOf = (fate: ImportFate): number[] => fates.flatMap((each, index) => (each === fate ? [index] : []));
  const knownAt = placesOf('known');
  const conflicts = fates.flatMap((why, index) =>
    why === 'another-payment' || why === 'another-account' ? [{ index, why }] : [],
  );
  return { added: fates.length - knownAt.length - conflicts.length, known: knownAt.length, knownAt, conflicts };
}

const same = (a: StoredPayment, b: StoredPayment): boolean =>
  (Object.keys(b) as (keyof StoredPayment)[]).every((name) => a[name] === b[name]);
