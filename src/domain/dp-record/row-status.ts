/**
 * `Status` in dbo.datapump. A status write names its allowed predecessors, so that a slow writer never
 * overwrites a newer result:
 *
 *   New → Queued → Published → Delivered | Declined | Failed | InDoubt | Rejected | Skipped | Withdrawn
 *   Queued → Rejected | Skipped | Withdrawn | every result a consumer that is faster than the fetcher's write reaches
 *   InDoubt → Delivered | Declined | Published (resolved as not executed)
 *   Failed → Published (redriven)
 */
export const ROW_STATUSES = [
  'New', 'Queued', 'Published', 'Delivered', 'Declined', 'Failed', 'InDoubt', 'Rejected', 'Skipped', 'Withdrawn',
] as const;
export type RowStatus = (typeof ROW_STATUSES)[number];

const PREDECESSORS: Record<RowStatus, readonly RowStatus[]> = {
  New: [],
  Queued: ['New'],
  Published: ['Queued'],
  Delivered: ['Queued', 'Published', 'InDoubt'],
  Declined: ['Queued', 'Published', 'InDoubt'],
  Failed: ['Queued', 'Published'],
  InDoubt: ['Queued', 'Published'],
  Rejected: ['Queued', 'Published'],
  Skipped: ['Queued', 'Published'],
  Withdrawn: ['Queued', 'Published'],
};

export const allowedPredecessors = (to: RowStatus): readonly RowStatus[] => PREDECESSORS[to];

/** Rows that still owe a result: the sweep gives them a new message when nothing moves. */
export const UNFINISHED_STATUSES: readonly RowStatus[] = ['Queued', 'Published'];
export const isRowStatus = (text: string): text is RowStatus => (ROW_STATUSES as readonly string[]).includes(text);
