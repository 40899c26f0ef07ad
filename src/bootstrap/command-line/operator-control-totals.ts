import { type Command } from 'commander';
import { type Lines } from '../../adapters/command-line/printer';
import { type Container } from 'inversify';
import { totalsTable } from '../../adapters/command-line/totals-table';
import { PortFailure } from '../../application/ports/failures';
import { type RecordProjection } from '../../application/ports/record-projection';
import { type ControlTotals, controlTotals } from '../../application/queries/control-totals';
import { currentRecords } from '../../application/queries/project-records';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator } from './operator-context';
import { answer, counted, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

export function addControlTotalsCommand(program: Command): void {
  program
    .command('control-totals')
    .description('counts and money per biller from the shards and from the event store; exit code 1 where they differ')
    .action(async (_options, command: Command) => showTotals(command.optsWithGlobals()));
}

async function showTotals(options: GlobalOptions): Promise<void> {
  await asOperator(options, async ({ container, readAt }) => {
    const { projection, unprojected } = await projected(container);
    const compared = await controlTotals({ shards: container.get(TOKENS.shards), projection })();
    // What an earlier look saw of the event store is no source to compare with.
    const totals: ControlTotals =
      unprojected === undefined
        ? compared
        : { ...compared, eventStore: [], differences: [], unread: [...compared.unread, unprojected] };
    const balanced = totals.differences.length === 0 && totals.unread.length === 0;
    if (!balanced) process.exitCode = EXIT.failed;
    answer(options, { readAt, balanced, ...totals }, () => totalsText(totals, readAt));
  });
}

/** The projection, at the event store's end; else why the event store cannot be read. */
async function projected(
  container: Container,
): Promise<{ readonly projection: RecordProjection; readonly unprojected: string | undefined }> {
  const projections = container.get(TOKENS.projections);
  try {
    const eventStore = container.get(TOKENS.eventStore);
    return { projection: await currentRecords({ eventStore, projections })(), unprojected: undefined };
  } catch (error) {
    if (!(error instanceof PortFailure) || error.retryable) throw error;
    return { projection: await projections.live(), unprojected: `event store: ${error.message}` };
  }
}

function totalsText(totals: ControlTotals, readAt: string): Lines {
  const open = totals.shards.reduce((sum, line) => sum + line.ends.open.count, 0);
  const verdict =
    totals.differences.length === 0
      ? totals.unread.length > 0
        ? ['what could be read says the same of every end; the rest is not compared']
        : ['balanced: both sources say the same of every end']
      : [
          `${counted(totals.differences.length, 'difference')}:`,
          ...totals.differences.map((difference) => `  ${difference}`),
          open > 0
            ? 'work is under way, and the two were not read at one instant: look again when it is done'
            : 'next: docs/runbooks/history-behind.md',
        ];
  return [
    sourceLine('shards and event store', readAt),
    ...totalsTable(totals),
    ...(open > 0
      ? [`${counted(open, 'record')} of the shards ${open === 1 ? 'is' : 'are'} open; what is open is not compared`]
      : []),
    ...verdict,
    ...unreadLines(totals.unread),
  ];
}
