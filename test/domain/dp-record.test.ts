import {
  type DpRecordCommand,
  dpRecordDecider,
  isFinished,
  rowStatusOf,
  sameAmount,
} from '../../src/domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { type KnownDpRecord } from '../../src/domain/dp-record/dp-record.state';
import { fold } from '../../src/domain/decider';
import { paymentId } from '../../src/domain/identifiers';
import { atSecond, discover, discovered, published, validated } from '../support/events';
import { given } from './given';

const record = (...history: readonly DpRecordEvent[]) => given(dpRecordDecider, ...history);
const known = fold(dpRecordDecider, published()) as KnownDpRecord & { status: 'pending' };

const rejected: DpRecordEvent = { type: 'DpRecordRejected', data: { reasons: ['biller-missing'] } };
const skipped: DpRecordEvent = { type: 'DpRecordSkipped', data: { constraint: 'SkipNOCs' } };
const withdrawn: DpRecordEvent = { type: 'DpRecordWithdrawn', data: { at: atSecond(3) } };
const paused: DpRecordEvent = { type: 'DpRecordParked', data: { cause: 'biller-paused', until: atSecond(60) } };
const throttled: DpRecordEvent = {
  type: 'DpRecordParked',
  data: { cause: 'throttled', until: atSecond(60), attempt: 1, keyFirstUsedAt: atSecond(2) },
};
const retried: DpRecordEvent = {
  type: 'DpRecordRetryScheduled',
  data: { attempt: 1, at: atSecond(9), spent: true, keyFirstUsedAt: atSecond(2) },
};
const held: DpRecordEvent = { type: 'DpRecordHeldInDoubt', data: { attempt: 1, cause: 'still-pending' } };
const delivered: DpRecordEvent = { type: 'DpRecordDelivered', data: { attempt: 1, billerReference: 'R-1' } };
const declined: DpRecordEvent = { type: 'DpRecordDeclined', data: { attempt: 1, code: 'closed-account' } };
const deadLettered: DpRecordEvent = {
  type: 'DpRecordDeadLettered',
  data: { reason: 'AttemptsUsedUp', description: 'five tries', attempt: 1, keyFirstUsedAt: atSecond(2) },
};
const redriven: DpRecordEvent = {
  type: 'DpRecordRedriven',
  data: { ordinal: 1, by: 'ana', reason: 'mended', at: atSecond(100) },
};
const confirmed = (status: 'Delivered' | 'InDoubt' | 'Failed'): DpRecordEvent => ({
  type: 'DpRecordReconciled',
  data: { status },
});

const reject: DpRecordCommand = { type: 'RevalidateDpRecord', verdict: rejected as never };
const withdraw: DpRecordCommand = { type: 'WithdrawDpRecord', at: atSecond(3) };
const park: DpRecordCommand = { type: 'ParkDpRecord', cause: 'biller-paused', until: atSecond(60) };
const throttle = (attempt: number): DpRecordCommand => ({
  type: 'ParkDpRecord',
  cause: 'throttled',
  until: atSecond(60),
  attempt,
  keyFirstUsedAt: atSecond(2),
});
const retry = (attempt: number): DpRecordCommand => ({
  type: 'ScheduleRetry',
  attempt,
  at: atSecond(9),
  spent: true,
  keyFirstUsedAt: atSecond(2),
});
const hold = (attempt: number): DpRecordCommand => ({ type: 'HoldInDoubt', attempt, cause: 'still-pending' });
const deliver = (attempt: number): DpRecordCommand => ({ type: 'RecordDelivered', attempt, billerReference: 'R-1' });
const decline = (attempt: number): DpRecordCommand => ({ type: 'RecordDeclined', attempt, code: 'closed-account' });
const giveUp = (attempt: number): DpRecordCommand => ({
  type: 'DeadLetterDpRecord',
  reason: 'AttemptsUsedUp',
  description: 'five tries',
  attempt,
  keyFirstUsedAt: atSecond(2),
});
const giveUpUnsent: DpRecordCommand = {
  type: 'DeadLetterDpRecord',
  reason: 'CannotPrepare',
  description: 'no account',
};
const redrive = (ordinal: number): DpRecordCommand => ({
  type: 'RedriveDpRecord',
  ordinal,
  by: 'ana',
  reason: 'mended',
  at: atSecond(100),
});
const confirm = (status: 'Delivered' | 'Failed'): DpRecordCommand => ({ type: 'ConfirmReconciled', status });

