import { type SeedRow, type ShardSeed } from '../../../src/adapters/shared/shard-seed';
import {
  type BillerProfile,
  type DoubtCapability,
  type RetrySchedule,
} from '../../../src/domain/biller/biller-profile';
import { ACTIONS, DATA_TYPES, type DataType } from '../../../src/domain/biller/data-type';
import { type Customer, type Payment } from '../../../src/domain/dp-record/dp-row';
import {
  billerId,
  customerId,
  dpId,
  paymentId,
  profileVersion,
  recordKey,
  type ShardName,
  shardName,
} from '../../../src/domain/identifiers';
import { instantFromMs } from '../../../src/domain/instant';
import { CANARY } from '../checker/watch';
import { type BillerNature, WORLD_CURRENCIES } from './biller-world';
import { type Dice } from './dice';
import { WORLD_BEGINS_MS } from './simulated-process';

export type Trait =
  | 'plain'
  | 'declines'
  | 'unbuildable'
  | 'misreported'
  | 'customer-missing'
  | 'payment-of-another'
  | 'amount-negative'
  | 'currency-unknown'
  | 'constrained'
  | 'breaks-processing'
  | 'foreign-record'
  | 'foreign-chunk';

export interface PlannedRow {
  readonly record: string;
  readonly home: ShardName;
  readonly trait: Trait;
  readonly arrivesAtMs: number;
  readonly row: SeedRow;
  readonly seed: ShardSeed;
}

export interface PlannedBiller {
  readonly home: ShardName;
  readonly profile: BillerProfile;
  readonly nature: BillerNature;
}

/** What a seed is about before any fault: shards, billers, rows and when they arrive. */
export interface Scenario {
  readonly shards: readonly { readonly name: ShardName; readonly clockAheadMs: number }[];
  readonly billers: readonly PlannedBiller[];
  readonly dataTypes: readonly DataType[];
  readonly rows: readonly PlannedRow[];
  readonly poisons: number;
  /** How long faults may strike. */
  readonly faultsMs: number;
}

export type Capability = 'neither' | 'inquiry' | 'keys' | 'both';
export const CAPABILITIES: readonly Capability[] = ['neither', 'inquiry', 'keys', 'both'];

/** Shares of the rows that are not plain, in thousandths. */
const TRAITS: readonly (readonly [Trait, number])[] = [
  ['declines', 80],
  ['unbuildable', 20],
  ['misreported', 40],
  ['customer-missing', 30],
  ['payment-of-another', 15],
  ['amount-negative', 15],
  ['constrained', 40],
  ['breaks-processing', 15],
  ['foreign-record', 40],
  ['foreign-chunk', 40],
  ['currency-unknown', 15],
];

const ROWS_MAX = 30;
const SHORT_MARGIN_MS = 5_000;
const SHORT_AGE_MS = 60_000;
const FIRST_NUMBER = 100;

export interface ScenarioLimits {
  /** Only rows with these numbers: a shrunk run. */
  readonly rows?: ReadonlySet<number>;
  /** One biller of each capability, one plain record each, one consumer: the loop over every call. */
  readonly plain?: boolean;
  readonly capability?: Capability;
  readonly shortRetention?: boolean;
  readonly manyRows?: boolean;
}

export function planScenario(dice: Dice, limits: ScenarioLimits = {}): Scenario {
  const { plain } = limits;
  const shards = Array.from({ length: plain ? 1 : dice.between(1, 3, 'shards') }, (_, index) => ({
    name: shardName(`Shard-${index + 1}`),
    clockAheadMs: plain ? 0 : dice.between(-120_000, 120_000, 'clock of a shard', index),
  }));
  const dataTypes = plain ? (['Payments'] as const) : someTypes(dice);
  const first = dice.between(0, 3, 'first capability');
  const billers = Array.from({ length: plain ? 4 : dice.between(2, 5, 'billers') }, (_, index) => {
    const capability = limits.capability ?? CAPABILITIES[(first + index) % 4]!;
    return planBiller(dice, index, capability, shards[index % shards.length]!.name, limits);
  });
  const faultsMs = plain ? 120_000 : dice.between(240_000, 420_000, 'faults last');
  const count = plain
    ? 4
    : limits.manyRows
      ? ROWS_MAX
      : dice.between(5, dice.fraction('many rows') < 0.25 ? ROWS_MAX : 16, 'rows');
  const numbers = new Map<number, Set<ShardName>>();
  const rows = Array.from({ length: count }, (_, index) =>
    planRow(dice, index, billers, dataTypes, faultsMs, plain ?? false, numbers),
  );
  return {
    shards,
    billers,
    dataTypes,
    faultsMs,
    rows: limits.rows ? rows.filter((_, index) => limits.rows!.has(index)) : rows,
    poisons: plain ? 0 : dice.between(0, 2, 'poisons'),
  };
}

