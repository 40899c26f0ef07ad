import { type Shard } from '../../application/ports/shard';
import { type RowResult, type StalledRow, type StatusChange } from '../../application/ports/shard-results';
import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type ChunkId, type DpId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type RowKey } from './row-key';
import { type Runner, type SqlServerConnection } from './sql-server-connection';
import { statement, tsql, type SqlText } from './sql-text';

export type Reconciled = Awaited<ReturnType<Shard['reconcile']>>;

/** A sweep that lost stalled rows to others looks again, so many times. */
const ROUNDS_MAX = 8;

/*
 * The row's Status is the truth and has one home: the column behind the view. A write names its allowed predecessors in
 * its own WHERE, and what the UPDATE put into @changed is what changed. DpClaim repeats the status for the sweep alone,
 * whose filtered index needs it. The order of locks is always the row first, then its claim.
 */
const changing = (key: RowKey): SqlText => tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @allowed TABLE (Status nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
DECLARE @changed TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
INSERT INTO @allowed (Status) SELECT Status FROM OPENJSON(@from) WITH (Status nvarchar(16) '$.status');`;

/** A changed row has moved: its sweep is postponed to now at least. A row of another team's claim gets a claim of ours. */
const REPEAT_IN_CLAIM = tsql`
UPDATE dbo.DpClaim
SET Status = @to, ProgressAt = CASE WHEN ProgressAt > @now THEN ProgressAt ELSE @now END
WHERE DpId IN (SELECT h.DpId FROM @changed AS h)
OPTION (LOOP JOIN);
INSERT INTO dbo.DpClaim (DpId, Status, ProgressAt, SweepCount)
SELECT h.DpId, @to, @now, 0
FROM @changed AS h
WHERE NOT EXISTS (SELECT 1 FROM dbo.DpClaim AS c WHERE c.DpId = h.DpId);`;

export const statusStatements = (key: RowKey) => ({
  change: statement(
    { rows: 'json', from: 'json', to: 'word' },
    tsql`${changing(key)}
DECLARE @wanted TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY, Place int NOT NULL);
INSERT INTO @wanted (DpId, Place)
SELECT CAST(DpId AS ${key.valueType}), Place
FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId', Place int '$.place');
BEGIN TRANSACTION;
UPDATE dbo.DatapumpRow WITH (ROWLOCK, UPDLOCK)
SET Status = @to
OUTPUT inserted.DpId INTO @changed (DpId)
WHERE DpId IN (SELECT w.DpId FROM @wanted AS w)
  AND Status COLLATE Latin1_General_BIN2 IN (SELECT a.Status FROM @allowed AS a)
  AND Status <> @to
OPTION (LOOP JOIN);
${REPEAT_IN_CLAIM}
SELECT w.Place FROM @wanted AS w INNER JOIN @changed AS h ON h.DpId = w.DpId;
COMMIT TRANSACTION;`,
  ),
  /*
   * DpDetail is read as the statement found it, which can be before the writer it waited for committed; so the details
   * are compared once more under the row's lock, and a contradiction undoes the transaction and starts it again.
   */
  reconcile: statement(
    { results: 'json', from: 'json', to: 'word' },
    tsql`${changing(key)}
DECLARE @wanted TABLE (
  DpId ${key.columnType} NOT NULL PRIMARY KEY, Place int NOT NULL, Attempt int NULL,
  Outcome nvarchar(16) COLLATE Latin1_General_BIN2 NULL, BillerReference nvarchar(max) NULL, Code nvarchar(max) NULL,
  RecordedAt datetime2(3) NULL);
INSERT INTO @wanted (DpId, Place, Attempt, Outcome, BillerReference, Code, RecordedAt)
SELECT CAST(DpId AS ${key.valueType}), Place, Attempt, Outcome, BillerReference, Code, CAST(RecordedAt AS datetime2(3))
FROM OPENJSON(@results) WITH (DpId nvarchar(64) '$.dpId', Place int '$.place', Attempt int '$.attempt',
  Outcome nvarchar(16) '$.outcome', BillerReference nvarchar(max) '$.billerReference', Code nvarchar(max) '$.code',
  RecordedAt nvarchar(30) '$.recordedAt');
