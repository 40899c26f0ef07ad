import { basename } from 'node:path';
import { type Command } from 'commander';
import { ENCODINGS, encodingNamed } from '../../adapters/csv/encodings';
import {
  readStatement,
  STATEMENT_FIELDS,
  type StatementField,
  type StatementFormat,
} from '../../adapters/csv/csv-statement';
import { type Lines } from '../../adapters/command-line/printer';
import { startProgress } from '../../adapters/command-line/progress';
import { whoText } from '../../adapters/command-line/words';
import { type OperatorOrder } from '../../application/operating/operator-order';
import { resolveByOperator } from '../../application/operating/resolve-by-operator';
import {
  compareStatement,
  type Finding,
  type Statement,
  type StatementComparison,
  type StatementVerdict,
} from '../../application/queries/compare-statement';
import { currentRecords } from '../../application/queries/project-records';
import { exponentOf } from '../../domain/currencies';
import { type RecordKey } from '../../domain/identifiers';
import { type Day, dayFrom } from '../../domain/instant';
import { type Money, moneyText } from '../../domain/money';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf } from './operator-arguments';
import { asOperator, demandNone, orderOf, type OperatorContext, type OrderOptions } from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine } from './operator-output';
import { EXIT, RefusedForSafety, UsageProblems } from './problems';

export interface StatementOptions extends GlobalOptions, OrderOptions {
  readonly file?: string;
  readonly biller?: string;
  readonly columns?: string;
  readonly delimiter?: string;
  readonly decimal?: string;
  readonly currency?: string;
  readonly encoding?: string;
  readonly covers?: string;
  readonly as?: string;
  readonly evidence?: string;
  readonly reference?: string;
}

/** Of one kind so many are named; --json names all. */
const NAMED_MAX = 20;
const PROBLEMS_SHOWN_MAX = 20;

export const withStatement = (command: Command): Command =>
  command
    .option(
      '--file <csv>',
      "a biller's statement: each line is compared with what we know, doubts that it names are resolved",
    )
    .option('--biller <id>', 'with --file: whose statement it is')
    .option(
      '--columns <names>',
      `with --file: what it calls ${STATEMENT_FIELDS.join(', ')}, such as record=OurRef,amount=Sum`,
    )
    .option('--delimiter <character>', 'with --file: between its columns (default ",")')
    .option('--decimal <character>', 'with --file: . or , in its amounts (default ".")')
    .option('--currency <code>', 'with --file: of its amounts, where it has no column of that name')
    .option('--encoding <name>', 'with --file: such as windows-1250 (default utf-8)')
    .option(
      '--covers <days>',
      'with --file: it lists all that was posted on these days (UTC), such as 2026-11-01..2026-11-20',
    );

/** The order that resolves one record. */
export const resolver = ({ container }: OperatorContext) =>
  resolveByOperator(
    {
      history: container.get(TOKENS.history),
      bus: container.get(TOKENS.bus),
      shards: container.get(TOKENS.shards),
      shardClock: container.get(TOKENS.shardClock),
      profiles: container.get(TOKENS.profiles),
      chance: container.get(TOKENS.chance),
      telemetry: container.get(TOKENS.telemetry),
    },
    container.get(TOKENS.topology),
  );

