import { type Database } from 'better-sqlite3';
import {
  FOUND_COUNTED_MAX,
  FOUND_PAGE_MAX,
  type FoundRecords,
  type ProjectedRecord,
  type RecordQuery,
  type RecordStatus,
} from '../../application/ports/record-projection';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type RecordKey, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';

/** A line of the table Record. */
export interface RecordRow {
  readonly Seq: number;
  readonly RecordKey: RecordKey;
  readonly Shard: ShardName;
  readonly BillerId: BillerId;
  readonly DataType: DataType;
  readonly Status: RecordStatus;
  readonly AmountMinor: number | null;
  readonly Currency: string | null;
  readonly Attempts: number;
  readonly Cause: string | null;
  readonly Reference: string | null;
  readonly CreatedAt: Instant;
  readonly ChangedAt: Instant;
}

export const entryOf = (row: RecordRow): ProjectedRecord => ({
  record: row.RecordKey,
  shard: row.Shard,
  billerId: row.BillerId,
  dataType: row.DataType,
  status: row.Status,
  amount:
    row.AmountMinor === null || row.Currency === null
      ? undefined
      : { minorUnits: row.AmountMinor, currency: row.Currency },
  attempts: row.Attempts,
  cause: row.Cause ?? undefined,
  reference: row.Reference ?? undefined,
  createdAt: row.CreatedAt,
  changedAt: row.ChangedAt,
});

interface Condition {
  /** A column with a plus before it is looked at in the rows that the leading condition's index yields. */
  readonly text: (column: (name: string) => string) => string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Records by any conditions together. The most telling one leads (its index is walked), since SQLite, without statistics
 * of the table, would guess; the others are looked at in what it yields.
 */
export class SqliteRecordSearch {
  constructor(private readonly database: Database) {}

  search(query: RecordQuery): FoundRecords {
    const { max } = query;
    invariant(
      Number.isSafeInteger(max) && max >= 1 && max <= FOUND_PAGE_MAX,
      `a page of found records holds 1 to ${FOUND_PAGE_MAX}, got ${max}`,
    );
    // Count and page of one state.
    return this.database.transaction(() => {
      const conditions = conditionsOf(query);
      const where = whereOf(conditions);
      const parameters = Object.assign({}, ...conditions.map((each) => each.parameters)) as Record<string, string>;
      const counted = this.database
        .prepare<Record<string, string | number>, number>(
          `SELECT count(*) FROM (SELECT 1 FROM Record WHERE ${where} LIMIT @bound)`,
        )
        .pluck()
        .get({ ...parameters, bound: FOUND_COUNTED_MAX + 1 })!;
      const rows = this.page(where, parameters, query);
      const records = rows.slice(0, max).map(entryOf);
      return {
        records,
        total: counted > FOUND_COUNTED_MAX ? undefined : counted,
        next: rows.length > max ? records.at(-1)!.record : undefined,
      };
    })();
  }

  private page(where: string, parameters: Record<string, string>, { after, max }: RecordQuery): readonly RecordRow[] {
    const behind =
      after === undefined
        ? undefined
        : this.database
            .prepare<[string], Pick<RecordRow, 'CreatedAt' | 'Seq'>>(
              'SELECT CreatedAt, Seq FROM Record WHERE RecordKey = ?',
            )
            .get(after);
    if (after !== undefined && !behind) return [];
    return this.database
      .prepare<Record<string, string | number>, RecordRow>(
        `SELECT * FROM Record WHERE ${where} ${behind ? 'AND (CreatedAt, Seq) < (@behindAt, @behindSeq)' : ''}
         ORDER BY CreatedAt DESC, Seq DESC LIMIT @max`,
      )
      .all({ ...parameters, ...(behind ? { behindAt: behind.CreatedAt, behindSeq: behind.Seq } : {}), max: max + 1 });
  }
}

const equals = (name: string, value: string | undefined): readonly Condition[] =>
  value === undefined ? [] : [{ text: (column) => `${column(name)} = @${name}`, parameters: { [name]: value } }];

const among = (name: string, values: readonly string[] | undefined): readonly Condition[] =>
  values === undefined
    ? []
    : [
        {
          text: (column) => `${column(name)} IN (SELECT value FROM json_each(@${name}))`,
          parameters: { [name]: JSON.stringify(values) },
        },
      ];

/** Most telling first. */
function conditionsOf(query: RecordQuery): readonly Condition[] {
  const { amounts } = query;
  return [
    ...among('RecordKey', query.records),
    ...equals('Reference', query.reference),
    ...(amounts === undefined
      ? []
      : [
          {
            text: (column: (name: string) => string) =>
              `${column('AmountMinor')} IN (SELECT value ->> 0 FROM json_each(@Amounts))
               AND (+AmountMinor, +Currency) IN (SELECT value ->> 0, value ->> 1 FROM json_each(@Amounts))`,
            parameters: { Amounts: JSON.stringify(amounts.map(({ minorUnits, currency }) => [minorUnits, currency])) },
          },
        ]),
    ...equals('BillerId', query.billerId),
    ...among('Status', query.statuses),
    ...(query.createdFrom === undefined
      ? []
      : [{ text: () => 'CreatedAt >= @from', parameters: { from: query.createdFrom } }]),
    ...(query.createdBefore === undefined
      ? []
      : [{ text: () => 'CreatedAt < @before', parameters: { before: query.createdBefore } }]),
    ...equals('DataType', query.dataType),
    ...equals('Shard', query.shard),
    ...equals('Cause', query.cause),
  ];
}

/** Columns that an index holds together with the leading one may be used by it. */
const TOGETHER: Readonly<Record<string, ReadonlySet<string>>> = {
  BillerId: new Set(['BillerId', 'Status']),
};

function whereOf(conditions: readonly Condition[]): string {
  let leading: string | undefined;
  const texts = conditions.map(({ text }) => {
    const led = leading;
    return text((name) => {
      leading ??= name;
      const mayLead = led === undefined || (TOGETHER[led]?.has(name) ?? false);
      return mayLead ? name : `+${name}`;
    });
  });
  return texts.length === 0 ? '1' : texts.join(' AND ');
}
