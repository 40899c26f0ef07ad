import { type OperatorOrder } from '../../application/operating/operator-order';
import { type Backlog } from '../../application/queries/measure-backlog';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { earliest, type Instant } from '../../domain/instant';
import { type Lines } from './printer';
import { tableLines } from './table';
import { ageText } from './words';

export interface PausedBiller extends OperatorOrder {
  readonly billerId: BillerId;
  readonly since: Instant;
}

const UNFINISHED: readonly RowStatus[] = ['New', 'Queued', 'Published', 'Failed', 'InDoubt'];
const AGING: readonly RowStatus[] = ['New', 'Queued', 'Published'];
const right = (title: string) => ({ title, align: 'right' as const });

/**
 * One line per biller and data type; what has its end is one number. Source: the shards for what is to end, the record
 * projection for what has ended; `endedKnown`: it could be read.
 */
export function backlogTable(backlog: Pick<Backlog, 'rows'>, now: Instant, endedKnown: boolean): Lines {
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
      ...UNFINISHED.map((status) => (status === 'Failed' && !endedKnown ? '?' : count((each) => each === status))),
      endedKnown ? count((status) => !UNFINISHED.includes(status)) : '?',
      oldest.length === 0 ? '-' : ageText(oldest.reduce(earliest), now),
    ];
  });
  return tableLines(
    [
      { title: 'biller' },
      { title: 'type' },
      ...['new', 'queued', 'published', 'failed', 'in doubt', 'done', 'oldest on its way'].map(right),
    ],
    rows,
  );
}

/** Rows that would wait in silence: nothing claims them before a date that nobody meant. */
export function neverDueLines(rows: Backlog['rows']): readonly string[] {
  const late = rows.filter(({ status, neverDue = 0 }) => status === 'New' && neverDue > 0);
  const all = late.map(({ billerId, dataType, neverDue }) => `${neverDue} ${dataType} of biller ${billerId}`);
  return all.length === 0
    ? []
    : [`new rows due after 2099, which nothing will claim until their DueAt is mended: ${all.join(', ')}`];
}

/** Source: the bus. */
export const busTable = (backlog: Backlog): Lines =>
  tableLines(
    [{ title: 'topic' }, { title: 'subscription' }, ...['active', 'scheduled', 'dead letters'].map(right)],
    [...backlog.subscriptions, ...(backlog.notices ? [backlog.notices] : [])].map(
      ({ topic, subscription, active, scheduled, deadLettered }) => [
        topic,
        subscription,
        String(active),
        scheduled === undefined ? 'not told' : String(scheduled),
        String(deadLettered),
      ],
    ),
  );

/** What an operator does about what is seen, most urgent first; every line names a command. */
export function adviceOf(
  backlog: Backlog,
  paused: readonly PausedBiller[],
  profileProblems: number,
): readonly string[] {
  const count = (status: RowStatus): number =>
    backlog.rows.reduce((sum, row) => sum + (row.status === status ? row.count : 0), 0);
  const deadLetters = backlog.subscriptions.filter(({ deadLettered }) => deadLettered > 0);
  const notices = (backlog.notices?.active ?? 0) + (backlog.notices?.deadLettered ?? 0);
  const lines = [
    ...(count('InDoubt') > 0 ? [`${count('InDoubt')} in doubt: datapump in-doubt list`] : []),
    ...deadLetters.map(
      ({ kind, deadLettered }) =>
        `${deadLettered} in the dead letters of ${kind}: datapump deadletter list --type ${kind.toLowerCase()}`,
    ),
    ...(notices > 0 ? [`${notices} notices of rejected rows: datapump rejected list`] : []),
    ...(profileProblems > 0 ? [`${profileProblems} wrong in biller profiles: datapump biller check`] : []),
    ...paused.map(({ billerId }) => `biller ${billerId} is paused: datapump biller resume ${billerId}`),
    ...(backlog.drained ? [] : ['work is waiting or under way: datapump run all']),
  ];
  return lines.length > 0 ? lines : ['nothing: all that is eligible has its end'];
}
