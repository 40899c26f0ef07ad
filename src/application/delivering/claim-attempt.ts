import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import {
  type DeliveryAttemptEvent,
  type DeliveryAttemptNotSent,
} from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type KnownDpRecord } from '../../domain/dp-record/dp-record.state';
import { type ProfileVersion, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type History, type Loaded } from '../history/history';

/** No request was built for an attempt that is claimed and never sent. */
export const NO_REQUEST = 'none';

export type WhyNotSent = NonNullable<DeliveryAttemptNotSent['data']['why']>;

/**
 * Takes the next attempt and closes it as never sent, in one append. Whoever is about to end a record without a call
 * must own its next attempt first: else another consumer may be calling the biller while the record is told to be
 * withdrawn, rejected or dead-lettered, and money would move behind an end that denies it. A conflict says that
 * somebody else owns the attempt: read everything again.
 */
export async function claimWithoutCall(
  history: History,
  hand: { readonly key: RecordKey; readonly record: KnownDpRecord; readonly attempt: Loaded<DeliveryAttempt> },
  version: ProfileVersion | undefined,
  at: Instant,
  why: WhyNotSent,
): Promise<Loaded<DeliveryAttempt>> {
  const { key, record, attempt } = hand;
  const number = record.nextAttempt;
  const events: DeliveryAttemptEvent[] = [];
  let { state } = attempt;
  const start = {
    billerId: record.billerId,
    dpId: record.dpId,
    attempt: number,
    at,
    notAfter: at,
    idempotencyKey: NO_REQUEST,
    requestHash: NO_REQUEST,
    profileVersion: version ?? (NO_REQUEST as ProfileVersion),
  };
  for (const command of [
    { type: 'StartAttempt', start },
    { type: 'CloseAttempt', closing: { type: 'DeliveryAttemptNotSent', data: { lateByMs: 0, why } } },
  ] as const) {
    const decision = deliveryAttemptDecider.decide(command, state);
    invariant(decision.outcome === 'accepted', `attempt ${number} of ${key} was absent and refused ${command.type}`);
    events.push(...decision.events);
    state = decision.events.reduce(deliveryAttemptDecider.evolve, state);
  }
  return history.appendToAttempt(key, number, attempt, events, at);
}
