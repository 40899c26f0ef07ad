import { type Command } from 'commander';
import { DOUBTED } from '../../adapters/command-line/event-sentences';
import { tableText } from '../../adapters/command-line/table';
import { ageText, moneyText } from '../../adapters/command-line/words';
import { type DoubtfulRecord, listInDoubt } from '../../application/queries/list-in-doubt';
import { resolveByOperator } from '../../application/resolve-by-operator';
import { type ResolvedOutcome } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf, wholeNumberOf } from './operator-arguments';
import {
  asOperator,
  demandNone,
  orderOf,
  type OperatorContext,
  type Order,
  type OrderOptions,
} from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { recordKeyOf } from './operator-records';
import { EXIT, RefusedForSafety } from './problems';

const LIST_MAX_DEFAULT = '100';
const LIST_MAX = 100_000;
const TEXT_MAX = 500;

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
  readonly as: string;
  readonly evidence: string;
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
  withOrder(
    inDoubt
      .command('resolve')
      .description('say, with evidence, what became of a record at its biller')
      .argument('<record>', 'billerId:dpId')
      .requiredOption('--as <verdict>', 'delivered, declined or not-executed')
      .requiredOption('--evidence <text>', "what you saw: a ticket, a line of the biller's statement, a name")
      .option('--reference <text>', "the biller's own reference of the payment"),
  ).action(async (record: string, _options, command: Command) => resolve(record, command.optsWithGlobals()));
}

async function list(options: GlobalOptions & { readonly biller?: string; readonly max: string }): Promise<void> {
  const problems: string[] = [];
  const max = wholeNumberOf(options.max, '--max', { min: 1, max: LIST_MAX }, problems);
  const biller = options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  demandNone(problems);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = { shards: container.get(TOKENS.shards), eventStore: container.get(TOKENS.eventStore) };
    const records = await listInDoubt(ports)({ max, ...(biller === undefined ? {} : { billerId: biller }) });
    answer(options, { readAt, records }, () => listText(records, readAt, max));
  });
}

function listText(records: readonly DoubtfulRecord[], readAt: Instant, max: number): string {
  const source = sourceLine('shards (rows with status InDoubt), event store (why, since, key)', readAt);
  if (records.length === 0) return `${source}\nnothing is in doubt`;
  const rows = records.map((each) => [
    each.record, each.dataType, moneyText(each.amount), each.attempt === undefined ? '-' : String(each.attempt),
    ageText(each.since, readAt), each.idempotencyKey ?? '-', whyText(each),
  ]); // prettier-ignore
  const titles = ['record', 'type', 'amount', 'attempt', 'for', 'idempotency key', 'why'];
  return [
    source,
    tableText(
      titles.map((title) => ({ title })),
      rows,
    ),
    records.length === max ? `the first ${max} are shown; --max shows more` : counted(records.length, 'record'),
    'next: ask the biller, then: datapump in-doubt resolve <record> --as delivered|declined|not-executed --evidence "…"',
  ].join('\n');
}

function whyText({ cause, streamSays, resolved }: DoubtfulRecord): string {
  if (resolved) return 'resolved by a person; the consumer draws the consequence';
  return cause ? DOUBTED[cause] : `the event store says ${streamSays}: the row follows`;
}

async function resolve(text: string, options: ResolveOptions): Promise<void> {
  const problems: string[] = [];
  const record = recordKeyOf(text, '<record>', problems);
  const verdict = Object.hasOwn(VERDICTS, options.as) ? VERDICTS[options.as] : undefined;
  if (!verdict)
    problems.push(`--as: found ${JSON.stringify(options.as)}, expected one of ${Object.keys(VERDICTS).join(', ')}`);
  for (const name of ['evidence', 'reference'] as const) {
    const value = options[name];
    if (value !== undefined && (value.trim() === '' || value.length > TEXT_MAX))
      problems.push(`--${name}: expected 1 to ${TEXT_MAX} characters`);
  }
  const order = orderOf(options, problems);
  demandNone(problems);
  await asOperator(options, async (context) => {
    const { state } = await context.container.get(TOKENS.history).record(record!);
    if (state.status === 'unknown') {
      process.stderr.write(`datapump: no record ${text} is known in the event store\n`);
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
      `plan: record ${text} (${state.dataType}, ${moneyText(state.amount)}), attempt ${state.attempt}, is resolved as ${options.as}`,
      `then: ${verdict!.then}`,
    ];
    if (order) await apply(context, record!, verdict!.outcome, options, order);
    answer(options, { record: text, attempt: state.attempt, as: options.as, applied: order !== undefined }, () =>
      [...plan, order ? `done, by ${order.by}: the consumer draws the consequence when it runs` : NOTHING_CHANGED].join(
        '\n',
      ),
    );
  });
}

async function apply(
  { container }: OperatorContext,
  record: RecordKey,
  outcome: ResolvedOutcome,
  options: ResolveOptions,
  order: Order,
): Promise<void> {
  const ports = {
    history: container.get(TOKENS.history),
    bus: container.get(TOKENS.bus),
    shards: container.get(TOKENS.shards),
    shardClock: container.get(TOKENS.shardClock),
    profiles: container.get(TOKENS.profiles),
    chance: container.get(TOKENS.chance),
    telemetry: container.get(TOKENS.telemetry),
  };
  const result = await resolveByOperator(
    ports,
    container.get(TOKENS.topology),
  )({
    record,
    outcome,
    ...order,
    evidence: options.evidence.trim(),
    ...(options.reference === undefined ? {} : { billerReference: options.reference.trim() }),
  });
  if (result.result === 'refused') throw new RefusedForSafety(result.why);
}
