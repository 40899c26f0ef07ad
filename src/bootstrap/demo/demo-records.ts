import { type ManifestRecord, type PlannedEnd } from '../../adapters/sqlite/sqlite-manifest';
import { type SeedRow } from '../../adapters/shared/shard-seed';
import { actionOf, carriesMoney, DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type Customer, type Payment } from '../../domain/dp-record/dp-row';
import { type RejectionReason } from '../../domain/dp-record/dp-record.events';
import { customerId, dpId, paymentId, recordKey } from '../../domain/identifiers';
import { type Instant, msOf, instantFromMs } from '../../domain/instant';
import { AMOUNT_MAX_MINOR_UNITS } from '../../domain/policies/validation';
import { type DemoBiller } from './demo-billers';
import { type DemoPlan } from './demo-plan';
import { type Random, seededRandom } from './seeded-random';

/** One record as it is seeded, and what must become of it. */
export interface DemoRecord {
  readonly biller: DemoBiller;
  readonly manifest: ManifestRecord;
  readonly row: SeedRow;
  readonly customer: Customer | undefined;
  readonly payment: Payment | undefined;
}

const CUSTOMERS_PER_BILLER = 400;
const AMOUNT_MAX = 500_000;
/** As programs write that they know no date. */
const NO_DATE = '0001-01-01T00:00:00.000Z' as Instant;
const FIRST_DP_ID = 100_000_000;
const WEIGHTS: Record<DataType, number> = { Payments: 50, Paperless: 20, AutoPay: 15, ACHRejects: 15 };
/** Of all records; the rest is delivered. */
const SHARES = { rejected: 0.05, skipped: 0.03, declined: 0.03, refused: 0.004 };
const REASONS: readonly RejectionReason[] = [
  'customer-missing',
  'customer-of-another-biller',
  'payment-missing',
  'payment-of-another-customer',
  'biller-missing',
  'biller-inactive',
  'action-not-allowed',
  'amount-not-positive',
  'amount-too-large',
  'currency-malformed',
  'currency-unknown',
  'date-implausible',
];

/** The same plan yields the same records in the same order, one at a time. */
export function* planRecords(
  plan: Pick<DemoPlan, 'records' | 'seed' | 'startedAt'>,
  billers: readonly DemoBiller[],
): Generator<DemoRecord> {
  const random = seededRandom(plan.seed);
  const active = billers.filter(({ settings }) => settings === 'active');
  const broken = (settings: DemoBiller['settings']): DemoBiller =>
    billers.find((biller) => biller.settings === settings)!;
  let rejections = 0;
  for (let index = 0; index < plan.records; index++) {
    const draw = random.fraction();
    const home = active[index % active.length]!;
    if (draw < SHARES.rejected) {
      const reason = REASONS[rejections++ % REASONS.length]!;
      const biller =
        reason === 'biller-missing' ? broken('missing') : reason === 'biller-inactive' ? broken('inactive') : home;
      yield rejected(plan, index, biller, reason, random);
    } else if (draw < SHARES.rejected + SHARES.skipped) yield skipped(plan, index, home, random);
    else if (draw < SHARES.rejected + SHARES.skipped + SHARES.declined)
      yield record(plan, index, home, 'declined', { account: 'CLOSED' }, random);
    else if (draw < SHARES.rejected + SHARES.skipped + SHARES.declined + SHARES.refused && canBeRefused(home)) {
      yield record(plan, index, home, 'deadLettered', { account: 'REFUSING' }, random);
    } else yield record(plan, index, home, 'delivered', {}, random);
  }
}

/**
 * With keys and no inquiry, a refusal after a lost answer says nothing of the lost call, and a person must decide. The
 * manifest promises an end without a person there, so such billers refuse nothing.
 */
const canBeRefused = ({ keys, inquiry }: DemoBiller): boolean => inquiry || !keys;

interface Traits {
  readonly dataType?: DataType;
  readonly account?: 'CLOSED' | 'REFUSING';
  readonly invoiceType?: string;
  readonly achReturnCode?: string;
}

function record(
  plan: Dating,
  index: number,
  biller: DemoBiller,
  end: PlannedEnd,
  traits: Traits,
  random: Random,
): DemoRecord {
  const { billerId } = biller;
  const dataType = traits.dataType ?? drawDataType(biller, random);
  const dp = dpId(String(FIRST_DP_ID + index));
  const number = random.below(CUSTOMERS_PER_BILLER);
  const customer: Customer = {
    customerId: customerId(`${billerId}-${traits.account ?? 'c'}-${number}`),
    billerId,
    accountNumber: `${traits.account ?? 'ACC'}-${billerId}-${String(number).padStart(6, '0')}`,
    name: `Customer ${number} of ${biller.name}`,
    email: number % 3 === 0 ? undefined : `customer-${number}@example.com`,
    paperless: number % 2 === 0,
    autoPay: number % 5 === 0,
  };
  const createdAt = instantFromMs(msOf(plan.startedAt) - plan.records + index);
  const payment: Payment | undefined = carriesMoney(dataType)
    ? {
        paymentId: paymentId(`p-${dp}`),
        customerId: customer.customerId,
        billerId,
        amount: { minorUnits: 1 + random.below(AMOUNT_MAX), currency: biller.currency },
        invoiceType: traits.invoiceType ?? 'Premium',
        paidAt: createdAt,
        achReturnCode: dataType === 'ACHRejects' ? (traits.achReturnCode ?? 'R01') : undefined,
      }
    : undefined;
  return {
    biller,
    customer,
    payment,
    manifest: { record: recordKey(billerId, dp), billerId, dataType, end, amount: payment?.amount },
    row: {
      dpId: dp,
      billerId,
      dataType,
      customerId: customer.customerId,
      createdAt,
      ...(payment && { paymentId: payment.paymentId }),
    },
  };
}

