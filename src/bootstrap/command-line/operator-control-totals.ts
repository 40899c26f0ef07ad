import { type Command } from 'commander';
import { totalsTable } from '../../adapters/command-line/totals-table';
import { type ControlTotals, controlTotals } from '../../application/queries/control-totals';
import { projectRecords } from '../../application/queries/project-records';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator } from './operator-context';
import { answer, counted, sourceLine } from './operator-output';
import { EXIT } from './problems';

export function addControlTotalsCommand(program: Command): void {
  program
    .command('control-totals')
    .description('counts and money per biller from the shards and from the event store; exit code 1 where they differ')
    .action(async (_options, command: Command) => showTotals(command.optsWithGlobals()));
}

async function showTotals(options: GlobalOptions): Promise<void> {
  await asOperator(options, async ({ container, readAt }) => {
    const projection = container.get(TOKENS.projection);
    await projectRecords({ eventStore: container.get(TOKENS.eventStore), projection })();
    const totals = await controlTotals({ shards: container.get(TOKENS.shards), projection })();
    if (totals.differences.length > 0) process.exitCode = EXIT.failed;
    answer(options, { readAt, balanced: totals.differences.length === 0, ...totals }, () => totalsText(totals, readAt));
  });
}

function totalsText(totals: ControlTotals, readAt: string): string {
  const open = totals.shards.reduce((sum, line) => sum + line.ends.open.count, 0);
  const verdict =
    totals.differences.length === 0
      ? ['balanced: both sources say the same of every end']
      : [
          `${counted(totals.differences.length, 'difference')}:`,
          ...totals.differences.map((difference) => `  ${difference}`),
          open > 0
            ? 'work is under way, and the two were not read at one instant: look again when it is done'
            : 'next: docs/runbooks/history-behind.md',
        ];
  return [
    sourceLine('shards and event store', readAt),
    totalsTable(totals),
    ...(open > 0
      ? [`${counted(open, 'record')} of the shards ${open === 1 ? 'is' : 'are'} open; what is open is not compared`]
      : []),
    ...verdict,
  ].join('\n');
}
