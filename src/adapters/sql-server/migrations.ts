import { type RowKey } from './row-key';
import { tsql, type SqlText } from './sql-text';

/** One numbered step forward. Its batches run in one transaction with all others, and twice without harm. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly batches: (key: RowKey) => readonly SqlText[];
}

/** The oldest and the newest schema that this program works with. */
export const SCHEMA_VERSION = 6;

export const CREATE_VERSIONS_TABLE = tsql`IF OBJECT_ID(N'dbo.DatapumpSchema', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.DatapumpSchema (
    Version int NOT NULL CONSTRAINT PK_DatapumpSchema PRIMARY KEY,
    Name nvarchar(200) NOT NULL,
    AppliedAt datetime2(3) NOT NULL
  );
END;`;

/**
 * What the adapter reads and writes of the billing platform, by views with fixed names. Where a site wrote a view
 * first, its own table lies behind it; where none stands, a table of ours is made and a plain view over it.
 */
export const MAPPED_VIEWS: Readonly<Record<string, { readonly table: string; readonly columns: readonly string[] }>> = {
  DatapumpRow: {
    table: 'datapump',
    columns: ['Seq', 'DpId', 'BillerId', 'EventType', 'CustomerId', 'PaymentId', 'Status', 'CreatedAt', 'DueAt'],
  },
  DatapumpCustomer: {
    table: 'Customer',
    columns: ['CustomerId', 'BillerId', 'AccountNumber', 'Name', 'Email', 'Paperless', 'AutoPay'],
  },
  DatapumpPayment: {
    table: 'Payment',
    columns: [
      'PaymentId',
      'CustomerId',
      'BillerId',
      'AmountMinor',
      'Currency',
      'InvoiceType',
      'PaidAt',
      'AchReturnCode',
      'Source',
      'ExternalReference',
    ],
  },
  DatapumpBiller: { table: 'BillerSettings', columns: ['BillerId', 'Dba', 'Active'] },
};

/** Tables of our own, whose names another program may have used before. `DpId` has the type that the site's ids have. */
export const OWN_TABLES: Readonly<Record<string, readonly string[]>> = {
  DatapumpSchema: ['Version', 'Name', 'AppliedAt'],
  DpClaim: ['DpId', 'Status', 'ChunkId', 'ProgressAt', 'SweepCount'],
  DpDetail: ['DpId', 'Attempt', 'Outcome', 'BillerReference', 'Code', 'RecordedAt'],
  Outbox: [
    'Seq',
    'ChunkId',
    'BillerId',
    'EventType',
    'DpStart',
    'DpEnd',
    'RowsPlanned',
    'CreatedAt',
    'PublishedAt',
    'FetchedAt',
  ],
  CustomerCorrection: ['Seq', 'CustomerId', 'At', 'OrderedBy', 'Reason', 'AccountBefore', 'AccountAfter'],
  DpHistorySeal: ['Seq', 'SealNumber', 'SetAside', 'Seal'],
  DpKnownHistory: ['Ordinal', 'Known'],
};

/*
 * Free text is nvarchar(max): a biller's answer that is longer than expected must not keep a result from being
 * recorded. There are no foreign keys: rows that point to nothing are real, and telling of them is the validation's
 * work. `Seq` is the order of arrival. CREATE VIEW must stand alone in its batch, hence EXEC.
 */
const platformTables = (): readonly SqlText[] => [
  tsql`IF OBJECT_ID(N'dbo.DatapumpRow', N'V') IS NULL
BEGIN
  CREATE TABLE dbo.datapump (
    Seq bigint IDENTITY(1, 1) NOT NULL CONSTRAINT PK_datapump PRIMARY KEY,
    DpId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT UQ_datapump_DpId UNIQUE,
    BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    EventType nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL,
    CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    PaymentId nvarchar(64) COLLATE Latin1_General_BIN2 NULL,
    Status nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT DF_datapump_Status DEFAULT N'New',
    CreatedAt datetime2(3) NOT NULL CONSTRAINT DF_datapump_CreatedAt DEFAULT SYSUTCDATETIME(),
    DueAt datetime2(3) NOT NULL CONSTRAINT DF_datapump_DueAt DEFAULT SYSUTCDATETIME()
  );
  CREATE INDEX IX_datapump_eligible ON dbo.datapump (BillerId, DueAt) INCLUDE (DpId, EventType) WHERE Status = N'New';
  CREATE INDEX IX_datapump_range ON dbo.datapump (BillerId, DpId);
  EXEC(N'CREATE VIEW dbo.DatapumpRow AS
    SELECT Seq, DpId, BillerId, EventType, CustomerId, PaymentId, Status, CreatedAt, DueAt FROM dbo.datapump');
END;`,
  tsql`IF OBJECT_ID(N'dbo.DatapumpCustomer', N'V') IS NULL
BEGIN
  CREATE TABLE dbo.Customer (
    CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT PK_Customer PRIMARY KEY,
    BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    AccountNumber nvarchar(max) NOT NULL,
    Name nvarchar(max) NOT NULL,
    Email nvarchar(max) NULL,
    Paperless bit NOT NULL,
    AutoPay bit NOT NULL
  );
  EXEC(N'CREATE VIEW dbo.DatapumpCustomer AS
    SELECT CustomerId, BillerId, AccountNumber, Name, Email, Paperless, AutoPay FROM dbo.Customer');
END;`,
  tsql`IF OBJECT_ID(N'dbo.DatapumpPayment', N'V') IS NULL
BEGIN
  CREATE TABLE dbo.Payment (
    PaymentId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT PK_Payment PRIMARY KEY,
    CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    AmountMinor bigint NOT NULL,
    Currency nvarchar(8) COLLATE Latin1_General_BIN2 NOT NULL,
    InvoiceType nvarchar(max) NOT NULL,
    PaidAt datetime2(3) NOT NULL,
    AchReturnCode nvarchar(max) NULL,
    Source nvarchar(max) NULL,
    ExternalReference nvarchar(max) NULL
  );
  EXEC(N'CREATE VIEW dbo.DatapumpPayment AS
    SELECT PaymentId, CustomerId, BillerId, AmountMinor, Currency, InvoiceType, PaidAt, AchReturnCode, Source, ExternalReference
    FROM dbo.Payment');
END;`,
  tsql`IF OBJECT_ID(N'dbo.DatapumpBiller', N'V') IS NULL
BEGIN
  CREATE TABLE dbo.BillerSettings (
    BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT PK_BillerSettings PRIMARY KEY,
    Dba nvarchar(max) NOT NULL,
    Active bit NOT NULL
  );
  EXEC(N'CREATE VIEW dbo.DatapumpBiller AS SELECT BillerId, Dba, Active FROM dbo.BillerSettings');
END;`,
];

