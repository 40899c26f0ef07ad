import {
  type ControlLine,
  type ControlTotals,
  emptyTally,
  type End,
  ENDS,
  lineName,
  type Tally,
  tallyText,
} from '../../application/queries/control-totals';
import { type Lines } from './printer';
import { tableLines } from './table';

const TITLES: Record<End, string> = {
  delivered: 'delivered', declined: 'declined', rejected: 'rejected', skipped: 'skipped', withdrawn: 'withdrawn',
  deadLettered: 'dead letters', inDoubt: 'in doubt', open: 'under way',
}; // prettier-ignore

/** Both sources, a line each, so that a difference is seen where it is. Ends that nobody reached get no column. */
export function totalsTable(totals: Pick<ControlTotals, 'shards' | 'eventStore'>): Lines {
  const lines = [...totals.shards, ...totals.eventStore];
  const ends = ENDS.filter((end) => end === 'delivered' || lines.some((line) => line.ends[end].count > 0));
  const names = [...new Set(lines.map(lineName))];
  const row = (source: string, name: string, line: ControlLine | undefined): readonly string[] => {
    const [shard, biller, dataType] = name.split(' ');
    return [shard!, biller!, dataType!, source, text(line?.eligible), ...ends.map((end) => text(line?.ends[end]))];
  };
  return tableLines(
    [
      { title: 'shard' },
      { title: 'biller' },
      { title: 'type' },
      { title: 'source' },
      ...['eligible', ...ends.map((end) => TITLES[end])].map((title) => ({ title, align: 'right' as const })),
    ],
    names.flatMap((name) => [
      row(
        'shards',
        name,
        totals.shards.find((line) => lineName(line) === name),
      ),
      row(
        'event store',
        name,
        totals.eventStore.find((line) => lineName(line) === name),
      ),
    ]),
  );
}

const text = (tally: Tally = emptyTally()): string => tallyText(tally);
