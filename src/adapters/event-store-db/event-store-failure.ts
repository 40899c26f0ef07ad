import { PortFailure, type PortFailureCode } from '../../application/ports/failures';

/** grpc.io/docs/guides/status-codes; written out because @grpc/grpc-js is the client's dependency, not ours. */
const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  aborted: 10,
  unimplemented: 12,
  unauthenticated: 16,
} as const;

/** The largest append that a server takes where nobody has changed it (EventStoreDB, `MaxAppendSize`: 1 MiB). */
const APPEND_BYTES_MAX = 1024 * 1024;
/** How gRPC words a message that is too large, in the client and on servers of any language. */
const TOO_LARGE = /larger than max|exceeds? .*max(imum)?|too large|message size/i;

/** Says that a call outlived its deadline where the client itself did not notice, as during discovery. */
export class CallTimedOut extends Error {}

/**
 * What the client, the wire or the server threw, as a PortFailure that names the step, the hosts and the remedy.
 * `bytes`: of the events that were sent, where some were.
 */
export function eventStoreFailure(step: string, hosts: string, cause: unknown, bytes = 0): PortFailure {
  if (cause instanceof PortFailure) return cause;
  const { code, retryable, remedy } = classify(cause, bytes);
  return new PortFailure(`failed to ${step} at the event store ${hosts}: ${remedy}`, {
    code,
    retryable,
    facts: { hosts, grpcStatus: grpcStatus(cause) ?? 'none' },
    cause,
  });
}

/**
 * No server had taken anything: the one asked does not lead, or the client closed its connection to that one before the
 * call began. Whoever leads now is told the same once more.
 */
export const isNotLeader = (error: unknown): boolean =>
  typeOf(error) === 'not-leader' ||
  (error instanceof Error && error.message.includes('Channel closed before call started'));

/** Nothing was answered by the deadline. */
export const isSilence = (error: unknown): boolean =>
  error instanceof CallTimedOut || grpcStatus(error) === GRPC.deadlineExceeded;

interface Classified {
  readonly code: PortFailureCode;
  readonly retryable: boolean;
  readonly remedy: string;
}

function classify(cause: unknown, bytes: number): Classified {
  const status = grpcStatus(cause);
  const type = typeOf(cause);
  if (type === 'access-denied' || status === GRPC.unauthenticated || status === GRPC.permissionDenied) {
    return {
      code: 'not-authorized',
      retryable: false,
      remedy: 'it refused the credentials, expected a user who may read and write these streams and read $all',
    };
  }
  if (
    cause instanceof CallTimedOut ||
    type === 'deadline-exceeded' ||
    type === 'timeout' ||
    status === GRPC.deadlineExceeded ||
    // The server gave up waiting, as it says; the two vendors' clients name that differently.
    status === GRPC.aborted
  )
    return { code: 'timed-out', retryable: true, remedy: 'no answer in time' };
  if (type === 'maximum-append-size-exceeded' || (status === GRPC.resourceExhausted && isTooLarge(cause, bytes)))
    return { code: 'message-too-large', retryable: false, remedy: 'more bytes than it takes in one append' };
  if (status === GRPC.resourceExhausted)
    return {
      code: 'unavailable',
      retryable: true,
      remedy: 'the connection or the server is short of something that passes (streams, memory, pings)',
    };
  if (type === 'stream-deleted')
    return { code: 'not-found', retryable: false, remedy: 'someone deleted the stream; its history is gone' };
  if (type === 'not-leader')
    return {
      code: 'unavailable',
      retryable: true,
      remedy: 'the leader has changed; the next call goes to the new one',
    };
  if (status === GRPC.unimplemented || status === GRPC.invalidArgument)
    return {
      code: 'storage-foreign',
      retryable: false,
      remedy: 'what answers there is no EventStoreDB of version 20.6 or later',
    };
  return { code: 'unavailable', retryable: true, remedy: 'it cannot be reached, or failed meanwhile' };
}

/** gRPC says RESOURCE_EXHAUSTED of one message and of a whole connection alike: repeating helps against the latter alone. */
const isTooLarge = (cause: unknown, bytes: number): boolean =>
  bytes > APPEND_BYTES_MAX || TOO_LARGE.test(cause instanceof Error ? cause.message : String(cause));

/** The client's own name of what the server's trailers say; alike in both vendors' clients. */
const typeOf = (error: unknown): unknown => (error as { readonly type?: unknown } | undefined)?.type;

function grpcStatus(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}
