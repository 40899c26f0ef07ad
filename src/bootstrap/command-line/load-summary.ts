import { type Lines } from '../../adapters/command-line/printer';
import { type LoadMoney, type LoadResult } from '../../application/operating/load-payments';
import { sumText } from '../../domain/money';
import { type Rejected } from './rejects-file';

export interface LoadedFile {
  readonly file: string;
  readonly dryRun: boolean;
  readonly linesPerSecond: number;
  readonly shards: readonly string[];
}

export function loadSummary({ file, dryRun }: LoadedFile, { counts, money }: LoadResult): Lines {
  const left = counts.skipped + counts.conflicts;
  const [added, corrected] = dryRun ? ['would be added', 'would be corrected'] : ['added', 'corrected'];
  return [
    `${file}: ${counts.lines} lines, ${counts.added} payments ${added}${sumsText(money.added)}, ${counts.known} there already`,
    ...(counts.passedOver === 0
      ? []
      : [`${counts.passedOver} passed over: the mapping's direction says that they are no payments`]),
    ...(counts.corrected === 0
      ? []
      : [
          `${counts.corrected} customers ${corrected}: what was not sent yet goes to the new account number; an open attempt with the old one waits for a person`,
        ]),
    ...(left === 0
      ? []
      : [
          `${left} not loaded, each named on stderr: ${counts.skipped} are no payments, ${counts.conflicts} contradict what is stored`,
        ]),
    ...(dryRun ? ['dry run: nothing was written'] : counts.added > 0 ? ['next: datapump run all'] : []),
  ];
}

/** For programs: the counts, the money of each currency, and the lines that were not loaded (the first of many). */
export function loadSummaryJson(
  about: LoadedFile,
  { counts, money }: LoadResult,
  rejected: readonly Rejected[],
): object {
  const { file, dryRun, linesPerSecond, shards } = about;
  const currencies = [...new Set([...money.added.keys(), ...money.known.keys()])].sort();
  const amounts = currencies.map((currency) => ({
    currency,
    added: sumOf(money.added, currency),
    known: sumOf(money.known, currency),
  }));
  return { file, ...(dryRun ? { dryRun } : {}), ...counts, amounts, rejected, linesPerSecond, shards };
}

const sumOf = (sums: LoadMoney['added'], currency: string): string => {
  const sum = sums.get(currency) ?? 0n;
  return sumText(sum, currency) ?? String(sum);
};

/** ` (120.50 CZK, 3 JPY)`. */
const sumsText = (sums: LoadMoney['added']): string =>
  sums.size === 0
    ? ''
    : ` (${[...sums.keys()]
        .sort()
        .map((currency) => `${sumOf(sums, currency)} ${currency}`)
        .join(', ')})`;
