import { type BillerProfile } from '../../domain/biller/biller-profile';
import { dpRecordDecider, type Verdict } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordDiscovered } from '../../domain/dp-record/dp-record.events';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { recordKey } from '../../domain/identifiers';
import { type Instant, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { validatedFields, validateRow } from '../../domain/policies/validation';
import { crashPoint } from '../crash-point';
import { type Delivery, type DeliverRecordPorts, type DeliverRecordSettings, sendSuccessor, type Settlement } from '../delivering/delivery';
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
export function judgedAlone<Judged>({ telemetry }: { readonly telemetry: Telemetry }, row: DpRow, judge: () => Judged): Judged | Verdict {
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
  ...(row.chunkId === undefined ? {} : { chunkId: row.chunkId }),
  ...(row.paymentId === undefined ? {} : { paymentId: row.paymentId }),
  ...(row.payment === undefined ? {} : { amount: row.payment.amount }),
});

/**
 * A record without a stream came from another team's publisher: found and judged here, as the fetcher would. Without a
 * profile nobody can judge it: that is not the row's fault, so it waits.
 */
export async function discoverRecord(ports: DeliverRecordPorts, settings: DeliverRecordSettings, delivery: Delivery, now: Instant): Promise<Settlement | undefined> {
  const { row, message, key } = delivery;
  if (!row || row.billerId !== message.billerId) {
    return { settle: 'dead-letter', reason: 'RecordUnknown', description: `${key} has neither a stream nor a row in shard ${delivery.shard.name}` };
  }
  if (!delivery.profile) {
    await sendSuccessor(ports, settings, delivery, plusMs(now, PROFILE_LOOK_AGAIN_MS));
    return { settle: 'complete' };
  }
  const { profile } = delivery;
  const verdict = judgedAlone(ports, row, () => verdictOf(row, profile, ports.digest));
  const decision = dpRecordDecider.decide(
    { type: 'DiscoverDpRecord', discovery: discoveryOf(row, now), verdict },
    delivery.record.state,
  );
  invariant(decision.outcome === 'accepted', `discovering the unknown record ${key} cannot be refused`);
  delivery.record = await ports.history.appendToRecord(key, delivery.record, decision.events, now);
  crashPoint('consumer.after-discovered');
  if (row.status === 'New') await delivery.shard.changeStatuses([{ dpId: row.dpId, to: 'Queued', from: ['New'] }]);
  return undefined;
}
