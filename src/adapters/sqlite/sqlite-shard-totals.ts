import { type Database, type Statement } from 'better-sqlite3';
import { type ShardTotals } from '../../application/ports/shard-totals';
import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { type Instant, PLAUSIBLE_BEFORE } from '../../domain/instant';
import { BEYOND_EXACT, sumOfAmounts } from '../shared/row-amount';
import { unknownRowsText } from '../shared/unknown-rows';
import { knownRow, readableChunk } from './readable-rows';

/** The currency of a zero that has none of its own: a choice, or a payment that does not exist. */
const CURRENCY_OF_NOTHING = 'USD';

const UNKNOWN_SHOWN_MAX = 5;

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
  /** The first of the rows that are none, by their place in the table. */
  private readonly selectUnknown: Statement<[number], number>;
  private readonly selectUnknownChunks: Statement<[number], number>;
  private readonly selectBillers: Statement<[], BillerId>;
  private readonly selectSettings: Statement<[], BillerId>;

  constructor(database: Database) {
    // Sums come as 64-bit integers: a sum beyond 2^53 must be noticed, not rounded.
    this.selectTotals = database
      .prepare<[], TotalLine>(
        `
      SELECT d.BillerId, d.EventType, d.Status, CASE typeof(p.Currency) WHEN 'text' THEN p.Currency WHEN 'null' THEN '${CURRENCY_OF_NOTHING}' ELSE '' END AS Currency,
        count(*) AS Rows, sum(CASE WHEN typeof(p.AmountMinor) <> 'integer' THEN 0 WHEN p.AmountMinor > ${Number.MAX_SAFE_INTEGER} THEN ${BEYOND_EXACT}
          WHEN p.AmountMinor < -${Number.MAX_SAFE_INTEGER} THEN -${BEYOND_EXACT} ELSE p.AmountMinor END) AS MinorUnits, min(d.CreatedAt) AS OldestAt,
        sum(coalesce(d.DueAt >= '${PLAUSIBLE_BEFORE}', 1)) AS NeverDue, ${knownRow('d')} AS Known
      FROM datapump d
      LEFT JOIN Payment p ON p.PaymentId = d.PaymentId AND d.EventType IN ('Payments', 'ACHRejects')
      GROUP BY 1, 2, 3, 4, Known ORDER BY 1, 2, 3, 4`,
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

  totals(): ShardTotals {
    const lines = this.selectTotals.all();
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
    const damaged = [...this.unknownRows(unknown), ...this.unknownChunks()];
    return damaged.length === 0 ? totals : Object.assign(totals, { damaged });
  }

  private unknownRows(count: number): readonly string[] {
    if (count === 0) return [];
    return [
      unknownRowsText(
        count,
        this.selectUnknown.all(UNKNOWN_SHOWN_MAX).map((seq) => `Seq ${seq}`),
      ),
    ];
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
