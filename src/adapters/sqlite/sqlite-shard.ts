import { type Database } from 'better-sqlite3';
import { PortFailure } from '../../application/ports/failures';
import { type KnownHistory } from '../../application/ports/history-witness';
import {
  type CorrectionOrder,
  type CustomerCorrection,
  type ImportFate,
  type ImportResult,
  type PaymentImport,
  type PaymentReference,
} from '../../application/ports/payment-imports';
import { ROWS_PER_CALL_MAX, type Shard } from '../../application/ports/shard';
import { type ClaimRequest, type OutboxChunk } from '../../application/ports/shard-claims';
import { type RowResult, type StalledRow, type StatusChange } from '../../application/ports/shard-results';
import { type DpRows } from '../../application/ports/shard-rows';
import { type CountedRow, type ShardTotals, type TotalsPart } from '../../application/ports/shard-totals';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type ShardSeed } from '../shared/shard-seed';
import { GroupCommit } from './group-commit';
import { openSqliteFile, prepared, readFailure } from './sqlite-file';
import { addRowId } from './readable-rows';
import { SqliteKnownHistory } from './sqlite-known-history';
import { SqliteSealWitness } from './sqlite-seal-witness';
import { SqliteShardClaiming } from './sqlite-shard-claiming';
import { SqliteShardClock } from './sqlite-shard-clock';
import { SqliteShardImport } from './sqlite-shard-import';
import { SqliteShardRows } from './sqlite-shard-rows';
import { SHARD_SCHEMA } from './sqlite-shard-schema';
import { SqliteShardSeeding } from './sqlite-shard-seed';
import { SqliteShardStatuses } from './sqlite-shard-statuses';
import { SqliteShardTotals } from './sqlite-shard-totals';

/**
 * One shard in one SQLite file. Writes share commits and are durable when they resolve; reads see what is committed.
 * Any number of processes of one machine may have the file open.
 */
export class SqliteShard implements Shard {
  readonly name: ShardName;
  /** Copies of the event store's seals, beside the shard's own tables. */
  readonly seals: SqliteSealWitness;
  private readonly path: string;
  private readonly database: Database;
  private readonly commits: GroupCommit;
  private readonly clock: SqliteShardClock;
  private readonly claiming: SqliteShardClaiming;
  private readonly reading: SqliteShardRows;
  private readonly statuses: SqliteShardStatuses;
  private readonly counting: SqliteShardTotals;
  private readonly importing: SqliteShardImport;
  private readonly seeding: SqliteShardSeeding;
  private readonly known: SqliteKnownHistory;

  constructor(options: {
    readonly name: ShardName;
    readonly path: string;
    /** Milliseconds since 1970. Default: the database's own time. */
    readonly now?: () => number;
    readonly synchronous?: 'FULL' | 'OFF';
  }) {
    this.name = options.name;
    this.path = options.path;
    this.database = openSqliteFile({ ...options, kind: 'shard', schema: SHARD_SCHEMA });
    addRowId(this.database);
    this.commits = new GroupCommit(this.database);
    this.clock = new SqliteShardClock(this.database, options.now);
    const { database, commits, clock, name } = this;
    const parts = prepared(database, { path: options.path, kind: 'shard' }, () => ({
      seals: new SqliteSealWitness(database, commits, name),
      claiming: new SqliteShardClaiming(database, name, clock),
      reading: new SqliteShardRows(database, name),
      statuses: new SqliteShardStatuses(database, clock),
      counting: new SqliteShardTotals(database),
      importing: new SqliteShardImport(database, clock),
      seeding: new SqliteShardSeeding(database),
      known: new SqliteKnownHistory(database),
    }));
    this.seals = parts.seals;
    this.claiming = parts.claiming;
    this.reading = parts.reading;
    this.statuses = parts.statuses;
    this.counting = parts.counting;
    this.importing = parts.importing;
    this.seeding = parts.seeding;
    this.known = parts.known;
  }

  /** Finishes the writes it has taken, then closes the file. */
  async close(): Promise<void> {
    await this.commits.close();
    this.database.close();
  }

  now(): Promise<Instant> {
    return this.read('read the clock', () => this.clock.now());
  }

  claim(request: ClaimRequest): Promise<readonly OutboxChunk[]> {
    return this.write(request.rowsMax, () => this.claiming.claim(request));
  }

  unpublishedChunks(max: number): Promise<readonly OutboxChunk[]> {
    return this.read('read the outbox', () => this.claiming.unpublishedChunks(max), max);
  }

  markPublished(chunkIds: readonly ChunkId[]): Promise<void> {
    return this.write(chunkIds.length, () => this.claiming.markPublished(chunkIds));
  }

  markFetched(chunkId: ChunkId): Promise<void> {
    return this.write(1, () => this.claiming.markFetched(chunkId));
  }

