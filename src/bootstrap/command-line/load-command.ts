import { readFileSync, statSync } from 'node:fs';
import { type Command } from 'commander';
import { printer } from '../../adapters/command-line/printer';
import { startProgress } from '../../adapters/command-line/progress';
import { whoText } from '../../adapters/command-line/words';
import { CsvHeaderProblems, openCsvPayments } from '../../adapters/csv/csv-payments';
import { type PaymentMapping } from '../../adapters/csv/payment-mapping';
import { readPaymentMapping } from '../../adapters/csv/read-payment-mapping';
import {
  type LoadCounts,
  loadPayments,
  type LoadPorts,
  type LoadResult,
  type PaymentLine,
} from '../../application/operating/load-payments';
import { maskCardData } from '../../domain/policies/card-data';
import { shardNames } from '../container/embedded-files';
import { type GlobalOptions, settingsOf } from './command-context';
import { demandNone, orderOf } from './operator-context';
import { loadPorts } from './load-ports';
import { type LoadedFile, loadSummary, loadSummaryJson } from './load-summary';
import { answer } from './operator-output';
import { EXIT, UsageProblems } from './problems';
import { openRejectsFile, type RejectsFile } from './rejects-file';

const SHARDS_DEFAULT = 1;
const SHARDS_MAX = 256;
const KIB = 1_024;

interface LoadOptions extends GlobalOptions {
  readonly file: string;
  readonly mapping: string;
  readonly shards?: string;
  readonly dryRun?: boolean;
  readonly failOnRejected?: boolean;
  readonly rejects?: string;
  readonly correctCustomers?: boolean;
  readonly reason?: string;
  readonly by?: string;
}

export function addLoadCommand(program: Command): void {
  program
    .command('load')
    .description('put the rows of a CSV file into the shards as payments; loading twice adds nothing')
    .requiredOption('--file <csv>', 'of any size; how it is written, its mapping says')
    .requiredOption('--mapping <json>', 'says which column is what, and how the file is written: docs/LOAD.md')
    .option('--shards <number>', `shards to make in a fresh data folder (default: ${SHARDS_DEFAULT})`)
    .option('--dry-run', 'say what would happen, line by line, and write nothing')
    .option('--fail-on-rejected', 'exit code 1 when any line was not loaded (lines passed over do not count)')
    .option('--rejects <csv>', 'a new file for the lines that were not loaded: number, reason')
    .option('--correct-customers', 'give known customers the account numbers of this file; needs --reason')
    .option('--reason <text>', 'why customers are corrected; kept in the shard')
    .option('--by <name>', 'who orders the correction (default: the user of this system)')
    .action(async (_options, command: Command) => load(command.optsWithGlobals()));
}

async function load(options: LoadOptions): Promise<void> {
  const problems: string[] = [];
  const bytes = sizeOf(options.file, problems);
  const mapping = mappingOf(options.mapping, problems);
  const names = shardsToUse(options, problems);
  const order = correctionOf(options, problems);
  demandNone(problems);
  let bytesRead = 0;
  const lines = await headerChecked(options.file, mapping!, (read) => (bytesRead = read));
  const rejects = openRejectsFile(options.rejects);
  const progress = startProgress({
    label: `KiB ${options.dryRun ? 'looked at' : 'loaded'}`,
    total: Math.ceil(bytes / KIB),
  });
  const startedAt = performance.now();
  const speed = (counts: Readonly<LoadCounts>): number =>
    Math.round((counts.lines * 1_000) / Math.max(1, performance.now() - startedAt));
  const watcher = {
    problem: (line: number, reason: string): void => {
      const shown = maskCardData(reason);
      printer.complain([`${options.file}:${line}: not loaded: ${shown}`]);
      rejects.add(line, shown);
    },
    progress: (now: Readonly<LoadCounts>): void =>
      progress.update(Math.ceil(bytesRead / KIB), `${now.lines} lines, ${speed(now)} lines/s`),
  };
  const work = (ports: LoadPorts): Promise<LoadResult> =>
    loadPayments(ports, order ? { correctCustomers: order } : {})(lines, watcher);
  const result = await loadPorts(options, names, work).finally(() => progress.finish());
  rejects.close();
  tell(options, result, rejects, {
    file: options.file,
    dryRun: options.dryRun === true,
    linesPerSecond: speed(result.counts),
    shards: names,
  });
}

function tell(options: LoadOptions, result: LoadResult, rejects: RejectsFile, about: LoadedFile): void {
  answer(options, loadSummaryJson(about, result, rejects.listed), () => loadSummary(about, result));
  const { skipped, conflicts } = result.counts;
  if (options.failOnRejected && skipped + conflicts > 0) process.exitCode = EXIT.failed;
}

/** Kept with each corrected customer. */
interface Correction {
  readonly by: string;
  readonly reason: string;
}

/** The order for corrections; in a dry run nothing is stored, so that nobody has to say why. */
function correctionOf(
  { correctCustomers, dryRun, reason, by }: LoadOptions,
  problems: string[],
): Correction | undefined {
  if (!correctCustomers) {
    if (reason !== undefined || by !== undefined)
      problems.push('--reason and --by: are for --correct-customers, expected it beside them');
    return undefined;
  }
  if (dryRun) return { by: by ?? '', reason: reason ?? '' };
  const found: string[] = [];
  const order = orderOf(
    { apply: true, ...(reason === undefined ? {} : { reason }), ...(by === undefined ? {} : { by }) },
    found,
  );
  problems.push(...found.map((problem) => problem.replace(/^--apply/, '--correct-customers')));
  return order && { by: whoText(order), reason: order.reason };
}

function sizeOf(file: string, problems: string[]): number {
  try {
    const facts = statSync(file);
    if (facts.isFile()) return facts.size;
    problems.push(`--file: ${file} is no file`);
  } catch (error) {
    problems.push(`--file: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  return 0;
}

function mappingOf(file: string, problems: string[]): PaymentMapping | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(`--mapping: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
    return undefined;
  }
  const read = readPaymentMapping(text);
  if ('mapping' in read) return read.mapping;
  problems.push(...read.problems.map((problem) => `--mapping: ${file} ${problem}`));
  return undefined;
}

/** The shards there are; a number is for a fresh folder, since billers do not move when shards are added. */
function shardsToUse(options: LoadOptions, problems: string[]): readonly string[] {
  const asked = options.shards === undefined ? undefined : Number(options.shards);
  if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1 && asked <= SHARDS_MAX)) {
    problems.push(`--shards: found ${options.shards}, expected a whole number from 1 to ${SHARDS_MAX}`);
  }
  let present: readonly string[];
  try {
    present = shardNames(settingsOf(options));
  } catch (error) {
    if (!(error instanceof UsageProblems)) throw error;
    problems.push(...error.problems);
    return [];
  }
  if (asked !== undefined && present.length > 0 && asked !== present.length) {
    problems.push(
      `--shards: found ${asked}, but there are ${present.length} shards already (${present.join(', ')}); leave it out`,
    );
  }
  return present.length > 0
    ? present
    : Array.from({ length: asked ?? SHARDS_DEFAULT }, (_, index) => `Shard-${index + 1}`);
}

async function headerChecked(
  file: string,
  mapping: PaymentMapping,
  bytesRead: (bytes: number) => void,
): Promise<AsyncIterable<PaymentLine>> {
  try {
    return await openCsvPayments(file, mapping, bytesRead);
  } catch (error) {
    if (error instanceof CsvHeaderProblems) throw new UsageProblems(error.problems);
    throw error;
  }
}
