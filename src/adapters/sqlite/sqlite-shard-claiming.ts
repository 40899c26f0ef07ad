import { type Database, type Statement } from 'better-sqlite3';
import { type ClaimRequest, type OutboxChunk } from '../../application/ports/shard-claims';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type ClaimedRow, type PlannedChunk } from '../../domain/policies/chunking';
import { rangeOf } from '../shared/id-range';
import { readableChunk, readableRow } from './readable-rows';
import { type SqliteShardClock } from './sqlite-shard-clock';

interface EligibleRow extends ClaimedRow {
  readonly seq: number;
  readonly dueAt: Instant;
}

interface OutboxRow {
  readonly ChunkId: ChunkId;
  readonly BillerId: BillerId;
  readonly EventType: DataType;
  readonly DpStart: DpId;
  readonly DpEnd: DpId;
  readonly RowCount: number;
}

/** Claims eligible rows into chunks, and keeps the outbox. Each method runs inside the caller's write transaction. */
export class SqliteShardClaiming {
  /** Where the next claim starts among the billers, so that a small rowsMax starves none of them. */
  private turn = 0;
  private readonly selectEligible: Statement<[BillerId, Instant, number, number], EligibleRow>;
  private readonly selectOfTypes: Statement<[BillerId, Instant, string, number, number], EligibleRow>;
  private readonly queue: Statement<[ChunkId, Instant, number]>;
  private readonly insertOutbox: Statement<[ChunkId, BillerId, DataType, DpId, DpId, number, Instant]>;
  private readonly selectUnpublished: Statement<[number], OutboxRow>;
  private readonly stampPublished: Statement<[Instant, ChunkId]>;
  private readonly stampFetched: Statement<[Instant, ChunkId]>;
  private readonly adoptRow: Statement<[ChunkId, Instant, DpId]>;

  constructor(
    database: Database,
    private readonly shard: ShardName,
    private readonly clock: SqliteShardClock,
  ) {
    const eligible = (ofTypes: string): string => `
      SELECT Seq AS seq, DueAt AS dueAt, DpId AS dpId, BillerId AS billerId, EventType AS dataType
      FROM datapump WHERE Status = 'New' AND BillerId = ? AND DueAt <= ? ${ofTypes} AND ${readableRow('datapump')} ORDER BY DueAt, Seq LIMIT ? OFFSET ?`;
    this.selectEligible = database.prepare(eligible(''));
    this.selectOfTypes = database.prepare(eligible('AND EventType IN (SELECT value FROM json_each(?))'));
    this.queue = database.prepare(`UPDATE datapump SET Status = 'Queued', ChunkId = ?, ProgressAt = ? WHERE Seq = ?`);
    this.insertOutbox = database.prepare(`
      INSERT INTO Outbox (ChunkId, BillerId, EventType, DpStart, DpEnd, RowCount, CreatedAt) VALUES (?, ?, ?, ?, ?, ?, ?)`);
    this.selectUnpublished = database.prepare(`
      SELECT ChunkId, BillerId, EventType, DpStart, DpEnd, RowCount FROM Outbox WHERE PublishedAt IS NULL AND ${readableChunk('Outbox')} ORDER BY Seq LIMIT ?`);
    this.stampPublished = database.prepare(
      'UPDATE Outbox SET PublishedAt = ? WHERE ChunkId = ? AND PublishedAt IS NULL',
    );
    this.stampFetched = database.prepare('UPDATE Outbox SET FetchedAt = ? WHERE ChunkId = ? AND FetchedAt IS NULL');
    this.adoptRow = database.prepare(
      `UPDATE datapump SET Status = 'Queued', ChunkId = ?, ProgressAt = ? WHERE DpId = ? AND Status = 'New'`,
    );
  }

  claim({ billers, dataTypes, rowsMax, plan, newChunkId }: ClaimRequest): readonly OutboxChunk[] {
    const now = this.clock.now();
    const types = dataTypes && JSON.stringify(dataTypes);
    const rows = this.longestDue(billers, rowsMax, (biller, max, skip) =>
      types === undefined
        ? this.selectEligible.all(biller, now, max, skip)
        : this.selectOfTypes.all(biller, now, types, max, skip),
    );
    const unclaimed = new Map(rows.map((row) => [row.dpId, row]));
    return plan(rows.map(({ dpId, billerId, dataType }) => ({ dpId, billerId, dataType }))).map((planned) =>
      this.seal(newChunkId(), planned, unclaimed, now),
    );
  }

  /**
   * Oldest due first, shared evenly: each biller gets an equal part of what is left to take, and what one does not
   * need goes round again. So a biller with a huge backlog delays itself only.
   */
  private longestDue(
    billers: readonly BillerId[],
    rowsMax: number,
    select: (biller: BillerId, max: number, skip: number) => readonly EligibleRow[],
  ): readonly EligibleRow[] {
    const rows: EligibleRow[] = [];
    const start = billers.length === 0 ? 0 : this.turn++ % billers.length;
    let open = [...new Set([...billers.slice(start), ...billers.slice(0, start)])].map((billerId) => ({
      billerId,
      taken: 0,
    }));
    while (open.length > 0 && rows.length < rowsMax) {
      const share = Math.ceil((rowsMax - rows.length) / open.length);
      open = open.filter((biller) => {
        const max = Math.min(share, rowsMax - rows.length);
        const found = max === 0 ? [] : select(biller.billerId, max, biller.taken);
        rows.push(...found);
        biller.taken += found.length;
        return found.length === max;
      });
    }
    return rows.sort((a, b) => (a.dueAt === b.dueAt ? a.seq - b.seq : a.dueAt < b.dueAt ? -1 : 1));
  }

  private seal(chunkId: ChunkId, planned: PlannedChunk, unclaimed: Map<DpId, EligibleRow>, now: Instant): OutboxChunk {
    const { billerId, dataType, dpIds } = planned;
    invariant(dpIds.length > 0, `a planned chunk of biller ${billerId} holds no row`);
    for (const dpId of dpIds) {
      const row = unclaimed.get(dpId);
      invariant(
        row?.billerId === billerId && row.dataType === dataType,
        `the plan puts ${dpId} into a chunk of ${billerId} and ${dataType}, where it was not given or stands already`,
      );
      unclaimed.delete(dpId);
      this.queue.run(chunkId, now, row.seq);
    }
    const { dpStart, dpEnd } = rangeOf(dpIds);
    this.insertOutbox.run(chunkId, billerId, dataType, dpStart, dpEnd, dpIds.length, now);
    return { chunkId, shard: this.shard, billerId, dataType, dpStart, dpEnd, rows: dpIds.length };
  }

  unpublishedChunks(max: number): readonly OutboxChunk[] {
    return this.selectUnpublished.all(max).map((row) => ({
      chunkId: row.ChunkId,
      shard: this.shard,
      billerId: row.BillerId,
      dataType: row.EventType,
      dpStart: row.DpStart,
      dpEnd: row.DpEnd,
      rows: row.RowCount,
    }));
  }

  markPublished(chunkIds: readonly ChunkId[]): void {
    const now = this.clock.now();
    for (const chunkId of chunkIds) this.stampPublished.run(now, chunkId);
  }

  markFetched(chunkId: ChunkId): void {
    this.stampFetched.run(this.clock.now(), chunkId);
  }

  adopt(dpIds: readonly DpId[], chunkId: ChunkId): void {
    const now = this.clock.now();
    for (const dpId of dpIds) this.adoptRow.run(chunkId, now, dpId);
  }
}