  rowsOfChunk(chunkId: ChunkId): Promise<DpRows> {
    return this.read(`read chunk ${chunkId}`, () => this.reading.ofChunk(chunkId));
  }

  rowsInRange(range: Parameters<Shard['rowsInRange']>[0]): Promise<DpRows> {
    return this.read(
      `read rows ${range.from} to ${range.to} of biller ${range.billerId}`,
      () => this.reading.inRange(range),
      range.max,
    );
  }

  findRow(dpId: DpId): Promise<DpRow | undefined> {
    return this.read(`read row ${dpId}`, () => this.reading.find(dpId));
  }

  adopt(dpIds: readonly DpId[], chunkId: ChunkId): Promise<void> {
    return this.write(dpIds.length, () => this.claiming.adopt(dpIds, chunkId));
  }

  changeStatuses(changes: readonly StatusChange[]): Promise<readonly DpId[]> {
    return this.write(changes.length, () => this.statuses.change(changes));
  }

  reconcile(result: RowResult): Promise<'applied' | 'already-so' | 'refused' | 'row-missing'> {
    return this.write(1, () => this.statuses.reconcile(result));
  }

  noteProgress(dpId: DpId, until: Instant): Promise<void> {
    return this.write(1, () => this.statuses.noteProgress(dpId, until));
  }

  takeStalled(request: { readonly before: Instant; readonly max: number }): Promise<readonly StalledRow[]> {
    return this.write(request.max, () => this.statuses.takeStalled(request));
  }

  reopen(dpId: DpId): Promise<number | undefined> {
    return this.write(1, () => this.statuses.reopen(dpId));
  }

  rowsByStatus(query: Parameters<Shard['rowsByStatus']>[0]): Promise<DpRows> {
    return this.read(
      `read rows with status ${query.statuses.join(', ')}`,
      () => this.reading.withStatus(query),
      query.max,
    );
  }

  rowsInHand(query: Parameters<Shard['rowsInHand']>[0]): Promise<DpRows> {
    return this.read('search rows', () => this.reading.ofWhatIsInHand(query), query.max);
  }

  totals(part?: TotalsPart): Promise<ShardTotals> {
    return this.read('read the totals', () => this.counting.totals(part));
  }

  rowsOfDay(query: Parameters<Shard['rowsOfDay']>[0]): Promise<readonly CountedRow[]> {
    return this.read(`read the rows of ${query.day}`, () => this.counting.rowsOfDay(query), query.max);
  }

  billers(): Promise<readonly BillerId[]> {
    return this.read('read the billers', () => this.counting.billers());
  }

  /** Those this shard is responsible for: BillerSettings names them. */
  billersWithSettings(): Promise<readonly BillerId[]> {
    return this.read('read the biller settings', () => this.counting.billersWithSettings());
  }

  importPayments(payments: readonly PaymentImport[]): Promise<ImportResult> {
    return this.write(payments.length, () => this.importing.import(payments));
  }

  previewPayments(
    payments: readonly PaymentImport[],
    options: { readonly anyAccount?: boolean } = {},
  ): Promise<readonly ImportFate[]> {
    return this.read('preview payments', () => this.importing.preview(payments, options), payments.length);
  }

  correctCustomers(
    corrections: readonly CustomerCorrection[],
    order: CorrectionOrder | undefined,
  ): Promise<readonly number[]> {
    const work = (): readonly number[] => this.importing.correct(corrections, order);
    return order ? this.write(corrections.length, work) : this.read('compare customers', work, corrections.length);
  }

  knownReferences(references: readonly PaymentReference[]): Promise<readonly PaymentReference[]> {
    return this.read('read external references', () => this.importing.known(references), references.length);
  }

  knownHistory(): Promise<KnownHistory | undefined> {
    return this.read('read what is known of the event store', () => this.known.read());
  }

  noteHistory(next: KnownHistory): Promise<boolean> {
    return this.write(0, () => this.known.note(next));
  }

  /** For demo, load tests and tests: one transaction a call. How many rows of datapump were new. */
  seed(seed: ShardSeed): Promise<number> {
    return this.write(0, () => this.seeding.seed(seed));
  }

  private async write<T>(rows: number, operation: () => T): Promise<T> {
    withinLimit(rows);
    return this.commits.run(operation);
  }

  private async read<T>(step: string, query: () => T, rows = 0): Promise<T> {
    withinLimit(rows);
    if (!this.database.open) {
      throw new PortFailure(`failed to ${step}: ${this.path} was closed`, {
        code: 'closed',
        retryable: false,
        facts: { path: this.path },
      });
    }
    try {
      return query();
    } catch (error) {
      throw readFailure(`failed to ${step} in shard ${this.name}`, this.path, error);
    }
  }
}

function withinLimit(rows: number): void {
  invariant(rows >= 0 && rows <= ROWS_PER_CALL_MAX, `one call takes at most ${ROWS_PER_CALL_MAX} rows, got ${rows}`);
}
