import { type NewEvent } from '../../application/ports/event-store';
import { type OutgoingMessage } from '../../application/ports/message-bus';
import { type RowResult } from '../../application/ports/shard-results';
import { OUTBOX_TOPIC, VALIDATION_ERRORS_TOPIC } from '../../application/messaging/topology';
import { type CrashPoint } from '../processes/crash-points';

/** A call of a port as the crash test sees it: before it is made without, behind it with its answer. */
export interface SeenCall {
  /** Port and method, such as `shard.claim`. */
  readonly name: string;
  readonly args: readonly unknown[];
  readonly answer?: unknown;
  /** `billerId:dpId`, where a prepared call leaves. */
  readonly record?: string;
}

/** What the calls of one process have told so far, where one call alone does not say which step it belongs to. */
export class Memory {
  /** Records whose newest stated intent is a resend. */
  private readonly resent = new Set<string>();
  /** Ids of rows whose records ended because the broker gave their messages up. */
  private readonly givenUp = new Set<string>();

  /** Told of every append that was acknowledged. */
  appended(call: SeenCall): void {
    const record = recordOf(call);
    if (record === undefined) return;
    if (states(call, 'DeliveryAttemptStarted')) this.resent.delete(record);
    if (states(call, 'DeliveryAttemptResent')) this.resent.add(record);
    const end = eventsOf(call).find(({ type }) => type === 'DpRecordDeadLettered');
    if (end && (end.data as { readonly reason?: string }).reason === 'DeadLetteredByBroker')
      this.givenUp.add(record.slice(record.indexOf(':') + 1));
  }

  isResend = (call: SeenCall): boolean => this.resent.has(call.record ?? recordOf(call) ?? '');
  isGivenUp = (call: SeenCall): boolean =>
    this.givenUp.has(call.name === 'shard.reconcile' ? resultOf(call).dpId : (recordOf(call)?.split(':')[1] ?? ''));
}

export type Role = 'scanner' | 'fetcher' | 'consumer' | 'operator';

/** Before or behind which call of a port a process passes a point. */
export interface CrashPlace {
  readonly roles: readonly Role[];
  readonly when: 'before' | 'after';
  readonly call: string;
  readonly is?: (call: SeenCall, memory: Memory) => boolean;
}

/** The supervisor's two are no calls of ports. */
export type PortPoint = Exclude<CrashPoint, `supervisor.${string}`>;

const RESULTS: ReadonlySet<string> = new Set(['Delivered', 'Declined']);
/** An attempt's end as its biller, or the deadline, gave it. */
const CLOSINGS = [
  'DeliveryAttemptAccepted',
  'DeliveryAttemptDeclined',
  'DeliveryAttemptNotExecuted',
  'DeliveryAttemptThrottled',
  'DeliveryAttemptNotSent',
];

const eventsOf = ({ args }: SeenCall): readonly NewEvent[] => args[2] as readonly NewEvent[];
const states = (call: SeenCall, ...types: readonly string[]): boolean =>
  eventsOf(call).some(({ type }) => types.includes(type));
const recordOf = ({ args }: SeenCall): string | undefined =>
  /^(?:dpRecord-|deliveryAttempt-)([^:]+:[^:]+)/.exec(String(args[0]))?.[1];
const messagesOf = ({ args }: SeenCall): readonly OutgoingMessage[] => args[1] as readonly OutgoingMessage[];
const resultOf = ({ args }: SeenCall): RowResult => args[0] as RowResult;

const answered = ({ answer }: SeenCall): boolean => (answer as readonly unknown[]).length > 0;
const stated =
  (...types: readonly string[]) =>
  (call: SeenCall): boolean =>
    states(call, ...types);
const isStart = (call: SeenCall): boolean =>
  states(call, 'DeliveryAttemptStarted') && !states(call, 'DeliveryAttemptNotSent');
const isClaim = (call: SeenCall): boolean =>
  states(call, 'DeliveryAttemptStarted') && states(call, 'DeliveryAttemptNotSent');
