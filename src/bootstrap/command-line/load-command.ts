import { readFileSync, statSync } from 'node:fs';
import { type Command } from 'commander';
import { startProgress } from '../../adapters/command-line/progress';
import { CsvHeaderProblems, openCsvPayments } from '../../adapters/csv/csv-payments';
import { type PaymentMapping, readPaymentMapping } from '../../adapters/csv/payment-mapping';
import { type LoadCounts, loadPayments, type PaymentLine } from '../../application/load-payments';
import { type Settings } from '../configuration/declarations';
import { shardNames } from '../container/embedded-files';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions, settingsOf } from './command-context';
import { asOperator, demandNone } from './operator-context';
import { answer } from './operator-output';
import { UsageProblems } from './problems';

const SHARDS_DEFAULT = 1;
const SHARDS_MAX = 256;
const KIB = 1_024;

interface LoadOptions extends GlobalOptions {
  readonly file: string;
  readonly mapping: string;
  readonly shards?: string;
}

export function addLoadCommand(program: Command): void {
  program
    .command('load')
    .description('put the rows of a CSV file into the shards as payments; loading twice adds nothing')
    .requiredOption('--file <csv>', 'UTF-8 with a header line, of any size')
    .requiredOption('--mapping <json>', 'says which column is what: docs/LOAD.md')
    .option('--shards <number>', `shards to make in a fresh data folder (default: ${SHARDS_DEFAULT})`)
    .action(async (_options, command: Command) => load(command.optsWithGlobals()));
}

async function load(options: LoadOptions): Promise<void> {
  const problems: string[] = [];
  const bytes = sizeOf(options.file, problems);
  const mapping = mappingOf(options.mapping, problems);
  const names = shardsToUse(options, problems);
  demandNone(problems);
  let bytesRead = 0;
  const lines = await headerChecked(options.file, mapping!, (read) => (bytesRead = read));
  const progress = startProgress({ label: 'KiB loaded', total: Math.ceil(bytes / KIB) });
  const startedAt = performance.now();
  const speed = (counts: Readonly<LoadCounts>): number =>
    Math.round((counts.lines * 1_000) / Math.max(1, performance.now() - startedAt));
  const work = { settings: { 'Shards:Names': names } satisfies Partial<Settings>, mayCreate: true };
  const counts = await asOperator(
    options,
    async ({ container }) =>
      loadPayments({ shards: container.get(TOKENS.shards), digest: container.get(TOKENS.digest) })(lines, {
        problem: (line, reason) => void process.stderr.write(`${options.file}:${line}: not loaded: ${reason}\n`),
        progress: (now) => progress.update(Math.ceil(bytesRead / KIB), `${now.lines} lines, ${speed(now)} lines/s`),
      }),
    work,
  ).finally(() => progress.finish());
  answer(options, { file: options.file, ...counts, linesPerSecond: speed(counts), shards: names }, () =>
    summary(options.file, counts),
  );
}

function summary(file: string, counts: LoadCounts): string {
  const left = counts.skipped + counts.conflicts;
  return [
    `${file}: ${counts.lines} lines, ${counts.added} payments added, ${counts.known} there already`,
    ...(left === 0
      ? []
      : [
          `${left} not loaded, each named on stderr: ${counts.skipped} are no payments, ${counts.conflicts} contradict what is stored`,
        ]),
    ...(counts.added > 0 ? ['next: datapump run all'] : []),
  ].join('\n');
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