/** The plan first, always: what is resolved, and what a person has to look into. Only doubts that agree in every field are resolved. */
export async function resolveByStatement(record: string | undefined, options: StatementOptions): Promise<void> {
  const problems: string[] = [];
  if (record !== undefined) problems.push('<record>: with --file the statement names the records');
  for (const name of ['as', 'evidence', 'reference'] as const)
    if (options[name] !== undefined) problems.push(`--${name}: with --file each line of the statement says it`);
  const format = formatOf(options, problems);
  const covers = options.covers === undefined ? undefined : daysOf(options.covers, problems);
  const order = orderOf(options, problems);
  demandNone(problems, options);
  const file = options.file!;
  const read = await readStatement(file, format!).catch((error: unknown) => {
    throw new UsageProblems([`--file: ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`]);
  });
  if (read.lines.length === 0 && read.problems.length > 0) throw new UsageProblems(shortened(read.problems));
  await asOperator(options, async (context) => {
    const { container, readAt } = context;
    const ports = { eventStore: container.get(TOKENS.eventStore), projections: container.get(TOKENS.projections) };
    const projection = await currentRecords(ports)();
    const unread = await projection.unread();
    const statement: Statement = { billerId: format!.billerId, lines: read.lines, ...(covers && { covers }) };
    const compared = await compareStatement({ projection, digest: container.get(TOKENS.digest) })(statement);
    const settles = compared.findings.filter(({ verdict }) => verdict === 'settles');
    if (order && read.problems.length + unread.length > 0)
      throw new RefusedForSafety(
        `${counted(read.problems.length + unread.length, 'part')} of the statement or the event store could not be read, and nothing is resolved by the rest: ${(read.problems[0] ?? unread[0])!}`,
      );
    const refused = order ? await applied(context, order, file, settles) : [];
    const summary = summaryOf(compared);
    const forAPerson = summary.some(({ verdict, count }) => count > 0 && verdict !== 'agrees' && verdict !== 'settles');
    if (forAPerson || compared.missing.length > 0 || refused.length > 0 || read.problems.length + unread.length > 0)
      process.exitCode = EXIT.failed;
    const json = {
      readAt,
      ...statement,
      lines: read.lines.length,
      problems: read.problems,
      unread,
      ...compared,
      applied: order !== undefined,
      refused,
    };
    answer(options, json, () => [
      sourceLine(`${basename(file)} (${counted(read.lines.length, 'line')}) and event store`, readAt),
      ...textOf(compared, covers),
      ...listed('could not be read', [...read.problems, ...unread]),
      ...listed('refused', refused),
      ...(order
        ? [
            `${counted(settles.length - refused.length, 'doubt')} resolved, by ${whoText(order)}: the consumer draws the consequence when it runs`,
          ]
        : settles.length > 0
          ? [NOTHING_CHANGED]
          : []),
    ]);
  });
}

async function applied(
  context: OperatorContext,
  order: OperatorOrder,
  file: string,
  settles: readonly Finding[],
): Promise<readonly string[]> {
  const resolve = resolver(context);
  const progress = startProgress({ label: 'resolving', total: settles.length });
  const refused: string[] = [];
  for (const [index, finding] of settles.entries()) {
    const { line } = finding;
    const record = (finding as { readonly record: RecordKey }).record;
    const result = await resolve({
      ...order,
      record,
      outcome: line.outcome === 'posted' ? 'accepted' : 'declined',
      evidence: `statement ${basename(file)}, line ${line.line}`,
      ...(line.reference === undefined ? {} : { billerReference: line.reference }),
    });
    if (result.result === 'refused') refused.push(`${record}: ${result.why}`);
    progress.update(index + 1);
  }
  progress.finish();
  return refused;
}

const WORDS: Readonly<Record<StatementVerdict, string>> = {
  agrees: 'as we know it',
  settles: 'of a record in doubt: they resolve it',
  contradicts: 'CONTRADICT what we know; a person asks the biller',
  repeats: 'REPEAT a record that an earlier line posted: the biller posted it TWICE',
  'posted-though-ended': 'POSTED what we ended without a delivery: nobody heard of this effect',
  'posted-under-way': 'POSTED what is still under way here and may be called for again: pause the biller',
  unknown: 'name no record of this biller',
};
const VERDICTS = Object.keys(WORDS) as StatementVerdict[];

const summaryOf = ({ findings }: StatementComparison) =>
  VERDICTS.map((verdict) => {
    const those = findings.filter((finding) => finding.verdict === verdict);
    return { verdict, count: those.length, those };
  });

function textOf(compared: StatementComparison, covers: Statement['covers']): Lines {
  const { unlistedDoubts, missing } = compared;
  return [
    ...summaryOf(compared)
      .filter(({ count }) => count > 0)
      .flatMap(({ verdict, count, those }) => [
        `${counted(count, 'line')} ${WORDS[verdict]}${moneyOf(those)}`,
        ...(verdict === 'agrees' ? [] : named(those.map(findingText))),
      ]),
    ...listed('in doubt and in no line, left in doubt', unlistedDoubts),
    ...listed(`delivered from ${covers?.from} to ${covers?.to} and in no line: the biller may not have them`, missing),
  ];
}

