import {
  type ClosingEvent,
  deliveryAttemptDecider,
  type DeliveryAttemptCommand,
} from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import { type UnclearAnswer } from '../../domain/policies/delivery-outcome';
import { type History, type Loaded } from '../history/history';
import { transact } from '../history/transact';
import { type Telemetry } from '../ports/telemetry';

export interface CloseAttemptPorts {
  readonly history: History;
  readonly telemetry: Telemetry;
}

export interface AttemptInHand {
  readonly key: RecordKey;
  readonly number: number;
  readonly attempt: Loaded<DeliveryAttempt>;
}

/**
 * The first closing event wins; a caller that comes second tells what it saw as a late observation. "Not executed" is
 * dropped where a resend has been stated since (`resendsSeen`): it says nothing of that call, and the doubt stays.
 * Yields the attempt as it stands then, whoever closed it.
 */
export const closeAttempt = (
  ports: CloseAttemptPorts,
  hand: AttemptInHand,
  closing: ClosingEvent,
  at: Instant,
  resendsSeen = 0,
): Promise<Loaded<DeliveryAttempt>> =>
  decideUntilAppended(ports, hand, { type: 'CloseAttempt', closing, resendsSeen }, at);

/** An outcome that settles nothing, noted once. */
export function observeUnknown(
  ports: CloseAttemptPorts,
  hand: AttemptInHand,
  outcome: { readonly code: string; readonly answer?: UnclearAnswer; readonly retryAfterMs?: number },
  at: Instant,
): Promise<Loaded<DeliveryAttempt>> {
  const { state } = hand.attempt;
  const observation = state.status === 'open' ? state.unknowns + 1 : 1;
  const { code, answer, retryAfterMs } = outcome;
  const { httpStatus, contentType, snippet } = answer ?? {};
  const observed = {
    ...(httpStatus !== undefined && { httpStatus }),
    ...(contentType !== undefined && { contentType }),
    ...(snippet !== undefined && { snippet }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  return decideUntilAppended(ports, hand, { type: 'ObserveUnknown', code, at, observation, answer: observed }, at);
}

/**
 * An inquiry is answered for the record, not for one of its calls. Where a later attempt exists, this one was closed
 * before, and the answer may be of the later one: taken for this one, it would cry "double post" where there is none.
 */
const speaksOfTheRecord = (command: DeliveryAttemptCommand): boolean =>
  command.type === 'CloseAttempt' && command.closing.type === 'DeliveryAttemptResolvedByInquiry';

function decideUntilAppended(
  ports: CloseAttemptPorts,
  { key, number, attempt: read }: AttemptInHand,
  command: DeliveryAttemptCommand,
  at: Instant,
): Promise<Loaded<DeliveryAttempt>> {
  const attemptNow = (which: number) => ports.history.attempt(key, which, 'own-knowledge');
  return transact(async (conflicts) => {
    const attempt = conflicts === 0 ? read : await attemptNow(number);
    if (conflicts > 0 && speaksOfTheRecord(command) && (await attemptNow(number + 1)).state.status !== 'absent')
      return attempt;
    const decision = deliveryAttemptDecider.decide(command, attempt.state);
    if (decision.outcome === 'refused' && decision.refusal === 'attempt-resent') return attempt;
    if (decision.outcome === 'refused') {
      throw new InvariantViolation(`attempt ${number} of ${key} refused ${command.type}: ${decision.refusal}`);
    }
    for (const event of decision.events) {
      if (event.type === 'DoublePostSuspected') {
        const { closedAs, observed } = event.data;
        ports.telemetry.error('double post suspected', undefined, { record: key, attempt: number, closedAs, observed });
        ports.telemetry.count('delivery.double-post-suspected');
      }
    }
    return ports.history.appendToAttempt(key, number, attempt, decision.events, at, 'own-knowledge');
  });
}