/** A row that the biller's constraints pass over; where it has none, an ordinary one. */
function skipped(plan: Dating, index: number, biller: DemoBiller, random: Random): DemoRecord {
  const nocs = biller.skipNocs && random.fraction() < 0.5;
  if (nocs) return record(plan, index, biller, 'skipped', { dataType: 'ACHRejects', achReturnCode: 'C01' }, random);
  const money = typesOf(biller).find(carriesMoney);
  if (biller.allowedInvoiceTypes && money)
    return record(plan, index, biller, 'skipped', { dataType: money, invoiceType: 'Endorsement' }, random);
  return record(plan, index, biller, 'delivered', {}, random);
}

type Dating = Pick<DemoPlan, 'startedAt' | 'records'>;

/** A row that is wrong in one way. Where this biller cannot be wrong in this way, its customer is missing. */
function rejected(
  plan: Dating,
  index: number,
  biller: DemoBiller,
  reason: RejectionReason,
  random: Random,
): DemoRecord {
  const money = typesOf(biller).find(carriesMoney);
  const forbidden = DATA_TYPES.find((type) => !typesOf(biller).includes(type));
  const plain = (dataType?: DataType): DemoRecord =>
    record(plan, index, biller, 'rejected', dataType === undefined ? {} : { dataType }, random);
  const withPayment = (change: (payment: Payment) => Payment): DemoRecord => {
    const base = plain(money);
    const payment = change(base.payment!);
    return { ...base, payment, manifest: { ...base.manifest, amount: payment.amount } };
  };
  const amount = (change: Partial<Payment['amount']>) =>
    withPayment((payment) => ({ ...payment, amount: { ...payment.amount, ...change } }));
  if (money !== undefined) {
    switch (reason) {
      case 'payment-missing': {
        const base = plain(money);
        return { ...base, payment: undefined, manifest: { ...base.manifest, amount: undefined } };
      }
      case 'payment-of-another-customer':
        return withPayment((payment) => ({ ...payment, customerId: customerId(`${biller.billerId}-someone-else`) }));
      case 'amount-not-positive':
        return amount({ minorUnits: -1 - random.below(1_000) });
      case 'amount-too-large':
        return amount({ minorUnits: AMOUNT_MAX_MINOR_UNITS + 1 + random.below(1_000) });
      case 'currency-malformed':
        return amount({ currency: 'usd' });
      case 'currency-unknown':
        return amount({ currency: 'ZZZ' });
      case 'date-implausible':
        return withPayment((payment) => ({ ...payment, paidAt: NO_DATE }));
      // Wrong whether or not there is a payment: below.
      case 'biller-missing':
      case 'biller-inactive':
      case 'action-not-allowed':
      case 'customer-missing':
      case 'customer-of-another-biller':
      case 'row-breaks-processing':
        break;
    }
  }
  if (reason === 'biller-missing' || reason === 'biller-inactive') return plain();
  if (reason === 'action-not-allowed' && forbidden) return plain(forbidden);
  const base = plain();
  if (reason === 'customer-of-another-biller') {
    const strange = customerId(`elsewhere-${biller.billerId}`);
    return withCustomer(base, {
      ...base.customer!,
      customerId: strange,
      billerId: 'elsewhere' as typeof biller.billerId,
    });
  }
  return {
    ...withCustomer(base, { ...base.customer!, customerId: customerId(`nobody-${biller.billerId}`) }),
    customer: undefined,
  };
}

function withCustomer(base: DemoRecord, customer: Customer): DemoRecord {
  const payment = base.payment && { ...base.payment, customerId: customer.customerId };
  return { ...base, customer, payment, row: { ...base.row, customerId: customer.customerId } };
}

const typesOf = (biller: DemoBiller): readonly DataType[] =>
  DATA_TYPES.filter((type) => biller.actions.includes(actionOf(type)));

function drawDataType(biller: DemoBiller, random: Random): DataType {
  const types = typesOf(biller);
  let left = random.fraction() * types.reduce((sum, type) => sum + WEIGHTS[type], 0);
  return types.find((type) => (left -= WEIGHTS[type]) < 0) ?? types[0]!;
}