function findingText(finding: Finding): string {
  const { line } = finding;
  const said = line.amount ? moneyText(line.amount) : 'no amount';
  const place = `line ${line.line}`;
  switch (finding.verdict) {
    case 'contradicts':
      return `${place} ${finding.record}: ${finding.field} is ${finding.theirs} there, ${finding.ours} here`;
    case 'repeats':
      return `${place} ${finding.record}: ${said}, as line ${finding.first} already`;
    case 'posted-though-ended':
      return `${place} ${finding.record}: ${said}, here ${finding.status}`;
    case 'unknown':
      return `${place} ${line.record ?? line.key ?? line.reference}: ${said}`;
    default:
      return `${place} ${finding.record}: ${line.outcome}, ${said}`;
  }
}

/** Money of two currencies is never added. */
function moneyOf(findings: readonly Finding[]): string {
  const sums = new Map<string, number>();
  for (const { line } of findings)
    if (line.amount) sums.set(line.amount.currency, (sums.get(line.amount.currency) ?? 0) + line.amount.minorUnits);
  const texts = [...sums].map(([currency, minorUnits]): string => moneyText({ minorUnits, currency } satisfies Money));
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`;
}

const listed = (title: string, what: readonly string[]): Lines =>
  what.length === 0 ? [] : [`${what.length} ${title}`, ...named(what)];
const named = (what: readonly string[]): Lines => [
  ...what.slice(0, NAMED_MAX).map((each) => `  ${each}`),
  ...(what.length > NAMED_MAX ? [`  and ${what.length - NAMED_MAX} more; --json names all`] : []),
];
const shortened = (problems: readonly string[]): readonly string[] =>
  problems.length <= PROBLEMS_SHOWN_MAX
    ? problems
    : [...problems.slice(0, PROBLEMS_SHOWN_MAX), `and ${problems.length - PROBLEMS_SHOWN_MAX} more`];

function formatOf(options: StatementOptions, problems: string[]): StatementFormat | undefined {
  if (options.biller === undefined) problems.push('--biller: is missing; with --file it says whose statement it is');
  const biller = options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  const delimiter = options.delimiter ?? ',';
  if (!/^[^"\r\n]$/.test(delimiter)) problems.push('--delimiter: expected one character, not a quote or line end');
  const decimal = options.decimal ?? '.';
  if (decimal !== '.' && decimal !== ',') problems.push('--decimal: expected . or ,');
  const encoding = encodingNamed(options.encoding ?? 'utf-8');
  if (!encoding) problems.push(`--encoding: expected one of ${ENCODINGS.join(', ')}`);
  if (options.currency !== undefined && exponentOf(options.currency) === undefined)
    problems.push(`--currency: found ${JSON.stringify(options.currency)}, expected an ISO 4217 code such as CZK`);
  const columns = columnsOf(options.columns, problems);
  if (!biller || !encoding || problems.length > 0) return undefined;
  return {
    billerId: biller,
    delimiter,
    encoding,
    columns,
    decimalSeparator: decimal as '.' | ',',
    ...(options.currency === undefined ? {} : { currency: options.currency }),
  };
}

function columnsOf(text: string | undefined, problems: string[]): StatementFormat['columns'] {
  const columns: Partial<Record<StatementField, string>> = {};
  for (const part of text === undefined ? [] : text.split(',')) {
    const [field, ...name] = part.split('=');
    const known = STATEMENT_FIELDS.find((each) => each === field?.trim());
    const column = name.join('=').trim();
    if (!known || column === '' || columns[known] !== undefined)
      problems.push(
        `--columns: found ${JSON.stringify(part)}, expected <field>=<column>, each field once, of ${STATEMENT_FIELDS.join(', ')}`,
      );
    else columns[known] = column;
  }
  return columns;
}

function daysOf(text: string, problems: string[]): { readonly from: Day; readonly to: Day } | undefined {
  const [from, to, ...rest] = text.split('..').map((day) => dayFrom(day.trim()));
  const last = text.includes('..') ? to : from;
  if (from && last && rest.length === 0 && from <= last) return { from, to: last };
  problems.push(`--covers: found ${JSON.stringify(text)}, expected a day or two, such as 2026-11-01..2026-11-20`);
  return undefined;
}
