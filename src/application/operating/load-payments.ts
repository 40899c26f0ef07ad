import { type BillerId } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';
import { type Digest } from '../ports/digest';
import { type CorrectionOrder, type ImportResult, type PaymentImport } from '../ports/payment-imports';
import { type Shard, type Shards } from '../ports/shard';

/** One line of a source: a payment, why it is none, or why it is not meant to be one. */
export type PaymentLine =
  | { readonly line: number; readonly payment: PaymentImport }
  | { readonly line: number; readonly reason: string }
  | { readonly line: number; readonly passedOver: string };

export interface LoadCounts {
  /** Lines that hold something; the header is none of them. */
  lines: number;
  added: number;
  /** There already, the same. */
  known: number;
  /** A known reference with another payment, or a known customer with another account: nothing was changed. */
  conflicts: number;
  /** Not a payment: told by number and reason. */
  skipped: number;
  /** Not meant to be a payment, by the mapping's direction. */
  passedOver: number;
  /** Customers who got another account number. */
  corrected: number;
}

/** Minor units per currency. Sums of many lines pass what a number holds exactly. */
export interface LoadMoney {
  readonly added: Map<string, bigint>;
  readonly known: Map<string, bigint>;
}

export interface LoadResult {
  readonly counts: Readonly<LoadCounts>;
  readonly money: LoadMoney;
}

export interface LoadWatcher {
  /** A line that was not loaded, and why. */
  readonly problem: (line: number, reason: string) => void;
  readonly progress: (counts: Readonly<LoadCounts>) => void;
}

export interface LoadPorts {
  readonly shards: Shards;
  readonly digest: Digest;
  /**
   * An empty shard, for a dry run alone: what would be added goes there, so that lines are held against each other
   * without being kept in memory, and nothing is written where payments live.
   */
  readonly scratch?: Shard;
}

export interface LoadOptions {
  /** Known customers get the account number that the lines name; who orders it and why is kept in the shard. */
  readonly correctCustomers?: CorrectionOrder;
}

/** Lines loaded at a time: bounds memory and shares commits. */
const LOAD_BATCH_LINES = 1_000;
/** Customers that one load with corrections may name: their account numbers are held against each other in memory. */
const CORRECTED_CUSTOMERS_MAX = 1_000_000;

type GoodLine = Extract<PaymentLine, { payment: PaymentImport }>;

/**
 * Puts payments into the shards, batch by batch: any number of lines in the memory of one batch. Idempotent: a stop
 * anywhere is mended by loading the same source again.
 */
export function loadPayments(ports: LoadPorts, options: LoadOptions = {}) {
  return async (lines: AsyncIterable<PaymentLine>, watcher: LoadWatcher): Promise<LoadResult> => {
    const load = new Load(ports, options, watcher);
    for await (const next of lines) await load.take(next);
    return load.end();
  };
}

class Load {
  private readonly counts: LoadCounts = {
    lines: 0,
    added: 0,
    known: 0,
    conflicts: 0,
    skipped: 0,
    passedOver: 0,
    corrected: 0,
  };
  private readonly money: LoadMoney = { added: new Map(), known: new Map() };
  private readonly homes = new Map<BillerId, Shard | undefined>();
  /** With corrections only: the account number by which this source first names a customer. */
  private readonly accounts = new Map<string, string>();
  private batch: GoodLine[] = [];

  constructor(
    private readonly ports: LoadPorts,
    private readonly options: LoadOptions,
    private readonly watcher: LoadWatcher,
  ) {}

  async take(next: PaymentLine): Promise<void> {
    this.counts.lines++;
    if ('reason' in next) {
      this.counts.skipped++;
      this.watcher.problem(next.line, next.reason);
    } else if ('passedOver' in next) this.counts.passedOver++;
    else if (this.agrees(next) && this.batch.push(next) >= LOAD_BATCH_LINES) await this.flush();
  }

  async end(): Promise<LoadResult> {
    await this.flush();
    return { counts: this.counts, money: this.money };
  }

  /** Two account numbers of one customer in one source: which is right is not for a program to say, and the first stays. */
  private agrees({ line, payment }: GoodLine): boolean {
    if (!this.options.correctCustomers) return true;
    const customer = JSON.stringify([payment.billerId, payment.customerReference]);
    const account = this.accounts.get(customer);
    if (account === payment.accountNumber) return true;
    if (account === undefined && this.accounts.size < CORRECTED_CUSTOMERS_MAX) {
      this.accounts.set(customer, payment.accountNumber);
      return true;
    }
    this.conflict(line, payment, account === undefined
      ? `is of more than ${CORRECTED_CUSTOMERS_MAX} customers: split the file to correct so many`
      : 'names a customer with another account number than an earlier line of this file; it was not loaded'); // prettier-ignore
    return false;
  }

  private conflict(line: number, { source, externalReference }: PaymentImport, words: string): void {
    this.counts.conflicts++;
    this.watcher.problem(line, `${source} ${externalReference} ${words}`);
  }

