import {
  AccessDeniedError,
  CancelledError,
  DeadlineExceededError,
  InvalidTransactionError,
  MaxAppendSizeExceededError,
  NotFoundError,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  TimeoutError,
  UnavailableError,
  UnknownError,
} from '@eventstore/db-client';
import { CallTimedOut, eventStoreFailure } from '../../src/adapters/event-store-db/event-store-failure';
import { PortFailure, type PortFailureCode } from '../../src/application/ports/failures';

/** As the wire hands it over: a status of gRPC on a plain error. */
const status = (code: number, words = 'server says'): Error =>
  Object.assign(new Error(words), { code, details: words });
const NOT_LEADER = Object.assign(new Error('not leader'), {
  code: 5,
  details: '',
  metadata: { getMap: () => ({ 'leader-endpoint-host': 'other.example', 'leader-endpoint-port': '2113' }) },
}) as unknown as ConstructorParameters<typeof NotLeaderError>[0];

type Case = readonly [name: string, error: unknown, code: PortFailureCode, retryable: boolean, remedy: RegExp];
const PASSES = /cannot be reached, or failed meanwhile/;
const CREDENTIALS = /refused the credentials/;
const CASES: readonly Case[] = [
  ['access denied', new AccessDeniedError(), 'not-authorized', false, CREDENTIALS],
  ['gRPC 16 unauthenticated', status(16), 'not-authorized', false, CREDENTIALS],
  ['gRPC 7 permission denied', status(7), 'not-authorized', false, CREDENTIALS],
  ['a call that outlived its deadline', new CallTimedOut('late'), 'timed-out', true, /no answer in time/],
  ['deadline exceeded', new DeadlineExceededError(), 'timed-out', true, /no answer in time/],
  ['a time-out of the server', new TimeoutError(), 'timed-out', true, /no answer in time/],
  ['gRPC 4 deadline exceeded', status(4), 'timed-out', true, /no answer in time/],
  [
    'an append that is too large',
    MaxAppendSizeExceededError.fromMaxAppendSize(1_048_576),
    'message-too-large',
    false,
    /more bytes than it takes/,
  ],
  [
    'gRPC 8 of one message',
    status(8, 'Received message larger than max (5000000 vs. 4194304)'),
    'message-too-large',
    false,
    /more bytes than it takes/,
  ],
  [
    'a stream that was deleted',
    StreamDeletedError.fromStreamName('dpRecord-1'),
    'not-found',
    false,
    /deleted the stream; its history is gone/,
  ],
  ['gRPC 10 aborted', status(10), 'timed-out', true, /no answer in time/],
  ['gRPC 8 of a connection', status(8, 'Bandwidth exhausted'), 'unavailable', true, /short of something that passes/],
  ['gRPC 12 unimplemented', status(12), 'storage-foreign', false, /no EventStoreDB of version 20\.6/],
  ['gRPC 3 invalid argument', status(3), 'storage-foreign', false, /no EventStoreDB of version 20\.6/],
  ['another leader', new NotLeaderError(NOT_LEADER), 'unavailable', true, /the leader has changed/],
  ['unavailable', new UnavailableError(), 'unavailable', true, PASSES],
  ['cancelled', new CancelledError(), 'unavailable', true, PASSES],
  ['unknown', new UnknownError(), 'unavailable', true, PASSES],
  ['not found', new NotFoundError(), 'unavailable', true, PASSES],
  ['a stream that is not there', new StreamNotFoundError(), 'unavailable', true, PASSES],
  ['an invalid transaction', new InvalidTransactionError(), 'unavailable', true, PASSES],
  ...[1, 2, 5, 6, 9, 11, 13, 14, 15].map((code): Case => [`gRPC ${code}`, status(code), 'unavailable', true, PASSES]),
  ['an error of the network', Object.assign(new Error('reset'), { code: 'ECONNRESET' }), 'unavailable', true, PASSES],
  ['a plain error', new Error('what'), 'unavailable', true, PASSES],
  ['text', 'what', 'unavailable', true, PASSES],
  ['nothing', undefined, 'unavailable', true, PASSES],
  ['null', null, 'unavailable', true, PASSES],
];

describe('what the client, the wire and the server of EventStoreDB say, by code (issue 9, no 16)', () => {
  it.each(CASES)('%s', (_, error, code, retryable, remedy) => {
    const failure = eventStoreFailure('append 3 events to stream dpRecord-1', 'a.example:2113,b.example:2113', error);
    expect(failure).toBeInstanceOf(PortFailure);
    expect(failure).toMatchObject({ code, retryable, message: expect.stringMatching(remedy) });
    expect(failure.message).toMatch(
      /^failed to append 3 events to stream dpRecord-1 at the event store a\.example:2113,b\.example:2113: /,
    );
    const number = (error as { readonly code?: unknown } | undefined | null)?.code;
    expect(failure.facts).toEqual({
      hosts: 'a.example:2113,b.example:2113',
      grpcStatus: typeof number === 'number' ? number : 'none',
    });
  });

  it('a failure that was classified already is handed on as it is', () => {
    const failure = new PortFailure('closed', { code: 'closed', retryable: false });
    expect(eventStoreFailure('read', 'a', failure)).toBe(failure);
  });

  it('takes a refusal without words for one of the size only where more was sent than one append may hold', () => {
    const of = (bytes: number) => eventStoreFailure('append', 'a', status(8, 'no words'), bytes).code;
    expect([of(0), of(1_048_576), of(1_048_577)]).toEqual(['unavailable', 'unavailable', 'message-too-large']);
  });

  it('keeps what was thrown as the cause', () => {
    const error = new Error('what');
    expect(eventStoreFailure('read', 'a', error).cause).toBe(error);
  });
});
