import { type DataType } from '../biller/data-type';
import { type BillerId, type CustomerId, type DpId, type PaymentId, type ShardName } from '../identifiers';
import { type Instant } from '../instant';
import { type Money } from '../money';
import { type DeadLetterReason, type DoubtCause, type DpRecordEvent, type ParkCause } from './dp-record.events';

/**
 *   unknown → pending → delivered | declined | rejected | skipped | withdrawn   (terminal)
 *             pending ⇄ in-doubt      (left when its attempt is resolved)
 *             pending → dead-lettered (left by a redrive, or into doubt where history was lost)
 */
export type DpRecord =
  | { readonly status: 'unknown' }
  | Pending
  | ({ readonly status: 'in-doubt'; readonly attempt: number; readonly cause: DoubtCause } & Known)
  | ({
      readonly status: 'delivered' | 'declined';
      readonly attempt: number;
      readonly result: string | undefined;
    } & Known)
  | ({ readonly status: 'rejected' | 'skipped' | 'withdrawn' } & Known)
  | ({ readonly status: 'dead-lettered'; readonly reason: DeadLetterReason } & Known);

export type KnownDpRecord = Exclude<DpRecord, { status: 'unknown' }>;
export type Pending = {
  readonly status: 'pending';
  readonly parked: ParkCause | undefined;
  readonly dueAt: Instant | undefined;
} & Known;

interface Known {
  readonly billerId: BillerId;
  readonly dpId: DpId;
  readonly shard: ShardName;
  readonly dataType: DataType;
  readonly customerId: CustomerId;
  readonly paymentId: PaymentId | undefined;
  readonly amount: Money | undefined;
  readonly validatedHash: string | undefined;
  /** Start of the age limit: discovery, or the last redrive. */
  readonly openedAt: Instant;
  /** The next attempt's number; numbers never restart. */
  readonly nextAttempt: number;
  /** Tries spent since discovery or the last redrive. */
  readonly spentTries: number;
  readonly keyFirstUsedAt: Instant | undefined;
  readonly redrives: number;
  /** The row in the shard says what this state says. */
  readonly reconciled: boolean;
}

export const unknownDpRecord: DpRecord = { status: 'unknown' };

export function evolveDpRecord(state: DpRecord, event: DpRecordEvent): DpRecord {
  if (event.type === 'DpRecordDiscovered') {
    const { billerId, dpId, shard, dataType, customerId, paymentId, amount, at } = event.data;
    return {
      status: 'pending',
      parked: undefined,
      dueAt: undefined,
      billerId,
      dpId,
      shard,
      dataType,
      customerId,
      paymentId,
      amount,
      validatedHash: undefined,
      openedAt: at,
      nextAttempt: 1,
      spentTries: 0,
      keyFirstUsedAt: undefined,
      redrives: 0,
      reconciled: false,
    };
  }
  return state.status === 'unknown' ? state : evolveKnown(state, event);
}

function evolveKnown(state: KnownDpRecord, event: Exclude<DpRecordEvent, { type: 'DpRecordDiscovered' }>): DpRecord {
  const known: Known = state.reconciled ? { ...state, reconciled: false } : state;
  switch (event.type) {
    case 'DpRecordValidated':
      return {
        ...known,
        status: 'pending',
        parked: undefined,
        dueAt: undefined,
        validatedHash: event.data.validatedHash,
        amount: event.data.amount ?? state.amount,
      };
    case 'DpRecordRejected':
      return { ...known, status: 'rejected' };
    case 'DpRecordSkipped':
      return { ...known, status: 'skipped' };
    case 'DpRecordWithdrawn':
      return { ...known, status: 'withdrawn' };
    case 'DpRecordParked':
      return {
        ...known,
        status: 'pending',
        parked: event.data.cause,
        dueAt: event.data.until,
        nextAttempt:
          event.data.cause === 'throttled' && event.data.attempt !== undefined
            ? event.data.attempt + 1
            : state.nextAttempt,
        keyFirstUsedAt: state.keyFirstUsedAt ?? event.data.keyFirstUsedAt,
      };
    case 'DpRecordRetryScheduled':
      return {
        ...known,
        status: 'pending',
        parked: undefined,
        dueAt: event.data.at,
        nextAttempt: event.data.attempt + 1,
        spentTries: state.spentTries + (event.data.spent ? 1 : 0),
        keyFirstUsedAt: state.keyFirstUsedAt ?? event.data.keyFirstUsedAt,
      };
    case 'DpRecordHeldInDoubt':
      // Where history was lost, the attempt in doubt may not be the next one by what is left of the stream.
      return {
        ...known,
        status: 'in-doubt',
        attempt: event.data.attempt,
        cause: event.data.cause,
        nextAttempt: event.data.attempt,
      };
    case 'DpRecordDelivered':
      return { ...known, status: 'delivered', attempt: event.data.attempt, result: event.data.billerReference };
    case 'DpRecordDeclined':
      return { ...known, status: 'declined', attempt: event.data.attempt, result: event.data.code };
    case 'DpRecordDeadLettered':
      return {
        ...known,
        status: 'dead-lettered',
        reason: event.data.reason,
        nextAttempt: event.data.attempt === undefined ? state.nextAttempt : event.data.attempt + 1,
        keyFirstUsedAt: state.keyFirstUsedAt ?? event.data.keyFirstUsedAt,
      };
    case 'DpRecordRedriven':
      return {
        ...known,
        status: 'pending',
        parked: undefined,
        dueAt: undefined,
        openedAt: event.data.at,
        spentTries: 0,
        redrives: event.data.ordinal,
      };
    case 'DpRecordReconciled':
      return { ...state, reconciled: true };
  }
}
