import { PortFailure } from '../../application/ports/failures';
import {
  type CorrectionOrder,
  type CustomerCorrection,
  type ImportFate,
  type ImportResult,
  type PaymentImport,
  type PaymentReference,
} from '../../application/ports/payment-imports';
import { derivedId } from '../shared/derived-id';
import { type ShardSeed } from '../shared/shard-seed';
import { TEXT_KEY, type RowKey } from './row-key';
import { importResult, planImport, type StoredPayment } from '../shared/import-plan';
import { isDuplicateKey } from './sql-server-failure';
import { rowAmount } from '../shared/row-amount';
import { instantOf } from './shard-rows';
import { type Row, type SqlServerConnection } from './sql-server-connection';
import { ID_LENGTH_MAX, statement, tsql, type SqlText } from './sql-text';

/** How often an import whose rows another importer inserted first reads again; each time others got on. */
const TRIES_MAX = 20;

const KEYS = tsql`@wanted TABLE (Id nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);`;

/** `skip` is the condition of each table's rows: none where a row that stands already is a collision. */
const inserting = (skip: { readonly [Table in 'biller' | 'customer' | 'payment' | 'row']: SqlText }) =>
  statement(
    { billers: 'json', customers: 'json', payments: 'json', rows: 'json' },
    tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @biller TABLE (BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY, Dba nvarchar(max) NOT NULL, Active bit NOT NULL);
DECLARE @customer TABLE (CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL, AccountNumber nvarchar(max) NOT NULL, Name nvarchar(max) NOT NULL,
  Email nvarchar(max) NULL, Paperless bit NOT NULL, AutoPay bit NOT NULL);
DECLARE @payment TABLE (PaymentId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL, BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  AmountMinor bigint NOT NULL, Currency nvarchar(8) COLLATE Latin1_General_BIN2 NOT NULL, InvoiceType nvarchar(max) NOT NULL,
  PaidAt datetime2(3) NOT NULL, AchReturnCode nvarchar(max) NULL, Source nvarchar(max) NULL, ExternalReference nvarchar(max) NULL);
DECLARE @row TABLE (DpId ${TEXT_KEY.columnType} NOT NULL PRIMARY KEY, Place int NOT NULL,
  BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL, EventType nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL,
  CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL, PaymentId nvarchar(64) COLLATE Latin1_General_BIN2 NULL,
  Status nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL, CreatedAt datetime2(3) NOT NULL, DueAt datetime2(3) NOT NULL);
DECLARE @added TABLE (DpId ${TEXT_KEY.columnType} NOT NULL PRIMARY KEY);
INSERT INTO @biller (BillerId, Dba, Active)
SELECT BillerId, Dba, Active FROM OPENJSON(@billers) WITH (BillerId nvarchar(64) '$.billerId', Dba nvarchar(max) '$.dba', Active int '$.active');
INSERT INTO @customer (CustomerId, BillerId, AccountNumber, Name, Email, Paperless, AutoPay)
SELECT CustomerId, BillerId, AccountNumber, Name, Email, Paperless, AutoPay
FROM OPENJSON(@customers) WITH (CustomerId nvarchar(64) '$.customerId', BillerId nvarchar(64) '$.billerId',
  AccountNumber nvarchar(max) '$.accountNumber', Name nvarchar(max) '$.name', Email nvarchar(max) '$.email',
  Paperless int '$.paperless', AutoPay int '$.autoPay');
INSERT INTO @payment (PaymentId, CustomerId, BillerId, AmountMinor, Currency, InvoiceType, PaidAt, AchReturnCode, Source, ExternalReference)
SELECT PaymentId, CustomerId, BillerId, AmountMinor, Currency, InvoiceType, CAST(PaidAt AS datetime2(3)), AchReturnCode, Source, ExternalReference
FROM OPENJSON(@payments) WITH (PaymentId nvarchar(64) '$.paymentId', CustomerId nvarchar(64) '$.customerId',
  BillerId nvarchar(64) '$.billerId', AmountMinor bigint '$.minorUnits', Currency nvarchar(8) '$.currency',
  InvoiceType nvarchar(max) '$.invoiceType', PaidAt nvarchar(30) '$.paidAt', AchReturnCode nvarchar(max) '$.achReturnCode',
  Source nvarchar(max) '$.source', ExternalReference nvarchar(max) '$.externalReference');
INSERT INTO @row (DpId, Place, BillerId, EventType, CustomerId, PaymentId, Status, CreatedAt, DueAt)
SELECT DpId, Place, BillerId, EventType, CustomerId, PaymentId, Status,
  COALESCE(CAST(CreatedAt AS datetime2(3)), @now), COALESCE(CAST(DueAt AS datetime2(3)), @now)
FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId', Place int '$.place', BillerId nvarchar(64) '$.billerId',
  EventType nvarchar(16) '$.dataType', CustomerId nvarchar(64) '$.customerId', PaymentId nvarchar(64) '$.paymentId',
  Status nvarchar(16) '$.status', CreatedAt nvarchar(30) '$.createdAt', DueAt nvarchar(30) '$.dueAt');