BEGIN TRANSACTION;
UPDATE dbo.DatapumpRow WITH (ROWLOCK, UPDLOCK)
SET Status = @to
OUTPUT inserted.DpId INTO @changed (DpId)
WHERE DpId IN (SELECT w.DpId FROM @wanted AS w)
  AND Status COLLATE Latin1_General_BIN2 IN (SELECT a.Status FROM @allowed AS a)
  AND DpId NOT IN (
    SELECT w.DpId FROM @wanted AS w INNER JOIN dbo.DpDetail AS x ON x.DpId = w.DpId AND x.Attempt = w.Attempt
    WHERE x.Outcome <> w.Outcome)
  AND (Status <> @to OR DpId IN (
    SELECT w.DpId FROM @wanted AS w
    WHERE w.Attempt IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM dbo.DpDetail AS x WHERE x.DpId = w.DpId AND x.Attempt = w.Attempt)))
OPTION (LOOP JOIN);
INSERT INTO dbo.DpDetail (DpId, Attempt, Outcome, BillerReference, Code, RecordedAt)
SELECT w.DpId, w.Attempt, w.Outcome, w.BillerReference, w.Code, w.RecordedAt
FROM @wanted AS w
INNER JOIN @changed AS h ON h.DpId = w.DpId
WHERE w.Attempt IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM dbo.DpDetail AS x WHERE x.DpId = w.DpId AND x.Attempt = w.Attempt);
IF EXISTS (
  SELECT 1 FROM @wanted AS w
  INNER JOIN @changed AS h ON h.DpId = w.DpId
  INNER JOIN dbo.DpDetail AS x ON x.DpId = w.DpId AND x.Attempt = w.Attempt
  WHERE x.Outcome <> w.Outcome)
BEGIN;
  ROLLBACK TRANSACTION;
  THROW 51001, N'another outcome of the same attempt was recorded meanwhile', 1;
END;
${REPEAT_IN_CLAIM}
SELECT w.Place, CASE
  WHEN h.DpId IS NOT NULL THEN N'applied'
  WHEN d.DpId IS NULL THEN N'row-missing'
  WHEN d.Status = @to AND (w.Attempt IS NULL OR x.Outcome = w.Outcome) THEN N'already-so'
  ELSE N'refused' END AS Answer
FROM @wanted AS w
LEFT JOIN @changed AS h ON h.DpId = w.DpId
LEFT JOIN dbo.DatapumpRow AS d ON d.DpId = w.DpId
LEFT JOIN dbo.DpDetail AS x ON x.DpId = w.DpId AND x.Attempt = w.Attempt;
COMMIT TRANSACTION;`,
  ),
  noteProgress: statement(
    { rows: 'json' },
    tsql`SET XACT_ABORT ON;
DECLARE @wanted TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY, PostponedTo datetime2(3) NOT NULL);
INSERT INTO @wanted (DpId, PostponedTo)
SELECT CAST(DpId AS ${key.valueType}), CAST(PostponedTo AS datetime2(3))
FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId', PostponedTo nvarchar(30) '$.until');
UPDATE dbo.DpClaim
SET ProgressAt = (SELECT w.PostponedTo FROM @wanted AS w WHERE w.DpId = DpClaim.DpId)
WHERE DpId IN (SELECT w.DpId FROM @wanted AS w)
  AND ProgressAt < (SELECT w.PostponedTo FROM @wanted AS w WHERE w.DpId = DpClaim.DpId)
