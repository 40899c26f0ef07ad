import { type ShardTotals } from '../../application/ports/shard-totals';
import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { instant, type Instant, PLAUSIBLE_BEFORE } from '../../domain/instant';
import { sumOfAmounts } from '../shared/row-amount';
import { isKnownGroup, unknownRowsText } from '../shared/unknown-rows';
import { instantOf } from './shard-rows';
import { type Row, type SqlServerConnection } from './sql-server-connection';
import { statement, tsql } from './sql-text';

export const TOTAL_STATEMENTS = {
  /** USD is the currency of a zero that has none of its own: a choice, or a payment that does not exist. */
  totals: statement(
    { plausibleBefore: 'instant' },
    tsql`SELECT CONVERT(nvarchar(64), d.BillerId) AS BillerId, d.EventType, d.Status, COALESCE(p.Currency, N'USD') AS Currency,
  COUNT_BIG(*) AS RowsCounted, SUM(CASE WHEN p.AmountMinor > 9007199254740991 THEN 99999999999 WHEN p.AmountMinor < -9007199254740991 THEN -99999999999
    ELSE CAST(COALESCE(p.AmountMinor, 0) AS bigint) END) AS MinorUnits, MIN(d.CreatedAt) AS OldestAt,
  SUM(CASE WHEN d.DueAt >= @plausibleBefore THEN 1 ELSE 0 END) AS NeverDue
FROM dbo.DatapumpRow AS d
LEFT JOIN dbo.DatapumpPayment AS p ON p.PaymentId = d.PaymentId AND d.EventType IN (N'Payments', N'ACHRejects')
GROUP BY d.BillerId, d.EventType, d.Status, COALESCE(p.Currency, N'USD')
ORDER BY d.BillerId, d.EventType, d.Status;`,
  ),
  /** With rows or settings: a row whose biller has no settings must be found too, to be rejected. */
  billers: statement(
    {},
    tsql`SELECT CONVERT(nvarchar(64), d.BillerId) COLLATE Latin1_General_BIN2 AS BillerId FROM dbo.DatapumpRow AS d
UNION
SELECT CONVERT(nvarchar(64), b.BillerId) COLLATE Latin1_General_BIN2 FROM dbo.DatapumpBiller AS b;`,
  ),
  billersWithSettings: statement(
    {},
    tsql`SELECT CONVERT(nvarchar(64), b.BillerId) AS BillerId FROM dbo.DatapumpBiller AS b;`,
  ),
  now: statement({}, tsql`SELECT CAST(SYSUTCDATETIME() AS datetime2(3)) AS PresentTime;`),
};

const UNKNOWN_SHOWN_MAX = 5;

/** Counts and sums over all rows, which billers there are, and the database's clock. */
export class SqlServerShardTotals {
  private newest: Instant | undefined;

  constructor(private readonly connection: SqlServerConnection) {}

  async totals(): Promise<ShardTotals> {
    const [lines] = await this.connection.run('read the totals', TOTAL_STATEMENTS.totals, {
      plausibleBefore: PLAUSIBLE_BEFORE,
    });
    const isKnown = (line: Row): boolean => isKnownGroup(line['BillerId'], line['EventType'], line['Status']);
    const unknown = lines!.filter((line) => !isKnown(line));
    const totals = lines!.filter(isKnown).map((line) => {
      const [billerId, dataType, status] = [line['BillerId'], line['EventType'], line['Status']] as [
        BillerId,
        DataType,
        RowStatus,
      ];
      const minorUnits = sumOfAmounts(line['MinorUnits'] as string, `the ${status} ${dataType} of biller ${billerId}`);
      return {
        billerId,
        dataType,
        status,
        count: Number(line['RowsCounted']),
        amount: { minorUnits, currency: line['Currency'] as string },
        oldestAt: instantOf(line['OldestAt'] as Date),
        ...(Number(line['NeverDue']) > 0 ? { neverDue: Number(line['NeverDue']) } : {}),
      };
    });
    if (unknown.length === 0) return totals;
    const count = unknown.reduce((sum, line) => sum + Number(line['RowsCounted']), 0);
    const shown = unknown
      .slice(0, UNKNOWN_SHOWN_MAX)
      .map((line) => JSON.stringify([line['BillerId'], line['EventType'], line['Status']]));
    return Object.assign(totals, { damaged: [unknownRowsText(count, shown)] });
  }

  async billers(): Promise<readonly BillerId[]> {
    const [lines] = await this.connection.run('read the billers', TOTAL_STATEMENTS.billers, {});
    return lines!.map((line) => line['BillerId'] as BillerId);
  }

  async billersWithSettings(): Promise<readonly BillerId[]> {
    const [lines] = await this.connection.run('read the biller settings', TOTAL_STATEMENTS.billersWithSettings, {});
    return lines!.map((line) => line['BillerId'] as BillerId);
  }

  /** It waits where the server's clock is set back, or a replica with a slower one takes over. */
  async now(): Promise<Instant> {
    const [lines] = await this.connection.run('read the clock', TOTAL_STATEMENTS.now, {});
    const present = instant((lines![0]!['PresentTime'] as Date).toISOString());
    if (this.newest === undefined || present > this.newest) this.newest = present;
    return this.newest;
  }
}
