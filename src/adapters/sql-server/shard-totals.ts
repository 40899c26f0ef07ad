import {
  type CountedRow,
  type ShardCounts,
  type ShardTotals,
  type TotalsPart,
} from '../../application/ports/shard-totals';
import { type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type DpId } from '../../domain/identifiers';
import { type Day, dayAfter, instant, type Instant, PLAUSIBLE_BEFORE, startOf } from '../../domain/instant';
import { sumOfAmounts } from '../shared/row-amount';
import { isKnownGroup, unknownRowsText } from '../shared/unknown-rows';
import { instantOf } from './shard-rows';
import { type Row, type SqlServerConnection } from './sql-server-connection';
import { statement, tsql, type SqlText } from './sql-text';

const MINOR_UNITS = tsql`CASE WHEN p.AmountMinor > 9007199254740991 THEN 99999999999 WHEN p.AmountMinor < -9007199254740991 THEN -99999999999
    ELSE CAST(COALESCE(p.AmountMinor, 0) AS bigint) END`;
const WITH_MONEY = tsql`LEFT JOIN dbo.DatapumpPayment AS p ON p.PaymentId = d.PaymentId AND d.EventType IN (N'Payments', N'ACHRejects')`;

/** USD is the currency of a zero that has none of its own: a choice, or a payment that does not exist. */
const totalsOf = (rows: SqlText): SqlText =>
  tsql`SELECT CONVERT(nvarchar(64), d.BillerId) AS BillerId, d.EventType, d.Status, COALESCE(p.Currency, N'USD') AS Currency,
  COUNT_BIG(*) AS RowsCounted, SUM(${MINOR_UNITS}) AS MinorUnits, MIN(d.CreatedAt) AS OldestAt,
  SUM(CASE WHEN d.DueAt >= @plausibleBefore THEN 1 ELSE 0 END) AS NeverDue
FROM dbo.DatapumpRow AS d
${WITH_MONEY}
${rows}
GROUP BY d.BillerId, d.EventType, d.Status, COALESCE(p.Currency, N'USD')
ORDER BY d.BillerId, d.EventType, d.Status;`;

export const TOTAL_STATEMENTS = {
  totals: statement({ plausibleBefore: 'instant' }, totalsOf(tsql``)),
  totalsToEnd: statement(
    { plausibleBefore: 'instant' },
    totalsOf(tsql`WHERE d.Status IN (N'New', N'Queued', N'Published', N'InDoubt')`),
  ),
  totalsOfDay: statement(
    { plausibleBefore: 'instant', createdFrom: 'instant', createdBefore: 'instant' },
    totalsOf(tsql`WHERE d.CreatedAt >= @createdFrom AND d.CreatedAt < @createdBefore`),
  ),
  rowsOfDay: statement(
    {
      createdFrom: 'instant',
      createdBefore: 'instant',
      billerId: 'id',
      dataType: 'word',
      after: 'id',
      rowsMax: 'count',
    },
    tsql`DECLARE @afterSeq bigint = (SELECT MAX(a.Seq) FROM dbo.DatapumpRow AS a WHERE CONVERT(nvarchar(64), a.DpId) = @after);
SELECT TOP (@rowsMax) CONVERT(nvarchar(64), d.DpId) AS DpId, d.Status, COALESCE(p.Currency, N'USD') AS Currency, ${MINOR_UNITS} AS MinorUnits
FROM dbo.DatapumpRow AS d
${WITH_MONEY}
WHERE d.CreatedAt >= @createdFrom AND d.CreatedAt < @createdBefore AND d.BillerId = @billerId AND d.EventType = @dataType
  AND (@after IS NULL OR d.Seq > @afterSeq)
ORDER BY d.Seq;`,
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

const spanOf = (day: Day): { readonly createdFrom: Instant; readonly createdBefore: Instant } => ({
  createdFrom: startOf(day),
  createdBefore: startOf(dayAfter(day)),
});

/** Counts and sums over all rows, which billers there are, and the database's clock. */
export class SqlServerShardTotals {
  private newest: Instant | undefined;

  constructor(private readonly connection: SqlServerConnection) {}

  async totals(part?: TotalsPart): Promise<ShardTotals> {
    const { connection } = this;
    const plausibleBefore = PLAUSIBLE_BEFORE;
    const [lines] = await (part === undefined
      ? connection.run('read the totals', TOTAL_STATEMENTS.totals, { plausibleBefore })
      : part === 'to-end'
        ? connection.run('read the totals of what is to end', TOTAL_STATEMENTS.totalsToEnd, { plausibleBefore })
        : connection.run(`read the totals of ${part.day}`, TOTAL_STATEMENTS.totalsOfDay, {
            plausibleBefore,
            ...spanOf(part.day),
          }));
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

  async rowsOfDay(query: Parameters<ShardCounts['rowsOfDay']>[0]): Promise<readonly CountedRow[]> {
    const { day, billerId, dataType, after, max } = query;
    if (max === 0) return [];
    const values = { ...spanOf(day), billerId, dataType, after, rowsMax: max };
    const [lines] = await this.connection.run(`read the rows of ${day}`, TOTAL_STATEMENTS.rowsOfDay, values);
    return lines!
      .filter((line) => isKnownGroup(billerId, dataType, line['Status']))
      .map((line) => ({
        dpId: line['DpId'] as DpId,
        status: line['Status'] as RowStatus,
        amount: {
          minorUnits: sumOfAmounts(line['MinorUnits'] as string, `row ${line['DpId'] as string}`),
          currency: line['Currency'] as string,
        },
      }));
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
