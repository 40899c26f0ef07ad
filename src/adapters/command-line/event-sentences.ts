import { NO_REQUEST } from '../../application/delivering/claim-attempt';
import { type ChunkEvent } from '../../domain/chunk/chunk.events';
import {
  type DeliveryAttemptEvent,
  type DeliveryAttemptNotSent,
  type ResolvedOutcome,
} from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DoubtCause, type DpRecordEvent, type ParkCause } from '../../domain/dp-record/dp-record.events';
import { type Instant } from '../../domain/instant';
import { durationText, moneyText, timeText, whoText } from './words';

type Sentences<Event extends { readonly type: string; readonly data: unknown }> = {
  readonly [Type in Event['type']]: (data: Extract<Event, { readonly type: Type }>['data']) => string;
};

export const PARKED: Record<ParkCause, string> = {
  'biller-paused': 'an operator paused the biller',
  'outside-window': 'the biller takes no calls at this hour',
  'breaker-open': 'the biller failed too often, calls to it rest',
  'allowance-used-up': "the biller's rate or concurrency is used up, or its rate cannot be counted",
  'token-unavailable': 'no access token could be had',
  'profile-missing': 'there is no live profile of the biller',
  throttled: 'the biller asked to slow down',
  'attempt-open': 'another process may still be at it',
  'doubt-unresolved': 'what became of the call is not known yet',
};

export const DOUBTED: Record<DoubtCause, string> = {
  'neither-inquiry-nor-keys': 'the biller can neither be asked nor knows idempotency keys',
  'key-retention-over': 'the biller may have forgotten the idempotency key',
  'another-amount': 'the biller holds another amount',
  'inquiry-cannot-tell': 'the biller was asked and cannot tell',
  'inquiry-contradicts-itself': 'the biller first said it was working on the call and then that it knows of none',
  'inquiry-unavailable': 'the biller does not answer inquiries',
  'still-pending': 'the biller says "pending" and went on saying so',
  'bytes-changed': 'the request would not be the same bytes any more',
  'resends-used-up': 'the identical request was sent again as often as allowed',
  'history-lost': 'the event store that knew its attempts is lost',
};

const NOT_SENT: Record<NonNullable<DeliveryAttemptNotSent['data']['why']>, string> = {
  'row-withdrawn': 'its row is gone from the shard',
  'row-not-valid': 'its row is not valid any more',
  'cannot-prepare': 'no request could be made of it',
  'given-up-by-broker': 'the broker had given up its message',
  'identity-conflict': 'its row had come to mean something else',
  'too-old': 'the biller asked to slow down until the time of the record was over',
};

const EFFECT: Record<ResolvedOutcome, string> = {
  accepted: 'carried out',
  declined: 'declined',
  'not-executed': 'not carried out',
};

const referenced = (reference: string | undefined): string =>
  reference === undefined ? '' : `, its reference is ${reference}`;
const coded = (code: string | undefined): string => (code === undefined ? '' : ` (${code})`);
const at = (instant: Instant): string => timeText(instant);

