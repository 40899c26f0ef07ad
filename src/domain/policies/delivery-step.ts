import { type DeliveryAttempt } from '../delivery-attempt/delivery-attempt.state';
import { rowStatusOf } from '../dp-record/dp-record.decider';
import { type ParkCause } from '../dp-record/dp-record.events';
import { type DpRecord } from '../dp-record/dp-record.state';
import { type DpDetail } from '../dp-record/dp-row';
import { type RowStatus } from '../dp-record/row-status';
import { type Instant } from '../instant';
import { doubtBeginsAt, type DoubtTerms } from './in-doubt-resolution';

/**
 * The one rule that says what a consumer does with a message, from what it read: rules 2, 3, 4 and 9 of docs/ARCHITECTURE.md as a
 * total function. The caller performs the step and asks again; nothing else decides about calls.
 */
export type DeliveryStep =
  | { readonly step: 'discover' }
  | { readonly step: 'complete' }
  /** The record is finished or held; its row does not say so yet. */
  | { readonly step: 'reconcile-row'; readonly status: RowStatus }
  /** The newest attempt is closed; the record's stream has not drawn the consequence yet. */
  | { readonly step: 'conclude'; readonly attempt: number }
  | { readonly step: 'await-owner'; readonly until: Instant }
  | { readonly step: 'resolve-doubt'; readonly attempt: number }
  | { readonly step: 'park'; readonly cause: ParkCause; readonly until: Instant }
  | { readonly step: 'start-attempt'; readonly attempt: number }
  /** A successor at `until`: the stream already says why. */
  | { readonly step: 'come-back'; readonly until: Instant }
  /** The shard knows more than the event store: the store was restored to an earlier time. */
  | { readonly step: 'stop-history-behind' };

export interface DeliveryFacts {
  readonly record: DpRecord;
  /** The newest attempt: number `nextAttempt` of the record. */
  readonly attempt: DeliveryAttempt;
  readonly row: { readonly status: RowStatus; readonly details: readonly DpDetail[] } | undefined;
  /** Terms of the profile version in the attempt's start; undefined while there is no open attempt. */
  readonly doubtTerms: DoubtTerms | undefined;
  readonly gate: { readonly cause: ParkCause; readonly until: Instant } | undefined;
  readonly now: Instant;
}

export function nextDeliveryStep({ record, attempt, row, doubtTerms, gate, now }: DeliveryFacts): DeliveryStep {
  if (record.status === 'unknown') return rowIsOurs(row) ? { step: 'stop-history-behind' } : { step: 'discover' };

  const settledStatus = rowStatusOf(record);
  if (settledStatus !== undefined) {
    if (record.status === 'in-doubt' && attempt.status === 'closed')
      return { step: 'conclude', attempt: record.attempt };
    // A slow redrive may have reopened the row after the record was held or dead-lettered: it must be listed again.
    const rowAgrees = row === undefined || row.status === settledStatus;
    return record.reconciled && rowAgrees ? { step: 'complete' } : { step: 'reconcile-row', status: settledStatus };
  }

  const { nextAttempt, dueAt } = record as Extract<DpRecord, { status: 'pending' }>;
  if (attempt.status === 'closed') return { step: 'conclude', attempt: nextAttempt };
  if (rowIsAhead(row)) return { step: 'stop-history-behind' };
  if (attempt.status === 'open') {
    const begins = doubtTerms ? doubtBeginsAt(attempt, doubtTerms) : attempt.ownedUntil;
    return now < begins ? { step: 'await-owner', until: begins } : { step: 'resolve-doubt', attempt: nextAttempt };
  }
  // Before the gate: a park would take the place of the time that must be kept, and a gate may open before it.
  if (dueAt !== undefined && now < dueAt && waitsForTime(record)) return { step: 'come-back', until: dueAt };
  if (gate) return { step: 'park', ...gate };
  return { step: 'start-attempt', attempt: nextAttempt };
}

/** Only a retry and a throttled biller name a time that must be kept; a gate that has opened is open. */
const waitsForTime = (record: DpRecord): boolean =>
  record.status === 'pending' && (record.parked === undefined || record.parked === 'throttled');

/** Only a record with a stream gets one of the later statuses: without its stream, its attempts are unknown too. */
const rowIsOurs = (row: DeliveryFacts['row']): boolean =>
  rowIsAhead(row) ||
  (row !== undefined && row.status !== 'New' && row.status !== 'Queued' && row.status !== 'Published');

const ENDS: ReadonlySet<RowStatus> = new Set<RowStatus>(['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn']);

/** Whoever ends a record owns its attempt first, and closes it: an end in the row over no closed attempt is of another history. */
const rowIsAhead = (row: DeliveryFacts['row']): boolean =>
  row !== undefined && (row.details.length > 0 || ENDS.has(row.status));
