import { type ClaimRequest, type OutboxChunk } from '../../application/ports/shard-claims';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';
import { type ClaimedRow, type PlannedChunk } from '../../domain/policies/chunking';
import { rangeOf } from '../shared/id-range';
import { type RowKey } from './row-key';
import { type Row, type Runner, type SqlServerConnection } from './sql-server-connection';
import { CHUNK_ID_LENGTH_MAX, ID_LENGTH_MAX, type SqlText, statement, tsql } from './sql-text';

/** A claim that found rows and lost all of them to others looks again, so many times. */
const ROUNDS_MAX = 8;
/** Some 5,000 locks of one statement make SQL Server lock the whole table; a row takes a lock or two in each of two tables. */
export const CLAIM_ROWS_MAX = 2_000;

const NOTHING = tsql``;
const DECLARE_TYPES = tsql`DECLARE @type TABLE (EventType nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
INSERT INTO @type (EventType) SELECT EventType FROM OPENJSON(@dataTypes) WITH (EventType nvarchar(16) '$.dataType');
`;
const OF_TYPES = tsql`AND e.EventType COLLATE Latin1_General_BIN2 IN (SELECT t.EventType FROM @type AS t)`;

/*
 * A look without a transaction comes first: most scans find nothing, and that costs one round trip.
 *
 * The billers that have eligible rows share what a claim may take, and what some leave of theirs is shared once more by
 * the others: else a claim of 2,000 rows would read 2,000 of every biller with a backlog, and throw most away.
 *
 * The candidates are read without keeping locks: oldest due first, the billers taking turns, so that one with a huge
 * backlog delays itself only. READPAST skips what another claimer holds. Only the UPDATE decides: its own WHERE tests
 * the status again, and rows it did not get are simply not ours. Engines that ignore the hints wait there instead, and
 * then find the status changed.
 *
 * Every UPDATE here names the view or table itself, without TOP and without FROM (ADR 17): Babelfish rewrites both by
 * the row's physical address, which a view has none of, and drops TOP before OUTPUT … INTO. The TOP stands where the
 * candidates are read.
 */
const lookText = (declare: SqlText, filter: SqlText): SqlText => tsql`DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @biller TABLE (BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
INSERT INTO @biller (BillerId) SELECT BillerId FROM OPENJSON(@billers) WITH (BillerId nvarchar(64) '$.billerId');
${declare}SELECT CASE WHEN EXISTS (
  SELECT 1 FROM @biller AS b
  INNER JOIN dbo.DatapumpRow AS e WITH (READPAST, READCOMMITTEDLOCK)
    ON e.BillerId = b.BillerId COLLATE Latin1_General_BIN2
  WHERE e.Status = N'New' AND e.DueAt <= @now ${filter}) THEN 1 ELSE 0 END AS Eligible;`;