const isClosing = (call: SeenCall): boolean => states(call, ...CLOSINGS) && !states(call, 'DeliveryAttemptStarted');
const isResult = (call: SeenCall): boolean => RESULTS.has(resultOf(call).to);
const hasResult = (call: SeenCall): boolean => states(call, 'DpRecordDelivered', 'DpRecordDeclined');
const isConfirmation = (call: SeenCall): boolean => states(call, 'DpRecordReconciled') && !hasResult(call);
const isChunk = ({ args }: SeenCall): boolean => args[0] === OUTBOX_TOPIC;
const isSweptChunk = (call: SeenCall): boolean =>
  isChunk(call) && messagesOf(call).some(({ messageId }) => /:s\d+$/.test(messageId));
const isNotice = ({ args }: SeenCall): boolean => args[0] === VALIDATION_ERRORS_TOPIC;
const isOfRecords = (call: SeenCall): boolean => !isChunk(call) && !isNotice(call);

const place = (
  roles: Role | readonly Role[],
  when: CrashPlace['when'],
  call: string,
  is?: CrashPlace['is'],
): CrashPlace => ({
  roles: typeof roles === 'string' ? [roles] : roles,
  when,
  call,
  ...(is && { is }),
});

/** One or more places a point; the crash test arms one point, and the process dies at the first that it passes. */
export const CRASH_PLACES: Readonly<Record<PortPoint, CrashPlace>> = {
  'scanner.before-claim': place('scanner', 'before', 'shard.claim'),
  'scanner.after-claim': place('scanner', 'after', 'shard.claim', answered),
  'relay.before-plan': place('scanner', 'before', 'events.append', stated('ChunkPlanned')),
  'relay.after-plan': place('scanner', 'after', 'events.append', stated('ChunkPlanned')),
  'relay.after-publish': place('scanner', 'after', 'bus.send', (call) => isChunk(call) && !isSweptChunk(call)),
  'relay.after-mark': place('scanner', 'after', 'shard.markPublished'),
  'sweep.after-take': place('scanner', 'after', 'shard.takeStalled', answered),
  'sweep.after-chunks-sent': place('scanner', 'after', 'bus.send', isSweptChunk),
  'sweep.after-records-sent': place('scanner', 'after', 'bus.send', isOfRecords),
  'fetcher.after-read': place('fetcher', 'after', 'shard.rowsOfChunk'),
  'fetcher.after-start-stated': place('fetcher', 'after', 'events.append', stated('ChunkFetchStarted')),
  'fetcher.after-one-discovered': place('fetcher', 'after', 'events.append', stated('DpRecordDiscovered')),
  'fetcher.between-rows': place('fetcher', 'before', 'events.append', stated('DpRecordDiscovered')),
  'fetcher.before-publish': place('fetcher', 'before', 'bus.send', isOfRecords),
  'fetcher.after-publish': place('fetcher', 'after', 'bus.send', isOfRecords),
  'fetcher.after-notices': place('fetcher', 'after', 'bus.send', isNotice),
  'fetcher.after-statuses': place('fetcher', 'after', 'shard.changeStatuses'),
  'fetcher.after-finished-reconciled': place('fetcher', 'after', 'shard.reconcile'),
  'fetcher.after-published-stated': place('fetcher', 'after', 'events.append', stated('ChunkPublished')),
  'fetcher.after-mark-fetched': place('fetcher', 'after', 'shard.markFetched'),
  'receive-loop.after-receive': place(['fetcher', 'consumer'], 'after', 'receiver.receive', answered),
  'receive-loop.before-complete': place(['fetcher', 'consumer'], 'before', 'receiver.complete'),
  'receive-loop.after-complete': place(['fetcher', 'consumer'], 'after', 'receiver.complete'),
  'receive-loop.before-dead-letter': place(['fetcher', 'consumer'], 'before', 'receiver.deadLetter'),
  'receive-loop.after-dead-letter': place(['fetcher', 'consumer'], 'after', 'receiver.deadLetter'),
  'consumer.after-load': place('consumer', 'after', 'events.readStream', ({ args }) =>
    String(args[0]).startsWith('deliveryAttempt-'),
  ),
  'consumer.after-discovered': place('consumer', 'after', 'events.append', stated('DpRecordDiscovered')),
  'consumer.after-permit': place(
    'consumer',
    'after',
    'gateway.permit',
    ({ answer }) => (answer as { readonly granted: boolean }).granted,
  ),
  'consumer.after-claim-without-call': place('consumer', 'after', 'events.append', isClaim),
  'consumer.after-prepare': place('consumer', 'after', 'gateway.prepare'),
  'consumer.before-start-stated': place('consumer', 'before', 'events.append', isStart),
  'consumer.after-start-stated': place('consumer', 'after', 'events.append', isStart),
  'consumer.after-send': place('consumer', 'after', 'call.send', (call, memory) => !memory.isResend(call)),
  'consumer.after-close': place(
    'consumer',
    'after',
    'events.append',
    (call, memory) => isClosing(call) && !memory.isResend(call),
  ),
  'consumer.after-unknown-stated': place(
    'consumer',
    'after',
    'events.append',
    (call, memory) => states(call, 'DeliveryAttemptOutcomeUnknown') && !memory.isResend(call),
  ),
  'consumer.before-result-row': place('consumer', 'before', 'shard.reconcile', isResult),
  'consumer.after-result-row': place('consumer', 'after', 'shard.reconcile', isResult),
  'consumer.after-result-stated': place('consumer', 'after', 'events.append', hasResult),
  'consumer.after-retry-stated': place('consumer', 'after', 'events.append', stated('DpRecordRetryScheduled')),
  'consumer.after-row-reopened': place('consumer', 'after', 'shard.reopen'),
  'consumer.after-park-stated': place('consumer', 'after', 'events.append', stated('DpRecordParked')),
  'consumer.before-successor': place('consumer', 'before', 'bus.send', isOfRecords),
  'consumer.after-successor': place('consumer', 'after', 'bus.send', isOfRecords),
  'consumer.after-progress-noted': place('consumer', 'after', 'shard.noteProgress'),
  'consumer.after-dead-letter-stated': place('consumer', 'after', 'events.append', stated('DpRecordDeadLettered')),
  'consumer.after-row-reconciled': place('consumer', 'after', 'shard.reconcile', (call) => !isResult(call)),
  'consumer.after-row-confirmed': place('consumer', 'after', 'events.append', isConfirmation),
  'doubt.before-inquiry': place('consumer', 'before', 'gateway.inquire'),
  'doubt.after-inquiry': place('consumer', 'after', 'gateway.inquire'),
  'doubt.after-inquiry-closed': place('consumer', 'after', 'events.append', stated('DeliveryAttemptResolvedByInquiry')),
  'doubt.before-resend-stated': place('consumer', 'before', 'events.append', stated('DeliveryAttemptResent')),
  'doubt.after-resend-stated': place('consumer', 'after', 'events.append', stated('DeliveryAttemptResent')),
  'doubt.after-resend': place('consumer', 'after', 'call.send', (call, memory) => memory.isResend(call)),
  'doubt.after-resend-closed': place(
    'consumer',
    'after',
    'events.append',
    (call, memory) => isClosing(call) && memory.isResend(call),
  ),
  'doubt.after-hold-stated': place('consumer', 'after', 'events.append', stated('DpRecordHeldInDoubt')),
  'broker-dead-letters.after-stated': place(
    'consumer',
    'after',
    'events.append',
    (call, memory) => states(call, 'DpRecordDeadLettered') && memory.isGivenUp(call),
  ),
  'broker-dead-letters.after-row': place('consumer', 'after', 'shard.reconcile', (call, memory) =>
    memory.isGivenUp(call),
  ),
  'broker-dead-letters.after-confirmed': place(
    'consumer',
    'after',
    'events.append',
    (call, memory) => isConfirmation(call) && memory.isGivenUp(call),
  ),
  'redrive.after-receive': place('operator', 'after', 'receiver.receive', answered),
  'redrive.after-opened': place('operator', 'after', 'events.append', stated('DpRecordRedriven')),
  'redrive.after-row-reopened': place('operator', 'after', 'shard.reopen'),
  'redrive.after-send': place('operator', 'after', 'bus.send', isOfRecords),
  'redrive.after-complete': place('operator', 'after', 'receiver.complete'),
  'resolve.before-close': place('operator', 'before', 'events.append', stated('DeliveryAttemptResolvedByOperator')),
  'resolve.after-close': place('operator', 'after', 'events.append', stated('DeliveryAttemptResolvedByOperator')),
  'resolve.after-row-reopened': place('operator', 'after', 'shard.reopen'),
  'resolve.after-send': place('operator', 'after', 'bus.send', isOfRecords),
};
