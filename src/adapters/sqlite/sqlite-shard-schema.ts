import { KNOWN_HISTORY_SCHEMA } from './sqlite-known-history';
import { SEAL_TABLE } from './sqlite-seal-witness';

/**
 * The tables of one shard, with the billing platform's names. Each entry is one migration: add at the end only.
 *
 * Ids are TEXT, since 64-bit ids and GUIDs stand side by side; instants are the fixed ISO text, whose order is the
 * order in time; money is minor units and currency. There are no foreign keys: rows that point to nothing are real,
 * and telling of them is the validation's work. `Seq` is the order of arrival.
 *
 * An index over Status costs a write at each status change, so each one is partial and covers only rows that are
 * still to be moved: what is finished costs nothing.
 */
export const SHARD_SCHEMA: readonly string[] = [
  `
  CREATE TABLE datapump (
    Seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    DpId       TEXT NOT NULL UNIQUE,
    BillerId   TEXT NOT NULL,
    EventType  TEXT NOT NULL,
    CustomerId TEXT NOT NULL,
    PaymentId  TEXT,
    Status     TEXT NOT NULL DEFAULT 'New',
    ChunkId    TEXT,
    CreatedAt  TEXT NOT NULL,
    DueAt      TEXT NOT NULL,
    ProgressAt TEXT NOT NULL,
    SweepCount INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX datapump_eligible ON datapump (BillerId, DueAt) WHERE Status = 'New';
  CREATE INDEX datapump_unfinished ON datapump (ProgressAt) WHERE Status IN ('Queued', 'Published', 'InDoubt');
  CREATE INDEX datapump_chunk ON datapump (ChunkId) WHERE ChunkId IS NOT NULL;
  -- Ids that are numbers sort by length first; the columns never change, so status writes leave this index alone.
  CREATE INDEX datapump_range ON datapump (BillerId, length(DpId), DpId);

  CREATE TABLE DpDetail (
    DpId            TEXT NOT NULL,
    Attempt         INTEGER NOT NULL,
    Outcome         TEXT NOT NULL,
    BillerReference TEXT,
    Code            TEXT,
    RecordedAt      TEXT NOT NULL,
    PRIMARY KEY (DpId, Attempt)
  ) WITHOUT ROWID;

  CREATE TABLE Customer (
    CustomerId    TEXT PRIMARY KEY,
    BillerId      TEXT NOT NULL,
    AccountNumber TEXT NOT NULL,
    Name          TEXT NOT NULL,
    Email         TEXT,
    Paperless     INTEGER NOT NULL,
    AutoPay       INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE Payment (
    PaymentId         TEXT PRIMARY KEY,
    CustomerId        TEXT NOT NULL,
    BillerId          TEXT NOT NULL,
    AmountMinor       INTEGER NOT NULL,
    Currency          TEXT NOT NULL,
    InvoiceType       TEXT NOT NULL,
    PaidAt            TEXT NOT NULL,
    AchReturnCode     TEXT,
    Source            TEXT,
    ExternalReference TEXT
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX Payment_external ON Payment (Source, ExternalReference) WHERE ExternalReference IS NOT NULL;

  CREATE TABLE BillerSettings (
    BillerId TEXT PRIMARY KEY,
    Dba      TEXT NOT NULL,
    Active   INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE Outbox (
    Seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    ChunkId     TEXT NOT NULL UNIQUE,
    BillerId    TEXT NOT NULL,
    EventType   TEXT NOT NULL,
    DpStart     TEXT NOT NULL,
    DpEnd       TEXT NOT NULL,
    RowCount    INTEGER NOT NULL,
    CreatedAt   TEXT NOT NULL,
    PublishedAt TEXT,
    FetchedAt   TEXT
  );
  CREATE INDEX Outbox_unpublished ON Outbox (Seq) WHERE PublishedAt IS NULL;
  `,
  // Who gave a customer another account number, why, and which it had.
  `
  CREATE TABLE CustomerCorrection (
    Seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    CustomerId    TEXT NOT NULL,
    At            TEXT NOT NULL,
    OrderedBy     TEXT NOT NULL,
    Reason        TEXT NOT NULL,
    AccountBefore TEXT NOT NULL,
    AccountAfter  TEXT NOT NULL
  );
  `,
  SEAL_TABLE,
  KNOWN_HISTORY_SCHEMA,
  // By what people search, and by day. The columns never change, so status writes leave these indices alone.
  `
  CREATE INDEX datapump_created ON datapump (CreatedAt);
  CREATE INDEX datapump_customer ON datapump (CustomerId);
  CREATE INDEX datapump_payment ON datapump (PaymentId) WHERE PaymentId IS NOT NULL;
  CREATE INDEX Customer_account ON Customer (AccountNumber);
  CREATE INDEX Customer_name ON Customer (lower(Name));
  CREATE INDEX Payment_reference ON Payment (ExternalReference) WHERE ExternalReference IS NOT NULL;
  `,
];
