import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  type CorrectionOrder,
  type CustomerCorrection,
  type ImportFate,
  type ImportResult,
  type PaymentImport,
  type PaymentReference,
} from '../../../src/application/ports/payment-imports';
import { ROWS_PER_CALL_MAX, type Shard } from '../../../src/application/ports/shard';
import { type ClaimRequest, type OutboxChunk } from '../../../src/application/ports/shard-claims';
import { type RowResult, type StalledRow, type StatusChange } from '../../../src/application/ports/shard-results';
import { type CountedRow, type ShardTotal, type TotalsPart } from '../../../src/application/ports/shard-totals';
import { importResult } from '../../../src/adapters/shared/import-plan';
import { type KnownHistory } from '../../../src/application/ports/history-witness';
import { type ShardSeed } from '../../../src/adapters/shared/shard-seed';
import { type Money } from '../../../src/domain/money';
import { carriesMoney } from '../../../src/domain/biller/data-type';
import {
  type BillerSettings,
  type Customer,
  type DpDetail,
  type DpRow,
  type Payment,
} from '../../../src/domain/dp-record/dp-row';
import { type RowStatus, TO_END_STATUSES } from '../../../src/domain/dp-record/row-status';
import {
  type BillerId,
  type ChunkId,
  customerId,
  type CustomerId,
  type DpId,
  dpId,
  paymentId,
  type PaymentId,
  type ShardName,
} from '../../../src/domain/identifiers';
import { dayOf, type Instant, instantFromMs, latest, msOf, PLAUSIBLE_BEFORE } from '../../../src/domain/instant';
import { invariant } from '../../../src/domain/invariant';
import { type WorldShard } from './world-stores';

/** One row of datapump, as stored. */
interface StoredRow extends Pick<DpRow, 'dpId' | 'billerId' | 'dataType' | 'createdAt'> {
  customerId: CustomerId;
  paymentId: DpRow['paymentId'];
  readonly seq: number;
  readonly dueAt: Instant;
  status: RowStatus;
  chunkId: ChunkId | undefined;
  sweepCount: number;
  progressAt: Instant;
  readonly details: DpDetail[];
}

interface StoredChunk extends OutboxChunk {
  published: boolean;
}

/** The tables of one shard; each method is one transaction. Rows are read as copies. */
export class MemoryShard implements WorldShard {
  private readonly rows = new Map<DpId, StoredRow>();
  private readonly outbox: StoredChunk[] = [];
  private readonly customers = new Map<string, Customer>();
  private readonly payments = new Map<string, Payment>();
  private readonly references = new Map<string, string>();
  private readonly settings = new Map<BillerId, BillerSettings>();
  private known: KnownHistory | undefined;

  constructor(
    readonly name: ShardName,
    private readonly nowMs: () => number,
    private readonly onMove?: (record: string, from: RowStatus, to: RowStatus) => void,
  ) {}

  /** What stands under its id already is left as it is. */
  seed({ billers = [], customers = [], payments = [], rows = [] }: ShardSeed): void {
    for (const biller of billers) if (!this.settings.has(biller.billerId)) this.settings.set(biller.billerId, biller);
    for (const customer of customers)
      if (!this.customers.has(customer.customerId)) this.customers.set(customer.customerId, customer);
    for (const payment of payments)
      if (!this.payments.has(payment.paymentId)) this.payments.set(payment.paymentId, payment);
    for (const { dueAt, status = 'New', paymentId: payment, ...row } of rows) {
      if (this.rows.has(row.dpId)) continue;
      this.rows.set(row.dpId, {
        ...row,
        paymentId: payment,
        seq: this.rows.size,
        dueAt: dueAt ?? row.createdAt,
        status,
        chunkId: undefined,
        sweepCount: 0,
        progressAt: row.createdAt,
        details: [],
      });
    }
  }

  now(): Instant {
    return instantFromMs(this.nowMs());
  }

