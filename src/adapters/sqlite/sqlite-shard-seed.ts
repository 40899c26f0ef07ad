import { type Database, type Statement } from 'better-sqlite3';
import { type ShardSeed } from '../shared/shard-seed';

/** Inserts in bulk. What stands under its id already is left as it is, so that an interrupted seeding can be repeated. */
export class SqliteShardSeeding {
  private readonly insertBiller: Statement;
  private readonly insertCustomer: Statement;
  private readonly insertPayment: Statement;
  private readonly insertRow: Statement;

  constructor(database: Database) {
    this.insertBiller = database.prepare(
      'INSERT INTO BillerSettings (BillerId, Dba, Active) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.insertCustomer = database.prepare(`
      INSERT INTO Customer (CustomerId, BillerId, AccountNumber, Name, Email, Paperless, AutoPay)
      VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
    this.insertPayment = database.prepare(`
      INSERT INTO Payment (PaymentId, CustomerId, BillerId, AmountMinor, Currency, InvoiceType, PaidAt, AchReturnCode)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
    this.insertRow = database.prepare(`
      INSERT INTO datapump (DpId, BillerId, EventType, CustomerId, PaymentId, Status, CreatedAt, DueAt, ProgressAt)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
  }

  /** How many rows of datapump were new. */
  seed({ billers = [], customers = [], payments = [], rows = [] }: ShardSeed): number {
    for (const { billerId, dba, active } of billers) this.insertBiller.run(billerId, dba, active ? 1 : 0);
    for (const { customerId, billerId, accountNumber, name, email, paperless, autoPay } of customers) {
      this.insertCustomer.run(
        customerId,
        billerId,
        accountNumber,
        name,
        email ?? null,
        paperless ? 1 : 0,
        autoPay ? 1 : 0,
      );
    }
    for (const { paymentId, customerId, billerId, amount, invoiceType, paidAt, achReturnCode } of payments) {
      const { minorUnits, currency } = amount;
      this.insertPayment.run(
        paymentId,
        customerId,
        billerId,
        minorUnits,
        currency,
        invoiceType,
        paidAt,
        achReturnCode ?? null,
      );
    }
    let added = 0;
    for (const { dpId, billerId, dataType, customerId, paymentId, createdAt, dueAt, status } of rows) {
      added += this.insertRow.run(
        dpId,
        billerId,
        dataType,
        customerId,
        paymentId ?? null,
        status ?? 'New',
        createdAt,
        dueAt ?? createdAt,
        createdAt,
      ).changes;
    }
    return added;
  }
}
