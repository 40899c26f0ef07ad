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

/** One row of dbo.datapump with what it points to. `undefined` members: the row points to nothing that exists. */
export interface DpRow {
  readonly shard: ShardName;
  readonly dpId: DpId;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly status: RowStatus;
  readonly chunkId: ChunkId | undefined;
  readonly customerId: CustomerId;
  readonly paymentId: PaymentId | undefined;
  readonly createdAt: Instant;
  /** Before this nothing claims it; where the shard tells. */
  readonly dueAt?: Instant;
  /** Redrives and sweeps so far; each takes the next ordinal, so no message id is used twice. */
  readonly sweepCount: number;
  readonly customer: Customer | undefined;
  readonly payment: Payment | undefined;
  readonly biller: BillerSettings | undefined;
  readonly details: readonly DpDetail[];
}

export interface Customer {
  readonly customerId: CustomerId;
  readonly billerId: BillerId;
  readonly accountNumber: string;
  readonly name: string;
  readonly email: string | undefined;
  /** The choice a Paperless record tells of: true means bills by e-mail only. */
  readonly paperless: boolean;
  /** The choice an AutoPay record tells of. */
  readonly autoPay: boolean;
}

export interface Payment {
  readonly paymentId: PaymentId;
  readonly customerId: CustomerId;
  readonly billerId: BillerId;
  readonly amount: Money;
  readonly invoiceType: string;
  readonly paidAt: Instant;
  /** ACH return code such as `R01`; a code that starts with `C` is a notification of change (NOC). */
  readonly achReturnCode: string | undefined;
}

export interface BillerSettings {
  readonly billerId: BillerId;
  readonly dba: string;
  readonly active: boolean;
}

/** One row of DpDetail: the result of one delivery attempt, unique per (dpId, attempt). */
export interface DpDetail {
  readonly attempt: number;
  readonly outcome: 'Delivered' | 'Declined';
  readonly billerReference: string | undefined;
  readonly code: string | undefined;
  readonly recordedAt: Instant;
}
