import { type DataType } from '../../domain/biller/data-type';
import { type DpDetail, type DpRow } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';
import { type ClaimedRow, type PlannedChunk } from '../../domain/policies/chunking';
import { type HistoryWitness } from './history-witness';

/** At most this many rows in one claim, read, status change or sweep. */
export const ROWS_PER_CALL_MAX = 5_000;

/**
 * One shard database: the DP tables and the outbox beside them. Every write is one transaction.
 *
 * Laws:
 *  1  claim takes only rows with Status New, due, of the billers named, and of the data types named where any are; it sets Queued and a ChunkId and inserts one
 *     outbox row per chunk, all in one transaction: an outbox row stands if and only if its rows are claimed.
 *  2  Concurrent claimers never claim the same row; each eligible row is claimed by one of them.
 *  3  A claim that fails leaves nothing.
 *  4  An outbox row is handed out by unpublishedChunks until markPublished; marking twice is marking once.
 *  5  rowsOfChunk yields the rows whose ChunkId it is, whatever their ids, joined with customer, payment, biller and details.
 *  6  A status change is applied only where the present status is one of its allowed predecessors; the answer tells
 *     which rows changed. Changing to the status that already stands changes nothing and is not counted.
 *  7  reconcile writes status and detail in one transaction, once per (dpId, attempt): repeated, it is 'already-so'.
 *     A status that its predecessors do not allow is 'refused' and nothing is written.
 *  8  takeStalled hands a stalled row to one caller only, raises its sweep count by one and stamps progress.
 *  9  noteProgress postpones the sweep of a row until then; it never brings it forward.
 * 10  reopen takes a Failed or InDoubt row back to Published, raises its sweep count and returns the ordinal; on a row
 *     that is Published already it only raises the ordinal.
 * 11  Text, Unicode, quotes and injection strings, NULLs, 64-bit ids and money come back exactly as stored.
 * 12  now is the database's clock, UTC, to the millisecond, and never runs backwards within a process.
 * 13  importPayments inserts a payment once per (source, external reference), with its customer and a New row;
 *     repeated, it adds nothing and says so. A known reference with another payment, or a known customer with another
 *     account number, is named as a conflict and changes nothing.
 * 14  knownReferences yields those of the given references that a payment here already has.
 * 15  previewPayments says of each payment what importPayments would do with it now, in their order, and writes nothing.
 * 16  correctCustomers gives a known customer another account number and name, and keeps the number it had with who
 *     ordered it, why and when, in one transaction. It answers the places of those that change: an unknown customer, and
 *     one that has this number already, is passed over; of a customer named twice the first counts. Without an order it
 *     only answers.
 * 17  totals tells how many of the rows are due after all plausible dates: they would wait in silence.
 * 18  A row that cannot be what was written stops nobody else: lists leave it out and name it in `damaged`, and so do the totals
 *     of one whose id, biller, type or status is none; findRow of it is PortFailure 'storage-damaged'.
 * 19  It is a HistoryWitness, by every law of one; its note lies in the same database as its rows, so that a backup of
 *     the one is a backup of the other.
 */
export interface Shard extends HistoryWitness {
  readonly name: ShardName;
  now(): Promise<Instant>;

  claim(request: ClaimRequest): Promise<readonly OutboxChunk[]>;
  unpublishedChunks(max: number): Promise<readonly OutboxChunk[]>;
  markPublished(chunkIds: readonly ChunkId[]): Promise<void>;
  /** The chunk's rows are fetched: for the outbox row's own history; no row of ours for a foreign chunk is fine. */
  markFetched(chunkId: ChunkId): Promise<void>;

  rowsOfChunk(chunkId: ChunkId): Promise<DpRows>;
  /** Rows of a foreign chunk: a biller's rows by id range (numeric where both ends are numbers), New or Queued, at most `max`. */
  rowsInRange(range: {
    readonly billerId: BillerId;
    readonly dataType: DataType | undefined;
    readonly from: DpId;
    readonly to: DpId;
    readonly max: number;
  }): Promise<DpRows>;
  findRow(dpId: DpId): Promise<DpRow | undefined>;
  /** Adopts foreign rows: New → Queued with this ChunkId. */
  adopt(dpIds: readonly DpId[], chunkId: ChunkId): Promise<void>;

  changeStatuses(changes: readonly StatusChange[]): Promise<readonly DpId[]>;
  reconcile(result: RowResult): Promise<'applied' | 'already-so' | 'refused' | 'row-missing'>;
  noteProgress(dpId: DpId, until: Instant): Promise<void>;
  takeStalled(request: { readonly before: Instant; readonly max: number }): Promise<readonly StalledRow[]>;
  reopen(dpId: DpId): Promise<number | undefined>;

  /** Rows by status, oldest first, after a dpId; for the operator's lists and the proofs. */
  rowsByStatus(query: {
    readonly statuses: readonly RowStatus[];
    readonly billerId?: BillerId;
    readonly after?: DpId;
    readonly max: number;
  }): Promise<DpRows>;
  totals(): Promise<ShardTotals>;
  billers(): Promise<readonly BillerId[]>;

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

/** Rows, and in words those that could not be read. */
export type DpRows = readonly DpRow[] & { readonly damaged?: readonly string[] };
/** Totals, and in words the rows that belong to none. */
export type ShardTotals = readonly ShardTotal[] & { readonly damaged?: readonly string[] };

export interface ClaimRequest {
  readonly billers: readonly BillerId[];
  /** Undefined: all of them. */
  readonly dataTypes?: readonly DataType[];
  readonly rowsMax: number;
  /** Pure: cuts the claimed rows into chunks. Runs inside the transaction. */
  readonly plan: (rows: readonly ClaimedRow[]) => readonly PlannedChunk[];
  readonly newChunkId: () => ChunkId;
}

/** One row of Outbox. */
export interface OutboxChunk {
  readonly chunkId: ChunkId;
  readonly shard: ShardName;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly dpStart: DpId;
  readonly dpEnd: DpId;
  readonly rows: number;
}

export interface StatusChange {
  readonly dpId: DpId;
  readonly to: RowStatus;
  /** Statuses from which the change is allowed. */
  readonly from: readonly RowStatus[];
}

export interface RowResult {
  readonly dpId: DpId;
  readonly to: RowStatus;
  readonly from: readonly RowStatus[];
  readonly detail?: DpDetail;
}

/** `ordinal`: the row's sweep count after this sweep, for a message id never used before. */
export interface StalledRow {
  readonly dpId: DpId;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RowStatus;
  readonly chunkId: ChunkId | undefined;
  readonly ordinal: number;
}

export interface ShardTotal {
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RowStatus;
  readonly count: number;
  /** Sum over the rows' payments; one entry per currency. Zero for types that carry no money. */
  readonly amount: Money;
  /** Age of the oldest, by createdAt. */
  readonly oldestAt: Instant | undefined;
  /** How many are due after all plausible dates (2999), so that nothing will ever claim them; absent where none is. */
  readonly neverDue?: number;
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

/** Which shard holds which biller; the registry decides, and a biller moves only when drained. */
export interface Shards {
  all(): readonly Shard[];
  /** The shard named; throws PortFailure 'not-found' where there is none. */
  named(name: ShardName): Shard;
  ofBiller(biller: BillerId): Promise<Shard | undefined>;
}
