import { type Database, type Statement } from 'better-sqlite3';
import { type Shard } from '../../application/ports/shard';
import { type RowResult, type StalledRow, type StatusChange } from '../../application/ports/shard-results';
import { type DataType } from '../../domain/biller/data-type';
import { type DpDetail } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type ChunkId, type DpId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { readableRow, sendableChunkId } from './readable-rows';
import { type SqliteShardClock } from './sqlite-shard-clock';

type Reconciled = Awaited<ReturnType<Shard['reconcile']>>;

interface TakenRow {
  readonly DpId: DpId;
  readonly BillerId: BillerId;
  readonly EventType: DataType;
  readonly Status: RowStatus;
  readonly ChunkId: ChunkId | null;
  readonly SweepCount: number;
}

const SWEEPS_MAX = 1_000_000_000;
/** A count that is none begins anew: it goes into message ids. */
const RAISED_SWEEP_COUNT = `CASE WHEN typeof(SweepCount) = 'integer' AND SweepCount BETWEEN 0 AND ${SWEEPS_MAX} THEN SweepCount + 1 ELSE 1 END`;
const SENDABLE_CHUNK = `(ChunkId IS NULL OR ${sendableChunkId('ChunkId')})`;

/** Moves rows from status to status, and the sweep. Each method runs inside the caller's write transaction. */
export class SqliteShardStatuses {
  private readonly statusOf: Statement<[DpId], { readonly Seq: number; readonly Status: RowStatus }>;
  private readonly setStatus: Statement<[RowStatus, Instant, number]>;
  private readonly outcomeOf: Statement<[DpId, number], DpDetail['outcome']>;
  private readonly insertDetail: Statement<[DpId, number, string, string | null, string | null, Instant]>;
  private readonly postpone: Statement<[Instant, DpId]>;
  private readonly sweep: Statement<[{ now: Instant; before: Instant; max: number }], TakenRow>;
  private readonly raiseOrdinal: Statement<[Instant, DpId], number>;

  constructor(
    database: Database,
    private readonly clock: SqliteShardClock,
  ) {
    this.statusOf = database.prepare('SELECT Seq, Status FROM datapump WHERE DpId = ?');
    this.setStatus = database.prepare('UPDATE datapump SET Status = ?, ProgressAt = max(ProgressAt, ?) WHERE Seq = ?');
    this.outcomeOf = database
      .prepare<[DpId, number], DpDetail['outcome']>('SELECT Outcome FROM DpDetail WHERE DpId = ? AND Attempt = ?')
      .pluck();
    this.insertDetail = database.prepare(
      'INSERT INTO DpDetail (DpId, Attempt, Outcome, BillerReference, Code, RecordedAt) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.postpone = database.prepare('UPDATE datapump SET ProgressAt = max(ProgressAt, ?) WHERE DpId = ?');
    // Never stamped before @before, so that a second caller with the same @before cannot take the row again.
    this.sweep = database.prepare(`
      UPDATE datapump SET ProgressAt = max(@now, @before), SweepCount = ${RAISED_SWEEP_COUNT}
      WHERE Seq IN (
        SELECT Seq FROM datapump WHERE Status IN ('Queued', 'Published', 'InDoubt') AND ProgressAt < @before
          AND ${readableRow('datapump')} AND ${SENDABLE_CHUNK}
        ORDER BY ProgressAt LIMIT @max)
      RETURNING DpId, BillerId, EventType, Status, ChunkId, SweepCount`);
    this.raiseOrdinal = database
      .prepare<[Instant, DpId], number>(
        `
      UPDATE datapump SET
        ProgressAt = CASE Status WHEN 'Published' THEN ProgressAt ELSE max(ProgressAt, ?) END,
        Status = 'Published',
        SweepCount = ${RAISED_SWEEP_COUNT}
      WHERE DpId = ? AND Status IN ('Failed', 'InDoubt', 'Published')
      RETURNING SweepCount`,
      )
      .pluck();
  }

  change(changes: readonly StatusChange[]): readonly DpId[] {
    const now = this.clock.now();
    const changed: DpId[] = [];
    for (const { dpId, to, from } of changes) {
      const row = this.statusOf.get(dpId);
      if (row === undefined || row.Status === to || !from.includes(row.Status)) continue;
      this.setStatus.run(to, now, row.Seq);
      changed.push(dpId);
    }
    return changed;
  }

  /** A detail that stands already is the proof of a repetition; one of another outcome is never overwritten. */
  reconcile({ dpId, to, from, detail }: RowResult): Reconciled {
    const row = this.statusOf.get(dpId);
    if (row === undefined) return 'row-missing';
    const recorded = detail && this.outcomeOf.get(dpId, detail.attempt);
    const detailStands = detail === undefined || recorded === detail.outcome;
    if (row.Status === to && detailStands) return 'already-so';
    if (!from.includes(row.Status) || (recorded !== undefined && !detailStands)) return 'refused';
    if (row.Status !== to) this.setStatus.run(to, this.clock.now(), row.Seq);
    if (detail && recorded === undefined) {
      const { attempt, outcome, billerReference = null, code = null, recordedAt } = detail;
      this.insertDetail.run(dpId, attempt, outcome, billerReference, code, recordedAt);
    }
    return 'applied';
  }

  noteProgress(dpId: DpId, until: Instant): void {
    this.postpone.run(until, dpId);
  }

  takeStalled(request: { readonly before: Instant; readonly max: number }): readonly StalledRow[] {
    return this.sweep.all({ now: this.clock.now(), before: request.before, max: request.max }).map((row) => ({
      dpId: row.DpId,
      billerId: row.BillerId,
      dataType: row.EventType,
      status: row.Status,
      chunkId: row.ChunkId ?? undefined,
      ordinal: row.SweepCount,
    }));
  }

  reopen(dpId: DpId): number | undefined {
    return this.raiseOrdinal.get(this.clock.now(), dpId);
  }
}
