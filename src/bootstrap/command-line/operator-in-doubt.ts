import { type Command } from 'commander';
import { DOUBTED, wholeOr } from '../../adapters/command-line/event-sentences';
import { type Lines, printer } from '../../adapters/command-line/printer';
import { tableLines } from '../../adapters/command-line/table';
import { ageText, moneyText, whoText } from '../../adapters/command-line/words';
import { type DoubtfulRecord, listInDoubt } from '../../application/queries/list-in-doubt';
import { type ResolvedOutcome } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type Instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf, wholeNumberOf } from './operator-arguments';
import { asOperator, demandNone, orderOf, type OrderOptions } from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, unreadLines, withOrder } from './operator-output';
import { recordKeyOf } from './operator-records';
import { resolveByStatement, resolver, type StatementOptions, withStatement } from './operator-statement';
import { operatorText } from './operator-text';
import { EXIT, RefusedForSafety } from './problems';

const LIST_MAX_DEFAULT = '100';
const LIST_MAX = 100_000;

/** What a person says of the payment, and what becomes of it. */
const VERDICTS: Readonly<Record<string, { readonly outcome: ResolvedOutcome; readonly then: string }>> = {
  delivered: { outcome: 'accepted', then: 'the record ends as Delivered and is never sent again' },
  declined: { outcome: 'declined', then: 'the record ends as Declined and is never sent again' },
  'not-executed': {
    outcome: 'not-executed',
    then: 'the record is SENT AGAIN: if the biller did carry out the attempt, it is posted twice',
  },
};

interface ResolveOptions extends GlobalOptions, OrderOptions {
  readonly as?: string;
  readonly evidence?: string;
  readonly reference?: string;
}

export function addInDoubtCommands(program: Command): void {
  const inDoubt = program
    .command('in-doubt')
    .description('records of which nobody knows whether the biller carried them out');
  inDoubt
    .command('list')
    .description('the records held in doubt, and why')
    .option('--biller <id>', 'of this biller alone')
    .option('--max <number>', 'at most so many', LIST_MAX_DEFAULT)
    .action(async (_options, command: Command) => list(command.optsWithGlobals()));
  const one = withOrder(
    inDoubt
      .command('resolve')
      .description(
        "say, with evidence, what became of a record at its biller; or of all, by a biller's statement (--file)",
      )
      .argument('[record]', 'billerId:dpId')
      .option('--as <verdict>', 'delivered, declined or not-executed')
      .option('--evidence <text>', "what you saw: a ticket, a line of the biller's statement, a name")
      .option('--reference <text>', "the biller's own reference of the payment"),
  );
  withStatement(one).action(async (record: string | undefined, _options, command: Command) => {
    const options = command.optsWithGlobals<ResolveOptions & StatementOptions>();
    await (options.file === undefined ? resolve(record, options) : resolveByStatement(record, options));
  });
}

async function list(options: GlobalOptions & { readonly biller?: string; readonly max: string }): Promise<void> {
  const problems: string[] = [];
  const max = wholeNumberOf(options.max, '--max', { min: 1, max: LIST_MAX }, problems);
  const biller = options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = { shards: container.get(TOKENS.shards), eventStore: container.get(TOKENS.eventStore) };
    const { records, unread } = await listInDoubt(ports)({
      max,
      ...(biller === undefined ? {} : { billerId: biller }),
    });
    if (unread.length > 0) process.exitCode = EXIT.failed;
    answer(options, { readAt, records, unread }, () => [...listText(records, readAt, max), ...unreadLines(unread)]);
  });
}

function listText(records: readonly DoubtfulRecord[], readAt: Instant, max: number): Lines {
  const source = sourceLine('shards (rows with status InDoubt), event store (why, since, key)', readAt);
  if (records.length === 0) return [source, 'nothing is in doubt'];
  const rows = records.map((each) => [
    each.record, each.dataType, moneyText(each.amount), each.attempt === undefined ? '-' : String(each.attempt),
    ageText(each.since, readAt), each.idempotencyKey ?? '-', wholeOr('what was read of it is damaged', () => whyText(each)),
  ]); // prettier-ignore
  const titles = ['record', 'type', 'amount', 'attempt', 'for', 'idempotency key', 'why'];
  return [
    source,
    ...tableLines(
      titles.map((title) => ({ title })),
      rows,
    ),
    records.length === max ? `the first ${max} are shown; --max shows more` : counted(records.length, 'record'),
    'next: ask the biller, then: datapump in-doubt resolve <record> --as delivered|declined|not-executed --evidence "…"',
  ];
}

function whyText({ cause, streamSays, resolved }: DoubtfulRecord): string {
  if (resolved) return 'resolved by a person; the consumer draws the consequence';
  return cause ? DOUBTED[cause] : `the event store says ${streamSays}: the row follows`;
}

async function resolve(text: string | undefined, options: ResolveOptions): Promise<void> {
  const problems: string[] = [];
  if (text === undefined)
    problems.push('<record>: is missing, expected billerId:dpId, such as 12:100, or --file <statement>');
  const record = text === undefined ? undefined : recordKeyOf(text, '<record>', problems);
  const as = options.as ?? '';
  const verdict = Object.hasOwn(VERDICTS, as) ? VERDICTS[as] : undefined;
  if (!verdict)
    problems.push(
      `--as: ${options.as === undefined ? 'is missing' : `found ${JSON.stringify(as)}`}, expected one of ${Object.keys(VERDICTS).join(', ')}`,
    );
  const evidence = operatorText(options.evidence ?? '', '--evidence', problems);
  const reference =
    options.reference === undefined ? undefined : operatorText(options.reference, '--reference', problems);
  const order = orderOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async (context) => {
    const { state } = await context.container.get(TOKENS.history).record(record!);
    if (state.status === 'unknown') {
      printer.complain([`datapump: no record ${text} is known in the event store`]);
      process.exitCode = EXIT.failed;
      return;
    }
    if (state.status !== 'in-doubt')
      throw new RefusedForSafety(
        `record ${text} is ${state.status}, not in doubt; see: datapump record explain ${text}`,
      );
    const attempt = await context.container.get(TOKENS.history).attempt(record!, state.attempt);
    if (attempt.state.status === 'closed') {
      throw new RefusedForSafety(
        `attempt ${state.attempt} of ${text} is closed as ${attempt.state.closing.as} already; a consumer draws the consequence when it runs`,
      );
    }
    const plan = [
      sourceLine('event store', context.readAt),
      `plan: record ${text} (${state.dataType}, ${moneyText(state.amount)}), attempt ${state.attempt}, is resolved as ${as}`,
      `then: ${verdict!.then}`,
    ];
    if (order) {
      const said = {
        ...order,
        evidence: evidence!,
        ...(reference === undefined ? {} : { billerReference: reference }),
      };
      const result = await resolver(context)({ record: record!, outcome: verdict!.outcome, ...said });
      if (result.result === 'refused') throw new RefusedForSafety(result.why);
    }
    answer(options, { record: text, attempt: state.attempt, as, applied: order !== undefined }, () => [
      ...plan,
      order ? `done, by ${whoText(order)}: the consumer draws the consequence when it runs` : NOTHING_CHANGED,
    ]);
  });
}
