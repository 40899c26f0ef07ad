import { type BillerId } from '../domain/identifiers';
import { invariant } from '../domain/invariant';
import { type Digest } from './ports/digest';
import { type PaymentImport, type Shard, type Shards } from './ports/shard';

/** One line of a source: a payment, or why it is none. */
export type PaymentLine =
  { readonly line: number; readonly payment: PaymentImport } | { readonly line: number; readonly reason: string };

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
}

export interface LoadWatcher {
  /** A line that was not loaded, and why. */
  readonly problem: (line: number, reason: string) => void;
  readonly progress: (counts: Readonly<LoadCounts>) => void;
}

/** Lines loaded at a time: bounds memory and shares commits. */
export const LOAD_BATCH_LINES = 1_000;

type GoodLine = Extract<PaymentLine, { payment: PaymentImport }>;

/**
 * Puts payments into the shards, batch by batch: any number of lines in the memory of one batch. Idempotent: a stop
 * anywhere is mended by loading the same source again.
 */
export function loadPayments(ports: { readonly shards: Shards; readonly digest: Digest }) {
  return async (lines: AsyncIterable<PaymentLine>, watcher: LoadWatcher): Promise<LoadCounts> => {
    const counts: LoadCounts = { lines: 0, added: 0, known: 0, conflicts: 0, skipped: 0 };
    const homes = new Map<BillerId, Shard>();
    let batch: GoodLine[] = [];
    const flush = async (): Promise<void> => {
      for (const [shard, part] of await byShard(ports, homes, batch))
        await loadPart(ports.shards, shard, part, counts, watcher);
      batch = [];
      watcher.progress(counts);
    };
    for await (const next of lines) {
      counts.lines++;
      if ('reason' in next) {
        counts.skipped++;
        watcher.problem(next.line, next.reason);
      } else if (batch.push(next) >= LOAD_BATCH_LINES) await flush();
    }
    await flush();
    return counts;
  };
}

async function byShard(
  ports: { readonly shards: Shards; readonly digest: Digest },
  homes: Map<BillerId, Shard>,
  batch: readonly GoodLine[],
): Promise<ReadonlyMap<Shard, readonly GoodLine[]>> {
  const parts = new Map<Shard, GoodLine[]>();
  for (const line of batch) {
    const biller = line.payment.billerId;
    const home = homes.get(biller) ?? (await ports.shards.ofBiller(biller)) ?? newHome(ports, biller);
    homes.set(biller, home);
    const part = parts.get(home);
    if (part) part.push(line);
    else parts.set(home, [line]);
  }
  return parts;
}

/** A new biller goes where its hash says, so that two loads at the same time choose the same shard. */
function newHome({ shards, digest }: { readonly shards: Shards; readonly digest: Digest }, biller: BillerId): Shard {
  const all = [...shards.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
  invariant(all.length > 0, 'payments are loaded into at least one shard');
  return all[parseInt(digest(biller).slice(0, 12), 16) % all.length]!;
}

async function loadPart(
  shards: Shards,
  shard: Shard,
  part: readonly GoodLine[],
  counts: LoadCounts,
  watcher: LoadWatcher,
): Promise<void> {
  const elsewhere = await knownElsewhere(shards, shard, part);
  const here = part.filter(({ payment }) => !elsewhere.has(nameOf(payment)));
  const { added, known, conflicts } = await shard.importPayments(here.map(({ payment }) => payment));
  counts.added += added;
  counts.known += known;
  counts.conflicts += conflicts.length + part.length - here.length;
  for (const { line, payment } of part) {
    if (elsewhere.has(nameOf(payment))) {
      watcher.problem(
        line,
        `${payment.source} ${payment.externalReference} is in the shards already, under another biller`,
      );
    }
  }
  for (const { index, why } of conflicts) {
    const { line, payment } = here[index]!;
    watcher.problem(line, `${payment.source} ${payment.externalReference} ${SAID[why]}`);
  }
}

const SAID = {
  'another-payment':
    'is in the shard already with another biller, customer, amount, invoice type or date; it stays as it was',
  'another-account': 'names a customer whose stored account number is another; it was not loaded',
} as const;

/** One reference in two shards would be two payments: a line whose biller was changed must not become the second. */
async function knownElsewhere(shards: Shards, home: Shard, part: readonly GoodLine[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const shard of shards.all()) {
    if (shard.name === home.name) continue;
    for (const name of await shard.knownReferences(part.map(({ payment }) => payment))) found.add(nameOf(name));
  }
  return found;
}

const nameOf = ({ source, externalReference }: Pick<PaymentImport, 'source' | 'externalReference'>): string =>
  JSON.stringify([source, externalReference]);
