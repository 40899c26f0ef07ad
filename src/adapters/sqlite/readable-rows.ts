import { type Database } from 'better-sqlite3';
import { ROWS_PER_CALL_MAX } from '../../application/ports/shard';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { ROW_STATUSES } from '../../domain/dp-record/row-status';
import { isId } from '../../domain/identifiers';

/*
 * A SQLite column holds whatever was written to it. A row whose own id, biller or type is none can be named by no message
 * and no stream: claimed, it would take the sound rows of its chunk along, and swept, those of its pass. So nothing
 * works on it, and the totals tell of it.
 */

/** What SQLite reads in place of bytes that are no UTF-8: such an id is not the one that stands in the file. */
const NOT_UTF8 = '\ufffd';
const words = (all: readonly string[]): string => all.map((word) => `'${word}'`).join(', ');

/** Usual ids are judged in SQL; only those with other than printable ASCII cost a call. A text with a NUL is longer than its length. */
const isIdIn = (column: string): string => `CASE
  WHEN typeof(${column}) <> 'text' THEN 0
  WHEN length(${column}) BETWEEN 1 AND 56 AND length(CAST(${column} AS BLOB)) = length(${column})
    AND ${column} NOT GLOB '*[^!-9;-~]*' THEN 1
  ELSE is_row_id(${column}) END`;

/** Of a row of datapump, as an expression that is 1 or 0; the database needs `addRowId`. */
export const readableRow = (alias: string): string => `(${isIdIn(`${alias}.DpId`)} AND ${isIdIn(`${alias}.BillerId`)}
  AND coalesce(${alias}.EventType IN (${words(DATA_TYPES)}), 0))`;
/** The same, and its status is one. */
export const knownRow = (alias: string): string =>
  `(${readableRow(alias)} AND coalesce(${alias}.Status IN (${words(ROW_STATUSES)}), 0))`;

/** A chunk's id begins the id of its message, and leaves room there for the sweep's ordinal. */
const CHUNK_ID_BYTES_MAX = 112;
export const sendableChunkId = (column: string): string =>
  `(typeof(${column}) = 'text' AND length(CAST(${column} AS BLOB)) BETWEEN 1 AND ${CHUNK_ID_BYTES_MAX})`;
/** Of a row of Outbox: its message keeps its contract, so that it stops none of those that are sent with it. */
export const readableChunk = (alias: string): string => `(${sendableChunkId(`${alias}.ChunkId`)}
  AND ${['BillerId', 'DpStart', 'DpEnd'].map((column) => isIdIn(`${alias}.${column}`)).join(' AND ')}
  AND coalesce(${alias}.EventType IN (${words(DATA_TYPES)}), 0) AND typeof(${alias}.RowCount) = 'integer' AND ${alias}.RowCount BETWEEN 1 AND ${ROWS_PER_CALL_MAX})`;

/** The same of an id that was read. */
export const isRowId = (value: unknown): boolean =>
  typeof value === 'string' && isId(value) && !value.includes(NOT_UTF8);

export function addRowId(database: Database): void {
  database.function('is_row_id', { deterministic: true }, (value: unknown) => Number(isRowId(value)));
}
