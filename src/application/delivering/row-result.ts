import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { rowStatusOf } from '../../domain/dp-record/dp-record.decider';
import { type DpDetail } from '../../domain/dp-record/dp-row';
import { allowedPredecessors } from '../../domain/dp-record/row-status';
import { type DpId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type RowResult } from '../ports/shard-results';

/** Status and DpDetail row of one attempt's result, written in one transaction. */
export const resultOfAttempt = (dpId: DpId, detail: DpDetail): RowResult => ({
  dpId,
  to: detail.outcome,
  from: allowedPredecessors(detail.outcome),
  detail,
});

/** What the shard must say of a record that has its end or is held, as its stream tells it. */
export function rowResultOf(record: DpRecord, dpId: DpId, now: Instant): RowResult {
  const to = rowStatusOf(record);
  invariant(to !== undefined, `a record that is ${record.status} has no result to write`);
  if (record.status === 'delivered') {
    return resultOfAttempt(dpId, {
      attempt: record.attempt,
      outcome: 'Delivered',
      billerReference: record.result,
      code: undefined,
      recordedAt: now,
    });
  }
  if (record.status === 'declined') {
    return resultOfAttempt(dpId, {
      attempt: record.attempt,
      outcome: 'Declined',
      billerReference: undefined,
      code: record.result,
      recordedAt: now,
    });
  }
  return { dpId, to, from: allowedPredecessors(to) };
}
