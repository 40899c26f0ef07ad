import { type Database, type Statement } from 'better-sqlite3';
import { isDamage, type PortFailure } from '../../application/ports/failures';
import { ROWS_PER_CALL_MAX } from '../../application/ports/shard';
import { type DpRows, type InHand } from '../../application/ports/shard-rows';
import { type DataType } from '../../domain/biller/data-type';
import { type DpDetail, type DpRow } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type ChunkId, type DpId, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { damagedFailure } from '../shared/damage';
import { type JoinedLine, type LineReader, lineReader } from '../shared/joined-row';
import { damagedColumn } from './damaged-row';
import { isMisread } from './sqlite-file';

type Line = JoinedLine<Instant>;

/** One statement for the whole: a row and its details come from one state of the database, and nothing is read row by row. */
const joined = (rows: string): string => `
  SELECT d.DpId, d.BillerId, d.EventType, d.CustomerId, d.PaymentId, d.Status, d.ChunkId, d.CreatedAt, d.DueAt, d.SweepCount,
    c.BillerId AS CustomerBiller, c.AccountNumber, c.Name AS CustomerName, c.Email, c.Paperless, c.AutoPay,
    p.BillerId AS PaymentBiller, p.CustomerId AS PaymentCustomer, CAST(p.AmountMinor AS TEXT) AS AmountMinor, p.Currency, p.InvoiceType, p.PaidAt, p.AchReturnCode,
    b.Dba, b.Active,
    x.Attempt, x.Outcome, x.BillerReference, x.Code, x.RecordedAt
  FROM ${rows} d
  LEFT JOIN Customer c ON c.CustomerId = d.CustomerId
  LEFT JOIN Payment p ON p.PaymentId = d.PaymentId
  LEFT JOIN BillerSettings b ON b.BillerId = d.BillerId
  LEFT JOIN DpDetail x ON x.DpId = d.DpId`;

/** A damaged id may hold anything, of any length. */
const ID_SHOWN_MAX = 64;
const NUMBER = /^\d+$/;
const withoutZeros = (digits: string): string => digits.replace(/^0+(?=\d)/, '');

/** Reads rows of datapump joined with customer, payment, biller settings and details. */
export class SqliteShardRows {
  private readonly byDpId: Statement<[DpId], Line>;
  private readonly byChunk: List<[ChunkId, number]>;
  private readonly byNumberRange: List<[RangeParameters]>;
  private readonly byTextRange: List<[RangeParameters]>;
  private readonly byStatus: List<[{ statuses: string; billerId: BillerId | null; after: DpId | null; max: number }]>;
  private readonly inHand: Readonly<Record<'customer' | 'reference' | 'both', List<[InHandParameters]>>>;
  private readonly path: string;
  private readonly reader: LineReader<Instant>;

  constructor(
    database: Database,
    private readonly shard: ShardName,
  ) {
    this.byDpId = database.prepare(`${joined('datapump')} WHERE d.DpId = ? ORDER BY x.Attempt`);
    this.path = database.name;
    this.reader = lineReader(shard, (instant) => instant);
    const list = <Parameters extends unknown[]>(rows: string): List<Parameters> => ({
      lines: database.prepare<Parameters, Line>(`${joined(`(${rows})`)} ORDER BY d.Seq, x.Attempt`),
      ids: database.prepare<Parameters, DpId>(`SELECT DpId FROM (${rows}) ORDER BY Seq`).pluck(),
    });
    this.byChunk = list('SELECT * FROM datapump WHERE ChunkId = ? ORDER BY Seq LIMIT ?');
    const range = (condition: string): string => `
      SELECT * FROM datapump WHERE BillerId = @billerId AND ${condition} AND Status IN ('New', 'Queued')
        AND (@dataType IS NULL OR EventType = @dataType)
      ORDER BY Seq LIMIT @max`;
    // Digits without leading zeros: the longer number is the larger, and equally long ones sort as text.
    this.byNumberRange = list(
      range(`length(DpId) BETWEEN length(@from) AND length(@to) AND DpId NOT GLOB '*[^0-9]*'
        AND (length(DpId) > length(@from) OR DpId >= @from) AND (length(DpId) < length(@to) OR DpId <= @to)`),
    );
    this.byTextRange = list(range('DpId BETWEEN @from AND @to'));
    // No index over Status: it would cost a write at each change. This scans onwards from the row named by @after.
    this.byStatus = list(`
      SELECT * FROM datapump WHERE Status IN (SELECT value FROM json_each(@statuses))
        AND (@billerId IS NULL OR BillerId = @billerId)
        AND Seq > CASE WHEN @after IS NULL THEN 0 ELSE (SELECT Seq FROM datapump WHERE DpId = @after) END
      ORDER BY Seq LIMIT @max`);
    const ofCustomer = `CustomerId IN (SELECT CustomerId FROM Customer
      WHERE CustomerId = @customer OR AccountNumber = @customer OR lower(Name) = lower(@customer))`;
    const ofReference = `(DpId = @reference
      OR PaymentId IN (SELECT PaymentId FROM Payment WHERE PaymentId = @reference OR ExternalReference = @reference))`;
    const newest = (condition: string): List<[InHandParameters]> =>
      list(`SELECT * FROM datapump WHERE ${condition} ORDER BY Seq DESC LIMIT @max`);
    this.inHand = {
      customer: newest(ofCustomer),
      reference: newest(ofReference),
      both: newest(`${ofCustomer} AND ${ofReference}`),
    };
  }