  claim(request: ClaimRequest): readonly OutboxChunk[] {
    const { rowsMax, plan, newChunkId } = request;
    checkMax(rowsMax);
    const now = this.now();
    const eligible = new Map(this.eligible(request, now).map((row) => [row.dpId, row]));
    const rows = [...eligible.values()].map(({ dpId: id, billerId, dataType }) => ({ dpId: id, billerId, dataType }));
    const chunks = plan(rows).map(({ billerId, dataType, dpIds }) => {
      const members = dpIds.map((id) => {
        const row = eligible.get(id);
        invariant(
          row?.billerId === billerId && row.dataType === dataType,
          `the plan puts ${id} where it was not given or stands already`,
        );
        eligible.delete(id);
        return row;
      });
      const chunk: StoredChunk = {
        chunkId: newChunkId(),
        shard: this.name,
        billerId,
        dataType,
        rows: members.length,
        published: false,
        ...rangeOf(dpIds),
      };
      return { chunk, members };
    });
    const ids = chunks.map(({ chunk }) => chunk.chunkId);
    invariant(
      new Set([...ids, ...this.outbox.map(({ chunkId }) => chunkId)]).size === ids.length + this.outbox.length,
      'two chunks have one id',
    );
    for (const { chunk, members } of chunks) {
      this.outbox.push(chunk);
      for (const row of members) {
        this.setStatus(row, 'Queued');
        row.chunkId = chunk.chunkId;
      }
    }
    return chunks.map(({ chunk: { published: _, ...chunk } }) => chunk);
  }

  unpublishedChunks(max: number): readonly OutboxChunk[] {
    return this.outbox
      .filter(({ published }) => !published)
      .slice(0, max)
      .map(({ published: _, ...chunk }) => chunk);
  }

  markPublished(chunkIds: readonly ChunkId[]): void {
    for (const chunk of this.outbox) if (chunkIds.includes(chunk.chunkId)) chunk.published = true;
  }

  markFetched(_chunkId: ChunkId): void {}

  rowsOfChunk(chunkId: ChunkId): readonly DpRow[] {
    return this.rowsWhere((row) => row.chunkId === chunkId);
  }

  rowsInRange(range: Parameters<Shard['rowsInRange']>[0]): readonly DpRow[] {
    const { from, to } = range;
    const numeric = isNumber(from) && isNumber(to);
    const inside = (id: DpId): boolean =>
      numeric ? isNumber(id) && BigInt(id) >= BigInt(from) && BigInt(id) <= BigInt(to) : id >= from && id <= to;
    return this.rowsWhere(
      (row) =>
        row.billerId === range.billerId &&
        (range.dataType === undefined || row.dataType === range.dataType) &&
        (row.status === 'New' || row.status === 'Queued') &&
        inside(row.dpId),
    ).slice(0, range.max);
  }

  findRow(id: DpId): DpRow | undefined {
    const row = this.rows.get(id);
    return row && this.joined(row);
  }

  adopt(dpIds: readonly DpId[], chunkId: ChunkId): void {
    for (const id of dpIds) {
      const row = this.rows.get(id);
      if (row?.status === 'New') Object.assign(row, { status: 'Queued', chunkId, progressAt: this.now() });
    }
  }

  changeStatuses(changes: readonly StatusChange[]): readonly DpId[] {
    return changes.flatMap(({ dpId: id, to, from }) => {
      const row = this.rows.get(id);
      if (!row || row.status === to || !from.includes(row.status)) return [];
      this.setStatus(row, to);
      return [id];
    });
  }

  reconcile({ dpId: id, to, from, detail }: RowResult): 'applied' | 'already-so' | 'refused' | 'row-missing' {
    const row = this.rows.get(id);
    if (!row) return 'row-missing';
    const recorded = detail && row.details.find(({ attempt }) => attempt === detail.attempt);
    const detailStands = detail === undefined || recorded?.outcome === detail.outcome;
    if (row.status === to && detailStands) return 'already-so';
    if (!from.includes(row.status) || (recorded !== undefined && !detailStands)) return 'refused';
    if (row.status !== to) this.setStatus(row, to);
    if (detail && !recorded) {
      row.details.push(detail);
      row.details.sort((a, b) => a.attempt - b.attempt);
    }
    return 'applied';
  }