describe('a record that is discovered', () => {
  it('keeps what it was found as, and the verdict of the first look', () =>
    record().when(discover()).then(discovered(), validated()));
  it('is discovered once: the stored verdict rules', () =>
    record(...published())
      .when(discover())
      .thenNothing());
  it('is not another payment under a known id', () => {
    const { type, discovery, verdict } = discover() as Extract<DpRecordCommand, { type: 'DiscoverDpRecord' }>;
    const otherPayment: DpRecordCommand = { type, verdict, discovery: { ...discovery, paymentId: paymentId('10') } };
    const otherType: DpRecordCommand = { type, verdict, discovery: { ...discovery, dataType: 'ACHRejects' } };
    for (const other of [otherPayment, otherType]) {
      record(...published())
        .when(other)
        .thenRefused('identity-conflict');
      record(...published(), delivered)
        .when(other)
        .thenRefused('identity-conflict');
    }
  });
  it('is needed before anything else can be said of it', () => {
    for (const command of [
      reject,
      withdraw,
      park,
      retry(1),
      hold(1),
      deliver(1),
      decline(1),
      giveUp(1),
      redrive(1),
      confirm('Delivered'),
    ])
      record().when(command).thenRefused('record-unknown');
  });
});

describe('a record under way', () => {
  it('may be judged again where its row changed', () => {
    record(...published())
      .when(reject)
      .then(rejected);
    record(...published())
      .when({ type: 'RevalidateDpRecord', verdict: validated() })
      .thenNothing();
    const changed = { type: 'DpRecordValidated', data: { validatedHash: 'other' } } as const;
    record(...published())
      .when({ type: 'RevalidateDpRecord', verdict: changed })
      .then(changed);
    record(...published(), rejected)
      .when(reject)
      .thenNothing();
    record(...published(), skipped)
      .when({ type: 'RevalidateDpRecord', verdict: skipped as never })
      .thenNothing();
    record(...published(), skipped)
      .when(reject)
      .thenRefused('record-finished');
    record(...published(), rejected)
      .when({ type: 'RevalidateDpRecord', verdict: skipped as never })
      .thenRefused('record-finished');
    record(...published(), delivered)
      .when({ type: 'RevalidateDpRecord', verdict: validated() })
      .thenRefused('record-finished');
  });
  it('is withdrawn once', () => {
    record(...published())
      .when(withdraw)
      .then(withdrawn);
    record(...published(), withdrawn)
      .when(withdraw)
      .thenNothing();
  });
  it('is parked once per cause, not once per hop', () => {
    record(...published())
      .when(park)
      .then(paused);
    record(...published(), paused)
      .when(park)
      .thenNothing();
    record(...published(), paused)
      .when({ ...park, cause: 'breaker-open' })
      .then({ type: 'DpRecordParked', data: { cause: 'breaker-open', until: atSecond(60) } });
  });
  it('is parked by a throttling biller once per attempt, which then counts as made', () => {
    record(...published())
      .when(throttle(1))
      .then(throttled);
    record(...published(), throttled)
      .when(throttle(1))
      .thenNothing();
    record(...published(), throttled)
      .when(throttle(2))
      .then({
        type: 'DpRecordParked',
        data: { cause: 'throttled', until: atSecond(60), attempt: 2, keyFirstUsedAt: atSecond(2) },
      });
    record(...published())
      .when(throttle(2))
      .thenRefused('attempt-out-of-order');
    // Without an attempt it is a gate as any other: once.
    const gate: DpRecordCommand = { type: 'ParkDpRecord', cause: 'throttled', until: atSecond(60) };
    record(...published())
      .when(gate)
      .then({ type: 'DpRecordParked', data: { cause: 'throttled', until: atSecond(60) } });
    record(...published(), { type: 'DpRecordParked', data: { cause: 'throttled', until: atSecond(60) } })
      .when(gate)
      .thenNothing();
  });
  it('is tried again after its newest attempt only', () => {
    record(...published())
      .when(retry(1))
      .then(retried);
    record(...published(), retried)
      .when(retry(1))
      .thenNothing();
    record(...published())
      .when(retry(2))
      .thenRefused('attempt-out-of-order');
    record(...published())
      .when({ type: 'ScheduleRetry', attempt: 1, at: atSecond(9), spent: false })
      .then({ type: 'DpRecordRetryScheduled', data: { attempt: 1, at: atSecond(9), spent: false } });
  });
  it('is held in doubt by its newest attempt, once', () => {
    record(...published())
      .when(hold(1))
      .then(held);
    record(...published(), held)
      .when(hold(1))
      .thenNothing();
    record(...published())
      .when(hold(2))
      .thenRefused('attempt-out-of-order');
    record(...published(), retried)
      .when(hold(1))
      .thenRefused('attempt-out-of-order');
  });
  it('ends by the result of its newest attempt, and by no older one', () => {
    record(...published())
      .when(deliver(1))
      .then(delivered);
    record(...published())
      .when(decline(1))
      .then(declined);
    record(...published())
      .when({ type: 'RecordDelivered', attempt: 1 })
      .then({ type: 'DpRecordDelivered', data: { attempt: 1 } });
    record(...published())
      .when({ type: 'RecordDeclined', attempt: 1 })
      .then({ type: 'DpRecordDeclined', data: { attempt: 1 } });
    for (const result of [deliver, decline]) {
      record(...published(), retried)
        .when(result(1))
        .thenRefused('attempt-out-of-order');
      record(...published())
        .when(result(2))
        .thenRefused('attempt-out-of-order');
    }
  });
  it('is dead-lettered after its newest attempt, or before one that could not be prepared', () => {
    record(...published())
      .when(giveUp(1))
      .then(deadLettered);
    record(...published())
      .when(giveUp(2))
      .thenRefused('attempt-out-of-order');
    record(...published(), retried)
      .when(giveUp(1))
      .thenNothing();
    record(...published(), deadLettered)
      .when(giveUp(2))
      .thenNothing();
    record(...published())
      .when(giveUpUnsent)
      .then({ type: 'DpRecordDeadLettered', data: { reason: 'CannotPrepare', description: 'no account' } });
  });
});

