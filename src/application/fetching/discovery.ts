import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type Verdict } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordDiscovered } from '../../domain/dp-record/dp-record.events';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { recordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { validatedFields, validateRow } from '../../domain/policies/validation';
import { type Digest } from '../ports/digest';
import { type Telemetry } from '../ports/telemetry';

/** A biller without a profile is looked for this often by each of its messages: nobody may be about to give it one. */
export const PROFILE_LOOK_AGAIN_MS = 5 * 60_000;

/** What validation says of a row under a profile, as the event that will stand in the record's stream. */
export function verdictOf(row: DpRow, profile: BillerProfile, digest: Digest): Verdict {
  const validation = validateRow(row, profile);
  switch (validation.verdict) {
    case 'rejected':
      return { type: 'DpRecordRejected', data: { reasons: validation.reasons } };
    case 'skipped':
      return { type: 'DpRecordSkipped', data: { constraint: validation.constraint } };
    case 'valid':
      return {
        type: 'DpRecordValidated',
        data: { validatedHash: digest(validatedFields(row)), ...(row.payment ? { amount: row.payment.amount } : {}) },
      };
  }
}

/**
 * Only a row that breaks its own judging is rejected for it, and nothing but that is tried here: no port is asked, so
 * that no conflict, no outage and no fault of a store can ever be taken for the row's.
 */
export function judgedAlone<Judged>(
  { telemetry }: { readonly telemetry: Telemetry },
  row: DpRow,
  judge: () => Judged,
): Judged | Verdict {
  try {
    return judge();
  } catch (error) {
    telemetry.error('a row breaks processing, rejecting it', error, { record: recordKey(row.billerId, row.dpId) });
    return { type: 'DpRecordRejected', data: { reasons: ['row-breaks-processing'] } };
  }
}

export const discoveryOf = (row: DpRow, at: Instant): DpRecordDiscovered['data'] => ({
  billerId: row.billerId,
  dpId: row.dpId,
  shard: row.shard,
  dataType: row.dataType,
  customerId: row.customerId,
  at,
  createdAt: row.createdAt,
  ...(row.chunkId === undefined ? {} : { chunkId: row.chunkId }),
  ...(row.paymentId === undefined ? {} : { paymentId: row.paymentId }),
  ...(row.payment === undefined ? {} : { amount: row.payment.amount }),
});