  noteProgress(id: DpId, until: Instant): void {
    const row = this.rows.get(id);
    if (row) row.progressAt = latest(row.progressAt, until);
  }

  takeStalled({ before, max }: { readonly before: Instant; readonly max: number }): readonly StalledRow[] {
    checkMax(max);
    const owing = ['Queued', 'Published', 'InDoubt'];
    const stalled = [...this.rows.values()].filter((row) => owing.includes(row.status) && row.progressAt < before);
    return stalled
      .sort((a, b) => (a.progressAt < b.progressAt ? -1 : 1))
      .slice(0, max)
      .map((row) => {
        row.progressAt = latest(this.now(), before);
        row.sweepCount++;
        const { dpId: id, billerId, dataType, status, chunkId, sweepCount } = row;
        return { dpId: id, billerId, dataType, status, chunkId, ordinal: sweepCount };
      });
  }

  reopen(id: DpId): number | undefined {
    const row = this.rows.get(id);
    if (!row || !['Failed', 'InDoubt', 'Published'].includes(row.status)) return undefined;
    if (row.status !== 'Published') this.setStatus(row, 'Published');
    return ++row.sweepCount;
  }

  rowsByStatus(query: Parameters<Shard['rowsByStatus']>[0]): readonly DpRow[] {
    checkMax(query.max);
    const after = query.after === undefined ? -1 : (this.rows.get(query.after)?.seq ?? Infinity);
    return this.rowsWhere(
      (row) =>
        query.statuses.includes(row.status) && row.seq > after && (!query.billerId || row.billerId === query.billerId),
    ).slice(0, query.max);
  }

  rowsInHand({ customer, reference, max }: Parameters<Shard['rowsInHand']>[0]): readonly DpRow[] {
    checkMax(max);
    if (max === 0 || (customer === undefined && reference === undefined)) return [];
    const isCustomer = (id: CustomerId): boolean => {
      const known = this.customers.get(id);
      return known !== undefined && [id, known.accountNumber].includes(customer as CustomerId)
        ? true
        : known !== undefined && asciiLower(known.name) === asciiLower(customer!);
    };
    const isReference = ({ dpId: id, paymentId: payment }: StoredRow): boolean =>
      id === reference ||
      (payment !== undefined &&
        this.payments.has(payment) &&
        [payment, this.references.get(payment)].includes(reference));
    return this.rowsWhere(
      (row) => (customer === undefined || isCustomer(row.customerId)) && (reference === undefined || isReference(row)),
    ).slice(-max);
  }

  totals(part?: TotalsPart): readonly ShardTotal[] {
    const totals = new Map<string, ShardTotal>();
    for (const row of this.rows.values()) {
      if (part === 'to-end' ? !TO_END_STATUSES.includes(row.status) : part && dayOf(row.createdAt) !== part.day)
        continue;
      const { billerId, dataType, status, createdAt, dueAt } = row;
      const amount = this.countedAmount(row);
      const key = [billerId, dataType, status, amount.currency].join(' ');
      const sum = totals.get(key);
      const neverDue = (sum?.neverDue ?? 0) + Number(dueAt >= PLAUSIBLE_BEFORE);
      totals.set(key, {
        billerId,
        dataType,
        status,
        count: (sum?.count ?? 0) + 1,
        amount: { minorUnits: (sum?.amount.minorUnits ?? 0) + amount.minorUnits, currency: amount.currency },
        oldestAt: sum?.oldestAt !== undefined && sum.oldestAt < createdAt ? sum.oldestAt : createdAt,
        ...(neverDue > 0 ? { neverDue } : {}),
      });
    }
    return [...totals.values()];
  }