describe('a record held in doubt', () => {
  it('waits for its attempt: nothing but that attempt moves it', () => {
    for (const command of [reject, withdraw, park, giveUpUnsent])
      record(...published(), held)
        .when(command)
        .thenRefused('record-in-doubt');
  });
  it('takes the result or the consequence of its attempt', () => {
    record(...published(), held)
      .when(deliver(1))
      .then(delivered);
    record(...published(), held)
      .when(decline(1))
      .then(declined);
    record(...published(), held)
      .when(retry(1))
      .then(retried);
    record(...published(), held)
      .when(throttle(1))
      .then(throttled);
    record(...published(), held)
      .when(giveUp(1))
      .then(deadLettered);
  });
  it('is not opened by a redrive', () =>
    record(...published(), held)
      .when(redrive(1))
      .thenRefused('record-not-dead-lettered'));
});

describe('a record that has ended', () => {
  const ends: readonly DpRecordEvent[] = [delivered, declined, rejected, skipped, withdrawn];
  it.each(ends)('%j is final', (end) => {
    for (const command of [park, retry(1), hold(1), giveUp(1), giveUpUnsent, throttle(1)])
      record(...published(), end)
        .when(command)
        .thenRefused('record-finished');
    record(...published(), end)
      .when(redrive(1))
      .thenRefused('record-not-dead-lettered');
    if (end.type !== 'DpRecordWithdrawn')
      record(...published(), end)
        .when(withdraw)
        .thenRefused('record-finished');
  });
  it('takes a repeated result as said, and no contradicting one', () => {
    record(...published(), delivered)
      .when(deliver(1))
      .thenNothing();
    record(...published(), declined)
      .when(decline(1))
      .thenNothing();
    record(...published(), delivered)
      .when(decline(1))
      .thenRefused('record-finished');
    record(...published(), declined)
      .when(deliver(1))
      .thenRefused('record-finished');
  });
});

