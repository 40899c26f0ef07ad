import { existsSync } from 'node:fs';
import { type Command } from 'commander';
import { adviceOf, backlogTable, busTable, type PausedBiller } from '../../adapters/command-line/status-text';
import { timeText } from '../../adapters/command-line/words';
import { measureBacklog } from '../../application/queries/measure-backlog';
import { type BillerId } from '../../domain/identifiers';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, type OperatorContext } from './operator-context';
import { answer, sourceLine } from './operator-output';

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('is everything delivered, what is stuck, and what to do next')
    .action(async (_options, command: Command) => status(command.optsWithGlobals()));
}

async function status(options: GlobalOptions): Promise<void> {
  await asOperator(options, async (context) => {
    const { container, readAt } = context;
    const { live, known, problems } = await profilesOf(context);
    const backlog = await measureBacklog(
      { shards: container.get(TOKENS.shards), bus: container.get(TOKENS.bus) },
      container.get(TOKENS.topology),
    )(live);
    const paused = await pausedOf(context, new Set([...known, ...backlog.rows.map(({ billerId }) => billerId)]));
    const next = adviceOf(backlog, paused, problems);
    const notLive = [
      ...new Set(
        backlog.rows
          .filter(({ status: each, billerId }) => each === 'New' && !live.has(billerId))
          .map(({ billerId }) => billerId),
      ),
    ];
    answer(options, { readAt, ...backlog, paused, billersNotLive: notLive, next }, () =>
      [
        sourceLine('shards', readAt),
        backlogTable(backlog, readAt),
        `chunks not published yet: ${backlog.unpublishedChunks}`,
        ...(notLive.length > 0
          ? [`billers with new rows and no live profile, so nothing is claimed: ${notLive.join(', ')}`]
          : []),
        '',
        sourceLine('bus', readAt),
        busTable(backlog),
        '',
        sourceLine('event store', readAt),
        paused.length === 0
          ? 'no biller is paused'
          : paused
              .map(
                ({ billerId, by, reason, since }) =>
                  `biller ${billerId} paused by ${by} since ${timeText(since)}: ${reason}`,
              )
              .join('\n'),
        '',
        ...next.map((line) => `next: ${line}`),
      ].join('\n'),
    );
  });
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
