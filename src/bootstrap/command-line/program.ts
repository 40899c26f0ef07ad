import { Command, CommanderError } from 'commander';
import { causeChain, PortFailure } from '../../application/ports/failures';
import { EXIT, RefusedForSafety, UsageProblems } from './problems';
import { addDemoCommand } from './demo-command';
import { addLoadCommand } from './load-command';
import { addBillerCommands } from './operator-billers';
import { addControlTotalsCommand } from './operator-control-totals';
import { addDeadLetterCommands } from './operator-dead-letters';
import { addInDoubtCommands } from './operator-in-doubt';
import { addRecordCommands } from './operator-records';
import { addStatusCommand } from './operator-status';
import { addSetUpCommands } from './operator-set-up';
import { addRunCommands } from './run-commands';

const STARTUP_CODES: ReadonlySet<string> = new Set([
  'storage-foreign',
  'storage-from-newer-version',
  'storage-from-older-version',
  'storage-broken',
  'secret-missing',
  'profile-invalid',
  'profile-missing',
]);

export function createProgram(): Command {
  const program = new Command('datapump')
    .description('delivers payment and paperless-billing records to billers, exactly once in effect')
    .option('--config <file>', 'settings file (default: datapump.config.json or .yaml in this folder, if any)')
    .option('--data <folder>', 'folder of the embedded stack (setting Data:Folder)')
    .option('--json', 'machine-readable output, where a command prints any')
    .showHelpAfterError('(run with --help for the words this command takes)')
    .showSuggestionAfterError(true)
    .exitOverride();
  addDemoCommand(program);
  addRunCommands(program);
  addSetUpCommands(program);
  addLoadCommand(program);
  addStatusCommand(program);
  addRecordCommands(program);
  addDeadLetterCommands(program);
  addInDoubtCommands(program);
  addBillerCommands(program);
  addControlTotalsCommand(program);
  return program;
}

/** Parses, runs, and turns whatever went wrong into words and an exit code. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  inheritExitOverride(program);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function inheritExitOverride(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride().showHelpAfterError('(run with --help for the words this command takes)');
    inheritExitOverride(child);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageProblems) {
    process.stderr.write(
      `datapump: ${error.problems.length === 1 ? 'one problem' : `${error.problems.length} problems`}:\n`,
    );
    for (const problem of error.problems) process.stderr.write(`  - ${problem}\n`);
    return EXIT.usage;
  }
  if (error instanceof RefusedForSafety) {
    process.stderr.write(`datapump: refused: ${error.message}\n`);
    return EXIT.refused;
  }
  process.stderr.write(`datapump: ${causeChain(error)}\n`);
  return error instanceof PortFailure && STARTUP_CODES.has(error.code) ? EXIT.usage : EXIT.failed;
}
