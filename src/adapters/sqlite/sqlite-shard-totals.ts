import { type Database, type Statement } from 'better-sqlite3';
import { type ShardCounts, type ShardTotals, type TotalsPart } from '../../application/ports/shard-totals';
import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type DpId } from '../../domain/identifiers';
import { type Day, dayAfter, type Instant, PLAUSIBLE_BEFORE, startOf } from '../../domain/instant';
import { BEYOND_EXACT, sumOfAmounts } from '../shared/row-amount';
import { unknownRowsText } from '../shared/unknown-rows';
import { knownRow, readableChunk } from './readable-rows';

/** The currency of a zero that has none of its own: a choice, or a payment that does not exist. */
const CURRENCY_OF_NOTHING = 'USD';

const UNKNOWN_SHOWN_MAX = 5;

const WITH_MONEY = "LEFT JOIN Payment p ON p.PaymentId = d.PaymentId AND d.EventType IN ('Payments', 'ACHRejects')";
const CURRENCY = `CASE typeof(p.Currency) WHEN 'text' THEN p.Currency WHEN 'null' THEN '${CURRENCY_OF_NOTHING}' ELSE '' END`;
const MINOR_UNITS = `CASE WHEN typeof(p.AmountMinor) <> 'integer' THEN 0 WHEN p.AmountMinor > ${Number.MAX_SAFE_INTEGER} THEN ${BEYOND_EXACT}
  WHEN p.AmountMinor < -${Number.MAX_SAFE_INTEGER} THEN -${BEYOND_EXACT} ELSE p.AmountMinor END`;

interface Between {
  readonly from: Instant;
  readonly before: Instant;
}

interface OfDay extends Between {
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly after: DpId | null;
  readonly max: number;
}

interface CountedLine {
  readonly DpId: DpId;
  readonly Status: RowStatus;
  readonly Currency: string;
  readonly MinorUnits: bigint;
}

const spanOf = (day: Day): Between => ({ from: startOf(day), before: startOf(dayAfter(day)) });

interface TotalLine {
  readonly BillerId: BillerId;
  readonly EventType: DataType;
  readonly Status: RowStatus;
  readonly Currency: string;
  readonly Rows: number;
  readonly MinorUnits: bigint;
  readonly OldestAt: Instant;
  readonly NeverDue: bigint;
  readonly Known: bigint;
}

/** Counts and sums over all rows, and which billers there are. */
export class SqliteShardTotals {
  private readonly selectTotals: Statement<[], TotalLine>;
  private readonly selectOfDay: Statement<[Between], TotalLine>;
  private readonly selectToEnd: Statement<[], TotalLine>;
  private readonly selectRowsOfDay: Statement<[OfDay], CountedLine>;
  /** The first of the rows that are none, by their place in the table. */
  private readonly selectUnknown: Statement<[number], number>;
  private readonly selectUnknownChunks: Statement<[number], number>;
  private readonly selectBillers: Statement<[], BillerId>;
  private readonly selectSettings: Statement<[], BillerId>;