  rowsOfDay({ day, billerId, dataType, after, max }: Parameters<Shard['rowsOfDay']>[0]): readonly CountedRow[] {
    checkMax(max);
    const behind = after === undefined ? -1 : (this.rows.get(after)?.seq ?? Infinity);
    return [...this.rows.values()]
      .filter((row) => dayOf(row.createdAt) === day && row.billerId === billerId && row.dataType === dataType)
      .filter(({ seq }) => seq > behind)
      .sort((a, b) => a.seq - b.seq)
      .slice(0, max)
      .map((row) => ({ dpId: row.dpId, status: row.status, amount: this.countedAmount(row) }));
  }

  private countedAmount({ dataType, paymentId: payment }: StoredRow): Money {
    return (
      (carriesMoney(dataType) && payment && this.payments.get(payment)?.amount) || { minorUnits: 0, currency: 'USD' }
    );
  }

  billers(): readonly BillerId[] {
    return [...new Set([...[...this.rows.values()].map(({ billerId }) => billerId), ...this.settings.keys()])].sort();
  }

  importPayments(payments: readonly PaymentImport[]): ImportResult {
    return importResult(payments.map((each) => this.importOne(each)));
  }

  previewPayments(payments: readonly PaymentImport[], { anyAccount = false } = {}): readonly ImportFate[] {
    const copy = new MemoryShard(this.name, () => msOf(this.now()));
    for (const [id, payment] of this.payments) copy.payments.set(id, payment);
    if (!anyAccount) for (const [id, customer] of this.customers) copy.customers.set(id, customer);
    return payments.map((each) => {
      if (anyAccount) copy.customers.clear();
      return copy.importOne(each);
    });
  }

  correctCustomers(corrections: readonly CustomerCorrection[], order: CorrectionOrder | undefined): readonly number[] {
    const changed = new Set<CustomerId>();
    return corrections.flatMap(({ billerId, customerReference, accountNumber, customerName }, place) => {
      const id = customerId(digest([billerId, customerReference]));
      const customer = this.customers.get(id);
      if (!customer || customer.accountNumber === accountNumber || changed.has(id)) return [];
      changed.add(id);
      if (order) this.customers.set(id, { ...customer, accountNumber, name: customerName });
      return [place];
    });
  }

  knownReferences(references: readonly PaymentReference[]): readonly PaymentReference[] {
    return references.filter(({ source, externalReference }) => this.payments.has(digest([source, externalReference])));
  }

  knownHistory(): KnownHistory | undefined {
    return this.known;
  }

  noteHistory(next: KnownHistory): boolean {
    if (next.ordinal !== (this.known?.ordinal ?? 0) + 1) return false;
    this.known = next;
    return true;
  }

  /** A backup; called, it brings back what stood there then. */
  snapshot(): () => void {
    const { rows, outbox, customers, payments, settings, known } = this;
    const kept = structuredClone({ rows, outbox, customers, payments, settings, known });
    return () => {
      this.rows.clear();
      for (const [id, row] of kept.rows) this.rows.set(id, row);
      this.outbox.splice(0, this.outbox.length, ...kept.outbox);
      for (const name of ['customers', 'payments', 'settings'] as const) {
        const table = this[name] as Map<string, unknown>;
        table.clear();
        for (const [id, row] of kept[name]) table.set(id, row);
      }
      this.known = kept.known;
    };
  }

  stored(): readonly StoredRow[] {
    return [...this.rows.values()];
  }

  unpublished(): number {
    return this.outbox.filter(({ published }) => !published).length;
  }

  withdraw(id: DpId): void {
    this.rows.delete(id);
  }

  changeAmount(id: PaymentId, byMinorUnits: number): void {
    const payment = this.payments.get(id);
    if (!payment) return;
    const { amount } = payment;
    this.payments.set(id, { ...payment, amount: { ...amount, minorUnits: amount.minorUnits + byMinorUnits } });
  }

  repoint(id: DpId, to: { readonly customerId: CustomerId; readonly paymentId?: PaymentId }): void {
    const row = this.rows.get(id);
    if (row) Object.assign(row, to);
  }

