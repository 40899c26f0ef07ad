import { type Backlog } from '../../application/queries/measure-backlog';
import { type RowStatus } from '../../domain/dp-record/row-status';

const UNDER_WAY: ReadonlySet<RowStatus> = new Set(['New', 'Queued', 'Published']);

/** Rows that have their end, or wait for a person. */
export const finishedIn = (backlog: Backlog): number =>
  backlog.rows.reduce((sum, { status, count }) => sum + (UNDER_WAY.has(status) ? 0 : count), 0);

export const rowsIn = (backlog: Backlog): number => backlog.rows.reduce((sum, { count }) => sum + count, 0);

export function noteOf(backlog: Backlog): string {
  const waiting = backlog.subscriptions.reduce((sum, { scheduled }) => sum + (scheduled ?? 0), 0);
  return waiting > 0 ? `${waiting} waiting for their next try` : '';
}