describe('a dead-lettered record', () => {
  it('stays closed to all but a redrive', () => {
    for (const command of [reject, withdraw, park, throttle(2), retry(2), hold(2), deliver(2), decline(2)])
      record(...published(), deadLettered)
        .when(command)
        .thenRefused('record-dead-lettered');
  });
  it('is redriven in order, each ordinal once', () => {
    record(...published(), deadLettered)
      .when(redrive(1))
      .then(redriven);
    record(...published(), deadLettered)
      .when(redrive(2))
      .thenRefused('ordinal-out-of-order');
    record(...published(), deadLettered, redriven)
      .when(redrive(1))
      .thenNothing();
    record(...published(), deadLettered, redriven)
      .when(redrive(2))
      .thenRefused('record-not-dead-lettered');
    const again: DpRecordEvent = { type: 'DpRecordDeadLettered', data: { reason: 'TooOld', description: '' } };
    record(...published(), deadLettered, redriven, again)
      .when(redrive(2))
      .then({ type: 'DpRecordRedriven', data: { ordinal: 2, by: 'ana', reason: 'mended', at: atSecond(100) } });
  });
});

describe('a confirmation by the shard', () => {
  it('is taken once, and only where it says what the stream says', () => {
    record(...published(), delivered)
      .when(confirm('Delivered'))
      .then(confirmed('Delivered'));
    record(...published(), delivered, confirmed('Delivered'))
      .when(confirm('Delivered'))
      .thenNothing();
    record(...published(), delivered)
      .when(confirm('Failed'))
      .thenRefused('status-contradicts-stream');
    record(...published(), delivered, confirmed('Delivered'))
      .when(confirm('Failed'))
      .thenRefused('status-contradicts-stream');
    record(...published())
      .when(confirm('Delivered'))
      .thenRefused('status-contradicts-stream');
  });
  it('holds only until the record moves again', () => {
    record(...published(), held, confirmed('InDoubt'), delivered)
      .when(confirm('Delivered'))
      .then(confirmed('Delivered'));
    record(...published(), deadLettered, confirmed('Failed'), redriven)
      .when(confirm('Failed'))
      .thenRefused('status-contradicts-stream');
  });
});

