import fc from 'fast-check';
import { type BillerControlCommand, billerControlDecider } from '../../src/domain/biller/biller-control.decider';
import { chunkDecider, type ChunkCommand } from '../../src/domain/chunk/chunk.decider';
import {
  type ClosingEvent,
  type DeliveryAttemptCommand,
  deliveryAttemptDecider,
} from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { type DpRecordCommand, dpRecordDecider } from '../../src/domain/dp-record/dp-record.decider';
import { type ParkCause } from '../../src/domain/dp-record/dp-record.events';
import { ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { billerId, chunkId, dpId, shardName } from '../../src/domain/identifiers';
import { atSecond, discover, startOf } from '../support/events';
import { checkDeciderLaws } from './decider-laws';

const instants = fc.nat(50).map(atSecond);
const attempt = fc.integer({ min: 1, max: 4 });
const just = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);
const verdict = fc.constantFrom(
  { type: 'DpRecordValidated', data: { validatedHash: 'hash' } } as const,
  { type: 'DpRecordValidated', data: { validatedHash: 'other' } } as const,
  { type: 'DpRecordRejected', data: { reasons: ['customer-missing'] } } as const,
  { type: 'DpRecordSkipped', data: { constraint: 'SkipNOCs' } } as const,
);
const discoverFirst = discover() as Extract<DpRecordCommand, { type: 'DiscoverDpRecord' }>;

/** One generator for each command that there is: a command without one does not compile. */
type Commands<Command extends { readonly type: string }> = {
  readonly [Type in Command['type']]: fc.Arbitrary<Extract<Command, { readonly type: Type }>>;
};
/** `often`: drawn four times as often as another, since without it little happens. */
function commandOf<Command extends { readonly type: string }>(
  commands: Commands<Command>,
  often?: Command['type'],
): fc.Arbitrary<Command> {
  return fc.oneof(
    ...Object.entries<fc.Arbitrary<Command>>(commands as never).map(([type, arbitrary]) => ({
      weight: type === often ? 4 : 1,
      arbitrary,
    })),
  );
}

const recordCommand = commandOf<DpRecordCommand>(
  {
    DiscoverDpRecord: fc.oneof(
      { weight: 4, arbitrary: just(discoverFirst) },
      verdict.map((each) => ({ ...discoverFirst, verdict: each })),
    ),
    RevalidateDpRecord: fc.record({ type: just('RevalidateDpRecord' as const), verdict }),
    WithdrawDpRecord: fc.record({ type: just('WithdrawDpRecord' as const), at: instants }),
    ParkDpRecord: fc.record(
      {
        type: just('ParkDpRecord' as const),
        cause: fc.constantFrom<ParkCause>('biller-paused', 'throttled', 'attempt-open'),
        until: instants,
        attempt,
      },
      { requiredKeys: ['type', 'cause', 'until'] },
    ),
    ScheduleRetry: fc.record(
      { type: just('ScheduleRetry' as const), attempt, at: instants, spent: fc.boolean(), keyFirstUsedAt: instants },
      { requiredKeys: ['type', 'attempt', 'at', 'spent'] },
    ),
    HoldInDoubt: fc.record({ type: just('HoldInDoubt' as const), attempt, cause: just('still-pending' as const) }),
    HoldUnderLostHistory: fc.record({
      type: just('HoldUnderLostHistory' as const),
      discovery: just(discoverFirst.discovery),
      attempt,
    }),
    RecordDelivered: fc.record({ type: just('RecordDelivered' as const), attempt }),
    RecordDeclined: fc.record({ type: just('RecordDeclined' as const), attempt }),
    DeadLetterDpRecord: fc.record(
      { type: just('DeadLetterDpRecord' as const), reason: just('TooOld' as const), description: just(''), attempt },
      { requiredKeys: ['type', 'reason', 'description'] },
    ),
    RedriveDpRecord: fc.record({
      type: just('RedriveDpRecord' as const),
      ordinal: attempt,
      by: just('ann'),
      reason: just('mended'),
      at: instants,
    }),
    ConfirmReconciled: fc.record({
      type: just('ConfirmReconciled' as const),
      status: fc.constantFrom(...ROW_STATUSES),
    }),
  },
  'DiscoverDpRecord',
);