  private async flush(): Promise<void> {
    for (const [shard, part] of await this.byShard()) await this.loadPart(shard, part);
    this.batch = [];
    this.watcher.progress(this.counts);
  }

  private async byShard(): Promise<ReadonlyMap<Shard | undefined, readonly GoodLine[]>> {
    const parts = new Map<Shard | undefined, GoodLine[]>();
    for (const line of this.batch) {
      const biller = line.payment.billerId;
      if (!this.homes.has(biller))
        this.homes.set(biller, (await this.ports.shards.ofBiller(biller)) ?? this.newHome(biller));
      const home = this.homes.get(biller);
      const part = parts.get(home);
      if (part) part.push(line);
      else parts.set(home, [line]);
    }
    return parts;
  }

  /** A new biller goes where its hash says, so that two loads at the same time choose the same shard. */
  private newHome(biller: BillerId): Shard | undefined {
    const all = [...this.ports.shards.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
    invariant(all.length > 0 || this.ports.scratch, 'payments are loaded into at least one shard');
    return all.length === 0 ? undefined : all[parseInt(this.ports.digest(biller).slice(0, 12), 16) % all.length]!;
  }

  private async loadPart(shard: Shard | undefined, part: readonly GoodLine[]): Promise<void> {
    const elsewhere = await this.knownElsewhere(shard, part);
    const here = part.filter(({ payment }) => !elsewhere.has(nameOf(payment)));
    const corrected = await this.correct(shard, here);
    const payments = here.map(({ payment }) => payment);
    const result = this.ports.scratch
      ? await preview(shard, this.ports.scratch, payments, corrected)
      : await shard!.importPayments(payments);
    this.counts.added += result.added;
    this.counts.known += result.known;
    for (const { line, payment } of part)
      if (elsewhere.has(nameOf(payment)))
        this.conflict(line, payment, 'is in the shards already, under another biller');
    for (const { index, why } of result.conflicts) this.conflict(here[index]!.line, here[index]!.payment, SAID[why]);
    this.addMoney(here, result);
  }

  /** True: corrections are wanted. One that is known only by a line of this very dry run is corrected nowhere. */
  private async correct(shard: Shard | undefined, part: readonly GoodLine[]): Promise<boolean> {
    const { correctCustomers } = this.options;
    if (!correctCustomers) return false;
    const order = this.ports.scratch ? undefined : correctCustomers;
    if (shard)
      this.counts.corrected += (
        await shard.correctCustomers(
          part.map(({ payment }) => payment),
          order,
        )
      ).length;
    return true;
  }

  private addMoney(part: readonly GoodLine[], { knownAt, conflicts }: ImportResult): void {
    const [known, left] = [new Set(knownAt), new Set(conflicts.map(({ index }) => index))];
    part.forEach(({ payment: { amount } }, index) => {
      if (left.has(index)) return;
      const sums = known.has(index) ? this.money.known : this.money.added;
      sums.set(amount.currency, (sums.get(amount.currency) ?? 0n) + BigInt(amount.minorUnits));
    });
  }

  /** One reference in two shards would be two payments: a line whose biller was changed must not become the second. */
  private async knownElsewhere(home: Shard | undefined, part: readonly GoodLine[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const shard of this.ports.shards.all()) {
      if (shard.name === home?.name) continue;
      for (const name of await shard.knownReferences(part.map(({ payment }) => payment))) found.add(nameOf(name));
    }
    return found;
  }
}

const SAID = {
  'another-payment':
    'is in the shard already with another biller, customer, amount, invoice type or date; it stays as it was',
  'another-account': 'names a customer whose stored account number is another; it was not loaded',
} as const;

/** What the shard says of each payment, and for those that would be new, what the lines before them say. */
async function preview(
  shard: Shard | undefined,
  scratch: Shard,
  payments: readonly PaymentImport[],
  anyAccount: boolean,
): Promise<ImportResult> {
  const fates = shard ? await shard.previewPayments(payments, { anyAccount }) : payments.map(() => 'added' as const);
  const places = fates.flatMap((fate, index) => (fate === 'added' ? [index] : []));
  const fresh = await scratch.importPayments(places.map((index) => payments[index]!));
  const at = (index: number): number => places[index]!;
  const standing = fates.flatMap((why, index) =>
    why === 'another-payment' || why === 'another-account' ? [{ index, why }] : [],
  );
  const knownAt = [...fates.flatMap((fate, index) => (fate === 'known' ? [index] : [])), ...fresh.knownAt.map(at)];
  const conflicts = [...standing, ...fresh.conflicts.map(({ index, why }) => ({ index: at(index), why }))];
  return { added: fresh.added, known: knownAt.length, knownAt, conflicts };
}

const nameOf = ({ source, externalReference }: Pick<PaymentImport, 'source' | 'externalReference'>): string =>
  JSON.stringify([source, externalReference]);