  rename(id: CustomerId, addition: string): void {
    const customer = this.customers.get(id);
    if (customer) this.customers.set(id, { ...customer, name: `${customer.name}${addition}` });
  }

  close(): void {}

  private importOne(each: PaymentImport): ImportFate {
    const id = paymentId(digest([each.source, each.externalReference]));
    const customer = customerId(digest([each.billerId, each.customerReference]));
    const account = this.customers.get(customer)?.accountNumber;
    if (account !== undefined && account !== each.accountNumber) return 'another-account';
    const { billerId, amount, invoiceType, paidAt } = each;
    const payment: Payment = {
      paymentId: id,
      customerId: customer,
      billerId,
      amount,
      invoiceType,
      paidAt,
      achReturnCode: undefined,
    };
    const stored = this.payments.get(id);
    this.references.set(id, each.externalReference);
    if (stored) return isDeepStrictEqual(stored, payment) ? 'known' : 'another-payment';
    this.seed({
      billers: [{ billerId, dba: each.billerName, active: true }],
      customers: [
        {
          customerId: customer,
          billerId,
          accountNumber: each.accountNumber,
          name: each.customerName,
          email: undefined,
          paperless: false,
          autoPay: false,
        },
      ],
      payments: [payment],
      rows: [
        { dpId: dpId(id), billerId, dataType: 'Payments', customerId: customer, paymentId: id, createdAt: this.now() },
      ],
    });
    return 'added';
  }

  /** Oldest due first, one of each biller in turn, so that a large backlog delays its own biller only. */
  private eligible({ billers, dataTypes, rowsMax }: ClaimRequest, now: Instant): readonly StoredRow[] {
    const due = [...this.rows.values()]
      .filter((row) => row.status === 'New' && row.dueAt <= now)
      .filter((row) => dataTypes?.includes(row.dataType) ?? true)
      .sort(byDue);
    const queues = [...new Set(billers)].map((biller) => due.filter(({ billerId }) => billerId === biller));
    const taken: StoredRow[] = [];
    for (let round = 0; taken.length < rowsMax && queues.some((queue) => queue.length > round); round++) {
      taken.push(...queues.flatMap((queue) => queue.slice(round, round + 1)).slice(0, rowsMax - taken.length));
    }
    return taken.sort(byDue);
  }

  private setStatus(row: StoredRow, status: RowStatus): void {
    this.onMove?.(`${row.billerId}:${row.dpId}`, row.status, status);
    row.status = status;
    row.progressAt = latest(row.progressAt, this.now());
  }

  private rowsWhere(holds: (row: StoredRow) => boolean): DpRow[] {
    return [...this.rows.values()].filter(holds).map((row) => this.joined(row));
  }

  private joined({ seq: _seq, progressAt: _progressAt, ...row }: StoredRow): DpRow {
    return {
      ...row,
      shard: this.name,
      customer: this.customers.get(row.customerId),
      payment: row.paymentId === undefined ? undefined : this.payments.get(row.paymentId),
      biller: this.settings.get(row.billerId),
      details: [...row.details],
    };
  }
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);
const byDue = (a: StoredRow, b: StoredRow): number => msOf(a.dueAt) - msOf(b.dueAt) || a.seq - b.seq;
const asciiLower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

const checkMax = (max: number): void =>
  invariant(max <= ROWS_PER_CALL_MAX, `at most ${ROWS_PER_CALL_MAX} rows in one call, got ${max}`);
const digest = (parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);

function rangeOf(dpIds: readonly DpId[]): { readonly dpStart: DpId; readonly dpEnd: DpId } {
  const sorted = [...dpIds].sort(dpIds.every(isNumber) ? (a, b) => (BigInt(a) < BigInt(b) ? -1 : 1) : undefined);
  invariant(sorted.length > 0, 'a planned chunk holds no row');
  return { dpStart: sorted[0]!, dpEnd: sorted.at(-1)! };
}