/** One sentence per stored event, for people. A new event type stops the build here. */
const SENTENCES: Sentences<ChunkEvent> & Sentences<DpRecordEvent> & Sentences<DeliveryAttemptEvent> = {
  ChunkPlanned: ({ chunkId, rows, shard }) => `claimed in ${shard} as one of ${rows} rows of chunk ${chunkId}`,
  ChunkFetchStarted: ({ rowByRow }) => `its chunk is being fetched${rowByRow ? ', row by row after failures' : ''}`,
  ChunkPublished: ({ published, rejected, skipped, alreadyFinished }) =>
    `its chunk was published: ${published} messages, ${rejected} rejected, ${skipped} skipped, ${alreadyFinished} finished before`,
  ChunkFailed: ({ code }) => `fetching its chunk failed (${code})`,

  DpRecordDiscovered: ({ dataType, shard, amount }) =>
    `found in ${shard}: ${dataType}${amount ? `, ${moneyText(amount)}` : ''}`,
  DpRecordValidated: ({ amount }) => `valid${amount ? `, ${moneyText(amount)}` : ''}`,
  DpRecordRejected: ({ reasons }) => `rejected: ${reasons.join(', ')}`,
  DpRecordSkipped: ({ constraint }) => `skipped, as the biller's constraint ${constraint} says`,
  DpRecordWithdrawn: () => 'withdrawn: its row is gone from the shard',
  DpRecordParked: ({ cause, until }) => `waits until ${at(until)}: ${PARKED[cause]}`,
  DpRecordRetryScheduled: ({ attempt, at: next, spent }) =>
    `tried again at ${at(next)}, since attempt ${attempt} had no effect${spent ? '' : ' (costs no try)'}`,
  DpRecordHeldInDoubt: ({ attempt, cause }) =>
    `held in doubt: attempt ${attempt} may or may not have been carried out, and ${DOUBTED[cause]}`,
  DpRecordDelivered: ({ attempt, billerReference }) => `delivered by attempt ${attempt}${referenced(billerReference)}`,
  DpRecordDeclined: ({ attempt, code }) => `declined by the biller in attempt ${attempt}${coded(code)}`,
  DpRecordDeadLettered: ({ reason, description }) => `dead-lettered, ${reason}: ${description}`,
  DpRecordRedriven: ({ ordinal, reason, ...who }) => `redriven (${ordinal}) by operator ${whoText(who)}: ${reason}`,
  DpRecordReconciled: ({ status }) => `its row says so too: ${status}`,

  DeliveryAttemptStarted: ({ attempt, notAfter, idempotencyKey, requestHash, profileVersion, underLostHistory }) =>
    underLostHistory
      ? `attempt ${attempt} stands for whatever was called for under the history that is lost, with key ${idempotencyKey}`
      : requestHash === NO_REQUEST
        ? `attempt ${attempt} is taken without a call, so that nobody else makes one`
        : `attempt ${attempt} starts under profile ${profileVersion}, to be sent by ${at(notAfter)} at the latest with key ${idempotencyKey}`,
  DeliveryAttemptAccepted: ({ httpStatus, billerReference }) =>
    `the biller carried it out (HTTP ${httpStatus})${referenced(billerReference)}`,
  DeliveryAttemptDeclined: ({ httpStatus, code }) => `the biller declined it (HTTP ${httpStatus})${coded(code)}`,
  DeliveryAttemptThrottled: ({ retryAfterMs }) => `the biller asked to come back after ${durationText(retryAfterMs)}`,
  DeliveryAttemptNotExecuted: ({ code }) => `certainly not carried out (${code})`,
  DeliveryAttemptNotSent: ({ lateByMs, code, why }) =>
    why !== undefined
      ? `not sent: ${NOT_SENT[why]}`
      : code !== undefined
        ? `not sent: ${code}`
        : lateByMs === 0
          ? 'not sent: no call was to be made'
          : `not sent: its time was over by ${durationText(lateByMs)}`,
  DeliveryAttemptOutcomeUnknown: ({ code, httpStatus, contentType }) =>
    `no clear answer (${[code, ...(httpStatus === undefined ? [] : [`HTTP ${httpStatus}`]), ...((contentType ?? '') ? [contentType] : [])].join(', ')}): it may or may not have been carried out`,
  DeliveryAttemptInquired: ({ answer }) => `the biller was asked what became of it, and answered: ${answer}`,
  DeliveryAttemptResent: ({ notAfter }) =>
    `the identical request is sent again under the same key, by ${at(notAfter)} at the latest`,
  DeliveryAttemptResolvedByInquiry: ({ outcome, billerReference, code }) =>
    `the biller was asked: it was ${EFFECT[outcome]}${referenced(billerReference)}${coded(code)}`,
  DeliveryAttemptResolvedByOperator: ({ outcome, evidence, billerReference, ...who }) =>
    `operator ${whoText(who)} resolved it as ${EFFECT[outcome]}${referenced(billerReference)}; evidence: ${evidence}`,
  LateOutcomeObserved: ({ outcome, billerReference }) =>
    `a late answer says it was ${EFFECT[outcome]}${referenced(billerReference)}`,
  DoublePostSuspected: ({ closedAs, observed }) =>
    `DOUBLE POST SUSPECTED: it was closed as ${EFFECT[closedAs]} and seen as ${EFFECT[observed]}; a person must look`,
};

/** What a member that is missing looks like in a sentence. */
const UNTOLD = /\b(undefined|NaN|Invalid Date)\b/;

/** A sentence about what was folded; damaged members may have left holes in it. */
export const wholeOr = (instead: string, told: () => string): string => {
  try {
    const text = told();
    return UNTOLD.test(text) ? instead : text;
  } catch {
    return instead;
  }
};

/** An event of a newer version is shown as it is. */
export function sentenceOf(type: string, data: unknown): string {
  const sentence = Object.hasOwn(SENTENCES, type)
    ? (SENTENCES as Record<string, (data: never) => string>)[type]
    : undefined;
  if (!sentence) return `${type} ${JSON.stringify(data)}`;
  try {
    const told = sentence(data as never);
    if (!UNTOLD.test(told)) return told;
  } catch {
    // Told below.
  }
  return `${type}, whose members are damaged: ${JSON.stringify(data)}`;
}