const claimText = (key: RowKey, declare: SqlText, filter: SqlText): SqlText => tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @biller TABLE (BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
DECLARE @active TABLE (BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
DECLARE @hungry TABLE (BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
DECLARE @candidate TABLE (
  DpId ${key.columnType} NOT NULL PRIMARY KEY, BillerId nvarchar(64) COLLATE Latin1_General_BIN2 NOT NULL);
DECLARE @claimed TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
INSERT INTO @biller (BillerId) SELECT BillerId FROM OPENJSON(@billers) WITH (BillerId nvarchar(64) '$.billerId');
${declare}INSERT INTO @active (BillerId)
SELECT b.BillerId FROM @biller AS b
WHERE EXISTS (
  SELECT 1 FROM dbo.DatapumpRow AS e WITH (READPAST, READCOMMITTEDLOCK)
  WHERE e.Status = N'New' AND e.BillerId = b.BillerId COLLATE Latin1_General_BIN2 AND e.DueAt <= @now ${filter});
DECLARE @share int = (
  SELECT CASE WHEN COUNT(*) = 0 THEN 0 ELSE (@rowsMax + COUNT(*) - 1) / COUNT(*) END FROM @active AS a);
INSERT INTO @candidate (DpId, BillerId)
SELECT TOP (@rowsMax) r.DpId, b.BillerId
FROM @active AS b
CROSS APPLY (
  SELECT TOP (@share) e.DpId, e.DueAt, ROW_NUMBER() OVER (ORDER BY e.DueAt, e.Seq) AS Turn
  FROM dbo.DatapumpRow AS e WITH (READPAST, READCOMMITTEDLOCK)
  WHERE e.Status = N'New' AND e.BillerId = b.BillerId COLLATE Latin1_General_BIN2 AND e.DueAt <= @now ${filter}
  ORDER BY e.DueAt, e.Seq
) AS r
ORDER BY r.Turn, r.DueAt;
INSERT INTO @hungry (BillerId) SELECT k.BillerId FROM @candidate AS k GROUP BY k.BillerId HAVING COUNT(*) >= @share;
DECLARE @left int = (SELECT @rowsMax - COUNT(*) FROM @candidate AS k);
DECLARE @more int = (SELECT CASE WHEN COUNT(*) = 0 THEN 0 ELSE (@left + COUNT(*) - 1) / COUNT(*) END FROM @hungry AS h);
INSERT INTO @candidate (DpId, BillerId)
SELECT TOP (@left) r.DpId, h.BillerId
FROM @hungry AS h
CROSS APPLY (
  SELECT TOP (@more) e.DpId, e.DueAt, ROW_NUMBER() OVER (ORDER BY e.DueAt, e.Seq) AS Turn
  FROM dbo.DatapumpRow AS e WITH (READPAST, READCOMMITTEDLOCK)
  WHERE e.Status = N'New' AND e.BillerId = h.BillerId COLLATE Latin1_General_BIN2 AND e.DueAt <= @now ${filter}
    AND NOT EXISTS (SELECT 1 FROM @candidate AS k WHERE k.DpId = e.DpId)
  ORDER BY e.DueAt, e.Seq
) AS r
ORDER BY r.Turn, r.DueAt;
UPDATE dbo.DatapumpRow WITH (ROWLOCK, READPAST, UPDLOCK, READCOMMITTEDLOCK)
SET Status = N'Queued'
OUTPUT inserted.DpId INTO @claimed (DpId)
WHERE Status = N'New' AND DueAt <= @now AND DpId IN (SELECT k.DpId FROM @candidate AS k)
OPTION (LOOP JOIN);
SELECT CONVERT(nvarchar(64), d.DpId) AS DpId, CONVERT(nvarchar(64), d.BillerId) AS BillerId, d.EventType
FROM @claimed AS c
INNER JOIN dbo.DatapumpRow AS d ON d.DpId = c.DpId
ORDER BY d.DueAt, d.Seq;
SELECT COUNT(*) AS Candidates FROM @candidate;`;

export const claimingStatements = (key: RowKey) => ({
  look: statement({ billers: 'json' }, lookText(NOTHING, NOTHING)),
  lookOfTypes: statement({ billers: 'json', dataTypes: 'json' }, lookText(DECLARE_TYPES, OF_TYPES)),
  claim: statement({ billers: 'json', rowsMax: 'count' }, claimText(key, NOTHING, NOTHING)),
  claimOfTypes: statement(
    { billers: 'json', rowsMax: 'count', dataTypes: 'json' },
    claimText(key, DECLARE_TYPES, OF_TYPES),
  ),
  seal: statement(
    { rows: 'json', chunks: 'json', leftOut: 'json' },
    tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @row TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY, ChunkId nvarchar(200) COLLATE Latin1_General_BIN2 NOT NULL);
DECLARE @notPlanned TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
INSERT INTO @row (DpId, ChunkId)
SELECT CAST(DpId AS ${key.valueType}), ChunkId
FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId', ChunkId nvarchar(200) '$.chunkId');
INSERT INTO @notPlanned (DpId) SELECT CAST(DpId AS ${key.valueType}) FROM OPENJSON(@leftOut) WITH (DpId nvarchar(64) '$.dpId');
UPDATE dbo.DatapumpRow
SET Status = N'New'
WHERE Status = N'Queued' AND DpId IN (SELECT g.DpId FROM @notPlanned AS g)
OPTION (LOOP JOIN);
UPDATE dbo.DpClaim
SET Status = N'Queued', ProgressAt = CASE WHEN ProgressAt > @now THEN ProgressAt ELSE @now END,
  ChunkId = (SELECT r.ChunkId FROM @row AS r WHERE r.DpId = DpClaim.DpId)
WHERE DpId IN (SELECT r.DpId FROM @row AS r)
OPTION (LOOP JOIN);
INSERT INTO dbo.DpClaim (DpId, Status, ChunkId, ProgressAt, SweepCount)
SELECT r.DpId, N'Queued', r.ChunkId, @now, 0
FROM @row AS r
WHERE NOT EXISTS (SELECT 1 FROM dbo.DpClaim AS c WHERE c.DpId = r.DpId);
INSERT INTO dbo.Outbox (ChunkId, BillerId, EventType, DpStart, DpEnd, RowsPlanned, CreatedAt)
SELECT ChunkId, BillerId, EventType, DpStart, DpEnd, RowsPlanned, @now
FROM OPENJSON(@chunks) WITH (Place int '$.place', ChunkId nvarchar(200) '$.chunkId', BillerId nvarchar(64) '$.billerId',
  EventType nvarchar(16) '$.dataType', DpStart nvarchar(64) '$.dpStart', DpEnd nvarchar(64) '$.dpEnd', RowsPlanned int '$.rows')
ORDER BY Place;`,
  ),
  adopt: statement(
    { rows: 'json', chunkId: 'chunk-id' },
    tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @wanted TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
DECLARE @adopted TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
INSERT INTO @wanted (DpId) SELECT CAST(DpId AS ${key.valueType}) FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId');
BEGIN TRANSACTION;
UPDATE dbo.DatapumpRow WITH (ROWLOCK, UPDLOCK)
SET Status = N'Queued'
OUTPUT inserted.DpId INTO @adopted (DpId)
WHERE Status = N'New' AND DpId IN (SELECT w.DpId FROM @wanted AS w)
OPTION (LOOP JOIN);
UPDATE dbo.DpClaim
SET Status = N'Queued', ChunkId = @chunkId, ProgressAt = CASE WHEN ProgressAt > @now THEN ProgressAt ELSE @now END
WHERE DpId IN (SELECT a.DpId FROM @adopted AS a)
OPTION (LOOP JOIN);
INSERT INTO dbo.DpClaim (DpId, Status, ChunkId, ProgressAt, SweepCount)
SELECT a.DpId, N'Queued', @chunkId, @now, 0
FROM @adopted AS a
WHERE NOT EXISTS (SELECT 1 FROM dbo.DpClaim AS c WHERE c.DpId = a.DpId);
COMMIT TRANSACTION;`,
  ),
});

export const OUTBOX_STATEMENTS = {
  /** READPAST: a claim that is not committed yet must not hold up the relay; its chunks come with the next look. */
  unpublished: statement(
    { rowsMax: 'count' },
    tsql`SELECT TOP (@rowsMax) o.ChunkId, o.BillerId, o.EventType, o.DpStart, o.DpEnd, o.RowsPlanned
FROM dbo.Outbox AS o WITH (READPAST, READCOMMITTEDLOCK)
WHERE o.PublishedAt IS NULL
ORDER BY o.Seq;`,
  ),
  markPublished: statement(
    { chunks: 'json' },
    tsql`SET XACT_ABORT ON;
DECLARE @chunk TABLE (ChunkId nvarchar(200) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
INSERT INTO @chunk (ChunkId) SELECT ChunkId FROM OPENJSON(@chunks) WITH (ChunkId nvarchar(200) '$.chunkId');
UPDATE dbo.Outbox
SET PublishedAt = CAST(SYSUTCDATETIME() AS datetime2(3))
WHERE PublishedAt IS NULL AND ChunkId IN (SELECT c.ChunkId FROM @chunk AS c)
OPTION (LOOP JOIN);`,
  ),
  markFetched: statement(
    { chunkId: 'chunk-id' },
    tsql`UPDATE dbo.Outbox
SET FetchedAt = CAST(SYSUTCDATETIME() AS datetime2(3))
WHERE FetchedAt IS NULL AND ChunkId = @chunkId;`,
  ),
};

/** Claims eligible rows into chunks, and keeps the outbox. */
export class SqlServerShardClaiming {
  private readonly statements: ReturnType<typeof claimingStatements>;

  constructor(
    private readonly connection: SqlServerConnection,
    private readonly key: RowKey,
    private readonly shard: ShardName,
  ) {
    this.statements = claimingStatements(key);
  }

  async claim(request: ClaimRequest): Promise<readonly OutboxChunk[]> {
    const billers = [...new Set(request.billers)].filter((biller) => biller.length <= ID_LENGTH_MAX);
    const rowsMax = Math.min(request.rowsMax, CLAIM_ROWS_MAX);
    if (billers.length === 0 || rowsMax === 0) return [];
    if (!(await this.anyEligible(billers, request.dataTypes))) return [];
    for (let round = 1; ; round++) {
      const claimed = await this.connection.transaction(`claim up to ${rowsMax} rows`, (runner) =>
        this.claimOnce(runner, billers, { ...request, rowsMax }),
      );
      if (claimed !== 'lost-to-others') return claimed;
      if (round >= ROUNDS_MAX) return [];
    }
  }

  private async anyEligible(billers: readonly BillerId[], dataTypes: ClaimRequest['dataTypes']): Promise<boolean> {
    const step = 'look for rows to claim';
    const among = billers.map((billerId) => ({ billerId }));
    const [looked] = dataTypes
      ? await this.connection.run(step, this.statements.lookOfTypes, { billers: among, dataTypes: named(dataTypes) })
      : await this.connection.run(step, this.statements.look, { billers: among });
    return Number(looked![0]!['Eligible']) > 0;
  }

  private async claimOnce(
    runner: Runner,
    billers: readonly BillerId[],
    { rowsMax, plan, newChunkId, dataTypes }: ClaimRequest,
  ): Promise<readonly OutboxChunk[] | 'lost-to-others'> {
    const values = { billers: billers.map((billerId) => ({ billerId })), rowsMax };
    const [claimed, counted] = dataTypes
      ? await runner.run('claim rows', this.statements.claimOfTypes, { ...values, dataTypes: named(dataTypes) })
      : await runner.run('claim rows', this.statements.claim, values);
    const rows = claimed!.map(claimedRow);
    if (rows.length === 0) return Number(counted![0]!['Candidates']) > 0 ? 'lost-to-others' : [];
    const unclaimed = new Map(rows.map((row) => [row.dpId, row]));
    const sealed = plan(rows).map((planned) => this.seal(newChunkId(), planned, unclaimed));
    await runner.run('seal chunks', this.statements.seal, {
      rows: sealed.flatMap(({ chunk, dpIds }) => dpIds.map((dpId) => ({ dpId, chunkId: chunk.chunkId }))),
      chunks: sealed.map(({ chunk }, place) => ({ ...chunk, place })),
      leftOut: [...unclaimed.keys()].map((dpId) => ({ dpId })),
    });
    return sealed.map(({ chunk }) => chunk);
  }

  private seal(chunkId: ChunkId, planned: PlannedChunk, unclaimed: Map<DpId, ClaimedRow>) {
    const { billerId, dataType, dpIds } = planned;
    withinLength(chunkId);
    invariant(dpIds.length > 0, `a planned chunk of biller ${billerId} holds no row`);
    for (const dpId of dpIds) {
      const row = unclaimed.get(dpId);
      invariant(
        row?.billerId === billerId && row.dataType === dataType,
        `the plan puts ${dpId} into a chunk of ${billerId} and ${dataType}, where it was not given or stands already`,
      );
      unclaimed.delete(dpId);
    }
    const chunk: OutboxChunk = {
      chunkId,
      shard: this.shard,
      billerId,
      dataType,
      ...rangeOf(dpIds),
      rows: dpIds.length,
    };
    return { chunk, dpIds };
  }

  async unpublishedChunks(max: number): Promise<readonly OutboxChunk[]> {
    if (max === 0) return [];
    const [lines] = await this.connection.run('read the outbox', OUTBOX_STATEMENTS.unpublished, { rowsMax: max });
    return lines!.map((line) => this.outboxChunk(line));
  }

  async markPublished(chunkIds: readonly ChunkId[]): Promise<void> {
    const chunks = [...new Set(chunkIds)]
      .filter((chunkId) => chunkId.length <= CHUNK_ID_LENGTH_MAX)
      .map((chunkId) => ({ chunkId }));
    if (chunks.length === 0) return;
    await this.connection.run(`mark ${chunks.length} chunks published`, OUTBOX_STATEMENTS.markPublished, { chunks });
  }

  async markFetched(chunkId: ChunkId): Promise<void> {
    if (chunkId.length > CHUNK_ID_LENGTH_MAX) return;
    await this.connection.run(`mark chunk ${chunkId} fetched`, OUTBOX_STATEMENTS.markFetched, { chunkId });
  }

  async adopt(dpIds: readonly DpId[], chunkId: ChunkId): Promise<void> {
    withinLength(chunkId);
    const rows = [...new Set(dpIds)].filter((dpId) => this.key.spells(dpId)).map((dpId) => ({ dpId }));
    if (rows.length === 0) return;
    await this.connection.run(`adopt ${rows.length} rows`, this.statements.adopt, { rows, chunkId });
  }

  private outboxChunk(line: Row): OutboxChunk {
    return {
      chunkId: line['ChunkId'] as ChunkId,
      shard: this.shard,
      billerId: line['BillerId'] as BillerId,
      dataType: line['EventType'] as DataType,
      dpStart: line['DpStart'] as DpId,
      dpEnd: line['DpEnd'] as DpId,
      rows: line['RowsPlanned'] as number,
    };
  }
}

const named = (dataTypes: readonly DataType[]) => [...new Set(dataTypes)].map((dataType) => ({ dataType }));

const claimedRow = (line: Row): ClaimedRow => ({
  dpId: line['DpId'] as DpId,
  billerId: line['BillerId'] as BillerId,
  dataType: line['EventType'] as DataType,
});

function withinLength(chunkId: ChunkId): void {
  invariant(
    chunkId.length <= CHUNK_ID_LENGTH_MAX,
    `a chunk id has at most ${CHUNK_ID_LENGTH_MAX} characters, got ${chunkId.length}`,
  );
}