BEGIN TRANSACTION;
INSERT INTO dbo.DatapumpBiller (BillerId, Dba, Active)
SELECT s.BillerId, s.Dba, s.Active FROM @biller AS s ${skip.biller};
INSERT INTO dbo.DatapumpCustomer (CustomerId, BillerId, AccountNumber, Name, Email, Paperless, AutoPay)
SELECT s.CustomerId, s.BillerId, s.AccountNumber, s.Name, s.Email, s.Paperless, s.AutoPay FROM @customer AS s ${skip.customer};
INSERT INTO dbo.DatapumpPayment (PaymentId, CustomerId, BillerId, AmountMinor, Currency, InvoiceType, PaidAt, AchReturnCode, Source, ExternalReference)
SELECT s.PaymentId, s.CustomerId, s.BillerId, s.AmountMinor, s.Currency, s.InvoiceType, s.PaidAt, s.AchReturnCode, s.Source, s.ExternalReference
FROM @payment AS s ${skip.payment};
INSERT INTO dbo.DatapumpRow (DpId, BillerId, EventType, CustomerId, PaymentId, Status, CreatedAt, DueAt)
OUTPUT inserted.DpId INTO @added (DpId)
SELECT s.DpId, s.BillerId, s.EventType, s.CustomerId, s.PaymentId, s.Status, s.CreatedAt, s.DueAt
FROM @row AS s ${skip.row}
ORDER BY s.Place;
INSERT INTO dbo.DpClaim (DpId, Status, ProgressAt, SweepCount)
SELECT s.DpId, s.Status, s.CreatedAt, 0
FROM @row AS s
INNER JOIN @added AS a ON a.DpId = s.DpId
WHERE s.Status <> N'New';
SELECT COUNT(*) AS Added FROM @added;
COMMIT TRANSACTION;`,
  );

const NOTHING = tsql``;

/** Those of @customers that stand with another account number. */
const CORRECTED = tsql`DECLARE @corrected TABLE (CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY, Place int NOT NULL,
  AccountBefore nvarchar(max) NOT NULL, AccountAfter nvarchar(max) NOT NULL, Name nvarchar(max) NOT NULL);
DECLARE @named TABLE (CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY, Place int NOT NULL,
  AccountAfter nvarchar(max) NOT NULL, Name nvarchar(max) NOT NULL);
INSERT INTO @named (CustomerId, Place, AccountAfter, Name)
SELECT CustomerId, Place, AccountAfter, Name
FROM OPENJSON(@customers) WITH (CustomerId nvarchar(64) '$.customerId', Place int '$.place', AccountAfter nvarchar(max) '$.accountNumber', Name nvarchar(max) '$.name');
INSERT INTO @corrected (CustomerId, Place, AccountBefore, AccountAfter, Name)
SELECT n.CustomerId, n.Place, u.AccountNumber, n.AccountAfter, n.Name
FROM @named AS n INNER JOIN dbo.DatapumpCustomer AS u WITH (ROWLOCK, UPDLOCK) ON u.CustomerId = n.CustomerId
WHERE u.AccountNumber COLLATE Latin1_General_BIN2 <> n.AccountAfter COLLATE Latin1_General_BIN2;`;

export const IMPORT_STATEMENTS = {
  readPayments: statement(
    { payments: 'json', customers: 'json' },
    tsql`DECLARE ${KEYS}
