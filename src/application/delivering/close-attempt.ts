import { type ClosingEvent, deliveryAttemptDecider, type DeliveryAttemptCommand } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import { type UnclearAnswer } from '../../domain/policies/delivery-outcome';
import { type History, type Loaded } from '../history/history';
import { type Telemetry } from '../ports/telemetry';
import { transact } from '../history/transact';

export interface CloseAttemptPorts {
  readonly history: History;
  readonly telemetry: Telemetry;
}

export interface AttemptInHand {
  readonly key: RecordKey;
  attempt: Loaded<DeliveryAttempt>;
}

/**
 * The first closing event wins; a caller that comes second tells what it saw as a late observation. "Not executed" is
 * dropped where a resend has been stated since (`resendsSeen`): it says nothing of that call, and the doubt stays.
 */
export const closeAttempt = (
  ports: CloseAttemptPorts, hand: AttemptInHand, attempt: number, closing: ClosingEvent, at: Instant, resendsSeen = 0,
): Promise<void> => decideUntilAppended(ports, hand, attempt, { type: 'CloseAttempt', closing, resendsSeen }, at);

export const observeUnknown = (ports: CloseAttemptPorts, hand: AttemptInHand, attempt: number, outcome: { readonly code: string; readonly answer?: UnclearAnswer; readonly retryAfterMs?: number }, at: Instant): Promise<void> => {
  const observation = hand.attempt.state.status === 'open' ? hand.attempt.state.unknowns + 1 : 1;
  const { code, answer, retryAfterMs } = outcome;
  const { httpStatus, contentType, snippet } = answer ?? {};
  const observed = { ...(httpStatus !== undefined && { httpStatus }), ...(contentType !== undefined && { contentType }), ...(snippet !== undefined && { snippet }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return decideUntilAppended(ports, hand, attempt, { type: 'ObserveUnknown', code, at, observation, answer: observed }, at);
};

/**
 * An inquiry is answered for the record, not for one of its calls. Where a later attempt exists, this one was closed
 * before, and the answer may be of the later one: taken for this one, it would cry "double post" where there is none.
 */
const speaksOfTheRecord = (command: DeliveryAttemptCommand): boolean =>
  command.type === 'CloseAttempt' && command.closing.type === 'DeliveryAttemptResolvedByInquiry';

async function decideUntilAppended(
  ports: CloseAttemptPorts, hand: AttemptInHand, attempt: number, command: DeliveryAttemptCommand, at: Instant,
): Promise<void> {
  await transact(async (conflicts) => {
    if (conflicts > 0) {
      hand.attempt = await ports.history.attempt(hand.key, attempt, 'own-knowledge');
      if (speaksOfTheRecord(command) && (await ports.history.attempt(hand.key, attempt + 1, 'own-knowledge')).state.status !== 'absent') return;
    }
    const decision = deliveryAttemptDecider.decide(command, hand.attempt.state);
    if (decision.outcome === 'refused' && decision.refusal === 'attempt-resent') return;
    if (decision.outcome === 'refused') {
      throw new InvariantViolation(`attempt ${attempt} of ${hand.key} refused ${command.type}: ${decision.refusal}`);
    }
    for (const event of decision.events) {
      if (event.type === 'DoublePostSuspected') {
        ports.telemetry.error('double post suspected', undefined, { record: hand.key, attempt, closedAs: event.data.closedAs, observed: event.data.observed });
        ports.telemetry.count('delivery.double-post-suspected');
      }
    }
    hand.attempt = await ports.history.appendToAttempt(hand.key, attempt, hand.attempt, decision.events, at, 'own-knowledge');
  });
}