  ofWhatIsInHand({ customer, reference, max }: InHand & { readonly max: number }): DpRows {
    const both = customer !== undefined && reference !== undefined;
    const parameters = {
      max,
      ...(customer === undefined ? {} : { customer }),
      ...(reference === undefined ? {} : { reference }),
    };
    if (customer === undefined && reference === undefined) return [];
    return this.listed(this.inHand[both ? 'both' : customer === undefined ? 'reference' : 'customer'], [parameters]);
  }

  find(dpId: DpId): DpRow | undefined {
    const lines = this.byDpId.all(dpId);
    const column = lines.map((line) => damagedColumn(line)).find((each) => each !== undefined);
    if (column !== undefined) throw this.damage(dpId, `column ${column}`);
    return this.rows(lines)[0];
  }

  ofChunk(chunkId: ChunkId): DpRows {
    const rows = this.listed(this.byChunk, [chunkId, ROWS_PER_CALL_MAX + 1]);
    invariant(rows.length <= ROWS_PER_CALL_MAX, `chunk ${chunkId} holds more than ${ROWS_PER_CALL_MAX} rows`);
    return rows;
  }

  inRange(range: {
    readonly billerId: BillerId;
    readonly dataType: DataType | undefined;
    readonly from: DpId;
    readonly to: DpId;
    readonly max: number;
  }): DpRows {
    const { billerId, dataType = null, from, to, max } = range;
    return NUMBER.test(from) && NUMBER.test(to)
      ? this.listed(this.byNumberRange, [{ billerId, dataType, from: withoutZeros(from), to: withoutZeros(to), max }])
      : this.listed(this.byTextRange, [{ billerId, dataType, from, to, max }]);
  }

  withStatus(query: {
    readonly statuses: readonly RowStatus[];
    readonly billerId?: BillerId;
    readonly after?: DpId;
    readonly max: number;
  }): DpRows {
    const { statuses, billerId = null, after = null, max } = query;
    return this.listed(this.byStatus, [{ statuses: JSON.stringify(statuses), billerId, after, max }]);
  }

  /** Where a value or a page cannot be read, the rows are read one by one, so that one of them stops no other. */
  private listed<Parameters extends unknown[]>(list: List<Parameters>, parameters: Parameters): DpRows {
    let lines: readonly Line[] | undefined;
    try {
      lines = list.lines.all(...parameters);
    } catch (error) {
      if (!isMisread(error)) throw error;
    }
    if (lines !== undefined && lines.every((line) => damagedColumn(line) === undefined)) return this.rows(lines);
    const rows: DpRow[] = [];
    const damaged: string[] = [];
    for (const dpId of list.ids.all(...parameters)) {
      try {
        const row = this.find(dpId);
        if (row) rows.push(row);
      } catch (error) {
        if (!isDamage(error) && !isMisread(error)) throw error;
        damaged.push((isDamage(error) ? error : this.damage(dpId, 'it cannot be read', error)).message);
      }
    }
    return Object.assign(rows, { damaged });
  }

  private damage(dpId: unknown, why: string, cause?: unknown): PortFailure {
    const row = String(dpId).slice(0, ID_SHOWN_MAX);
    return damagedFailure(
      `failed to read a row of shard ${this.shard}`,
      { path: this.path, table: 'datapump', item: `row ${row}`, facts: { shard: this.shard, dpId: row } },
      why,
      cause,
    );
  }

  /** Lines of one row stand together; each adds one detail. */
  private rows(lines: readonly Line[]): DpRow[] {
    const rows: DpRow[] = [];
    let details: DpDetail[] = [];
    let dpId: DpId | undefined;
    for (const line of lines) {
      if (line.DpId !== dpId) {
        dpId = line.DpId;
        details = [];
        rows.push(this.reader.row(line, details));
      }
      if (line.Attempt !== null) details.push(this.reader.detail(line, line.Attempt));
    }
    return rows;
  }
}

interface List<Parameters extends unknown[]> {
  readonly lines: { all(...parameters: Parameters): Line[] };
  readonly ids: { all(...parameters: Parameters): DpId[] };
}

interface InHandParameters {
  readonly customer?: string;
  readonly reference?: string;
  readonly max: number;
}

interface RangeParameters {
  readonly billerId: BillerId;
  readonly dataType: DataType | null;
  readonly from: string;
  readonly to: string;
  readonly max: number;
}