function someTypes(dice: Dice): readonly DataType[] {
  const count = dice.pick([1, 1, 1, 2, 2, 4], 'data types');
  if (count === 4) return DATA_TYPES;
  return count === 1 ? ['Payments'] : ['Payments', dice.pick(DATA_TYPES.slice(1), 'other data type')];
}

export function capabilityOf(capability: Capability, dice: Dice, about: string): DoubtCapability {
  const retentionMs = dice.pick([240_000, 600_000, 3_600_000], `${about} retention`);
  return {
    inquiry:
      capability === 'inquiry' || capability === 'both'
        ? { lagMs: dice.pick([0, 5_000, 30_000], `${about} lag`) }
        : undefined,
    keys: capability === 'keys' || capability === 'both' ? { retentionMs, marginMs: 30_000 } : undefined,
  };
}

function planBiller(
  dice: Dice,
  index: number,
  kind: Capability,
  home: ShardName,
  { plain, shortRetention }: ScenarioLimits,
): PlannedBiller {
  const about = `biller ${index}`;
  const id = billerId(String(11 + index));
  const timeoutMs = plain ? 5_000 : dice.pick([2_000, 5_000, 12_000], `${about} timeout`);
  const quarantineMs = plain ? 10_000 : dice.pick([5_000, 20_000, 45_000], `${about} quarantine`);
  const drawn = capabilityOf(kind, dice, about);
  const fromFirstUse = !plain && drawn.keys !== undefined && dice.fraction(`${about} keys from first use`) < 0.5;
  const callMs = timeoutMs + quarantineMs;
  const capability = shortRetention
    ? { ...drawn, keys: shortest(drawn.keys, callMs) }
    : fromFirstUse && dice.fraction(`${about} short keys`) < 0.5
      ? { ...drawn, keys: shortest({ ...drawn.keys, marginMs: SHORT_MARGIN_MS }, callMs) }
      : drawn;
  const rollout = !plain && dice.fraction(`${about} shadow`) < 0.06 ? 'off' : 'live';
  const profile: BillerProfile = {
    billerId: id,
    version: profileVersion(`v1-${index}`),
    tenant: `tenant-${id}`,
    vendor: 'simulated',
    nameTemplate: '{DBA}',
    actions: ACTIONS,
    constraints: { allowedInvoiceTypes: ['water'], skipNocs: true },
    rollout,
    timeoutMs,
    quarantineMs,
    capability,
    retry: plain ? FIXED : planRetry(dice, about),
    limits: {
      concurrency: plain ? 4 : dice.between(1, 6, `${about} concurrency`),
      perSecond: plain ? undefined : dice.pick([undefined, undefined, undefined, 2], `${about} rate`),
    },
    breaker: { failuresToOpen: 5, openMs: 30_000 },
    windows:
      !plain && dice.fraction(`${about} window`) < 0.1
        ? [{ days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'], from: '08:00', to: '22:00', timeZone: 'UTC' }]
        : [],
    document: { about },
  };
  const nature: BillerNature = {
    biller: id,
    remembersKeys: capability.keys !== undefined,
    fromFirstUse,
    keyRetentionMs: capability.keys?.retentionMs ?? 0,
    inquiryLagMs: capability.inquiry?.lagMs ?? 0,
  };
  return { home, profile, nature };
}

const FIXED: RetrySchedule = { kind: 'fixed', waitsMs: [1_000, 3_000, 5_000, 7_000], maxAgeMs: 24 * 3_600_000 };

/** Some give up after one try, some soon: a person redrives what they gave up. */
function planRetry(dice: Dice, about: string): RetrySchedule {
  const drawn = dice.fraction(`${about} retry`);
  if (drawn < 0.3) {
    return {
      kind: 'exponential',
      initialMs: 1_000,
      factor: 3,
      maxMs: 30_000,
      jitter: 0.3,
      attemptsMax: drawn < 0.12 ? 1 : 4,
      maxAgeMs: 3_600_000,
    };
  }
  return drawn < 0.4 ? { ...FIXED, maxAgeMs: SHORT_AGE_MS } : FIXED;
}

/** Little more than a profile's check asks for: the margin, and twice the time that a call and its late effect take. */
const shortest = (keys: DoubtCapability['keys'], callMs: number): DoubtCapability['keys'] =>
  keys && { ...keys, retentionMs: keys.marginMs + 2 * callMs + 10_000 };

function planRow(
  dice: Dice,
  index: number,
  billers: readonly PlannedBiller[],
  dataTypes: readonly DataType[],
  faultsMs: number,
  plain: boolean,
  numbers: Map<number, Set<ShardName>>,
): PlannedRow {
  const about = `row ${index}`;
  const { profile, home } = plain ? billers[index]! : dice.pick(billers, `${about} biller`);
  const biller = profile.billerId;
  const dataType = dice.pick(dataTypes, `${about} type`);
  // Another team's scanner leaves alone what is not live: it would wait here for ever.
  const drawn = plain ? 'plain' : traitOf(dice, about);
  const trait = drawn.startsWith('foreign') && profile.rollout !== 'live' ? 'plain' : drawn;
  const carriesMoney = dataType === 'Payments' || dataType === 'ACHRejects';
  const number = numberOf(dice, index, home, numbers);
  const customer: Customer = {
    customerId: customerId(`c${number}`),
    billerId: biller,
    accountNumber: CANARY,
    name: `${CANARY} Name`,
    email: trait === 'unbuildable' ? undefined : `${CANARY}@example.test`,
    paperless: true,
    autoPay: false,
  };
  const payment: Payment = {
    paymentId: paymentId(`p${number}`),
    customerId: trait === 'payment-of-another' ? customerId('c1') : customer.customerId,
    billerId: biller,
    amount: { minorUnits: trait === 'amount-negative' ? -5 : 1_000 + index, currency: currencyOf(dice, trait, about) },
    invoiceType: trait === 'constrained' ? 'gas' : 'water',
    paidAt: instantFromMs(WORLD_BEGINS_MS),
    achReturnCode: dataType === 'ACHRejects' ? (trait === 'constrained' ? 'C01' : 'R01') : undefined,
  };
  const arrivesAtMs = plain ? 0 : Math.floor(dice.fraction(`${about} arrives`) ** 2 * faultsMs * 0.6);
  const row: SeedRow = {
    dpId: dpId(String(number)),
    billerId: biller,
    dataType,
    customerId: customer.customerId,
    createdAt: instantFromMs(WORLD_BEGINS_MS + arrivesAtMs - 130_000),
    ...(carriesMoney ? { paymentId: payment.paymentId } : {}),
  };
  return {
    record: recordKey(biller, row.dpId),
    home,
    trait,
    arrivesAtMs,
    row,
    seed: {
      billers: [{ billerId: biller, dba: 'DBA', active: true }],
      customers: trait === 'customer-missing' ? [] : [customer],
      payments: carriesMoney ? [payment] : [],
      rows: [row],
    },
  };
}

/** Each shard counts its rows, customers and payments for itself: the same ids may stand in several. */
function numberOf(dice: Dice, index: number, home: ShardName, numbers: Map<number, Set<ShardName>>): number {
  const known = FIRST_NUMBER + dice.between(0, index, `row ${index} repeats`);
  const homes = numbers.get(known);
  const repeats = homes !== undefined && !homes.has(home) && dice.fraction(`row ${index} repeats an id`) < 0.3;
  const number = repeats ? known : FIRST_NUMBER + index;
  numbers.set(number, (numbers.get(number) ?? new Set<ShardName>()).add(home));
  return number;
}

/** Of 0, 2, 3 and 4 decimals; or what is no money, in ways that rows come with. */
const currencyOf = (dice: Dice, trait: Trait, about: string): string =>
  trait === 'currency-unknown'
    ? dice.pick(['ZZZ', 'usd', 'XAU', ''], `${about} unknown currency`)
    : dice.pick(WORLD_CURRENCIES, `${about} currency`);

function traitOf(dice: Dice, about: string): Trait {
  let at = dice.fraction(`${about} trait`) * 1_000;
  for (const [trait, share] of TRAITS) {
    if (at < share) return trait;
    at -= share;
  }
  return 'plain';
}
