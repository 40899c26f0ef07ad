import { type Command, Option } from 'commander';
import { choicesOf, DEMO_DEFAULTS } from '../demo/demo-plan';
import { runDemo } from '../demo/run-demo';
import { type GlobalOptions, stopSignal } from './command-context';

const FOLDER = '.datapump/demo';

interface DemoTexts extends GlobalOptions {
  readonly shards: string;
  readonly billers: string;
  readonly records: string;
  readonly seed: string;
  readonly chaos?: boolean;
  readonly faults: string;
  readonly resume?: boolean;
  readonly fresh?: boolean;
  readonly proveOnly?: boolean;
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
    .option('--resume', 'continue an interrupted demo with its own numbers')
    .option('--fresh', 'throw away an unfinished demo in the folder and start over')
    .addOption(new Option('--prove-only', 'only repeat the proof of a demo that has run').hideHelp())
    .action(async (_options, command: Command) => {
      const texts = command.optsWithGlobals<DemoTexts>();
      process.exitCode = await runDemo({
        choices: choicesOf(texts),
        folder: texts.data ?? FOLDER,
        resume: texts.resume ?? false,
        fresh: texts.fresh ?? false,
        proveOnly: texts.proveOnly ?? false,
        json: texts.json ?? false,
        signal: stopSignal(),
      });
    });
}
