import { type Database, type Statement } from 'better-sqlite3';
import { type ShardTotal } from '../../application/ports/shard-totals';
import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { type Instant, PLAUSIBLE_BEFORE } from '../../domain/instant';
import { BEYOND_EXACT, sumOfAmounts } from '../shared/row-amount';

/** The currency of a zero that has none of its own: a choice, or a payment that does not exist. */
const CURRENCY_OF_NOTHING = 'USD';

interface TotalLine {
  readonly BillerId: BillerId;
  readonly EventType: DataType;
  readonly Status: RowStatus;
  readonly Currency: string;
  readonly Rows: number;
  readonly MinorUnits: bigint;
  readonly OldestAt: Instant;
  readonly NeverDue: bigint;
}

/** Counts and sums over all rows, and which billers there are. */
export class SqliteShardTotals {
  private readonly selectTotals: Statement<[], TotalLine>;
  private readonly selectBillers: Statement<[], BillerId>;
  private readonly selectSettings: Statement<[], BillerId>;

  constructor(database: Database) {
    // Sums come as 64-bit integers: a sum beyond 2^53 must be noticed, not rounded.
    this.selectTotals = database
      .prepare<[], TotalLine>(
        `
      SELECT d.BillerId, d.EventType, d.Status, coalesce(p.Currency, '${CURRENCY_OF_NOTHING}') AS Currency,
        count(*) AS Rows, sum(CASE WHEN typeof(p.AmountMinor) <> 'integer' THEN 0 WHEN p.AmountMinor > ${Number.MAX_SAFE_INTEGER} THEN ${BEYOND_EXACT}
          WHEN p.AmountMinor < -${Number.MAX_SAFE_INTEGER} THEN -${BEYOND_EXACT} ELSE p.AmountMinor END) AS MinorUnits, min(d.CreatedAt) AS OldestAt,
        sum(d.DueAt >= '${PLAUSIBLE_BEFORE}') AS NeverDue
      FROM datapump d
      LEFT JOIN Payment p ON p.PaymentId = d.PaymentId AND d.EventType IN ('Payments', 'ACHRejects')
      GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
      )
      .safeIntegers();
    // Hops from biller to biller in the index; DISTINCT would walk over every row.
    this.selectBillers = database
      .prepare<[], BillerId>(
        `
      WITH RECURSIVE holder(BillerId) AS (
        SELECT min(BillerId) FROM datapump
        UNION ALL
        SELECT (SELECT min(BillerId) FROM datapump WHERE BillerId > holder.BillerId) FROM holder WHERE holder.BillerId IS NOT NULL)
      SELECT BillerId FROM holder WHERE BillerId IS NOT NULL UNION SELECT BillerId FROM BillerSettings ORDER BY 1`,
      )
      .pluck();
    this.selectSettings = database.prepare<[], BillerId>('SELECT BillerId FROM BillerSettings').pluck();
  }

  totals(): readonly ShardTotal[] {
    return this.selectTotals.all().map((line) => {
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
  }

  /** With rows or settings: a row whose biller has no settings must be found too, to be rejected. */
  billers(): readonly BillerId[] {
    return this.selectBillers.all();
  }

  billersWithSettings(): readonly BillerId[] {
    return this.selectSettings.all();
  }
}
