import { type Command } from 'commander';
import { type Lines } from '../../adapters/command-line/printer';
import { tableLines } from '../../adapters/command-line/table';
import { moneyText, timeText } from '../../adapters/command-line/words';
import { FOUND_PAGE_MAX, type RecordStatus } from '../../application/ports/record-projection';
import { type Finding, findRecords, type FindQuery } from '../../application/queries/find-records';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { CURRENCIES, exponentOf } from '../../domain/currencies';
import { dayAfter, dayFrom, instant, type Instant, startOf } from '../../domain/instant';
import { isBlank } from '../../domain/invisible-text';
import { minorUnitsFromText, type Money } from '../../domain/money';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf, letterKindIn, wholeNumberOf } from './operator-arguments';
import { asOperator, demandNone } from './operator-context';
import { answer, counted, sourceLine } from './operator-output';
import { recordKeyOf } from './operator-records';
import { EXIT } from './problems';

const LIMIT_DEFAULT = '50';
const TERM_MAX = 200;

const STATUSES: readonly RecordStatus[] = [
  'pending',
  'delivered',
  'declined',
  'rejected',
  'skipped',
  'withdrawn',
  'dead-lettered',
  'in-doubt',
];

interface FindOptions extends GlobalOptions {
  readonly customer?: string;
  readonly reference?: string;
  readonly amount?: string;
  readonly from?: string;
  readonly to?: string;
  readonly biller?: string;
  readonly type?: string;
  readonly status?: readonly string[];
  readonly reason?: string;
  readonly limit: string;
  readonly after?: string;
}

export function addFindCommand(program: Command): void {
  program
    .command('find')
    .description('records by what is in hand; all that is given must hold. Exit code 1 where something did not answer')
    .option('--customer <text>', "the customer's id, account number or whole name; asked of the shards alone")
    .option('--reference <text>', "a payment's or a biller's reference, a payment's id, or the row's")
    .option('--amount <amount>', 'such as 353.90, or 353.90 CZK')
    .option('--from <day>', 'created on this day (UTC) or later, or from this instant on')
    .option('--to <day>', 'created on this day or earlier, or before this instant')
    .option('--biller <id>', 'of this biller')
    .option('--type <type>', `of this type: ${DATA_TYPES.map((each) => each.toLowerCase()).join(', ')}`)
    .option('--status <status...>', `any of ${STATUSES.join(', ')}`)
    .option('--reason <code>', 'for this reason, as the table shows it under why')
    .option('--limit <number>', `show at most so many, 1 to ${FOUND_PAGE_MAX}`, LIMIT_DEFAULT)
    .option('--after <record>', 'go on behind this record, the last one shown')
    .action(async (_options, command: Command) => find(command.optsWithGlobals()));
}

async function find(options: FindOptions): Promise<void> {
  const problems: string[] = [];
  const query = queryOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = {
      eventStore: container.get(TOKENS.eventStore),
      projections: container.get(TOKENS.projections),
      shards: container.get(TOKENS.shards),
    };
    const finding = await findRecords(ports)(query);
    const { records, total, next, newNotSearched, incomplete } = finding;
    if (incomplete.length > 0) process.exitCode = EXIT.failed;
    const json = {
      readAt,
      complete: incomplete.length === 0,
      incomplete,
      total: total ?? null,
      more: total === undefined,
      next: next ?? null,
      newNotSearched: newNotSearched ?? null,
      records,
    };
    answer(options, json, () => findingText(finding, readAt));
  });
}

function findingText(
  { records, total, counted: least, next, newNotSearched, incomplete }: Finding,
  readAt: Instant,
): Lines {
  const titles = ['record', 'type', 'status', 'why', 'amount', 'attempts', 'created', 'changed', "biller's reference"];
  const rows = records.map((each) => [
    each.record, each.dataType, each.status, each.cause ?? '-', moneyText(each.amount), String(each.attempts),
    timeText(each.createdAt), each.changedAt === undefined ? '-' : timeText(each.changedAt), each.reference ?? '-',
  ]); // prettier-ignore
  const count = total === undefined ? `${least.toLocaleString('en')}+ records` : counted(total, 'record');
  return [
    sourceLine('record projection (from the event store), shards', readAt),
    ...(records.length === 0
      ? [incomplete.length === 0 ? 'nothing is found' : 'nothing is found in what answered']
      : tableLines(
          titles.map((title) => ({
            title,
            ...(['amount', 'attempts'].includes(title) ? { align: 'right' as const } : {}),
          })),
          rows,
        )),
    ...(records.length > 0 ? [records.length === total ? count : `${records.length} shown of ${count}`] : []),
    ...(newNotSearched === undefined || newNotSearched === 0
      ? []
      : [`${counted(newNotSearched, 'row')} nobody has taken up yet: found by --customer or --reference only`]),
    ...(incomplete.length > 0 ? ['INCOMPLETE, there may be more:', ...incomplete.map((what) => `  ${what}`)] : []),
    ...(next === undefined ? [] : [`next: the same with --after ${next}`]),
    ...(records.length === 1 ? [`next: datapump record explain ${records[0]!.record}`] : []),
  ];
}

