/**
 * `Status` in dbo.datapump. A status write names its allowed predecessors, so that a slow writer never
 * overwrites a newer result:
 *
 *   New → Queued → Published → Delivered | Declined | Rejected | Skipped | Withdrawn   (final: nothing follows)
 *   New, Queued, Published → Failed | InDoubt, and each of these two → the other or a final status
 *   InDoubt → Published (resolved as not executed), Failed → Published (redriven): by reopening the row only
 *
 * A final status may follow every other: the stream said so first, and a row that was not reopened in time (a crash
 * between the two stores, a slow writer) must not keep the record's end from being written for ever.
 */
export const ROW_STATUSES = [
  'New',
  'Queued',
  'Published',
  'Delivered',
  'Declined',
  'Failed',
  'InDoubt',
  'Rejected',
  'Skipped',
  'Withdrawn',
] as const;
export type RowStatus = (typeof ROW_STATUSES)[number];

const NOT_FINAL: readonly RowStatus[] = ['New', 'Queued', 'Published', 'Failed', 'InDoubt'];

const PREDECESSORS: Record<RowStatus, readonly RowStatus[]> = {
  New: [],
  Queued: ['New'],
  Published: ['Queued'],
  Delivered: NOT_FINAL,
  Declined: NOT_FINAL,
  Failed: ['New', 'Queued', 'Published', 'InDoubt'],
  InDoubt: ['New', 'Queued', 'Published', 'Failed'],
  Rejected: NOT_FINAL,
  Skipped: NOT_FINAL,
  Withdrawn: NOT_FINAL,
};

export const allowedPredecessors = (to: RowStatus): readonly RowStatus[] => PREDECESSORS[to];

/** Rows that still owe a result: the sweep gives them a new message when nothing moves. */
export const UNFINISHED_STATUSES: readonly RowStatus[] = ['Queued', 'Published'];
/** Rows that still owe a result, or wait for a person to say what became of them. */
export const TO_END_STATUSES: readonly RowStatus[] = ['New', 'Queued', 'Published', 'InDoubt'];
export const isRowStatus = (text: string): text is RowStatus => (ROW_STATUSES as readonly string[]).includes(text);