describe('the state of a record', () => {
  const base: Omit<KnownDpRecord & { status: 'pending' }, 'status' | 'parked' | 'dueAt'> = {
    billerId: known.billerId,
    dpId: known.dpId,
    shard: known.shard,
    dataType: 'Payments',
    customerId: known.customerId,
    paymentId: paymentId('9'),
    amount: { minorUnits: 1234, currency: 'EUR' },
    validatedHash: 'hash',
    openedAt: atSecond(0),
    nextAttempt: 1,
    spentTries: 0,
    keyFirstUsedAt: undefined,
    redrives: 0,
    reconciled: false,
  };
  const pending = { ...base, status: 'pending', parked: undefined, dueAt: undefined } as const;
  const after = (event: DpRecordEvent, expected: object) =>
    given(dpRecordDecider, ...published(), event).thenState({ ...pending, ...expected });
  /** The members of `pending` that an ended state keeps from the state before. */
  it('is what was discovered and judged', () => {
    given(dpRecordDecider, discovered()).thenState({ ...pending, validatedHash: undefined });
    given(dpRecordDecider, ...published()).thenState(pending);
    given(dpRecordDecider, validated(), held).thenState({ status: 'unknown' });
  });
  it('takes the amount of a new verdict, where it names one', () => {
    const amount = { minorUnits: 99, currency: 'EUR' };
    after({ type: 'DpRecordValidated', data: { validatedHash: 'two', amount } }, { validatedHash: 'two', amount });
  });
  it('waits until its gate, its throttling biller or its retry', () => {
    after(paused, { parked: 'biller-paused', dueAt: atSecond(60) });
    after(throttled, { parked: 'throttled', dueAt: atSecond(60), nextAttempt: 2, keyFirstUsedAt: atSecond(2) });
    after(retried, { dueAt: atSecond(9), nextAttempt: 2, spentTries: 1, keyFirstUsedAt: atSecond(2) });
    after(
      { type: 'DpRecordRetryScheduled', data: { attempt: 1, at: atSecond(9), spent: false } },
      { dueAt: atSecond(9), nextAttempt: 2, spentTries: 0 },
    );
  });
  it('remembers the first use of its key through retries, throttles, dead letters and redrives', () => {
    const later: DpRecordEvent = {
      type: 'DpRecordRetryScheduled',
      data: { attempt: 2, at: atSecond(50), spent: true, keyFirstUsedAt: atSecond(40) },
    };
    const throttledLater: DpRecordEvent = {
      type: 'DpRecordParked',
      data: { cause: 'throttled', until: atSecond(60), attempt: 2, keyFirstUsedAt: atSecond(40) },
    };
    const deadLater: DpRecordEvent = {
      type: 'DpRecordDeadLettered',
      data: { reason: 'TooOld', description: '', attempt: 2, keyFirstUsedAt: atSecond(40) },
    };
    for (const event of [later, throttledLater, deadLater])
      expect(fold(dpRecordDecider, [...published(), retried, event])).toMatchObject({
        keyFirstUsedAt: atSecond(2),
        nextAttempt: 3,
      });
    expect(fold(dpRecordDecider, [...published(), deadLettered, redriven])).toMatchObject({
      keyFirstUsedAt: atSecond(2),
      nextAttempt: 2,
    });
    expect(fold(dpRecordDecider, [...published(), retried, later])).toMatchObject({ spentTries: 2 });
  });
  it('names the attempt and the result that ended it', () => {
    after(held, { status: 'in-doubt', attempt: 1, cause: 'still-pending' });
    after(delivered, { status: 'delivered', attempt: 1, result: 'R-1' });
    after(declined, { status: 'declined', attempt: 1, result: 'closed-account' });
    after(deadLettered, {
      status: 'dead-lettered',
      reason: 'AttemptsUsedUp',
      nextAttempt: 2,
      keyFirstUsedAt: atSecond(2),
    });
    after(
      { type: 'DpRecordDeadLettered', data: { reason: 'CannotPrepare', description: '' } },
      { status: 'dead-lettered', reason: 'CannotPrepare' },
    );
    for (const [event, status] of [
      [rejected, 'rejected'],
      [skipped, 'skipped'],
      [withdrawn, 'withdrawn'],
    ] as const)
      after(event, { status });
  });
  it('begins its age and its tries anew with a redrive, and its numbers never', () => {
    const state = fold(dpRecordDecider, [
      ...published(),
      retried,
      { ...deadLettered, data: { ...deadLettered.data, attempt: 2 } },
      confirmed('Failed'),
      redriven,
    ]);
    expect(state).toMatchObject({
      status: 'pending',
      parked: undefined,
      dueAt: undefined,
      openedAt: atSecond(100),
      spentTries: 0,
      nextAttempt: 3,
      redrives: 1,
      reconciled: false,
    });
  });
  it('is confirmed until it moves', () => {
    expect(fold(dpRecordDecider, [...published(), delivered, confirmed('Delivered')])).toMatchObject({
      status: 'delivered',
      reconciled: true,
    });
    expect(fold(dpRecordDecider, [...published(), held, confirmed('InDoubt'), delivered])).toMatchObject({
      status: 'delivered',
      reconciled: false,
    });
  });
});

it('says in the words of the row where a record stands', () => {
  const statusAfter = (...events: readonly DpRecordEvent[]) =>
    rowStatusOf(fold(dpRecordDecider, [...published(), ...events]));
  expect(
    [held, delivered, declined, rejected, skipped, withdrawn, deadLettered].map((event) => statusAfter(event)),
  ).toEqual(['InDoubt', 'Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn', 'Failed']);
  expect([statusAfter(), rowStatusOf({ status: 'unknown' })]).toEqual([undefined, undefined]);
});

it('is finished by five ends and no other', () => {
  const finished = (...events: readonly DpRecordEvent[]) =>
    isFinished(fold(dpRecordDecider, [...published(), ...events]));
  expect([delivered, declined, rejected, skipped, withdrawn].map((event) => finished(event))).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  expect([held, deadLettered, paused].map((event) => finished(event))).toEqual([false, false, false]);
  expect(isFinished({ status: 'unknown' })).toBe(false);
});

it('compares the amount of the row with the one it was discovered with', () => {
  const { amount: _amount, ...without } = known;
  expect(sameAmount(known, { minorUnits: 1234, currency: 'EUR' })).toBe(true);
  expect(sameAmount(known, { minorUnits: 1235, currency: 'EUR' })).toBe(false);
  expect(sameAmount(known, { minorUnits: 1234, currency: 'CZK' })).toBe(false);
  expect(sameAmount(known, undefined)).toBe(false);
  expect(sameAmount({ ...without, amount: undefined }, undefined)).toBe(true);
  expect(sameAmount({ ...without, amount: undefined }, { minorUnits: 1, currency: 'EUR' })).toBe(false);
});
