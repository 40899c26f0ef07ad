import { addTo, type End, ENDS, emptyTally, endOfRow, type Tally } from '../../application/queries/control-totals';
import { type ShardTotal } from '../../application/ports/shard-totals';
import { moneyText } from '../../domain/money';
import { type Lines } from './printer';
import { tableLines } from './table';

/** How a run came to its end. */
export type RunEnd = 'drained' | 'stopped' | 'gave-up';

export interface RunSummary {
  readonly end: RunEnd;
  readonly exitCode: number;
  /** Every row of the shards by what became of it. */
  readonly ends: Readonly<Record<End, Tally>>;
}

export function summaryOf(totals: readonly ShardTotal[], end: RunEnd, exitCode: number): RunSummary {
  const ends = Object.fromEntries(ENDS.map((each) => [each, emptyTally()])) as Record<End, Tally>;
  for (const total of totals) addTo(ends[endOfRow(total.status)], total);
  return { end, exitCode, ends };
}

const TITLES: Record<End, string> = {
  delivered: 'delivered', declined: 'declined by the biller', rejected: 'rejected, never sent', skipped: 'skipped, as a constraint says',
  withdrawn: 'withdrawn', deadLettered: 'given up, in the dead letters', inDoubt: 'in doubt', open: 'open',
}; // prettier-ignore

const MEANINGS: Record<RunEnd, string> = {
  drained:
    'drained: nothing eligible is left, and nothing is on its way; what waits for a person does not change the code',
  stopped: 'stopped by a signal before all was delivered; run it again to go on',
  'gave-up': 'the processes kept ending, see the log',
};

/** What a scheduler's log should say in the morning: counts and money per end, who must act, and what the exit code means. */
export function runSummaryLines({ end, exitCode, ends }: RunSummary): Lines {
  const forPeople: readonly (readonly [End, string])[] = [
    ['inDoubt', 'in doubt: datapump in-doubt list'],
    ['deadLettered', 'given up: datapump deadletter list'],
    ['rejected', 'rejected: docs/runbooks/rejected-records.md'],
  ];
  const needed = forPeople.filter(([each]) => ends[each].count > 0);
  return [
    ...tableLines(
      [{ title: 'records now' }, { title: 'count', align: 'right' }, { title: 'money' }],
      ENDS.filter((each) => each === 'delivered' || ends[each].count > 0).map((each) => [
        TITLES[each],
        String(ends[each].count),
        moneyOf(ends[each]),
      ]),
    ),
    ...(needed.length === 0
      ? ['nothing waits for a person']
      : needed.map(([each, what]) => `a person: ${ends[each].count} ${what}`)),
    `exit code ${exitCode}: ${MEANINGS[end]}`,
  ];
}

const moneyOf = ({ amounts }: Tally): string =>
  Object.entries(amounts)
    .map(([currency, minorUnits]) => moneyText({ minorUnits, currency }))
    .join(', ') || '-';
