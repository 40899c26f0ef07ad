import { type ManifestBiller } from '../../adapters/sqlite/sqlite-manifest';
import { type EventStore, type Position, READ_EVENTS_MAX } from '../../application/ports/event-store';
import {
  addTo,
  type End,
  emptyTally,
  ENDS,
  endOfRecord,
  endOfRow,
  sameTally,
  type Tally,
} from '../../application/queries/control-totals';
import { projectRecords } from '../../application/queries/project-records';
import { carriesMoney } from '../../domain/biller/data-type';
import { type Money } from '../../domain/money';
import { excuseDoubt } from './excuse-doubt';
import { judgeRecord } from './judge-record';
import { type BillerProof, type Difference, DIFFERENCES_SHOWN_MAX, type Proof } from './proof';
import { type Found, mergedByRecord, type Sources } from './proof-sources';

const NOTEWORTHY: ReadonlySet<string> = new Set([
  'DeliveryAttemptOutcomeUnknown',
  'DeliveryAttemptInquired',
  'DeliveryAttemptResent',
  'DeliveryAttemptResolvedByInquiry',
  'LateOutcomeObserved',
  'DoublePostSuspected',
]);

export interface ProofPorts extends Sources {
  readonly eventStore: EventStore;
}

/**
 * Compares the manifest with three independent sources, record by record: the shard tables, the event store folded
 * anew, and the biller's own ledger. It reads only, and may be repeated.
 */
export async function proveDemo(ports: ProofPorts, onProgress: (records: number) => void): Promise<Proof> {
  await projectRecords(ports)();
  const kills = ports.manifest.kills();
  const excuse = excuseDoubt({ eventStore: ports.eventStore, kills });
  const billers = new Map(ports.manifest.billers().map((biller) => [biller.billerId, emptyProof(biller)]));
  const counts = { lost: 0, doubled: 0, differs: 0 };
  const doubts = { fault: 0, kill: 0 };
  const differences: Difference[] = [];
  let records = 0;
  for await (const found of mergedByRecord(ports)) {
    const judged = await judgeRecord(found, async (record) => {
      const verdict = await excuse(record, billers.get(record.billerId)?.biller, found.hadUnclearFault);
      if (verdict.excused) doubts[verdict.origin]++;
      return verdict;
    });
    // A record counts once, by the worst that can be said of it.
    const worst = (['doubled', 'lost', 'differs'] as const).find((kind) =>
      judged.some((difference) => difference.kind === kind),
    );
    if (worst) counts[worst]++;
    differences.push(...judged.slice(0, DIFFERENCES_SHOWN_MAX - differences.length));
    const proof = found.manifest && billers.get(found.manifest.billerId);
    if (proof) add(proof, found);
    if (found.manifest) records++;
    if (records % 1_000 === 0) onProgress(records);
  }
  const proofs = [...billers.values()];
  for (const proof of proofs) proof.balanced = isBalanced(proof);
  return {
    records,
    billers: proofs,
    lost: counts.lost,
    doubled: counts.doubled,
    differing: counts.differs,
    differences,
    faults: ports.books.faults(),
    doubts,
    kills,
    attemptEvents: await countAttemptEvents(ports.eventStore),
  };
}

const emptyEnds = (): Record<End, Tally> =>
  Object.fromEntries(ENDS.map((end) => [end, emptyTally()])) as Record<End, Tally>;

const emptyProof = (biller: ManifestBiller): BillerProof => ({
  biller,
  eligible: emptyTally(),
  planned: { delivered: 0, declined: 0, rejected: 0, skipped: 0, deadLettered: 0 },
  shards: emptyEnds(),
  eventStore: emptyEnds(),
  ledger: { posted: emptyTally(), postedInDoubt: emptyTally(), declined: 0 },
  balanced: false,
});

function add(proof: BillerProof, { manifest, row, projected, effects, declines }: Found): void {
  const planned = proof.planned as Record<string, number>;
  planned[manifest!.end] = planned[manifest!.end]! + 1;
  addTo(proof.eligible, { count: 1, amount: manifest!.amount });
  if (row)
    addTo(proof.shards[endOfRow(row.status)], {
      count: 1,
      amount: carriesMoney(row.dataType) ? row.payment?.amount : undefined,
    });
  if (projected) addTo(proof.eventStore[endOfRecord(projected.status)], { count: 1, amount: projected.amount });
  if (effects) {
    const { count, amountMinorUnits, currency } = effects;
    const amount: Money | undefined =
      amountMinorUnits === undefined || currency === undefined
        ? undefined
        : { minorUnits: amountMinorUnits * count, currency };
    addTo(proof.ledger.posted, { count, amount });
    if (row?.status === 'InDoubt') addTo(proof.ledger.postedInDoubt, { count, amount });
  }
  if (declines > 0 && row?.status !== 'InDoubt') proof.ledger.declined++;
}

/** Eligible = the sum of the ends, in count and money, by shards and by event store; delivered = what the biller posted. */
function isBalanced({ eligible, shards, eventStore, ledger }: BillerProof): boolean {
  const delivered = emptyTally();
  addAll(delivered, shards.delivered);
  addAll(delivered, ledger.postedInDoubt);
  return (
    ENDS.every((end) => sameTally(shards[end], eventStore[end])) &&
    shards.open.count === 0 &&
    sameTally(eligible, sumOf(shards)) &&
    sameTally(eligible, sumOf(eventStore)) &&
    sameTally(delivered, ledger.posted) &&
    shards.declined.count === ledger.declined
  );
}

function sumOf(ends: Readonly<Record<End, Tally>>): Tally {
  const sum = emptyTally();
  for (const end of ENDS) addAll(sum, ends[end]);
  return sum;
}

function addAll(sum: Tally, { count, amounts }: Tally): void {
  sum.count += count;
  for (const [currency, minorUnits] of Object.entries(amounts))
    addTo(sum, { count: 0, amount: { minorUnits, currency } });
}

async function countAttemptEvents(eventStore: EventStore): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let after: Position | undefined; ;) {
    const page = await eventStore.readAll({
      max: READ_EVENTS_MAX,
      categories: ['deliveryAttempt'],
      ...(after === undefined ? {} : { after }),
    });
    for (const { type } of page.events) if (NOTEWORTHY.has(type)) counts[type] = (counts[type] ?? 0) + 1;
    if (page.events.length === 0) return counts;
    after = page.next;
  }
}
