import { type BillerId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type HistoryWitness } from './history-witness';
import { type PaymentImports } from './payment-imports';
import { type ShardClaims } from './shard-claims';
import { type ShardResults } from './shard-results';
import { type ShardRows } from './shard-rows';
import { type ShardCounts } from './shard-totals';

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
 * 20  rowsInHand yields the rows of a customer, or of a reference, or of both, those that arrived last, at most `max`, oldest first. It compares
 *     as it stands: nothing in what is searched for is a pattern.
 * 21  totals of a day counts the rows created on it, in UTC, whatever their status, and rowsOfDay yields each row that they count, with
 *     its money as it is summed. Both cost what the day holds, not what the shard holds.
 * 22  totals of what is to end counts all rows of TO_END_STATUSES and no other. It costs what is to end, not what the shard holds.
 */
export interface Shard extends ShardClaims, ShardRows, ShardResults, ShardCounts, PaymentImports, HistoryWitness {
  readonly name: ShardName;
  now(): Promise<Instant>;
}

/** Which shard holds which biller; the registry decides, and a biller moves only when drained. */
export interface Shards {
  all(): readonly Shard[];
  /** The shard named; throws PortFailure 'not-found' where there is none. */
  named(name: ShardName): Shard;
  ofBiller(biller: BillerId): Promise<Shard | undefined>;
}