DECLARE @person TABLE (Id nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
INSERT INTO @wanted (Id) SELECT Id FROM OPENJSON(@payments) WITH (Id nvarchar(64) '$.id');
INSERT INTO @person (Id) SELECT Id FROM OPENJSON(@customers) WITH (Id nvarchar(64) '$.id');
SELECT p.PaymentId, p.CustomerId, p.BillerId, p.AmountMinor, p.Currency, p.InvoiceType, p.PaidAt, p.Source, p.ExternalReference
FROM @wanted AS w INNER JOIN dbo.DatapumpPayment AS p ON p.PaymentId = w.Id;
SELECT u.CustomerId, u.AccountNumber FROM @person AS w INNER JOIN dbo.DatapumpCustomer AS u ON u.CustomerId = w.Id;
SELECT b.BillerId FROM dbo.DatapumpBiller AS b;`,
  ),
  compareCustomers: statement(
    { customers: 'json' },
    tsql`${CORRECTED}
SELECT Place FROM @corrected;`,
  ),
  /** The customers are read, noted and changed under their locks; the one order of locks is that of @corrected's key. */
  correctCustomers: statement(
    { customers: 'json', by: 'json' },
    tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
BEGIN TRANSACTION;
${CORRECTED}
INSERT INTO dbo.CustomerCorrection (CustomerId, At, OrderedBy, Reason, AccountBefore, AccountAfter)
SELECT c.CustomerId, @now, o.OrderedBy, o.Reason, c.AccountBefore, c.AccountAfter
FROM @corrected AS c
CROSS JOIN (SELECT OrderedBy, Reason FROM OPENJSON(@by) WITH (OrderedBy nvarchar(max) '$.by', Reason nvarchar(max) '$.reason')) AS o;
UPDATE dbo.DatapumpCustomer
SET AccountNumber = (SELECT c.AccountAfter FROM @corrected AS c WHERE c.CustomerId = DatapumpCustomer.CustomerId),
  Name = (SELECT c.Name FROM @corrected AS c WHERE c.CustomerId = DatapumpCustomer.CustomerId)
WHERE CustomerId IN (SELECT c.CustomerId FROM @corrected AS c);
SELECT Place FROM @corrected;
COMMIT TRANSACTION;`,
  ),
  insertNew: inserting({ biller: NOTHING, customer: NOTHING, payment: NOTHING, row: NOTHING }),
  insertMissing: inserting({
    biller: tsql`WHERE NOT EXISTS (SELECT 1 FROM dbo.DatapumpBiller AS t WHERE t.BillerId = s.BillerId)`,
    customer: tsql`WHERE NOT EXISTS (SELECT 1 FROM dbo.DatapumpCustomer AS t WHERE t.CustomerId = s.CustomerId)`,
    payment: tsql`WHERE NOT EXISTS (SELECT 1 FROM dbo.DatapumpPayment AS t WHERE t.PaymentId = s.PaymentId)`,
    row: tsql`WHERE NOT EXISTS (SELECT 1 FROM dbo.DatapumpRow AS t WHERE t.DpId = s.DpId)`,
  }),
};

/**
 * Takes in payments from outside: reads what stands, decides in code, inserts in one transaction. Whoever inserts the
 * same payment, customer or biller first makes the other's insertion fail as a whole, and the other reads again.
 */
export class SqlServerShardImport {
  constructor(
    private readonly connection: SqlServerConnection,
    private readonly key: RowKey,
  ) {}

  async import(payments: readonly PaymentImport[]): Promise<ImportResult> {
    this.refuseMappedTables();
    if (payments.length === 0) return importResult([]);
    const step = `import ${payments.length} payments`;
    for (let tries = 1; ; tries++) {
      const { fates, seed } = planImport(payments, await this.standing(step, payments));
      const result = importResult(fates);
      if (result.added === 0) return result;
      try {
        await this.connection.run(step, IMPORT_STATEMENTS.insertNew, seed);
        return result;
      } catch (error) {
        if (!isDuplicateKey(error) || tries >= TRIES_MAX) throw error;
      }
    }
  }

  async preview(
    payments: readonly PaymentImport[],
    options: { readonly anyAccount?: boolean },
  ): Promise<readonly ImportFate[]> {
    this.refuseMappedTables();
    if (payments.length === 0) return [];
    const step = `preview ${payments.length} payments`;
    return planImport(payments, await this.standing(step, payments), options).fates;
  }

