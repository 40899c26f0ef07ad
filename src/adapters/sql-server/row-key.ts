import { type DpId } from '../../domain/identifiers';
import { PortFailure } from '../../application/ports/failures';
import { ID_LENGTH_MAX, tsql, type SqlText } from './sql-text';

/**
 * The type of DpId in one shard database. In code an id is text; in the database it keeps the type that the site's own
 * table gives it, in our side tables too, so that every look-up is a seek in the site's index and never a conversion of
 * the column.
 */
export interface RowKey {
  readonly name: 'text' | 'bigint' | 'uniqueidentifier';
  readonly columnType: SqlText;
  /** The same without a collation, which a CAST takes none of. */
  readonly valueType: SqlText;
  /**
   * Whether the text is the database's own spelling of an id. `007` is not the row 7 and a GUID in lower case is not
   * the row in upper case: one row under two names would have two histories, and be paid twice.
   */
  readonly spells: (id: DpId) => boolean;
  /** `d.DpId` lies between the numbers @fromId and @toId; undefined where no id is a number. */
  readonly numberRange: SqlText | undefined;
}

const BIGINT_MAX = 9_223_372_036_854_775_807n;

const isBigint = (text: string): boolean => {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  return value <= BIGINT_MAX && value >= -BIGINT_MAX - 1n;
};

/** What is left of an id without its digits. LIKE N'%[^0-9]%' would be shorter; older compatible engines refuse brackets. */
const NOT_DIGITS = tsql`REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(d.DpId,
    N'0', N''), N'1', N''), N'2', N''), N'3', N''), N'4', N''), N'5', N''), N'6', N''), N'7', N''), N'8', N''), N'9', N'')`;

/** Digits without leading zeros: the longer number is the larger, and equally long ones sort as text. */
const TEXT_NUMBER_RANGE = tsql`LEN(d.DpId) BETWEEN LEN(@fromId) AND LEN(@toId)
    AND DATALENGTH(${NOT_DIGITS}) = 0
    AND (LEN(d.DpId) > LEN(@fromId) OR d.DpId >= @fromId)
    AND (LEN(d.DpId) < LEN(@toId) OR d.DpId <= @toId)`;

export const TEXT_KEY: RowKey = {
  name: 'text',
  columnType: tsql`nvarchar(64) COLLATE Latin1_General_BIN2`,
  valueType: tsql`nvarchar(64)`,
  spells: (id) => id.length <= ID_LENGTH_MAX,
  numberRange: TEXT_NUMBER_RANGE,
};

const BIGINT_KEY: RowKey = {
  name: 'bigint',
  columnType: tsql`bigint`,
  valueType: tsql`bigint`,
  spells: isBigint,
  numberRange: tsql`d.DpId BETWEEN CAST(@fromId AS bigint) AND CAST(@toId AS bigint)`,
};

const GUID_KEY: RowKey = {
  name: 'uniqueidentifier',
  columnType: tsql`uniqueidentifier`,
  valueType: tsql`uniqueidentifier`,
  spells: (id) => /^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$/.test(id),
  numberRange: undefined,
};

export const ROW_KEYS: readonly RowKey[] = [TEXT_KEY, BIGINT_KEY, GUID_KEY];

/** By the type that the database names. An int column is compared with bigint values without leaving its index. */
export function rowKeyOfType(dataType: string): RowKey {
  switch (dataType.toLowerCase()) {
    case 'nvarchar':
      return TEXT_KEY;
    case 'int':
    case 'bigint':
      return BIGINT_KEY;
    case 'uniqueidentifier':
      return GUID_KEY;
    default:
      throw new PortFailure(
        `the column DpId of the view dbo.DatapumpRow has the type ${dataType}, expected bigint, uniqueidentifier or ` +
          'nvarchar(64) COLLATE Latin1_General_BIN2: write the view as docs/SQL-SERVER.md shows',
        { code: 'storage-foreign', retryable: false, facts: { dataType } },
      );
  }
}

const ZERO_PADDED = /^0+(?=\d)/;
const DIGITS = /^\d+$/;

/** The ends of a range of numbers as the statement compares them; undefined where the ends are no numbers. */
export function numberEnds(key: RowKey, from: DpId, to: DpId): { from: string; to: string } | undefined {
  if (!DIGITS.test(from) || !DIGITS.test(to)) return undefined;
  const [first, last] = [from.replace(ZERO_PADDED, ''), to.replace(ZERO_PADDED, '')];
  if (key.name !== 'bigint') return { from: first, to: last };
  const within = (digits: string): string => (isBigint(digits) ? digits : String(BIGINT_MAX));
  return { from: within(first), to: within(last) };
}
