import { type Backlog } from '../../application/queries/measure-backlog';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { earliest, type Instant } from '../../domain/instant';
import { tableText } from './table';
import { ageText } from './words';

export interface PausedBiller {
  readonly billerId: BillerId;
  readonly by: string;
  readonly reason: string;
  readonly since: Instant;
}

const UNFINISHED: readonly RowStatus[] = ['New', 'Queued', 'Published', 'Failed', 'InDoubt'];
const AGING: readonly RowStatus[] = ['New', 'Queued', 'Published'];
const right = (title: string) => ({ title, align: 'right' as const });

/** Source: the shards. One line per biller and data type; what has its end is one number. */
export function backlogTable(backlog: Backlog, now: Instant): string {
  const names = [...new Set(backlog.rows.map(({ billerId, dataType }) => `${billerId} ${dataType}`))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  const rows = names.map((name) => {
    const mine = backlog.rows.filter(({ billerId, dataType }) => `${billerId} ${dataType}` === name);
    const count = (wanted: (status: RowStatus) => boolean): string =>
      String(mine.reduce((sum, row) => sum + (wanted(row.status) ? row.count : 0), 0));
    const oldest = mine.filter(({ status }) => AGING.includes(status)).flatMap(({ oldestAt }) => oldestAt ?? []);
    return [
      ...name.split(' '),
      ...UNFINISHED.map((status) => count((each) => each === status)),
      count((status) => !UNFINISHED.includes(status)),
      oldest.length === 0 ? '-' : ageText(oldest.reduce(earliest), now),
    ];
  });
  return tableText(
    [
      { title: 'biller' },
      { title: 'type' },
      ...['new', 'queued', 'published', 'failed', 'in doubt', 'done', 'oldest on its way'].map(right),
    ],
    rows,
  );
}

/** Source: the bus. */
export const busTable = (backlog: Backlog): string =>
  tableText(
    [{ title: 'topic' }, { title: 'subscription' }, ...['active', 'scheduled', 'dead letters'].map(right)],
    backlog.subscriptions.map(({ topic, subscription, active, scheduled, deadLettered }) => [
      topic,
      subscription,
      String(active),
      scheduled === undefined ? 'not told' : String(scheduled),
      String(deadLettered),
    ]),
  );

/** What an operator does about what is seen, most urgent first; every line names a command. */
export function adviceOf(
  backlog: Backlog,
  paused: readonly PausedBiller[],
  profileProblems: number,
): readonly string[] {
  const count = (status: RowStatus): number =>
    backlog.rows.reduce((sum, row) => sum + (row.status === status ? row.count : 0), 0);
  const deadLetters = backlog.subscriptions.reduce((sum, { deadLettered }) => sum + deadLettered, 0);
  const lines = [
    ...(count('InDoubt') > 0 ? [`${count('InDoubt')} in doubt: datapump in-doubt list`] : []),
    ...(deadLetters > 0 ? [`${deadLetters} in the dead letters: datapump deadletter list`] : []),
    ...(profileProblems > 0 ? [`${profileProblems} wrong in biller profiles: datapump biller check`] : []),
    ...paused.map(({ billerId }) => `biller ${billerId} is paused: datapump biller resume ${billerId}`),
    ...(backlog.drained ? [] : ['work is waiting or under way: datapump run all']),
  ];
  return lines.length > 0 ? lines : ['nothing: all that is eligible has its end'];
}
