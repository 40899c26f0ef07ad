import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Lines, printer } from '../adapters/command-line/printer';
import { readSandboxConfiguration, type SandboxConfiguration } from '../adapters/sandbox-biller/sandbox-configuration';
import { SandboxServer } from '../adapters/sandbox-biller/sandbox-server';
import { endWithParent } from './processes/end-with-parent';
import { keepHeapLean } from './processes/lean-heap';

const USAGE = 'usage: sandbox-biller --config <file>';

function end(code: number, ...lines: Lines): never {
  printer.complain(lines);
  process.exit(code);
}

function configurationFromArguments(): SandboxConfiguration {
  let file: string | undefined;
  try {
    file = parseArgs({ options: { config: { type: 'string' } } }).values.config;
  } catch (error) {
    end(2, (error as Error).message, USAGE);
  }
  if (file === undefined) end(2, '--config is missing', USAGE);
  try {
    return readSandboxConfiguration(readFileSync(file, 'utf8'));
  } catch (error) {
    end(2, `${file}: ${(error as Error).message}`);
  }
}

async function main(): Promise<void> {
  const configuration = configurationFromArguments();
  const server = openServer(configuration);
  const stop = () => void server.stop().then(() => process.exit(0));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  endWithParent(stop);
  const port = await server.start();
  printer.printJson({ event: 'listening', port });
}

function openServer(configuration: SandboxConfiguration): SandboxServer {
  try {
    return new SandboxServer(configuration, {
      nowMs: Date.now,
      // Ends at once: an answer that left now would tell of something the ledger does not hold.
      onLedgerFailure: (error) => end(1, `the sandbox stops, since its ledger cannot be written: ${error.message}`),
    });
  } catch (error) {
    end(2, (error as Error).message);
  }
}

keepHeapLean();
main().catch((error: Error) => end(1, `the sandbox cannot start: ${error.message}`));