OPTION (LOOP JOIN);`,
  ),
  /*
   * The UPDATE is a transaction of its own: it holds no claim while the rows are read. Never stamped before @before, so
   * that a second caller with the same @before cannot take the row again. A row that is gone is stamped and left out.
   */
  takeStalled: statement(
    { before: 'instant', rowsMax: 'count' },
    tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @candidate TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
DECLARE @taken TABLE (
  DpId ${key.columnType} NOT NULL PRIMARY KEY, ChunkId nvarchar(200) COLLATE Latin1_General_BIN2 NULL, SweepCount int NOT NULL);
INSERT INTO @candidate (DpId)
SELECT TOP (@rowsMax) c.DpId
FROM dbo.DpClaim AS c WITH (READPAST, READCOMMITTEDLOCK)
WHERE c.Status IN (N'Queued', N'Published', N'InDoubt') AND c.ProgressAt < @before
ORDER BY c.ProgressAt;
UPDATE dbo.DpClaim WITH (ROWLOCK, READPAST, UPDLOCK, READCOMMITTEDLOCK)
SET ProgressAt = CASE WHEN @now > @before THEN @now ELSE @before END, SweepCount = SweepCount + 1
OUTPUT inserted.DpId, inserted.ChunkId, inserted.SweepCount INTO @taken (DpId, ChunkId, SweepCount)
WHERE Status IN (N'Queued', N'Published', N'InDoubt') AND ProgressAt < @before
  AND DpId IN (SELECT k.DpId FROM @candidate AS k)
OPTION (LOOP JOIN);
SELECT CONVERT(nvarchar(64), d.DpId) AS DpId, CONVERT(nvarchar(64), d.BillerId) AS BillerId, d.EventType, d.Status,
  t.ChunkId, t.SweepCount
FROM @taken AS t
INNER JOIN dbo.DatapumpRow AS d ON d.DpId = t.DpId
WHERE d.Status IN (N'Queued', N'Published', N'InDoubt');
SELECT COUNT(*) AS Taken, CASE WHEN EXISTS (
  SELECT 1 FROM dbo.DpClaim AS c WITH (READPAST, READCOMMITTEDLOCK)
  WHERE c.Status IN (N'Queued', N'Published', N'InDoubt') AND c.ProgressAt < @before) THEN 1 ELSE 0 END AS StillStalled
FROM @taken;`,
  ),
  /* The second UPDATE changes nothing: it takes the lock of a row that is Published, on engines without hints too. */
  reopen: statement(
    { rows: 'json' },
    tsql`SET XACT_ABORT ON;
DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @wanted TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY, Place int NOT NULL);
DECLARE @changed TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
DECLARE @raised TABLE (DpId ${key.columnType} NOT NULL PRIMARY KEY);
INSERT INTO @wanted (DpId, Place)
SELECT CAST(DpId AS ${key.valueType}), Place
FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId', Place int '$.place');
BEGIN TRANSACTION;
UPDATE dbo.DatapumpRow WITH (ROWLOCK, UPDLOCK)
SET Status = N'Published'
OUTPUT inserted.DpId INTO @changed (DpId)
WHERE DpId IN (SELECT w.DpId FROM @wanted AS w) AND Status IN (N'Failed', N'InDoubt')
OPTION (LOOP JOIN);
UPDATE dbo.DatapumpRow WITH (ROWLOCK, UPDLOCK)
SET Status = N'Published'
OUTPUT inserted.DpId INTO @raised (DpId)
WHERE DpId IN (SELECT w.DpId FROM @wanted AS w) AND Status = N'Published'
OPTION (LOOP JOIN);
UPDATE dbo.DpClaim
SET Status = N'Published', SweepCount = SweepCount + 1,
  ProgressAt = CASE WHEN ProgressAt < @now AND DpId IN (SELECT h.DpId FROM @changed AS h) THEN @now ELSE ProgressAt END
WHERE DpId IN (SELECT r.DpId FROM @raised AS r)
OPTION (LOOP JOIN);
INSERT INTO dbo.DpClaim (DpId, Status, ProgressAt, SweepCount)
SELECT r.DpId, N'Published', @now, 1
FROM @raised AS r
WHERE NOT EXISTS (SELECT 1 FROM dbo.DpClaim AS c WHERE c.DpId = r.DpId);
SELECT w.Place, c.SweepCount
FROM @wanted AS w
INNER JOIN @raised AS r ON r.DpId = w.DpId
INNER JOIN dbo.DpClaim AS c ON c.DpId = w.DpId;
COMMIT TRANSACTION;`,
  ),
});

/** Changes with one target and the same predecessors are one statement. */
export const laneOf = ({ to, from }: Pick<StatusChange, 'to' | 'from'>): string => [to, ...from].join(' ');

const allowed = (from: readonly RowStatus[]) => [...new Set(from)].map((status) => ({ status }));
/** Without the Z, which text needs to become a datetime2 on every engine. */
const utcText = (instant: Instant): string => instant.slice(0, -1);

/** Moves rows from status to status, and the sweep. */
export class SqlServerShardStatuses {
  private readonly statements: ReturnType<typeof statusStatements>;

  constructor(
    private readonly connection: SqlServerConnection,
    private readonly key: RowKey,
  ) {
    this.statements = statusStatements(key);
  }

