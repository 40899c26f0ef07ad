import { type DataType } from '../../domain/biller/data-type';
import { type BillerSettings, type Customer, type Payment } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId, type CustomerId, type DpId, type PaymentId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';

/**
 * Rows as the billing platform would have written them. Nothing is checked against anything else: a row that points
 * to no customer, or to another's payment, is how bad data looks, and demo and tests need it.
 */
export interface ShardSeed {
  readonly billers?: readonly BillerSettings[];
  readonly customers?: readonly Customer[];
  readonly payments?: readonly Payment[];
  readonly rows?: readonly SeedRow[];
}

export interface SeedRow {
  readonly dpId: DpId;
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly customerId: CustomerId;
  readonly paymentId?: PaymentId;
  readonly createdAt: Instant;
  /** Default: createdAt. */
  readonly dueAt?: Instant;
  /** Default: New. */
  readonly status?: RowStatus;
}