  async correct(
    corrections: readonly CustomerCorrection[],
    order: CorrectionOrder | undefined,
  ): Promise<readonly number[]> {
    this.refuseMappedTables();
    if (corrections.length === 0) return [];
    const step = `correct ${corrections.length} customers`;
    const customers = corrections
      .map(({ billerId, customerReference, accountNumber, customerName: name }, place) => ({
        customerId: derivedId(billerId, customerReference), place, accountNumber, name,
      })); // prettier-ignore
    const values = {
      customers: firstOfEach(customers, ({ customerId }) => customerId),
      by: [{ by: order?.by ?? '', reason: order?.reason ?? '' }],
    };
    const [changed] = order
      ? await this.connection.run(step, IMPORT_STATEMENTS.correctCustomers, values)
      : await this.connection.run(step, IMPORT_STATEMENTS.compareCustomers, { customers: values.customers });
    return changed!.map((line) => Number(line['Place'])).sort((a, b) => a - b);
  }

  async known(references: readonly PaymentReference[]): Promise<readonly PaymentReference[]> {
    if (references.length === 0 || this.key !== TEXT_KEY) return [];
    const { payments } = await this.standing('read external references', references);
    return references.filter(({ source, externalReference }) => {
      const stored = payments.get(derivedId(source, externalReference));
      return stored?.source === source && stored.externalReference === externalReference;
    });
  }

  /** What stands under its id already is left as it is. How many rows of datapump were new. */
  async seed({ billers = [], customers = [], payments = [], rows = [] }: ShardSeed): Promise<number> {
    this.refuseMappedTables();
    const [counted] = await this.connection.run(`seed ${rows.length} rows`, IMPORT_STATEMENTS.insertMissing, {
      billers: firstOfEach(billers, ({ billerId }) => billerId).map(({ active, ...rest }) => ({
        ...rest,
        active: Number(active),
      })),
      customers: firstOfEach(customers, ({ customerId }) => customerId).map(({ paperless, autoPay, ...rest }) => ({
        ...rest,
        paperless: Number(paperless),
        autoPay: Number(autoPay),
      })),
      payments: firstOfEach(payments, ({ paymentId }) => paymentId).map(({ amount, paidAt, ...rest }) => ({
        ...rest,
        ...amount,
        paidAt: paidAt.slice(0, -1),
      })),
      rows: firstOfEach(rows, ({ dpId }) => dpId).map(
        ({ createdAt, dueAt = createdAt, status = 'New', ...rest }, place) => ({
          ...rest,
          place,
          status,
          createdAt: createdAt.slice(0, -1),
          dueAt: dueAt.slice(0, -1),
        }),
      ),
    });
    return Number(counted![0]!['Added']);
  }

  private async standing(step: string, payments: readonly (PaymentReference | PaymentImport)[]) {
    const customers = payments.flatMap((each) =>
      'customerReference' in each ? [derivedId(each.billerId, each.customerReference)] : [],
    );
    const [stored, people, billers] = await this.connection.run(step, IMPORT_STATEMENTS.readPayments, {
      payments: ids(payments.map(({ source, externalReference }) => derivedId(source, externalReference))),
      customers: ids(customers),
    });
    return {
      payments: new Map(stored!.map((line) => [line['PaymentId'] as string, storedPayment(line)])),
      accounts: new Map(people!.map((line) => [line['CustomerId'] as string, line['AccountNumber'] as string])),
      billers: new Set(billers!.map((line) => line['BillerId'] as string)),
    };
  }

  private refuseMappedTables(): void {
    if (this.key === TEXT_KEY) return;
    throw new PortFailure(
      'this shard reads the tables of a billing platform through views, and new payments come from there alone: load into a shard whose tables `datapump migrate` made',
      { code: 'storage-foreign', retryable: false },
    );
  }
}

const ids = (all: readonly string[]) =>
  [...new Set(all)].filter((id) => id.length <= ID_LENGTH_MAX).map((id) => ({ id }));

const firstOfEach = <T>(all: readonly T[], idOf: (each: T) => string): readonly T[] =>
  [...new Map([...all].reverse().map((each) => [idOf(each), each])).values()].reverse();

const storedPayment = (line: Row): StoredPayment => ({
  customerId: line['CustomerId'] as string,
  billerId: line['BillerId'] as string,
  minorUnits: rowAmount(line['AmountMinor'] as string),
  currency: line['Currency'] as string,
  invoiceType: line['InvoiceType'] as string,
  paidAt: instantOf(line['PaidAt'] as Date),
  source: (line['Source'] as string | null) ?? undefined,
  externalReference: (line['ExternalReference'] as string | null) ?? undefined,
});
