import { Command, CommanderError } from 'commander';
import { type Lines, printer } from '../../adapters/command-line/printer';
import { causeLines, PortFailure } from '../../application/ports/failures';
import { maskCardData } from '../../domain/policies/card-data';
import { EXIT, RefusedForSafety, StartFailed, UsageProblems } from './problems';
import { addDemoCommand } from './demo-command';
import { addLoadCommand } from './load-command';
import { addBillerCommands } from './operator-billers';
import { addDeadLetterCommands } from './operator-dead-letters';
import { addDoctorCommand } from './operator-doctor';
import { addFailuresCommand } from './operator-failures';
import { addFindCommand } from './operator-find';
import { addHistoryCommands } from './operator-history';
import { addInDoubtCommands } from './operator-in-doubt';
import { addRecordCommands } from './operator-records';
import { addProjectionCommand } from './operator-projection';
import { addProveCommand } from './operator-prove';
import { addRejectedCommands } from './operator-rejected';
import { addStatusCommand } from './operator-status';
import { addStopCommands } from './operator-stop';
import { addSetUpCommands } from './operator-set-up';
import { addRunCommands } from './run-commands';
import { versionText } from './version';

const STARTUP_CODES: ReadonlySet<string> = new Set([
  'not-allowed',
  'storage-foreign',
  'storage-exposed',
  'storage-from-newer-version',
  'storage-from-older-version',
  'storage-broken',
  'storage-replaced',
  'history-lost',
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
    .version(versionText(), '-V, --version', 'the version of this program, and of Node')
    .showHelpAfterError('(run with --help for the words this command takes)')
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => printer.print(linesOf(text)),
      writeErr: (text) => printer.complain(linesOf(text)),
      outputError: (text) => printer.complain(errorLines(text)),
    })
    .exitOverride();
  addDemoCommand(program);
  addRunCommands(program);
  addSetUpCommands(program);
  addDoctorCommand(program);
  addLoadCommand(program);
  addStatusCommand(program);
  addFindCommand(program);
  addFailuresCommand(program);
  addRecordCommands(program);
  addDeadLetterCommands(program);
  addRejectedCommands(program);
  addInDoubtCommands(program);
  addBillerCommands(program);
  addStopCommands(program);
  addProveCommand(program);
  addProjectionCommand(program);
  addHistoryCommands(program);
  return program;
}

/** Text of our own, such as help. */
const linesOf = (text: string): Lines => text.replace(/\n$/, '').split('\n');

const SUGGESTION = /\n(\(Did you mean [^\n]*\?\))$/;

/** An error quotes an argument, which may hold line breaks: one line, and one for the suggestion that may follow. */
function errorLines(text: string): Lines {
  const said = maskCardData(text.replace(/\n$/, ''));
  const suggestion = SUGGESTION.exec(said);
  return suggestion ? [said.slice(0, suggestion.index), suggestion[1]!] : [said];
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
    const { problems } = error;
    printer.complain([
      `datapump: ${problems.length === 1 ? 'one problem' : `${problems.length} problems`}:`,
      ...problems.map((problem) => `  - ${maskCardData(problem)}`),
    ]);
    return EXIT.usage;
  }
  if (error instanceof StartFailed) {
    printer.complain([
      `datapump: what is needed to start stayed out of reach for ${error.waitedSeconds} s:`,
      ...error.problems.map((problem) => `  - ${maskCardData(problem)}`),
    ]);
    return EXIT.failed;
  }
  if (error instanceof RefusedForSafety) {
    printer.complain([`datapump: refused: ${error.message}`]);
    return EXIT.refused;
  }
  const [first, ...causes] = causeLines(error);
  printer.complain([`datapump: ${first}`, ...causes]);
  return error instanceof PortFailure && STARTUP_CODES.has(error.code) ? EXIT.usage : EXIT.failed;
}