const closing = fc.constantFrom<ClosingEvent>(
  { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200 } },
  { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200, billerReference: 'a' } },
  { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200, billerReference: 'b' } },
  { type: 'DeliveryAttemptDeclined', data: { httpStatus: 422 } },
  { type: 'DeliveryAttemptThrottled', data: { retryAfterMs: 1000 } },
  { type: 'DeliveryAttemptNotExecuted', data: { code: 'ECONNREFUSED' } },
  { type: 'DeliveryAttemptNotSent', data: { lateByMs: 1 } },
  { type: 'DeliveryAttemptResolvedByInquiry', data: { outcome: 'not-executed' } },
  { type: 'DeliveryAttemptResolvedByOperator', data: { outcome: 'accepted', by: 'ann', evidence: 'books' } },
);
const attemptCommand = commandOf<DeliveryAttemptCommand>(
  {
    StartAttempt: just({ type: 'StartAttempt', start: startOf() }),
    CloseAttempt: fc.record(
      { type: just('CloseAttempt' as const), closing, resendsSeen: fc.nat(2) },
      { requiredKeys: ['type', 'closing'] },
    ),
    ObserveUnknown: fc.record({
      type: just('ObserveUnknown' as const),
      code: just('timeout'),
      at: instants,
      observation: attempt,
    }),
    RecordInquiry: fc.record({
      type: just('RecordInquiry' as const),
      answer: fc.constantFrom('pending', 'cannot-tell', 'unavailable'),
      at: instants,
      observation: attempt,
    }),
    StateResend: fc.record({ type: just('StateResend' as const), at: instants, notAfter: instants, ordinal: attempt }),
  },
  'StartAttempt',
);

const chunkCommand = commandOf<ChunkCommand>({
  PlanChunk: just({
    type: 'PlanChunk',
    plan: {
      chunkId: chunkId('c'),
      billerId: billerId('12'),
      dataType: 'Payments',
      shard: shardName('s'),
      dpStart: dpId('1'),
      dpEnd: dpId('2'),
      rows: 2,
    },
  }),
  StartFetch: fc.record({ type: just('StartFetch' as const), at: instants, rowByRow: fc.boolean() }),
  RecordPublished: fc.record({
    type: just('RecordPublished' as const),
    at: instants,
    counts: just({ published: 2, rejected: 0, skipped: 0, alreadyFinished: 0 }),
  }),
  RecordFailed: fc.record({ type: just('RecordFailed' as const), at: instants, code: just('broken') }),
});

const ordered = fc.record({ by: fc.constantFrom('ann', 'bob'), reason: just('works'), at: instants });
const controlCommand = commandOf<BillerControlCommand>({
  PauseBiller: fc.record({ type: just('PauseBiller' as const), ordered }),
  ResumeBiller: fc.record({ type: just('ResumeBiller' as const), ordered }),
  SetBillerRate: fc.record(
    { type: just('SetBillerRate' as const), ordered, perSecond: fc.integer({ min: 1, max: 3 }) },
    { requiredKeys: ['type', 'ordered'] },
  ),
});

describe('the decider laws hold for', () => {
  it('DpRecord', () =>
    checkDeciderLaws(dpRecordDecider, { command: recordCommand, afterTheEnd: ['DpRecordReconciled'], runs: 3000 }));
  it('DeliveryAttempt', () =>
    checkDeciderLaws(deliveryAttemptDecider, {
      command: attemptCommand,
      exclusive: ['StartAttempt', 'StateResend'],
      afterTheEnd: ['LateOutcomeObserved', 'DoublePostSuspected'],
      runs: 3000,
    }));
  it('Chunk', () => checkDeciderLaws(chunkDecider, { command: chunkCommand, afterTheEnd: [], runs: 1000 }));
  it('BillerControl', () =>
    checkDeciderLaws(billerControlDecider, { command: controlCommand, afterTheEnd: [], runs: 1000 }));
});

describe('the law suite fails for', () => {
  const laws = { command: chunkCommand, afterTheEnd: [] };
  it('a decision that is not idempotent', () => {
    const broken: typeof chunkDecider = {
      ...chunkDecider,
      decide: (command, state) =>
        chunkDecider.decide(command, command.type === 'PlanChunk' ? { status: 'unplanned' } : state),
    };
    expect(() => checkDeciderLaws(broken, laws)).toThrow(/PlanChunk is not idempotent/);
  });
  it('an end that is not one', () => {
    const broken: typeof chunkDecider = {
      ...chunkDecider,
      decide: (command, state) =>
        state.status === 'published' && command.type === 'RecordFailed'
          ? { outcome: 'accepted', events: [{ type: 'ChunkFailed', data: { at: command.at, code: 'x' } }] }
          : chunkDecider.decide(command, state),
    };
    expect(() => checkDeciderLaws(broken, laws)).toThrow(/terminal is not terminal: ChunkFailed/);
  });
  it('a fold that remembers more than its events', () => {
    let folds = 0;
    const broken: typeof chunkDecider = {
      ...chunkDecider,
      evolve: (state, event) =>
        event.type === 'ChunkFetchStarted'
          ? { status: 'fetching', rowByRow: folds++ % 2 === 0 }
          : chunkDecider.evolve(state, event),
    };
    expect(() => checkDeciderLaws(broken, laws)).toThrow(/idempotent|halves/);
  });
});
