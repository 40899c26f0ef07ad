import { type Command } from 'commander';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type ProcessKind, processName, runProcess } from '../processes/run-process';
import { type GlobalOptions, settingsOf, stopSignal, withContainer } from './command-context';
import { drainLimitMs } from './drain-limit';
import { UsageProblems } from './problems';
import { runAll } from './run-all';

export function addRunCommands(program: Command): void {
  const run = program.command('run').description('run one process, or all of them under a supervisor');
  for (const name of ['scanner', 'fetcher'] as const) {
    run
      .command(name)
      .description(`run the ${name} until it is told to stop`)
      .action(async (_options, command: Command) => {
        await runOne(command.optsWithGlobals(), { process: name });
      });
  }
  run
    .command('consumer')
    .description('run a consumer of one data type, of several, or of all')
    .requiredOption(
      '--type <types>',
      `one or more of ${DATA_TYPES.map((type) => type.toLowerCase()).join(', ')}, by commas, or all`,
    )
    .option('--number <number>', 'tells consumers of the same types on one machine apart, in logs and events')
    .action(async (options: { type: string; number?: string }, command: Command) => {
      const number = options.number === undefined ? undefined : numberOf(options.number);
      await runOne(command.optsWithGlobals(), {
        process: 'consumer',
        dataTypes: dataTypesOf(options.type),
        ...(number === undefined ? {} : { number }),
      });
    });
  run
    .command('all')
    .description('run scanner, fetcher and a consumer a core as separate processes, and restart what ends')
    .option(
      '--until-drained',
      'stop when nothing eligible is left and nothing is on its way, and tell what became of all',
    )
    .option('--verbose', 'log lines on a terminal too, where --until-drained shows its progress instead')
    .action(async (_options, command: Command) => runAll(command.optsWithGlobals()));
}

function dataTypeOf(text: string): DataType {
  const found = DATA_TYPES.find((type) => type.toLowerCase() === text.toLowerCase());
  if (!found)
    throw new UsageProblems([
      `--type: found ${text}, expected one of ${DATA_TYPES.map((type) => type.toLowerCase()).join(', ')}`,
    ]);
  return found;
}

function dataTypesOf(text: string): readonly DataType[] {
  if (text.toLowerCase() === 'all') return DATA_TYPES;
  return [...new Set(text.split(',').map((one) => dataTypeOf(one.trim())))];
}

function numberOf(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text))
    throw new UsageProblems([`--number: found ${text}, expected a whole number from 1 to 999`]);
  return Number(text);
}

async function runOne(options: GlobalOptions, kind: ProcessKind): Promise<void> {
  const signal = stopSignal({ drainMs: drainLimitMs(settingsOf(options)) });
  await withContainer(options, processName(kind), (container) => runProcess(container, kind, signal));
}
