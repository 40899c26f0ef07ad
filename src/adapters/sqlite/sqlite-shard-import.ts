import { type Database, type Statement } from 'better-sqlite3';
import {
  type CorrectionOrder,
  type CustomerCorrection,
  type ImportFate,
  type ImportResult,
  type PaymentImport,
  type PaymentReference,
} from '../../application/ports/payment-imports';
import { type Instant } from '../../domain/instant';
import { derivedId } from '../shared/derived-id';
import { importResult, planImport } from '../shared/import-plan';
import { type SqliteShardClock } from './sqlite-shard-clock';

/**
 * Takes in payments from outside. Every id is derived from what the source calls the thing, so that two importers of
 * one file meet in the same rows. Runs inside the caller's write transaction.
 */
export class SqliteShardImport {
  private readonly insertBiller: Statement;
  private readonly insertCustomer: Statement;
  private readonly insertPayment: Statement;
  private readonly insertRow: Statement;
  private readonly insertCorrection: Statement;
  private readonly updateCustomer: Statement;
  private readonly selectAccount: Statement<[string], string>;
  private readonly selectPayment: Statement<[string, string], readonly (string | number)[]>;

  constructor(
    database: Database,
    private readonly clock: SqliteShardClock,
  ) {
    this.insertBiller = database.prepare(
      'INSERT INTO BillerSettings (BillerId, Dba, Active) VALUES (?, ?, 1) ON CONFLICT DO NOTHING',
    );
    this.insertCustomer = database.prepare(`
      INSERT INTO Customer (CustomerId, BillerId, AccountNumber, Name, Email, Paperless, AutoPay)
      VALUES (?, ?, ?, ?, NULL, 0, 0) ON CONFLICT DO NOTHING`);
    // Only the external reference is a reason to pass over a payment; any other clash is an error and undoes the call.
    this.insertPayment = database.prepare(`
      INSERT INTO Payment (PaymentId, CustomerId, BillerId, AmountMinor, Currency, InvoiceType, PaidAt, Source, ExternalReference)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (Source, ExternalReference) WHERE ExternalReference IS NOT NULL DO NOTHING`);
    this.insertRow = database.prepare(`
      INSERT INTO datapump (DpId, BillerId, EventType, CustomerId, PaymentId, CreatedAt, DueAt, ProgressAt)
      VALUES (?, ?, 'Payments', ?, ?, ?, ?, ?)`);
    this.insertCorrection = database.prepare(`
      INSERT INTO CustomerCorrection (CustomerId, At, OrderedBy, Reason, AccountBefore, AccountAfter) VALUES (?, ?, ?, ?, ?, ?)`);
    this.updateCustomer = database.prepare('UPDATE Customer SET AccountNumber = ?, Name = ? WHERE CustomerId = ?');
    this.selectAccount = database
      .prepare<[string], string>('SELECT AccountNumber FROM Customer WHERE CustomerId = ?')
      .pluck();
    this.selectPayment = database
      .prepare<[string, string], readonly (string | number)[]>(
        `SELECT CustomerId, BillerId, AmountMinor, Currency, InvoiceType, PaidAt FROM Payment
         WHERE Source = ? AND ExternalReference = ?`,
      )
      .raw();
  }

  import(payments: readonly PaymentImport[]): ImportResult {
    const now = this.clock.now();
    return importResult(payments.map((payment) => this.importOne(payment, now)));
  }

  preview(payments: readonly PaymentImport[], options: { readonly anyAccount?: boolean }): readonly ImportFate[] {
    const stored = payments.flatMap(({ source, externalReference }) => {
      const found = this.selectPayment.get(source, externalReference);
      if (!found) return [];
      const [customerId, billerId, minorUnits, currency, invoiceType, paidAt] = found as readonly [
        string,
        string,
        number,
        string,
        string,
        string,
      ];
      const payment = { customerId, billerId, minorUnits, currency, invoiceType, paidAt, source, externalReference };
      return [[derivedId(source, externalReference), payment] as const];
    });
    const accounts = payments.flatMap(({ billerId, customerReference }) => {
      const customerId = derivedId(billerId, customerReference);
      const account = this.selectAccount.get(customerId);
      return account === undefined ? [] : [[customerId, account] as const];
    });
    return planImport(payments, { payments: new Map(stored), accounts: new Map(accounts), billers: new Set() }, options)
      .fates;
  }

  correct(corrections: readonly CustomerCorrection[], order: CorrectionOrder | undefined): readonly number[] {
    const now = this.clock.now();
    const seen = new Set<string>();
    return corrections.flatMap(({ billerId, customerReference, accountNumber, customerName }, place) => {
      const customerId = derivedId(billerId, customerReference);
      const before = this.selectAccount.get(customerId);
      if (before === undefined || before === accountNumber || seen.has(customerId)) return [];
      seen.add(customerId);
      if (order) {
        this.insertCorrection.run(customerId, now, order.by, order.reason, before, accountNumber);
        this.updateCustomer.run(accountNumber, customerName, customerId);
      }
      return [place];
    });
  }

  known(references: readonly PaymentReference[]): readonly PaymentReference[] {
    return references.filter(
      ({ source, externalReference }) => this.selectPayment.get(source, externalReference) !== undefined,
    );
  }

  private importOne(payment: PaymentImport, now: Instant): ImportFate {
    const { source, externalReference, billerId, amount, invoiceType, paidAt } = payment;
    const paymentId = derivedId(source, externalReference);
    const customerId = derivedId(billerId, payment.customerReference);
    const account = this.selectAccount.get(customerId);
    // The row would be delivered to the stored account: another one must not pass unseen.
    if (account !== undefined && account !== payment.accountNumber) return 'another-account';
    const wanted = [customerId, billerId, amount.minorUnits, amount.currency, invoiceType, paidAt] as const;
    const { changes } = this.insertPayment.run(paymentId, ...wanted, source, externalReference);
    if (changes === 0) {
      const stored = this.selectPayment.get(source, externalReference);
      return stored && wanted.every((value, place) => stored[place] === value) ? 'known' : 'another-payment';
    }
    this.insertBiller.run(billerId, payment.billerName);
    this.insertCustomer.run(customerId, billerId, payment.accountNumber, payment.customerName);
    this.insertRow.run(paymentId, billerId, customerId, paymentId, now, now, now);
    return 'added';
  }
}
