import {
  AccessDeniedError,
  convertToCommandError,
  DeadlineExceededError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  TimeoutError,
} from '@eventstore/db-client';
import { PortFailure, type PortFailureCode } from '../../application/ports/failures';

/** grpc.io/docs/guides/status-codes; written out because @grpc/grpc-js is the client's dependency, not ours. */
const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unauthenticated: 16,
} as const;

/** Says that a call outlived its deadline where the client itself did not notice, as during discovery. */
export class CallTimedOut extends Error {}

/** What the client, the wire or the server threw, as a PortFailure that names the step, the hosts and the remedy. */
export function eventStoreFailure(step: string, hosts: string, error: unknown): PortFailure {
  if (error instanceof PortFailure) return error;
  const cause = error instanceof Error ? convertToCommandError(error) : error;
  const { code, retryable, remedy } = classify(cause);
  return new PortFailure(`failed to ${step} at the event store ${hosts}: ${remedy}`, {
    code,
    retryable,
    facts: { hosts, grpcStatus: grpcStatus(cause) ?? 'none' },
    cause,
  });
}

interface Classified {
  readonly code: PortFailureCode;
  readonly retryable: boolean;
  readonly remedy: string;
}

function classify(cause: unknown): Classified {
  const status = grpcStatus(cause);
  if (cause instanceof AccessDeniedError || status === GRPC.unauthenticated || status === GRPC.permissionDenied) {
    return {
      code: 'not-authorized',
      retryable: false,
      remedy: 'it refused the credentials, expected a user who may read and write these streams and read $all',
    };
  }
  if (
    cause instanceof CallTimedOut ||
    cause instanceof DeadlineExceededError ||
    cause instanceof TimeoutError ||
    status === GRPC.deadlineExceeded
  )
    return { code: 'timed-out', retryable: true, remedy: 'no answer in time' };
  if (cause instanceof MaxAppendSizeExceededError || status === GRPC.resourceExhausted)
    return { code: 'message-too-large', retryable: false, remedy: 'more bytes than it takes in one append' };
  if (cause instanceof StreamDeletedError)
    return { code: 'not-found', retryable: false, remedy: 'someone deleted the stream; its history is gone' };
  if (status === GRPC.unimplemented || status === GRPC.invalidArgument)
    return {
      code: 'storage-foreign',
      retryable: false,
      remedy: 'what answers there is no EventStoreDB of version 20.6 or later',
    };
  if (cause instanceof NotLeaderError)
    return {
      code: 'unavailable',
      retryable: true,
      remedy: 'the leader has changed; the next call goes to the new one',
    };
  return { code: 'unavailable', retryable: true, remedy: 'it cannot be reached, or failed meanwhile' };
}

function grpcStatus(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}
