import { type Command } from 'commander';
import { rebuildRecords } from '../../application/queries/project-records';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator } from './operator-context';
import { answer, counted, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

export function addProjectionCommand(program: Command): void {
  program
    .command('projection')
    .description('the read model of the records, which find, prove and status ask')
    .command('rebuild')
    .description(
      'build it anew from the event store beside the one in use, then switch; an interrupted one is gone on with',
    )
    .action(async (_options, command: Command) => rebuild(command.optsWithGlobals()));
}

async function rebuild(options: GlobalOptions): Promise<void> {
  await asOperator(options, async ({ container, readAt }) => {
    const projections = container.get(TOKENS.projections);
    const clock = container.get(TOKENS.clock);
    const since = clock.monotonicMs();
    const events = await rebuildRecords({ eventStore: container.get(TOKENS.eventStore), projections })();
    const ms = Math.round(clock.monotonicMs() - since);
    const live = await projections.live();
    const [position, unread] = [await live.position(), await live.unread()];
    if (unread.length > 0) process.exitCode = EXIT.failed;
    answer(options, { readAt, events, ms, position: position ?? null, unread }, () => [
      sourceLine('event store', readAt),
      `rebuilt from ${counted(events, 'event')} of records in ${ms} ms; it is in use now`,
      ...unreadLines(unread),
    ]);
  });
}
