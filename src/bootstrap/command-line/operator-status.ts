import { type Command } from 'commander';
import { billerStatesTable } from '../../adapters/command-line/biller-states-text';
import { adviceOf, backlogTable, busTable, neverDueLines } from '../../adapters/command-line/status-text';
import { timeText, whoText } from '../../adapters/command-line/words';
import { type ProjectedTotal, type RecordStatus } from '../../application/ports/record-projection';
import { type BillerState } from '../../application/queries/biller-states';
import { type Backlog } from '../../application/queries/measure-backlog';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { lookAround } from './look-around';
import { asOperator } from './operator-context';
import { answer, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

interface StatusOptions extends GlobalOptions {
  readonly check?: boolean;
}

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('is everything delivered, which biller is ill, what is stuck, and what to do next')
    .option(
      '--check',
      'for monitors: exit code 0 where all is well, 1 where something needs a person, and one line of what',
    )
    .action(async (_options, command: Command) => status(command.optsWithGlobals()));
}

async function status(options: StatusOptions): Promise<void> {
  await asOperator(options, async (context) => {
    const { container, readAt } = context;
    const unread = new Set<string>();
    const tell = (what: string): void => void unread.add(what);
    const seen = await lookAround(context, tell);
    const { live, problems, stopped, paused, totals, states } = seen;
    const backlog = { ...seen.backlog, rows: [...seen.backlog.rows, ...endedRows(totals?.all ?? [])] };
    const next =
      unread.size > 0
        ? ['what could not be read: docs/runbooks/history-tampered.md']
        : adviceOf(backlog, paused, problems);
    const needsPerson = [
      ...(stopped ? ['everything is stopped'] : []),
      ...needsOf(states, backlog, problems, unread.size),
    ];
    if (unread.size > 0 || (options.check && needsPerson.length > 0)) process.exitCode = EXIT.failed;
    const notLive = [
      ...new Set(
        backlog.rows
          .filter(({ status: each, billerId }) => each === 'New' && !live.has(billerId))
          .map(({ billerId }) => billerId),
      ),
    ];
    const { dataTypes = DATA_TYPES } = container.get(TOKENS.topology);
    const waits = (status: RowStatus, dataType: DataType): boolean =>
      ['New', 'Queued', 'Published'].includes(status) && !dataTypes.includes(dataType);
    const typesLeftOut = [
      ...new Set(backlog.rows.filter((row) => waits(row.status, row.dataType)).map(({ dataType }) => dataType)),
    ];
    const need = needsPerson.length === 0 ? 'nothing needs a person' : `NEEDS A PERSON: ${needsPerson.join(' · ')}`;
    const shown = {
      readAt,
      needsPerson,
      billers: states,
      ...backlog,
      endedKnown: totals !== undefined,
      stopped: stopped ?? null,
      paused,
      billersNotLive: notLive,
      typesLeftOut,
      unread: [...unread],
      next,
    };
    if (options.check) return answer(options, { readAt, needsPerson, unread: [...unread] }, () => [need]);
    const stopText = stopped
      ? [
          `EVERYTHING IS STOPPED by ${whoText(stopped)} since ${timeText(stopped.since)}: ${stopped.reason}`,
          'next: datapump stop lift',
        ]
      : [];
    answer(options, shown, () => [
      ...stopText,
      need,
      '',
      sourceLine('shards (waiting, in doubt), event store (the rest)', readAt),
      ...billerStatesTable(states, readAt),
      '',
      sourceLine('shards (what is to end), event store (failed, done)', readAt),
      ...backlogTable(backlog, readAt, totals !== undefined),
      `chunks not published yet: ${backlog.unpublishedChunks}`,
      ...(notLive.length > 0
        ? [`billers with new rows and no live profile, so nothing is claimed: ${notLive.join(', ')}`]
        : []),
      ...(typesLeftOut.length > 0
        ? [
            `rows wait of types that ServiceBus:Subscriptions leaves out, so no one works on them here: ${typesLeftOut.join(', ')}`,
          ]
        : []),
      ...neverDueLines(backlog.rows),
      '',
      sourceLine('bus', readAt),
      ...busTable(backlog),
      '',
      sourceLine('event store', readAt),
      ...(paused.length === 0
        ? ['no biller is paused']
        : paused.map(
            ({ billerId, reason, since, ...who }) =>
              `biller ${billerId} paused by ${whoText(who)} since ${timeText(since)}: ${reason}`,
          )),
      '',
      ...(unread.size > 0 ? [...unreadLines([...unread]), ''] : []),
      ...next.map((line) => `next: ${line}`),
    ]);
  });
}

/** What waits for somebody to decide; work under way, and what a person paused, is not among it. */
function needsOf(
  states: readonly BillerState[],
  backlog: Backlog,
  profileProblems: number,
  unread: number,
): readonly string[] {
  const count = (of: (state: BillerState) => number): number => states.reduce((sum, state) => sum + of(state), 0);
  const [doubts, dead] = [count(({ inDoubt }) => inDoubt), count(({ deadLettered }) => deadLettered ?? 0)];
  const letters = backlog.subscriptions.reduce((sum, { deadLettered }) => sum + deadLettered, 0);
  return [
    ...states.filter(({ word }) => word === 'failing').map(({ billerId }) => `biller ${billerId} is failing`),
    ...(doubts > 0 ? [`${doubts} in doubt`] : []),
    // A record's letter is counted with its record.
    ...(dead > 0 ? [`${dead} dead-lettered`] : []),
    ...(letters > dead ? [`${letters - dead} more dead letters`] : []),
    ...(profileProblems > 0 ? [`${profileProblems} wrong in biller profiles`] : []),
    ...(unread > 0 ? [`${unread} could not be read`] : []),
  ];
}

const ROW_OF: Readonly<Partial<Record<RecordStatus, RowStatus>>> = {
  delivered: 'Delivered',
  declined: 'Declined',
  'dead-lettered': 'Failed',
  rejected: 'Rejected',
  skipped: 'Skipped',
  withdrawn: 'Withdrawn',
};

/** What has ended, as the streams say, in the shards' words. */
function endedRows(totals: readonly ProjectedTotal[]): Backlog['rows'] {
  const sums = new Map<string, Backlog['rows'][number]>();
  for (const { billerId, dataType, status, count } of totals) {
    const row = ROW_OF[status];
    if (!row) continue;
    const name = `${billerId} ${dataType} ${row}`;
    sums.set(name, {
      billerId,
      dataType,
      status: row,
      count: (sums.get(name)?.count ?? 0) + count,
      oldestAt: undefined,
    });
  }
  return [...sums.values()];
}
