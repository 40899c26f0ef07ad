import { isDataType } from '../../domain/biller/data-type';
import { isRowStatus } from '../../domain/dp-record/row-status';
import { isId } from '../../domain/identifiers';

/** Whether rows that a database counts together can be rows of ours; a column of a view or of SQLite may hold anything. */
export const isKnownGroup = (billerId: unknown, dataType: unknown, status: unknown): boolean =>
  [billerId, dataType, status].every((each) => typeof each === 'string') &&
  isId(billerId as string) &&
  isDataType(dataType as string) &&
  isRowStatus(status as string);

/** What the totals say of rows that belong to none of them; `shown` names some. */
export const unknownRowsText = (count: number, shown: readonly string[]): string =>
  `${count} rows have an id, a biller, a type or a status that is none (table datapump), and nothing works on them` +
  (shown.length === 0 ? '' : `: ${shown.join(', ')}${shown.length < count ? ', …' : ''}`);
