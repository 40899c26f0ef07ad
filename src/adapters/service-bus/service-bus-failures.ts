import { PortFailure, type PortFailureCode } from '../../application/ports/failures';

interface Kind {
  readonly code: PortFailureCode;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

const LOCK_LOST: Kind = { code: 'lock-lost', retryable: false };
const CONNECTION_LOST: Kind = { code: 'connection-lost', retryable: true };
const TIMED_OUT: Kind = { code: 'timed-out', retryable: true };
const UNAVAILABLE: Kind = { code: 'unavailable', retryable: true };
const NOT_AUTHORIZED: Kind = { code: 'not-authorized', retryable: false };
const NOT_FOUND: Kind = { code: 'not-found', retryable: false };
const NOT_ALLOWED: Kind = { code: 'not-allowed', retryable: false };

/** ServiceBusError.code, REST error codes of the administration client, and Node's codes of sockets and names. */
const BY_CODE: Readonly<Record<string, Kind>> = {
  MessageLockLost: LOCK_LOST,
  MessageNotFound: LOCK_LOST,
  MessagingEntityNotFound: NOT_FOUND,
  MessageEntityNotFoundError: NOT_FOUND,
  MessagingEntityDisabled: UNAVAILABLE,
  UnauthorizedAccess: NOT_AUTHORIZED,
  UnauthorizedRequestError: NOT_AUTHORIZED,
  /** Throttled: the service asks for ten seconds (Microsoft, "Service Bus messaging exceptions"). */
  ServiceBusy: { ...UNAVAILABLE, retryAfterMs: 10_000 },
  ServerBusyError: { ...UNAVAILABLE, retryAfterMs: 10_000 },
  QuotaExceeded: { code: 'storage-full', retryable: true, retryAfterMs: 30_000 },
  MessageSizeExceeded: { code: 'message-too-large', retryable: false },
  ServiceTimeout: TIMED_OUT,
  ServiceCommunicationProblem: CONNECTION_LOST,
  ECONNREFUSED: CONNECTION_LOST,
  ECONNRESET: CONNECTION_LOST,
  EPIPE: CONNECTION_LOST,
  EHOSTUNREACH: CONNECTION_LOST,
  ENETUNREACH: CONNECTION_LOST,
  ENOTFOUND: CONNECTION_LOST,
  EAI_AGAIN: CONNECTION_LOST,
  ETIMEDOUT: TIMED_OUT,
};

/** The SDK tells these by their text alone. The first: settled before, or the link that settles it has gone. */
const BY_TEXT: readonly (readonly [RegExp, Kind])[] = [
  [/already been settled|already settled|lock supplied is invalid/i, LOCK_LOST],
  [/^\S+ InvalidOperationError:|amqp:not-allowed/, NOT_ALLOWED],
  [/could not be found|does not exist/i, NOT_FOUND],
  // A link whose token ran out too, which says "Unauthorized access" as well: the next link brings a token of its own.
  [/force detached|detach-forced/i, CONNECTION_LOST],
  [/unauthorized|invalid.?signature|claim is empty|CredentialUnavailable|AuthenticationRequired/i, NOT_AUTHORIZED],
  [/timed out|timeout/i, TIMED_OUT],
  [/ECONN|ENOTFOUND|EAI_AGAIN|socket|connection|link|amqp:connection|disconnect|reopening|detach/i, CONNECTION_LOST],
];

/** What the SDK threw, classified. `step` names the deed and the entity. */
export function serviceBusFailure(step: string, thrown: unknown, facts: PortFailure['facts'] = {}): PortFailure {
  if (thrown instanceof PortFailure) return thrown;
  const error = firstError(thrown);
  const kind = kindOf(error);
  const remedy =
    kind === NOT_ALLOWED
      ? ' (the service will never take this from this entity as it is made: see not-allowed in docs/runbooks/failure-codes.md)'
      : '';
  return new PortFailure(`failed to ${step}: ${messageOf(error)}${remedy}`, { ...kind, facts, cause: thrown });
}

/** A topic with partitions and duplicate detection takes no batch of distinct message ids (azure-sdk-for-python 36333). */
export const isBatchRefusal = (error: unknown): boolean =>
  error instanceof PortFailure &&
  error.code === 'not-allowed' &&
  /batching brokered messages|partitioned entity with duplicate detection/i.test(error.message);

function kindOf(error: unknown): Kind {
  const { code, name, statusCode } = (error ?? {}) as { code?: unknown; name?: unknown; statusCode?: unknown };
  const byCode = BY_CODE[String(code)] ?? BY_CODE[String(name)];
  if (byCode !== undefined) return byCode;
  if (statusCode === 401 || statusCode === 403) return NOT_AUTHORIZED;
  const text = `${String(name)} ${messageOf(error)}`;
  return BY_TEXT.find(([pattern]) => pattern.test(text))?.[1] ?? UNAVAILABLE;
}

/** After retries the SDK throws all attempts' errors in one: the last says most. */
function firstError(thrown: unknown): unknown {
  const { errors } = (thrown ?? {}) as { errors?: unknown };
  return Array.isArray(errors) && errors.length > 0 ? errors.at(-1) : thrown;
}

const messageOf = (error: unknown): string => {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' && message !== '' ? message : String(error);
};

/** The SDK's words where nothing was answered; the service's own timeouts are answers, and worded otherwise. */
const SILENCE =
  /no answer within|operation timeout|allocated time and retry attempts|endpoint timed out|has timed out/i;

export const isSilence = ({ code, message }: PortFailure): boolean => code === 'timed-out' && SILENCE.test(message);
