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
import { type KnownHistory } from '../../application/ports/history-witness';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type ShardSeed } from '../shared/shard-seed';
import { CallCoalescer, type CoalescerOptions } from './call-coalescer';
import { type ConnectionSource, type SqlServerLimits } from './connection-settings';
import { SqlServerKnownHistory } from './known-history';
import { checkedRowKey } from './migrate';
import { type RowKey } from './row-key';
import { SqlServerShardClaiming } from './shard-claiming';
import { SqlServerShardImport } from './shard-import';
import { SqlServerShardRows } from './shard-rows';
import { laneOf, SqlServerShardStatuses, type Reconciled } from './shard-statuses';
import { SqlServerShardTotals } from './shard-totals';
import { SqlServerSealWitness } from './sql-server-seal-witness';
import { SqlServerConnection } from './sql-server-connection';

/** One round trip carries so many single calls at most: locks are held for less long, and a lost batch costs less. */
const CALLS_PER_BATCH_MAX = 500;
const BATCHES_MAX = 2;
const CALLS_WAITING_MAX = 65_536;

interface Parts {
  readonly claiming: SqlServerShardClaiming;
  readonly reading: SqlServerShardRows;
  readonly statuses: SqlServerShardStatuses;
  readonly importing: SqlServerShardImport;
}

/**
 * One shard in one SQL Server database, or an engine compatible with it. Nothing is opened before the first call, which
 * checks the schema. Single-record calls share round trips.
 */
export class SqlServerShard implements Shard {
  readonly name: ShardName;
  /** Copies of the event store's seals, beside the shard's own tables. */
  readonly seals: SqlServerSealWitness;
  private readonly connection: SqlServerConnection;
  private readonly counting: SqlServerShardTotals;
  private readonly known: SqlServerKnownHistory;
  private checked: Promise<Parts> | undefined;
  private readonly finding: CallCoalescer<DpId, DpRow | undefined>;
  private readonly reconciling: CallCoalescer<RowResult, Reconciled>;
  private readonly noting: CallCoalescer<{ readonly dpId: DpId; readonly until: Instant }, undefined>;
  private readonly reopening: CallCoalescer<DpId, number | undefined>;

  constructor(options: {
    readonly name: ShardName;
    readonly connection: ConnectionSource;
    readonly limits?: Partial<SqlServerLimits>;
  }) {
    this.name = options.name;
    this.connection = new SqlServerConnection(options);
    this.seals = new SqlServerSealWitness(this.connection, this.name, () => this.parts());
    this.counting = new SqlServerShardTotals(this.connection);
    this.known = new SqlServerKnownHistory(this.connection);
    this.finding = coalescer({
      run: async (dpIds) => (await this.parts()).reading.find(dpIds),
    });
    this.reconciling = coalescer({
      keyOf: ({ dpId }) => dpId,
      laneOf: (result) => laneOf(result),
      run: async (results) => (await this.parts()).statuses.reconcile(results),
    });
    this.noting = coalescer({
      keyOf: ({ dpId }) => dpId,
      run: async (notes) => (await this.parts()).statuses.noteProgress(notes),
    });
    this.reopening = coalescer({
      keyOf: (dpId) => dpId,
      run: async (dpIds) => (await this.parts()).statuses.reopen(dpIds),
    });
  }

  /** Finishes the single calls it has taken, then closes the connections. */
  async close(): Promise<void> {
    await Promise.all([this.finding, this.reconciling, this.noting, this.reopening].map((each) => each.drain()));
    await this.connection.close();
  }

  async now(): Promise<Instant> {
    await this.parts();
    return this.counting.now();
  }

  async claim(request: ClaimRequest): Promise<readonly OutboxChunk[]> {
    withinLimit(request.rowsMax);
    return (await this.parts()).claiming.claim(request);
  }

  async unpublishedChunks(max: number): Promise<readonly OutboxChunk[]> {
    withinLimit(max);
    return (await this.parts()).claiming.unpublishedChunks(max);
  }

  async markPublished(chunkIds: readonly ChunkId[]): Promise<void> {
    withinLimit(chunkIds.length);
    return (await this.parts()).claiming.markPublished(chunkIds);
  }

  async markFetched(chunkId: ChunkId): Promise<void> {
    return (await this.parts()).claiming.markFetched(chunkId);
  }

  async rowsOfChunk(chunkId: ChunkId): Promise<DpRows> {
    return (await this.parts()).reading.ofChunk(chunkId);
  }

  async rowsInRange(range: Parameters<Shard['rowsInRange']>[0]): Promise<DpRows> {
    withinLimit(range.max);
    return (await this.parts()).reading.inRange(range);
  }

