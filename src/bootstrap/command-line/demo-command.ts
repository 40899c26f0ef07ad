import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { parse as parseYaml } from 'yaml';
import { choicesOf, DEMO_DEFAULTS, flattened } from '../demo/demo-plan';
import { runDemo } from '../demo/run-demo';
import { type GlobalOptions, stopSignal } from './command-context';
import { UsageProblems } from './problems';

const FOLDER = '.datapump/demo';

interface DemoTexts extends GlobalOptions {
  readonly shards: string;
  readonly billers: string;
  readonly records: string;
  readonly seed: string;
  readonly chaos?: boolean;
  readonly faults: string;
  readonly perSecond?: string;
  readonly resume?: boolean;
  readonly fresh?: boolean;
  readonly proveOnly?: boolean;
  readonly stack?: string;
  readonly healthPort?: string;
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'run the whole main job on this machine against a sandbox with faults, and prove that nothing is lost and nothing doubled',
    )
    .option('--shards <number>', 'shard databases', String(DEMO_DEFAULTS.shards))
    .option('--billers <number>', 'billers, made from the templates in turn', String(DEMO_DEFAULTS.billers))
    .option('--records <number>', 'records over the four data types', String(DEMO_DEFAULTS.records))
    .option(
      '--seed <number>',
      'the same seed makes the same records, faults and choice of kills',
      String(DEMO_DEFAULTS.seed),
    )
    .option('--chaos', 'kill processes at random (kill -9) while it runs')
    .option('--faults <on|off>', 'faults at the billers', 'on')
    .option('--per-second <number>', 'calls a second that each biller allows (default: more than this machine makes)')
    .option('--health-port <number>', 'the first of the ports at which its processes show /health and /metrics')
    .option('--resume', 'continue an interrupted demo with its own numbers')
    .option('--fresh', 'throw away an unfinished demo in the folder and start over')
    .option('--stack <file>', 'settings file of the stack to run on (default: the embedded stack)')
    .addOption(new Option('--prove-only', 'only repeat the proof of a demo that has run').hideHelp())
    .action(async (_options, command: Command) => {
      const texts = command.optsWithGlobals<DemoTexts>();
      process.exitCode = await runDemo({
        choices: { ...choicesOf(texts), ...(texts.stack === undefined ? {} : { stack: stackOf(texts.stack) }) },
        folder: texts.data ?? FOLDER,
        resume: texts.resume ?? false,
        fresh: texts.fresh ?? false,
        proveOnly: texts.proveOnly ?? false,
        json: texts.json ?? false,
        healthPort: portOf(texts.healthPort),
        signal: stopSignal(),
      });
    });
}

const PORT_MAX = 65_535;

function portOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > PORT_MAX)
    throw new UsageProblems([`--health-port: found ${text}, expected a whole number from 1 to ${PORT_MAX}`]);
  return Number(text);
}

function stackOf(file: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8'));
  } catch (error) {
    // A parser's message quotes the text, which may hold a password.
    const why = (error as NodeJS.ErrnoException).code ?? 'it is neither JSON nor YAML';
    throw new UsageProblems([`--stack: ${file} cannot be read: ${why}`]);
  }
  const settings = flattened(content);
  if (settings) return settings;
  throw new UsageProblems([
    `--stack: ${file}: expected sections with settings, such as { "Stack": { "Bus": "service-bus" } }`,
  ]);
}
