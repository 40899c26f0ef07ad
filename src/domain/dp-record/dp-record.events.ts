/*
 * Stored for ever: names and shapes here are read back from every history ever written. Add members as optional;
 * never rename, never remove, never change a meaning. Ids, amounts, hashes and codes only: no names, no account
 * numbers, since the store cannot forget.
 */
import { type DataType } from '../biller/data-type';
import {
  type BillerId,
  type ChunkId,
  type CustomerId,
  type DpId,
  type PaymentId,
  type ShardName,
} from '../identifiers';
import { type Instant } from '../instant';
import { type Money } from '../money';
import { type RowStatus } from './row-status';

export type DpRecordEvent =
  | DpRecordDiscovered
  | DpRecordValidated
  | DpRecordRejected
  | DpRecordSkipped
  | DpRecordWithdrawn
  | DpRecordParked
  | DpRecordRetryScheduled
  | DpRecordHeldInDoubt
  | DpRecordDelivered
  | DpRecordDeclined
  | DpRecordDeadLettered
  | DpRecordRedriven
  | DpRecordReconciled;

export interface DpRecordDiscovered {
  readonly type: 'DpRecordDiscovered';
  readonly data: {
    readonly billerId: BillerId;
    readonly dpId: DpId;
    readonly shard: ShardName;
    readonly dataType: DataType;
    readonly chunkId?: ChunkId;
    readonly customerId: CustomerId;
    readonly paymentId?: PaymentId;
    readonly amount?: Money;
    readonly at: Instant;
    /** When the row was created, by its shard: the day that it counts to. */
    readonly createdAt?: Instant;
  };
}

export interface DpRecordValidated {
  readonly type: 'DpRecordValidated';
  readonly data: {
    /** SHA-256 over the fields that validation read: the consumer validates again only where it changed. */
    readonly validatedHash: string;
    readonly amount?: Money;
  };
}

export interface DpRecordRejected {
  readonly type: 'DpRecordRejected';
  readonly data: { readonly reasons: readonly RejectionReason[] };
}

/** Stable codes; each is explained in docs/runbooks/rejected-records.md. */
export type RejectionReason =
  | 'customer-missing'
  | 'customer-of-another-biller'
  | 'payment-missing'
  | 'payment-of-another-customer'
  | 'biller-missing'
  | 'biller-inactive'
  | 'action-not-allowed'
  | 'amount-not-positive'
  | 'amount-too-large'
  | 'currency-malformed'
  | 'currency-unknown'
  | 'date-implausible'
  | 'row-breaks-processing';

export interface DpRecordSkipped {
  readonly type: 'DpRecordSkipped';
  readonly data: { readonly constraint: 'AllowedInvoiceTypes' | 'SkipNOCs' };
}

/** The row vanished between publication and delivery: its owner took it back. */
export interface DpRecordWithdrawn {
  readonly type: 'DpRecordWithdrawn';
  readonly data: { readonly at: Instant };
}

/** Waiting for the biller or for an attempt's owner; once per cause, not per hop. `throttled` names its attempt. */
export interface DpRecordParked {
  readonly type: 'DpRecordParked';
  readonly data: {
    readonly cause: ParkCause;
    readonly until: Instant;
    readonly attempt?: number;
    /** As in DpRecordRetryScheduled: a throttled call has shown the key to the biller too. */
    readonly keyFirstUsedAt?: Instant;
  };
}

export type ParkCause =
  | 'biller-paused'
  | 'outside-window'
  | 'breaker-open'
  | 'allowance-used-up'
  | 'token-unavailable'
  | 'profile-missing'
  | 'throttled'
  | 'attempt-open'
  | 'doubt-unresolved';

export interface DpRecordRetryScheduled {
  readonly type: 'DpRecordRetryScheduled';
  readonly data: {
    /** The attempt that was not executed. */
    readonly attempt: number;
    readonly at: Instant;
    /** False where the attempt was never sent: it costs no try. */
    readonly spent: boolean;
    /** When the record's idempotency key was first used at the biller. */
    readonly keyFirstUsedAt?: Instant;
  };
}

export interface DpRecordHeldInDoubt {
  readonly type: 'DpRecordHeldInDoubt';
  readonly data: { readonly attempt: number; readonly cause: DoubtCause };
}

export type DoubtCause =
  | 'neither-inquiry-nor-keys'
  | 'key-retention-over'
  | 'another-amount'
  | 'inquiry-cannot-tell'
  | 'inquiry-contradicts-itself'
  | 'inquiry-unavailable'
  | 'still-pending'
  | 'bytes-changed'
  | 'resends-used-up'
  /** The event store that held its attempts is lost: it may have been called for, any number of times. */
  | 'history-lost';

export interface DpRecordDelivered {
  readonly type: 'DpRecordDelivered';
  readonly data: { readonly attempt: number; readonly billerReference?: string };
}

export interface DpRecordDeclined {
  readonly type: 'DpRecordDeclined';
  readonly data: { readonly attempt: number; readonly code?: string };
}

export interface DpRecordDeadLettered {
  readonly type: 'DpRecordDeadLettered';
  readonly data: {
    readonly reason: DeadLetterReason;
    readonly description: string;
    readonly attempt?: number;
    /** As in DpRecordRetryScheduled: a redriven record uses its key again. */
    readonly keyFirstUsedAt?: Instant;
  };
}

export type DeadLetterReason =
  'AttemptsUsedUp' | 'TooOld' | 'DeadLetteredByBroker' | 'CannotPrepare' | 'IdentityConflict';

export interface DpRecordRedriven {
  readonly type: 'DpRecordRedriven';
  readonly data: {
    readonly ordinal: number;
    /** Who the system knows it was. */
    readonly by: string;
    /** Who the person at the command line said to be. */
    readonly claimedBy?: string;
    readonly reason: string;
    readonly at: Instant;
  };
}

/** The row and DpDetail in the shard say what the stream says. */
export interface DpRecordReconciled {
  readonly type: 'DpRecordReconciled';
  readonly data: { readonly status: RowStatus };
}