  /** One transaction, one round trip for each kind of change (and two for beginning and committing, where there are several). */
  async change(changes: readonly StatusChange[]): Promise<readonly DpId[]> {
    const kinds = new Map<string, Map<DpId, StatusChange>>();
    for (const change of changes) {
      if (!this.key.spells(change.dpId)) continue;
      const lane = laneOf(change);
      kinds.set(lane, (kinds.get(lane) ?? new Map<DpId, StatusChange>()).set(change.dpId, change));
    }
    const step = `change the status of ${changes.length} rows`;
    const groups = [...kinds.values()].map((kind) => [...kind.values()]);
    if (groups.length === 0) return [];
    if (groups.length === 1) return this.changeAlike(this.connection, step, groups[0]!);
    return this.connection.transaction(step, async (runner) => {
      const changed = new Set<DpId>();
      for (const group of groups) for (const dpId of await this.changeAlike(runner, step, group)) changed.add(dpId);
      return [...changed];
    });
  }

  private async changeAlike(runner: Runner, step: string, changes: readonly StatusChange[]): Promise<readonly DpId[]> {
    const { to, from } = changes[0]!;
    const rows = changes.map(({ dpId }, place) => ({ dpId, place }));
    const [lines] = await runner.run(step, this.statements.change, { rows, from: allowed(from), to });
    return lines!.map((line) => changes[line['Place'] as number]!.dpId);
  }

  /** Results of one lane, each of another row. */
  async reconcile(results: readonly RowResult[]): Promise<readonly Reconciled[]> {
    const spelt = results
      .map(({ dpId, detail }, place) => ({ dpId, place, ...detail, recordedAt: detail && utcText(detail.recordedAt) }))
      .filter(({ dpId }) => this.key.spells(dpId));
    const answers: Reconciled[] = results.map(() => 'row-missing');
    if (spelt.length === 0) return answers;
    const { to, from } = results[0]!;
    const step =
      results.length === 1 ? `reconcile row ${results[0]!.dpId} to ${to}` : `reconcile ${results.length} rows to ${to}`;
    const values = { results: spelt, from: allowed(from), to };
    const [lines] = await this.connection.run(step, this.statements.reconcile, values);
    for (const line of lines!) answers[line['Place'] as number] = line['Answer'] as Reconciled;
    return answers;
  }

  async noteProgress(
    notes: readonly { readonly dpId: DpId; readonly until: Instant }[],
  ): Promise<readonly undefined[]> {
    const rows = notes
      .filter(({ dpId }) => this.key.spells(dpId))
      .map(({ dpId, until }) => ({ dpId, until: utcText(until) }));
    if (rows.length > 0)
      await this.connection.run(`note the progress of ${rows.length} rows`, this.statements.noteProgress, { rows });
    return notes.map(() => undefined);
  }

  /** On engines that ignore READPAST two sweeps meet on the same rows and one goes short: it looks again. */
  async takeStalled({
    before,
    max,
  }: {
    readonly before: Instant;
    readonly max: number;
  }): Promise<readonly StalledRow[]> {
    const stalled: StalledRow[] = [];
    let taken = 0;
    for (let round = 0; round < ROUNDS_MAX && taken < max; round++) {
      const values = { before, rowsMax: max - taken };
      const [lines, counted] = await this.connection.run('take stalled rows', this.statements.takeStalled, values);
      stalled.push(
        ...lines!.map((line) => ({
          dpId: line['DpId'] as DpId,
          billerId: line['BillerId'] as BillerId,
          dataType: line['EventType'] as DataType,
          status: line['Status'] as RowStatus,
          chunkId: (line['ChunkId'] as ChunkId | null) ?? undefined,
          ordinal: line['SweepCount'] as number,
        })),
      );
      taken += Number(counted![0]!['Taken']);
      if (Number(counted![0]!['StillStalled']) === 0) break;
    }
    return stalled;
  }

  /** Each of another row. The new ordinals; undefined where the row may not be reopened. */
  async reopen(dpIds: readonly DpId[]): Promise<readonly (number | undefined)[]> {
    const rows = dpIds.map((dpId, place) => ({ dpId, place })).filter(({ dpId }) => this.key.spells(dpId));
    const ordinals: (number | undefined)[] = dpIds.map(() => undefined);
    if (rows.length === 0) return ordinals;
    const [lines] = await this.connection.run(`reopen ${rows.length} rows`, this.statements.reopen, { rows });
    for (const line of lines!) ordinals[line['Place'] as number] = line['SweepCount'] as number;
    return ordinals;
  }
}