  findRow(dpId: DpId): Promise<DpRow | undefined> {
    return this.finding.call(dpId);
  }

  async adopt(dpIds: readonly DpId[], chunkId: ChunkId): Promise<void> {
    withinLimit(dpIds.length);
    return (await this.parts()).claiming.adopt(dpIds, chunkId);
  }

  async changeStatuses(changes: readonly StatusChange[]): Promise<readonly DpId[]> {
    withinLimit(changes.length);
    return (await this.parts()).statuses.change(changes);
  }

  reconcile(result: RowResult): Promise<Reconciled> {
    return this.reconciling.call(result);
  }

  noteProgress(dpId: DpId, until: Instant): Promise<void> {
    return this.noting.call({ dpId, until });
  }

  async takeStalled(request: { readonly before: Instant; readonly max: number }): Promise<readonly StalledRow[]> {
    withinLimit(request.max);
    return (await this.parts()).statuses.takeStalled(request);
  }

  reopen(dpId: DpId): Promise<number | undefined> {
    return this.reopening.call(dpId);
  }

  async rowsByStatus(query: Parameters<Shard['rowsByStatus']>[0]): Promise<DpRows> {
    withinLimit(query.max);
    return (await this.parts()).reading.withStatus(query);
  }

  async rowsInHand(query: Parameters<Shard['rowsInHand']>[0]): Promise<DpRows> {
    withinLimit(query.max);
    return (await this.parts()).reading.ofWhatIsInHand(query);
  }

  async totals(part?: TotalsPart): Promise<ShardTotals> {
    await this.parts();
    return this.counting.totals(part);
  }

  async rowsOfDay(query: Parameters<Shard['rowsOfDay']>[0]): Promise<readonly CountedRow[]> {
    withinLimit(query.max);
    await this.parts();
    return this.counting.rowsOfDay(query);
  }

  async billers(): Promise<readonly BillerId[]> {
    await this.parts();
    return this.counting.billers();
  }

  /** Those this shard is responsible for: the biller settings name them. */
  async billersWithSettings(): Promise<readonly BillerId[]> {
    await this.parts();
    return this.counting.billersWithSettings();
  }

  async importPayments(payments: readonly PaymentImport[]): Promise<ImportResult> {
    withinLimit(payments.length);
    return (await this.parts()).importing.import(payments);
  }

  async previewPayments(
    payments: readonly PaymentImport[],
    options: { readonly anyAccount?: boolean } = {},
  ): Promise<readonly ImportFate[]> {
    withinLimit(payments.length);
    return (await this.parts()).importing.preview(payments, options);
  }

  async correctCustomers(
    corrections: readonly CustomerCorrection[],
    order: CorrectionOrder | undefined,
  ): Promise<readonly number[]> {
    withinLimit(corrections.length);
    return (await this.parts()).importing.correct(corrections, order);
  }

  async knownReferences(references: readonly PaymentReference[]): Promise<readonly PaymentReference[]> {
    withinLimit(references.length);
    return (await this.parts()).importing.known(references);
  }

  async knownHistory(): Promise<KnownHistory | undefined> {
    await this.parts();
    return this.known.read();
  }

  async noteHistory(next: KnownHistory): Promise<boolean> {
    await this.parts();
    return this.known.note(next);
  }

  /** For demo, load tests and tests: one transaction a call. How many rows of datapump were new. */
  async seed(seed: ShardSeed): Promise<number> {
    return (await this.parts()).importing.seed(seed);
  }

  /** A schema that does not fit is looked at again at the next call: a migration may have run meanwhile. */
  private parts(): Promise<Parts> {
    return (this.checked ??= this.check().catch((error: unknown) => {
      this.checked = undefined;
      throw error;
    }));
  }

  private async check(): Promise<Parts> {
    const key: RowKey = await checkedRowKey(this.connection, this.name);
    return {
      claiming: new SqlServerShardClaiming(this.connection, key, this.name),
      reading: new SqlServerShardRows(this.connection, key, this.name),
      statuses: new SqlServerShardStatuses(this.connection, key),
      importing: new SqlServerShardImport(this.connection, key),
    };
  }
}

const coalescer = <Call, Answer>(
  options: Pick<CoalescerOptions<Call, Answer>, 'keyOf' | 'laneOf' | 'run'>,
): CallCoalescer<Call, Answer> =>
  new CallCoalescer({
    ...options,
    callsMax: CALLS_PER_BATCH_MAX,
    batchesMax: BATCHES_MAX,
    waitingMax: CALLS_WAITING_MAX,
  });

function withinLimit(rows: number): void {
  invariant(rows >= 0 && rows <= ROWS_PER_CALL_MAX, `one call takes at most ${ROWS_PER_CALL_MAX} rows, got ${rows}`);
}
