import { type BillerId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';

/** Payments and customers that arrive from outside: laws 13 to 16 of Shard. */
export interface PaymentImports {
  importPayments(rows: readonly PaymentImport[]): Promise<ImportResult>;
  /** `anyAccount`: as if the customers' account numbers had been corrected before. */
  previewPayments(
    rows: readonly PaymentImport[],
    options?: { readonly anyAccount?: boolean },
  ): Promise<readonly ImportFate[]>;
  correctCustomers(
    corrections: readonly CustomerCorrection[],
    order: CorrectionOrder | undefined,
  ): Promise<readonly number[]>;
  knownReferences(references: readonly PaymentReference[]): Promise<readonly PaymentReference[]>;
}

export interface PaymentImport {
  readonly source: string;
  readonly externalReference: string;
  readonly billerId: BillerId;
  readonly billerName: string;
  readonly customerReference: string;
  readonly accountNumber: string;
  readonly customerName: string;
  readonly amount: Money;
  readonly invoiceType: string;
  readonly paidAt: Instant;
}

/** What a payment is called outside: unique over all shards. */
export type PaymentReference = Pick<PaymentImport, 'source' | 'externalReference'>;

/** What becomes of one payment that is imported. */
export type ImportFate = 'added' | 'known' | 'another-payment' | 'another-account';

export type CustomerCorrection = Pick<
  PaymentImport,
  'billerId' | 'customerReference' | 'accountNumber' | 'customerName'
>;

/** Who orders a correction, and why. */
export interface CorrectionOrder {
  readonly by: string;
  readonly reason: string;
}

export interface ImportResult {
  readonly added: number;
  /** There already, the same. */
  readonly known: number;
  /** Their places in the call. */
  readonly knownAt: readonly number[];
  /** By their place in the call. */
  readonly conflicts: readonly { readonly index: number; readonly why: 'another-payment' | 'another-account' }[];
}