function queryOf(options: FindOptions, problems: string[]): FindQuery {
  const term = (text: string | undefined, where: string): string | undefined => {
    if (text !== undefined && (isBlank(text) || text.length > TERM_MAX))
      problems.push(`${where}: expected 1 to ${TERM_MAX} characters, some of them visible`);
    return text;
  };
  const asked = [options.customer, options.reference, options.amount, options.from, options.to, options.biller, options.type, options.status, options.reason]; // prettier-ignore
  if (asked.every((each) => each === undefined))
    problems.push('give at least one of --customer, --reference, --amount, --from, --to, --biller, --type, --status, --reason'); // prettier-ignore
  const defined = <T extends object>(members: T) =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
      [K in keyof T]?: Exclude<T[K], undefined>;
    };
  return {
    inHand: defined({
      customer: term(options.customer, '--customer'),
      reference: term(options.reference, '--reference'),
    }),
    max: wholeNumberOf(options.limit, '--limit', { min: 1, max: FOUND_PAGE_MAX }, problems),
    ...defined({
      amounts: options.amount === undefined ? undefined : amountsOf(options.amount, problems),
      createdFrom: options.from === undefined ? undefined : momentOf(options.from, '--from', 0, problems),
      createdBefore: options.to === undefined ? undefined : momentOf(options.to, '--to', 1, problems),
      billerId: options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems),
      dataType:
        options.type === undefined
          ? undefined
          : (letterKindIn(options.type, DATA_TYPES, problems) as DataType | undefined),
      statuses: options.status === undefined ? undefined : statusesOf(options.status, problems),
      cause: term(options.reason, '--reason'),
      after: options.after === undefined ? undefined : recordKeyOf(options.after, '--after', problems),
    }),
  };
}

/** Without a currency: that many of every currency. */
function amountsOf(text: string, problems: string[]): readonly Money[] {
  const [, digits, code] = /^\s*(\S+)(?:\s+([A-Za-z]{3}))?\s*$/.exec(text) ?? [];
  const currencies = code === undefined ? CURRENCIES : [code.toUpperCase()];
  const amounts = currencies.flatMap((currency) => {
    const exponent = exponentOf(currency);
    const minorUnits = exponent === undefined ? 'no-number' : minorUnitsFromText(digits ?? '', exponent);
    return typeof minorUnits === 'number' ? [{ minorUnits, currency }] : [];
  });
  if (amounts.length === 0)
    problems.push(
      `--amount: found ${JSON.stringify(text)}, expected digits with a point and no more decimals than the currency has, and a currency if you know it, such as 353.90 or "353.90 CZK"`,
    );
  return amounts;
}

/** A day is meant whole: `--to` a day is before the one after it. */
export function momentOf(text: string, where: string, daysOn: number, problems: string[]): Instant | undefined {
  const day = dayFrom(text);
  if (day !== undefined) return startOf(daysOn === 0 ? day : dayAfter(day, daysOn));
  try {
    return instant(text);
  } catch {
    problems.push(
      `${where}: found ${JSON.stringify(text)}, expected a day such as 2026-11-20, or an instant with an offset such as 2026-11-20T08:00:00Z`,
    );
    return undefined;
  }
}

function statusesOf(texts: readonly string[], problems: string[]): readonly RecordStatus[] {
  return texts
    .flatMap((text) => text.split(','))
    .flatMap((text) => {
      const found = STATUSES.find((status) => status === text.trim().toLowerCase());
      if (!found) problems.push(`--status: found ${JSON.stringify(text)}, expected any of ${STATUSES.join(', ')}`);
      return found ?? [];
    });
}
