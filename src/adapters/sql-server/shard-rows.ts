import { invariant } from '../../domain/invariant';
import { ROWS_PER_CALL_MAX, type Shard } from '../../application/ports/shard';
import { type DpDetail, type DpRow } from '../../domain/dp-record/dp-row';
import { type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { numberEnds, type RowKey } from './row-key';
import { type Row, type Runner } from './sql-server-connection';
import { type JoinedLine, type LineReader, lineReader } from '../shared/joined-row';
import { CHUNK_ID_LENGTH_MAX, ID_LENGTH_MAX, statement, tsql, type SqlText } from './sql-text';

/** Every read first picks the rows (@picked), then reads them with all they point to, in one statement. */
const picking = (key: RowKey): SqlText => tsql`
DECLARE @picked TABLE (Place bigint NOT NULL PRIMARY KEY, DpId ${key.columnType} NOT NULL);`;

/**
 * One line for each row and each of its details; the columns of one name carry different aliases. Unordered: sorting
 * lines with eight nvarchar(max) columns asks the server for a memory grant by what they could hold. They are sorted here.
 */
const READ_PICKED = tsql`
SELECT k.Place, CONVERT(nvarchar(64), d.DpId) AS DpId, CONVERT(nvarchar(64), d.BillerId) AS BillerId, d.EventType,
  CONVERT(nvarchar(64), d.CustomerId) AS CustomerId, CONVERT(nvarchar(64), d.PaymentId) AS PaymentId, d.Status,
  d.CreatedAt, d.DueAt, c.ChunkId, c.SweepCount,
  CONVERT(nvarchar(64), u.BillerId) AS CustomerBiller, u.AccountNumber, u.Name AS CustomerName, u.Email, u.Paperless, u.AutoPay,
  CONVERT(nvarchar(64), p.BillerId) AS PaymentBiller, CONVERT(nvarchar(64), p.CustomerId) AS PaymentCustomer,
  p.AmountMinor, p.Currency, p.InvoiceType, p.PaidAt, p.AchReturnCode,
  b.Dba, b.Active,
  x.Attempt, x.Outcome, x.BillerReference, x.Code, x.RecordedAt
FROM @picked AS k
INNER JOIN dbo.DatapumpRow AS d ON d.DpId = k.DpId
LEFT JOIN dbo.DpClaim AS c ON c.DpId = k.DpId
LEFT JOIN dbo.DatapumpCustomer AS u ON u.CustomerId = d.CustomerId
LEFT JOIN dbo.DatapumpPayment AS p ON p.PaymentId = d.PaymentId
LEFT JOIN dbo.DatapumpBiller AS b ON b.BillerId = d.BillerId
LEFT JOIN dbo.DpDetail AS x ON x.DpId = k.DpId;`;

export const rowStatements = (key: RowKey) => {
  const inRange = (range: SqlText) =>
    statement(
      { billerId: 'id', dataType: 'word', fromId: 'id', toId: 'id', rowsMax: 'count' },
      tsql`${picking(key)}
INSERT INTO @picked (Place, DpId)
SELECT TOP (@rowsMax) ROW_NUMBER() OVER (ORDER BY d.Seq, d.DpId), d.DpId
FROM dbo.DatapumpRow AS d
WHERE d.BillerId = @billerId AND d.Status IN (N'New', N'Queued')
  AND (@dataType IS NULL OR d.EventType = @dataType)
  AND ${range}
ORDER BY d.Seq, d.DpId;
${READ_PICKED}`,
    );
  return {
    find: statement(
      { rows: 'json' },
      tsql`${picking(key)}
INSERT INTO @picked (Place, DpId)
SELECT Place, CAST(DpId AS ${key.valueType})
FROM OPENJSON(@rows) WITH (Place bigint '$.place', DpId nvarchar(64) '$.dpId');
${READ_PICKED}`,
    ),
    ofChunk: statement(
      { chunkId: 'chunk-id', rowsMax: 'count' },
      tsql`${picking(key)}
INSERT INTO @picked (Place, DpId)
SELECT TOP (@rowsMax) ROW_NUMBER() OVER (ORDER BY d.Seq, d.DpId), d.DpId
FROM dbo.DpClaim AS c
INNER JOIN dbo.DatapumpRow AS d ON d.DpId = c.DpId
WHERE c.ChunkId = @chunkId
ORDER BY d.Seq, d.DpId;
${READ_PICKED}`,
    ),
    inNumberRange: key.numberRange && inRange(key.numberRange),
    inTextRange: inRange(tsql`CONVERT(nvarchar(64), d.DpId) COLLATE Latin1_General_BIN2 BETWEEN @fromId AND @toId`),
    inHand: statement(
      { customer: 'text', reference: 'text', rowsMax: 'count' },
      tsql`${picking(key)}
INSERT INTO @picked (Place, DpId)
SELECT TOP (@rowsMax) -ROW_NUMBER() OVER (ORDER BY d.Seq DESC, d.DpId DESC), d.DpId
FROM dbo.DatapumpRow AS d
WHERE (@customer IS NULL OR d.CustomerId IN (
    SELECT u.CustomerId FROM dbo.DatapumpCustomer AS u
    WHERE CONVERT(nvarchar(64), u.CustomerId) = @customer OR u.AccountNumber = @customer OR LOWER(u.Name) = LOWER(@customer)))
  AND (@reference IS NULL OR CONVERT(nvarchar(64), d.DpId) = @reference OR d.PaymentId IN (
    SELECT p.PaymentId FROM dbo.DatapumpPayment AS p
    WHERE CONVERT(nvarchar(64), p.PaymentId) = @reference OR p.ExternalReference = @reference))
ORDER BY d.Seq DESC, d.DpId DESC;
${READ_PICKED}`,
    ),
    withStatus: statement(
      { statuses: 'json', billerId: 'id', after: 'id', rowsMax: 'count' },
      tsql`${picking(key)}
DECLARE @status TABLE (Status nvarchar(16) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
DECLARE @afterId ${key.valueType} = @after;
DECLARE @afterSeq bigint = (SELECT MAX(a.Seq) FROM dbo.DatapumpRow AS a WHERE a.DpId = @afterId);
INSERT INTO @status (Status) SELECT Status FROM OPENJSON(@statuses) WITH (Status nvarchar(16) '$.status');
INSERT INTO @picked (Place, DpId)
SELECT TOP (@rowsMax) ROW_NUMBER() OVER (ORDER BY d.Seq, d.DpId), d.DpId
FROM dbo.DatapumpRow AS d
WHERE d.Status COLLATE Latin1_General_BIN2 IN (SELECT s.Status FROM @status AS s)
  AND (@billerId IS NULL OR d.BillerId = @billerId)
  AND (@after IS NULL OR d.Seq > @afterSeq OR (d.Seq = @afterSeq AND d.DpId > @afterId))
ORDER BY d.Seq, d.DpId;
${READ_PICKED}`,
    ),
  };
};

/** Reads rows of datapump joined with claim, customer, payment, biller settings and details. */
export class SqlServerShardRows {
  private readonly statements: ReturnType<typeof rowStatements>;
  private readonly reader: LineReader<Date>;

  constructor(
    private readonly runner: Runner,
    private readonly key: RowKey,
    shard: ShardName,
  ) {
    this.statements = rowStatements(key);
    this.reader = lineReader(shard, instantOf);
  }

  /** In the order asked for; undefined where there is no such row. */
  async find(dpIds: readonly DpId[]): Promise<readonly (DpRow | undefined)[]> {
    const rows = dpIds.map((dpId, place) => ({ place, dpId })).filter(({ dpId }) => this.key.spells(dpId));
    if (rows.length === 0) return dpIds.map(() => undefined);
    const step = dpIds.length === 1 ? `read row ${dpIds[0]}` : `read ${dpIds.length} rows`;
    const [lines] = await this.runner.run(step, this.statements.find, { rows });
    const found = new Map(this.rows(lines!).map(({ place, row }) => [place, row]));
    return dpIds.map((_, place) => found.get(place));
  }

  async ofChunk(chunkId: ChunkId): Promise<readonly DpRow[]> {
    if (chunkId.length > CHUNK_ID_LENGTH_MAX) return [];
    const rowsMax = ROWS_PER_CALL_MAX + 1;
    const [lines] = await this.runner.run(`read chunk ${chunkId}`, this.statements.ofChunk, { chunkId, rowsMax });
    const rows = this.rows(lines!).map(({ row }) => row);
    invariant(rows.length <= ROWS_PER_CALL_MAX, `chunk ${chunkId} holds more than ${ROWS_PER_CALL_MAX} rows`);
    return rows;
  }

  async inRange(range: Parameters<Shard['rowsInRange']>[0]): Promise<readonly DpRow[]> {
    const { billerId, dataType, from, to, max } = range;
    const numbers = numberEnds(this.key, from, to);
    const query = numbers ? this.statements.inNumberRange : this.statements.inTextRange;
    if (query === undefined || max === 0 || [billerId, from, to].some((id) => id.length > ID_LENGTH_MAX)) return [];
    const ends = { fromId: numbers?.from ?? from, toId: numbers?.to ?? to };
    const step = `read rows ${from} to ${to} of biller ${billerId}`;
    const [lines] = await this.runner.run(step, query, { billerId, dataType, ...ends, rowsMax: max });
    return this.rows(lines!).map(({ row }) => row);
  }

  async withStatus(query: Parameters<Shard['rowsByStatus']>[0]): Promise<readonly DpRow[]> {
    const { billerId, after, max } = query;
    if (max === 0 || (after !== undefined && !this.key.spells(after))) return [];
    const statuses = [...new Set(query.statuses)].map((status) => ({ status }));
    const step = `read rows with status ${query.statuses.join(', ')}`;
    const values = { statuses, billerId, after, rowsMax: max };
    const [lines] = await this.runner.run(step, this.statements.withStatus, values);
    return this.rows(lines!).map(({ row }) => row);
  }

  async ofWhatIsInHand({ customer, reference, max }: Parameters<Shard['rowsInHand']>[0]): Promise<readonly DpRow[]> {
    if (max === 0 || (customer === undefined && reference === undefined)) return [];
    const values = { customer, reference, rowsMax: max };
    const [lines] = await this.runner.run('search rows', this.statements.inHand, values);
    return this.rows(lines!).map(({ row }) => row);
  }

  /** By place and attempt, lines of one row stand together; each adds one detail. */
  private rows(lines: readonly Row[]): { readonly place: number; readonly row: DpRow }[] {
    const sorted = (lines as unknown as readonly Line[])
      .map((line) => ({ line, place: Number(line.Place) }))
      .sort((a, b) => a.place - b.place || (a.line.Attempt ?? 0) - (b.line.Attempt ?? 0));
    const rows: { place: number; row: DpRow }[] = [];
    let details: DpDetail[] = [];
    for (const { line, place } of sorted) {
      if (rows.at(-1)?.place !== place) {
        details = [];
        rows.push({ place, row: this.reader.row(line, details) });
      }
      if (line.Attempt !== null) details.push(this.reader.detail(line, line.Attempt));
    }
    return rows;
  }
}

interface Line extends JoinedLine<Date> {
  /** 64 bits come as text. */
  readonly Place: string | number;
}

/** The driver hands out datetime2 as the UTC instant that it is. */
export const instantOf = (date: Date): Instant => date.toISOString() as Instant;
