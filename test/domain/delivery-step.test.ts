import { fold } from '../../src/domain/decider';
import { deliveryAttemptDecider } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { dpRecordDecider } from '../../src/domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { ROW_STATUSES, type RowStatus } from '../../src/domain/dp-record/row-status';
import { type DeliveryFacts, nextDeliveryStep } from '../../src/domain/policies/delivery-step';
import { atSecond, published, started } from '../support/events';

const gate = { cause: 'biller-paused', until: atSecond(60) } as const;
const row = (status: RowStatus) => ({ status, details: [] });
const stepOf = (history: DpRecordEvent[], attempt: DeliveryAttemptEvent[] = [], over: Partial<DeliveryFacts> = {}) =>
  nextDeliveryStep({
    record: fold(dpRecordDecider, history),
    attempt: fold(deliveryAttemptDecider, attempt),
    row: row('Published'),
    doubtTerms:
      attempt.length > 0 ? { quarantineMs: 20_000, capability: { inquiry: undefined, keys: undefined } } : undefined,
    gate: undefined,
    now: atSecond(5),
    ...over,
  });
const delivered: DpRecordEvent = { type: 'DpRecordDelivered', data: { attempt: 1 } };
const reconciled: DpRecordEvent = { type: 'DpRecordReconciled', data: { status: 'Delivered' } };
const held: DpRecordEvent = { type: 'DpRecordHeldInDoubt', data: { attempt: 1, cause: 'still-pending' } };
const accepted: DeliveryAttemptEvent = { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200 } };
const retry: DpRecordEvent = { type: 'DpRecordRetryScheduled', data: { attempt: 1, at: atSecond(9), spent: true } };

it('discovers a record without a stream, and stops where its row tells of one that is gone', () => {
  const stopped = ROW_STATUSES.filter((status) => stepOf([], [], { row: row(status) }).step === 'stop-history-behind');
  expect(stopped).toEqual(['Delivered', 'Declined', 'Failed', 'InDoubt', 'Rejected', 'Skipped', 'Withdrawn']);
  expect(stepOf([], [], { row: undefined })).toEqual({ step: 'discover' });
});
it('starts the first attempt of a record that is under way', () =>
  expect(stepOf(published())).toEqual({ step: 'start-attempt', attempt: 1 }));
it('completes a finished and reconciled record', () => {
  expect(stepOf([...published(), delivered, reconciled], [], { row: row('Delivered') })).toEqual({ step: 'complete' });
  expect(stepOf([...published(), delivered, reconciled], [], { row: undefined })).toEqual({ step: 'complete' });
});
it('writes the row again where a late redrive reopened it behind a reconciled record', () => {
  expect(
    stepOf([...published(), held, { type: 'DpRecordReconciled', data: { status: 'InDoubt' } }], [started()]),
  ).toEqual({ step: 'reconcile-row', status: 'InDoubt' });
});
it('reconciles a finished record behind a closed gate: gates stop calls only', () => {
  expect(stepOf([...published(), delivered], [started(), accepted], { gate })).toEqual({
    step: 'reconcile-row',
    status: 'Delivered',
  });
});
it('concludes a closed attempt behind a closed gate, and although the row is ahead', () => {
  expect(stepOf(published(), [started(), accepted], { gate, row: row('Delivered') })).toEqual({
    step: 'conclude',
    attempt: 1,
  });
});
it('stops where the row knows a result that neither stream knows', () => {
  const detail = {
    attempt: 1,
    outcome: 'Delivered',
    billerReference: undefined,
    code: undefined,
    recordedAt: atSecond(1),
  } as const;
  expect(stepOf(published(), [], { row: { status: 'Published', details: [detail] } })).toEqual({
    step: 'stop-history-behind',
  });
  expect(stepOf(published(), [started()], { row: row('Delivered') })).toEqual({ step: 'stop-history-behind' });
});
it('waits for the owner of an open attempt, then resolves it', () => {
  expect(stepOf(published(), [started()])).toEqual({ step: 'await-owner', until: atSecond(30) });
  expect(stepOf(published(), [started()], { now: atSecond(30) })).toEqual({ step: 'resolve-doubt', attempt: 1 });
});
it('leaves a record in doubt to its person, once the row says so', () => {
  expect(stepOf([...published(), held], [started()])).toEqual({ step: 'reconcile-row', status: 'InDoubt' });
  expect(
    stepOf([...published(), held, { type: 'DpRecordReconciled', data: { status: 'InDoubt' } }], [started()], {
      row: row('InDoubt'),
    }),
  ).toEqual({ step: 'complete' });
});
it('concludes a record in doubt whose attempt was closed', () => {
  expect(stepOf([...published(), held], [started(), accepted])).toEqual({ step: 'conclude', attempt: 1 });
});
it('keeps a time that was named before it looks at a gate: a park would take its place, and the gate may open before it', () => {
  const throttled: DpRecordEvent = { type: 'DpRecordParked', data: { cause: 'throttled', until: atSecond(9) } };
  expect(stepOf([...published(), throttled], [], { gate })).toEqual({ step: 'come-back', until: atSecond(9) });
  expect(stepOf([...published(), throttled], [], { gate, now: atSecond(9) })).toEqual({ step: 'park', ...gate });
});
it('parks at a gate before a call', () => expect(stepOf(published(), [], { gate })).toEqual({ step: 'park', ...gate }));
it('comes back when a retry is due, and starts the next number then', () => {
  expect(stepOf([...published(), retry])).toEqual({ step: 'come-back', until: atSecond(9) });
  expect(stepOf([...published(), retry], [], { now: atSecond(9) })).toEqual({ step: 'start-attempt', attempt: 2 });
});
it('keeps the time a throttling biller named, but not that of a gate which has opened', () => {
  const parked = (cause: 'throttled' | 'biller-paused'): DpRecordEvent => ({
    type: 'DpRecordParked',
    data: { cause, until: atSecond(9) },
  });
  expect(stepOf([...published(), parked('throttled')])).toEqual({ step: 'come-back', until: atSecond(9) });
  expect(stepOf([...published(), parked('biller-paused')])).toEqual({ step: 'start-attempt', attempt: 1 });
});
