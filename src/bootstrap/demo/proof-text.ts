import { type Lines } from '../../adapters/command-line/printer';
import { type Column, tableLines } from '../../adapters/command-line/table';
import { emptyTally, type End, type Tally, addTo } from '../../application/queries/control-totals';
import { decimalText } from '../../domain/money';
import { type BillerProof, isProved, type Proof } from './proof';
import { type DemoPlan } from './demo-plan';

export interface DemoMeasures {
  /** From the start of the processes to the end of the work. */
  readonly seconds: number | undefined;
  readonly peakMebibytes: Readonly<Record<string, number>>;
}

const SHOWN: readonly (readonly [End, string])[] = [
  ['delivered', 'delivered'],
  ['declined', 'declined'],
  ['rejected', 'rejected'],
  ['skipped', 'skipped'],
  ['withdrawn', 'withdrawn'],
  ['deadLettered', 'dead-lettered'],
  ['inDoubt', 'in doubt'],
];
const BILLERS_SHOWN_MAX = 40;

export function proofLines(plan: DemoPlan, proof: Proof, { seconds, peakMebibytes }: DemoMeasures): Lines {
  const speed =
    seconds === undefined ? '' : `, ${seconds.toFixed(1)} s, ${Math.round(proof.records / seconds)} records/s`;
  const kills = proof.kills.filter(({ cause }) => cause === 'chaos').map(({ process }) => process);
  const interruptions = proof.kills.length - kills.length;
  return [
    `${proof.records} records, ${plan.billers} billers, ${plan.shards} shards, seed ${plan.seed}${speed}`,
    '',
    'Records (eligible: the manifest; the ends: shard tables, as long as the last column says that all sources agree)',
    ...tableLines(COUNT_COLUMNS, [...shownBillers(proof).map(countRow), totalRow(proof)]),
    '',
    'Money (eligible: the manifest; the ends: event store; posted: the ledger of the biller itself)',
    ...tableLines(MONEY_COLUMNS, shownBillers(proof).flatMap(moneyRows)),
    '',
    `Faults that fired at the billers: ${listText(proof.faults)}`,
    `What followed in the streams: ${listText(proof.attemptEvents)}`,
    ...(kills.length > 0 ? [`Killed (kill -9): ${kills.length} times: ${listText(count(kills))}`] : []),
    ...(interruptions > 0
      ? [`Interrupted, and continued with --resume: ${interruptions === 1 ? 'once' : `${interruptions} times`}`]
      : []),
    `Peak memory, MiB: ${listText(peakMebibytes)}`,
    '',
    ...proof.differences.map(
      ({ record, kind, text }) => `  ${kind === 'differs' ? 'DIFFERS' : kind.toUpperCase()}  ${record}: ${text}`,
    ),
    ...unbalanced(proof),
    verdictText(proof),
  ];
}

function verdictText(proof: Proof): string {
  const held = `${inDoubtOf(proof)} in doubt, each with its cause`;
  if (isProved(proof)) return `PROVED: ${proof.records} records, 0 lost, 0 doubled, the manifest holds (${held}).`;
  return `NOT PROVED: ${proof.lost} lost, ${proof.doubled} doubled, ${proof.differing} otherwise not as the manifest says.`;
}

const inDoubtOf = (proof: Proof): number => proof.billers.reduce((sum, { shards }) => sum + shards.inDoubt.count, 0);

/** Those that do not balance are always shown. */
const shownBillers = ({ billers }: Proof): readonly BillerProof[] =>
  billers.filter(({ balanced }, index) => index < BILLERS_SHOWN_MAX || !balanced);

const right = (title: string): Column => ({ title, align: 'right' });
const COUNT_COLUMNS: readonly Column[] = [
  { title: 'biller' },
  { title: 'doubt is resolved by' },
  right('eligible'),
  ...SHOWN.map(([, title]) => right(title)),
  right('effects'),
  { title: 'three sources' },
];

function countRow(proof: BillerProof): readonly string[] {
  const { biller, eligible, shards, ledger, balanced } = proof;
  return [
    `${biller.billerId} ${biller.name}`,
    capabilityOf(biller),
    String(eligible.count),
    ...SHOWN.map(([end]) => String(shards[end].count)),
    String(ledger.posted.count),
    balanced ? 'agree' : 'DIFFER',
  ];
}

const capabilityOf = ({ keys, inquiry }: BillerProof['biller']): string =>
  keys && inquiry ? 'inquiry, keys' : keys ? 'keys' : inquiry ? 'inquiry' : 'a person';

function totalRow({ billers }: Proof): readonly string[] {
  const sum = (of: (proof: BillerProof) => number): string =>
    String(billers.reduce((total, proof) => total + of(proof), 0));
  return [
    'all',
    '',
    sum(({ eligible }) => eligible.count),
    ...SHOWN.map(([end]) => sum(({ shards }) => shards[end].count)),
    sum(({ ledger }) => ledger.posted.count),
    billers.every(({ balanced }) => balanced) ? 'agree' : 'DIFFER',
  ];
}

const MONEY_COLUMNS: readonly Column[] = [
  { title: 'biller' },
  { title: '' },
  right('eligible'),
  ...SHOWN.map(([, title]) => right(title)),
  right('posted'),
];

/** A line per currency: money of two currencies is never added. */
function moneyRows({ biller, eligible, eventStore, ledger }: BillerProof): readonly (readonly string[])[] {
  const all = emptyTally();
  for (const tally of [eligible, ledger.posted, ...SHOWN.map(([end]) => eventStore[end])]) {
    for (const currency of Object.keys(tally.amounts))
      if (!(currency in all.amounts)) addTo(all, { count: 0, amount: { minorUnits: 1, currency } });
  }
  return Object.keys(all.amounts).map((currency) => {
    // Of a currency that is not known the minor units themselves, as they stand.
    const text = (tally: Tally): string => {
      const minorUnits = tally.amounts[currency] ?? 0;
      return decimalText({ minorUnits, currency }) ?? String(minorUnits);
    };
    return [
      biller.billerId,
      currency,
      text(eligible),
      ...SHOWN.map(([end]) => text(eventStore[end])),
      text(ledger.posted),
    ];
  });
}

const unbalanced = ({ billers }: Proof): readonly string[] =>
  billers
    .filter(({ balanced }) => !balanced)
    .map(({ biller }) => `  DIFFERS  biller ${biller.billerId}: count or money of the three sources do not agree`);

function count(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const listText = (entries: Readonly<Record<string, number>>): string =>
  Object.entries(entries)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ') || 'none';