  constructor(database: Database) {
    // Sums come as 64-bit integers: a sum beyond 2^53 must be noticed, not rounded.
    const totals = <Parameters extends unknown[]>(rows: string): Statement<Parameters, TotalLine> =>
      database
        .prepare<Parameters, TotalLine>(
          `
      SELECT d.BillerId, d.EventType, d.Status, ${CURRENCY} AS Currency,
        count(*) AS Rows, sum(${MINOR_UNITS}) AS MinorUnits, min(d.CreatedAt) AS OldestAt,
        sum(coalesce(d.DueAt >= '${PLAUSIBLE_BEFORE}', 1)) AS NeverDue, ${knownRow('d')} AS Known
      FROM ${rows} ${WITH_MONEY}
      GROUP BY 1, 2, 3, 4, Known ORDER BY 1, 2, 3, 4`,
        )
        .safeIntegers();
    const createdBetween = 'datapump d INDEXED BY datapump_created';
    const between = 'd.CreatedAt >= @from AND d.CreatedAt < @before';
    this.selectTotals = totals('datapump d');
    this.selectOfDay = totals(`(SELECT * FROM ${createdBetween} WHERE ${between}) d`);
    // The two partial indices that hold just these; without a word SQLite would walk over every row.
    this.selectToEnd = totals(`(
        SELECT * FROM datapump INDEXED BY datapump_eligible WHERE Status = 'New'
        UNION ALL
        SELECT * FROM datapump INDEXED BY datapump_unfinished WHERE Status IN ('Queued', 'Published', 'InDoubt')) d`);
    this.selectRowsOfDay = database
      .prepare<[OfDay], CountedLine>(
        `SELECT d.DpId, d.Status, ${CURRENCY} AS Currency, ${MINOR_UNITS} AS MinorUnits
         FROM ${createdBetween} ${WITH_MONEY}
         WHERE ${between} AND d.BillerId = @billerId AND d.EventType = @dataType AND ${knownRow('d')}
           AND d.Seq > CASE WHEN @after IS NULL THEN 0 ELSE (SELECT Seq FROM datapump WHERE DpId = @after) END
         ORDER BY d.Seq LIMIT @max`,
      )
      .safeIntegers();
    this.selectUnknown = database
      .prepare<[number], number>(`SELECT Seq FROM datapump d WHERE NOT ${knownRow('d')} ORDER BY Seq LIMIT ?`)
      .pluck();
    this.selectUnknownChunks = database
      .prepare<[number], number>(
        `SELECT Seq FROM Outbox WHERE PublishedAt IS NULL AND NOT ${readableChunk('Outbox')} ORDER BY Seq LIMIT ?`,
      )
      .pluck();
    // Hops from biller to biller in the index; DISTINCT would walk over every row.
    this.selectBillers = database
      .prepare<[], BillerId>(
        `
      WITH RECURSIVE holder(BillerId) AS (
        SELECT min(BillerId) FROM datapump
        UNION ALL
        SELECT (SELECT min(BillerId) FROM datapump WHERE BillerId > holder.BillerId) FROM holder WHERE holder.BillerId IS NOT NULL)
      SELECT BillerId FROM holder WHERE typeof(BillerId) = 'text' UNION SELECT BillerId FROM BillerSettings WHERE typeof(BillerId) = 'text' ORDER BY 1`,
      )
      .pluck();
    this.selectSettings = database
      .prepare<[], BillerId>("SELECT BillerId FROM BillerSettings WHERE typeof(BillerId) = 'text'")
      .pluck();
  }

  totals(part?: TotalsPart): ShardTotals {
    const lines =
      part === undefined
        ? this.selectTotals.all()
        : part === 'to-end'
          ? this.selectToEnd.all()
          : this.selectOfDay.all(spanOf(part.day));
    const unknown = lines.reduce((sum, { Known, Rows }) => (Known === 1n ? sum : sum + Number(Rows)), 0);
    const known = lines.filter(({ Known }) => Known === 1n);
    const totals = known.map((line) => {
      return {
        billerId: line.BillerId,
        dataType: line.EventType,
        status: line.Status,
        count: Number(line.Rows),
        amount: {
          minorUnits: sumOfAmounts(line.MinorUnits, `the ${line.Status} ${line.EventType} of biller ${line.BillerId}`),
          currency: line.Currency,
        },
        oldestAt: line.OldestAt,
        ...(line.NeverDue > 0n ? { neverDue: Number(line.NeverDue) } : {}),
      };
    });
    const damaged = [...this.unknownRows(unknown, part === undefined), ...this.unknownChunks()];
    return damaged.length === 0 ? totals : Object.assign(totals, { damaged });
  }

  rowsOfDay({ day, billerId, dataType, after = undefined, max }: Parameters<ShardCounts['rowsOfDay']>[0]) {
    return this.selectRowsOfDay
      .all({ ...spanOf(day), billerId, dataType, after: after ?? null, max })
      .map(({ DpId: dpId, Status: status, MinorUnits, Currency: currency }) => ({
        dpId,
        status,
        amount: { minorUnits: sumOfAmounts(MinorUnits, `row ${dpId}`), currency },
      }));
  }

  /** To name them costs a walk over all rows. */
  private unknownRows(count: number, named: boolean): readonly string[] {
    if (count === 0) return [];
    const shown = named ? this.selectUnknown.all(UNKNOWN_SHOWN_MAX).map((seq) => `Seq ${seq}`) : [];
    return [unknownRowsText(count, shown)];
  }

  /** Their rows get another message from the sweep. */
  private unknownChunks(): readonly string[] {
    const shown = this.selectUnknownChunks.all(UNKNOWN_SHOWN_MAX).map((seq) => `Seq ${seq}`);
    return shown.length === 0
      ? []
      : [
          `chunks of table Outbox that are none, and that nothing sends: ${shown.join(', ')}${shown.length === UNKNOWN_SHOWN_MAX ? ', …' : ''}`,
        ];
  }

  /** With rows or settings: a row whose biller has no settings must be found too, to be rejected. */
  billers(): readonly BillerId[] {
    return this.selectBillers.all();
  }

  billersWithSettings(): readonly BillerId[] {
    return this.selectSettings.all();
  }
}
