import { type CallOutcome } from '../../domain/policies/delivery-outcome';

/** Nothing left, so nobody spoke: such a call neither closes a breaker nor ends a throttle. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'connection-refused',
  'dns-failed',
  'connect-timeout',
  'tls-failed',
  'connection-failed',
  'host-not-allowed',
]);
const SERVER_ERROR_FROM = 500;

/**
 * Whether the breaker counts it. Throttling is the biller at work; so is a "no", and so is a "not yet": an answer below
 * 500 that is an answer, such as a 202, says nothing against the next call. Silence, breakage and refused connections do.
 */
export function isFailure(outcome: CallOutcome): boolean {
  if (outcome.kind === 'not-executed') return CONNECTION_CODES.has(outcome.code);
  if (outcome.kind !== 'unknown') return false;
  const { answer } = outcome;
  if (answer === undefined || answer.httpStatus >= SERVER_ERROR_FROM) return true;
  return !(answer.byRule || (answer.wellFormed && isSuccess(answer.httpStatus)));
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** Whether the biller, and not the network, has spoken, and did not ask for less. */
export const saysNotThrottled = (outcome: CallOutcome): boolean =>
  outcome.kind === 'accepted' ||
  outcome.kind === 'declined' ||
  (outcome.kind === 'not-executed' && !CONNECTION_CODES.has(outcome.code)) ||
  (outcome.kind === 'unknown' && outcome.answer !== undefined);
