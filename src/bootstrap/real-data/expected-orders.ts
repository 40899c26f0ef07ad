import { type PaymentMapping } from '../../adapters/csv/payment-mapping';
import { openCsvPayments } from '../../adapters/csv/csv-payments';
import { derivedId } from '../../adapters/shared/derived-id';
import { type LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';

const PAGE = 1_000;

export interface ExpectedOrder {
  readonly record: string;
  readonly biller: string;
  readonly minorUnits: number;
}

/** What must be delivered, read from the file itself: one record a valid line. */
export async function expectedOrders(file: string, mapping: PaymentMapping): Promise<readonly ExpectedOrder[]> {
  const expected: ExpectedOrder[] = [];
  for await (const line of await openCsvPayments(file, mapping)) {
    if (!('payment' in line)) continue;
    const { source, externalReference, billerId, amount } = line.payment;
    expected.push({
      record: `${billerId}:${derivedId(source, externalReference)}`,
      biller: billerId,
      minorUnits: amount.minorUnits,
    });
  }
  return expected;
}

/** Every order against the billers' own ledger: one effect each, of its amount, and no effect beside them. */
export function compareWithLedger(expected: readonly ExpectedOrder[], books: LedgerBooks): readonly string[] {
  const open = new Map(expected.map((order) => [order.record, order]));
  const faults: string[] = [];
  let after: ReturnType<LedgerBooks['effects']>[number] | undefined;
  for (;;) {
    const page = books.effects(after, PAGE);
    for (const effect of page) {
      const order = open.get(effect.reference);
      open.delete(effect.reference);
      if (!order) faults.push(`${effect.reference}: an effect that no order asked for`);
      else if (effect.count !== 1) faults.push(`${effect.reference}: ${effect.count} effects, expected one`);
      else if (
        effect.amountMinorUnits !== order.minorUnits ||
        effect.currency !== 'CZK' ||
        effect.billerId !== order.biller
      ) {
        faults.push(
          `${effect.reference}: ${effect.amountMinorUnits ?? 'no amount'} ${effect.currency ?? ''} at ${effect.billerId}, expected ${order.minorUnits} CZK`,
        );
      }
    }
    after = page.at(-1);
    if (page.length < PAGE) break;
  }
  return [...faults, ...[...open.keys()].map((record) => `${record}: no effect at its biller`)];
}
