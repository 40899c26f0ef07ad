import { existsSync } from 'node:fs';
import { type Command } from 'commander';
import {
  adviceOf,
  backlogTable,
  busTable,
  neverDueLines,
  type PausedBiller,
} from '../../adapters/command-line/status-text';
import { timeText, whoText } from '../../adapters/command-line/words';
import { PortFailure } from '../../application/ports/failures';
import { measureBacklog } from '../../application/queries/measure-backlog';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, type OperatorContext } from './operator-context';
import { answer, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('is everything delivered, what is stuck, and what to do next')
    .action(async (_options, command: Command) => status(command.optsWithGlobals()));
}

async function status(options: GlobalOptions): Promise<void> {
  await asOperator(options, async (context) => {
    const { container, readAt } = context;
    const unread = new Set<string>();
    const tell = (what: string): void => void unread.add(what);
    const noProfiles = { live: new Set<BillerId>(), known: [], problems: 0 };
    const { live, known, problems } = await orTold('profiles', tell, noProfiles, () => profilesOf(context));
    const bus = await orTold('bus', tell, undefined, async () => container.get(TOKENS.bus));
    const backlog = await measureBacklog(
      { shards: container.get(TOKENS.shards), bus },
      container.get(TOKENS.topology),
      tell,
    )(live);
    const billers = new Set([...known, ...backlog.rows.map(({ billerId }) => billerId)]);
    const paused = await orTold('event store', tell, [], () => pausedOf(context, billers));
    const next =
      unread.size > 0
        ? ['what could not be read: docs/runbooks/history-tampered.md']
        : adviceOf(backlog, paused, problems);
    if (unread.size > 0) process.exitCode = EXIT.failed;
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
    const shown = { readAt, ...backlog, paused, billersNotLive: notLive, typesLeftOut, unread: [...unread], next };
    answer(options, shown, () => [
      sourceLine('shards', readAt),
      ...backlogTable(backlog, readAt),
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

/** Each source for itself: what cannot be read is told, and the others are shown. */
async function orTold<T>(what: string, tell: (what: string) => void, instead: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    tell(`${what}: ${error.message}`);
    return instead;
  }
}

/** Looking must work where the profiles do not: an operator asks for the status when something is wrong. */
async function profilesOf({
  container,
  settings,
}: OperatorContext): Promise<{ live: ReadonlySet<BillerId>; known: readonly BillerId[]; problems: number }> {
  if (!existsSync(settings['Billers:Folder'])) return { live: new Set(), known: [], problems: 0 };
  const files = container.get(TOKENS.profileFiles);
  const profiles = await files.all();
  return {
    live: new Set(profiles.filter(({ rollout }) => rollout === 'live').map(({ billerId }) => billerId)),
    known: profiles.map(({ billerId }) => billerId),
    problems: (await files.problems()).length,
  };
}

async function pausedOf(
  { container }: OperatorContext,
  billers: ReadonlySet<BillerId>,
): Promise<readonly PausedBiller[]> {
  const control = container.get(TOKENS.control);
  const states = await Promise.all(
    [...billers].map(async (billerId) => ({ billerId, paused: (await control.state(billerId)).paused })),
  );
  return states.flatMap(({ billerId, paused }) => (paused ? [{ billerId, ...paused }] : []));
}