/** Claims and results are ours also where the rows are a site's: a view can take no new column. */
const claimsAndDetails = (key: RowKey): readonly SqlText[] => [
  tsql`IF OBJECT_ID(N'dbo.DpClaim', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.DpClaim (
    DpId ${key.columnType} NOT NULL CONSTRAINT PK_DpClaim PRIMARY KEY,
    Status nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL,
    ChunkId nvarchar(200) COLLATE Latin1_General_BIN2 NULL,
    ProgressAt datetime2(3) NOT NULL,
    SweepCount int NOT NULL CONSTRAINT DF_DpClaim_SweepCount DEFAULT 0
  );
  CREATE INDEX IX_DpClaim_chunk ON dbo.DpClaim (ChunkId) WHERE ChunkId IS NOT NULL;
  CREATE INDEX IX_DpClaim_unfinished ON dbo.DpClaim (ProgressAt) INCLUDE (Status, ChunkId, SweepCount)
    WHERE Status IN (N'Queued', N'Published', N'InDoubt');
END;`,
  tsql`IF OBJECT_ID(N'dbo.DpDetail', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.DpDetail (
    DpId ${key.columnType} NOT NULL,
    Attempt int NOT NULL,
    Outcome nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL,
    BillerReference nvarchar(max) NULL,
    Code nvarchar(max) NULL,
    RecordedAt datetime2(3) NOT NULL,
    CONSTRAINT PK_DpDetail PRIMARY KEY (DpId, Attempt)
  );
END;`,
];

const outbox = (): readonly SqlText[] => [
  tsql`IF OBJECT_ID(N'dbo.Outbox', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.Outbox (
    Seq bigint IDENTITY(1, 1) NOT NULL CONSTRAINT PK_Outbox PRIMARY KEY,
    ChunkId nvarchar(200) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT UQ_Outbox_ChunkId UNIQUE,
    BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    EventType nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL,
    DpStart nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    DpEnd nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    RowsPlanned int NOT NULL,
    CreatedAt datetime2(3) NOT NULL,
    PublishedAt datetime2(3) NULL,
    FetchedAt datetime2(3) NULL
  );
  CREATE INDEX IX_Outbox_unpublished ON dbo.Outbox (Seq) WHERE PublishedAt IS NULL;
END;`,
];

/** Who gave a customer another account number, why, and which it had. */
const corrections = (): readonly SqlText[] => [
  tsql`IF OBJECT_ID(N'dbo.CustomerCorrection', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.CustomerCorrection (
    Seq bigint IDENTITY(1, 1) NOT NULL CONSTRAINT PK_CustomerCorrection PRIMARY KEY,
    CustomerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    At datetime2(3) NOT NULL,
    OrderedBy nvarchar(max) NOT NULL,
    Reason nvarchar(max) NOT NULL,
    AccountBefore nvarchar(max) NOT NULL,
    AccountAfter nvarchar(max) NOT NULL
  );
END;`,
];

/** Copies of the event store's seals: whoever rewrites the event store must rewrite them in every shard, too. */
const historySeals = (): readonly SqlText[] => [
  tsql`IF OBJECT_ID(N'dbo.DpHistorySeal', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.DpHistorySeal (
    Seq bigint IDENTITY(1, 1) NOT NULL CONSTRAINT PK_DpHistorySeal PRIMARY KEY,
    SealNumber int NOT NULL,
    SetAside int NOT NULL,
    Seal nvarchar(max) NOT NULL
  );
  CREATE INDEX IX_DpHistorySeal_order ON dbo.DpHistorySeal (SetAside, SealNumber, Seq);
END;`,
];

/** Which event store the shard's work stands in: one row for ever. */
const knownHistory = (): readonly SqlText[] => [
  tsql`IF OBJECT_ID(N'dbo.DpKnownHistory', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.DpKnownHistory (
    Ordinal int NOT NULL CONSTRAINT PK_DpKnownHistory PRIMARY KEY,
    Known nvarchar(max) NULL
  );
  INSERT INTO dbo.DpKnownHistory (Ordinal) VALUES (0);
END;`,
];

/** Add at the end only; a step that adds a column guards it by COL_LENGTH(N'dbo.table', N'column') IS NULL. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'rows, customers, payments and billers, behind views', batches: platformTables },
  { version: 2, name: 'claims and details', batches: claimsAndDetails },
  { version: 3, name: 'outbox', batches: outbox },
  { version: 4, name: 'corrections of customers', batches: corrections },
  { version: 5, name: 'copies of the history seals', batches: historySeals },
  { version: 6, name: 'what is known of the event store', batches: knownHistory },
];
