import { type DataType } from '../../domain/biller/data-type';
import { type DpDetail, type DpRow } from '../../domain/dp-record/dp-row';
import { type RowStatus } from '../../domain/dp-record/row-status';
import {
  type BillerId,
  type ChunkId,
  type CustomerId,
  type DpId,
  type PaymentId,
  type ShardName,
} from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { rowAmount } from './row-amount';

/**
 * One row of datapump with what it points to, times its details (one line with Attempt null where it has none). `Time`:
 * as the driver hands out an instant.
 */
export interface JoinedLine<Time> {
  readonly DpId: DpId;
  readonly BillerId: BillerId;
  readonly EventType: DataType;
  readonly CustomerId: CustomerId;
  readonly PaymentId: PaymentId | null;
  readonly Status: RowStatus;
  readonly ChunkId: ChunkId | null;
  readonly CreatedAt: Time;
  readonly DueAt?: Time | null;
  readonly SweepCount: number | null;
  readonly CustomerBiller: BillerId | null;
  readonly AccountNumber: string;
  readonly CustomerName: string;
  readonly Email: string | null;
  readonly Paperless: boolean | number;
  readonly AutoPay: boolean | number;
  readonly PaymentBiller: BillerId | null;
  readonly PaymentCustomer: CustomerId;
  /** Text, or else a number that a double holds. A site's view may yield nothing here: such a row is rejected, and stops no other. */
  readonly AmountMinor: string | number | null;
  readonly Currency: string | null;
  readonly InvoiceType: string;
  readonly PaidAt: Time;
  readonly AchReturnCode: string | null;
  readonly Dba: string | null;
  readonly Active: boolean | number;
  readonly Attempt: number | null;
  readonly Outcome: DpDetail['outcome'];
  readonly BillerReference: string | null;
  readonly Code: string | null;
  readonly RecordedAt: Time;
}

export interface LineReader<Time> {
  row(line: JoinedLine<Time>, details: readonly DpDetail[]): DpRow;
  detail(line: JoinedLine<Time>, attempt: number): DpDetail;
}

export function lineReader<Time>(shard: ShardName, instantOf: (time: Time) => Instant): LineReader<Time> {
  return {
    row: (line, details) => ({
      shard,
      dpId: line.DpId,
      billerId: line.BillerId,
      dataType: line.EventType,
      status: line.Status,
      chunkId: line.ChunkId ?? undefined,
      customerId: line.CustomerId,
      paymentId: line.PaymentId ?? undefined,
      createdAt: instantOf(line.CreatedAt),
      ...(line.DueAt !== undefined && line.DueAt !== null && { dueAt: instantOf(line.DueAt) }),
      sweepCount: line.SweepCount ?? 0,
      customer:
        line.CustomerBiller === null
          ? undefined
          : {
              customerId: line.CustomerId,
              billerId: line.CustomerBiller,
              accountNumber: line.AccountNumber,
              name: line.CustomerName,
              email: line.Email ?? undefined,
              paperless: isTrue(line.Paperless),
              autoPay: isTrue(line.AutoPay),
            },
      payment:
        line.PaymentBiller === null || line.PaymentId === null
          ? undefined
          : {
              paymentId: line.PaymentId,
              customerId: line.PaymentCustomer,
              billerId: line.PaymentBiller,
              amount: { minorUnits: rowAmount(line.AmountMinor), currency: line.Currency ?? '' },
              invoiceType: line.InvoiceType,
              paidAt: instantOf(line.PaidAt),
              achReturnCode: line.AchReturnCode ?? undefined,
            },
      biller: line.Dba === null ? undefined : { billerId: line.BillerId, dba: line.Dba, active: isTrue(line.Active) },
      details,
    }),
    detail: (line, attempt) => ({
      attempt,
      outcome: line.Outcome,
      billerReference: line.BillerReference ?? undefined,
      code: line.Code ?? undefined,
      recordedAt: instantOf(line.RecordedAt),
    }),
  };
}

const isTrue = (bit: boolean | number): boolean => bit === true || bit === 1;
