#!/usr/bin/env node
import { printer } from '../adapters/command-line/printer';
import { causeLines } from '../application/ports/failures';
import { EXIT } from './command-line/problems';
import type * as Loaded from './command-line/program';
import { keepHeapLean } from './processes/lean-heap';

type Program = Pick<typeof Loaded, 'runCommandLine'>;

/** Loaded by hand, so that a package that is missing on this Node is told in words, not by a stack. */
function loadProgram(): Program | undefined {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import cannot be caught
    return require('./command-line/program') as Program;
  } catch (error) {
    const [first, ...causes] = causeLines(error);
    printer.complain([`datapump: ${first}`, ...causes]);
    process.exitCode = EXIT.usage;
    return undefined;
  }
}

keepHeapLean();
void loadProgram()?.runCommandLine(process.argv);
