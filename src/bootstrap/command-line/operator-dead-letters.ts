import { type Command } from 'commander';
import { tableText } from '../../adapters/command-line/table';
import { ageText } from '../../adapters/command-line/words';
import { type PeekedMessage } from '../../application/ports/message-bus';
import { listDeadLetters, redriveDeadLetters, type Redriven } from '../../application/redrive-dead-letters';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf, dataTypeIn, wholeNumberOf } from './operator-arguments';
import {
  asOperator,
  demandNone,
  type OperatorContext,
  type Order,
  orderOf,
  type OrderOptions,
} from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { recordKeyOf } from './operator-records';
import { EXIT } from './problems';

const LIST_MAX_DEFAULT = '100';
const LIST_MAX = 100_000;
/** One order takes at most so many letters in hand; what is left is told, and the order can be given again. */
const REDRIVE_MAX = 10_000;

interface Letter {
  readonly dataType: DataType;
  readonly record: string;
  readonly billerId: string;
  readonly reason: string;
  readonly description: string;
  readonly deadSince: Instant;
}

interface RedriveOptions extends GlobalOptions, OrderOptions {
  readonly type: string;
  readonly record?: readonly string[];
  readonly all?: boolean;
}

export function addDeadLetterCommands(program: Command): void {
  const deadLetter = program.command('deadletter').description('messages that were given up');
  deadLetter
    .command('list')
    .description('the dead letters, and why')
    .option('--type <type>', 'of this data type alone')
    .option('--biller <id>', 'of this biller alone')
    .option('--max <number>', 'look at no more than so many of each data type', LIST_MAX_DEFAULT)
    .action(async (_options, command: Command) => list(command.optsWithGlobals()));
  withOrder(
    deadLetter
      .command('redrive')
      .description('open dead-lettered records again and send them')
      .requiredOption('--type <type>', `one of ${DATA_TYPES.map((type) => type.toLowerCase()).join(', ')}`)
      .option('--record <billerId:dpId...>', 'these records')
      .option('--all', 'every dead letter of the data type'),
  ).action(async (_options, command: Command) => redrive(command.optsWithGlobals()));
}

async function list(
  options: GlobalOptions & { readonly type?: string; readonly biller?: string; readonly max: string },
): Promise<void> {
  const problems: string[] = [];
  const max = wholeNumberOf(options.max, '--max', { min: 1, max: LIST_MAX }, problems);
  const dataType = options.type === undefined ? undefined : dataTypeIn(options.type, '--type', problems);
  const biller: BillerId | undefined =
    options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  demandNone(problems);
  await asOperator(options, async (context) => {
    const letters: Letter[] = [];
    const cut: DataType[] = [];
    for (const type of dataType === undefined ? DATA_TYPES : [dataType]) {
      const found = await lettersOf(context, type, max);
      if (found.length === max) cut.push(type);
      letters.push(...found.filter(({ billerId }) => biller === undefined || billerId === biller));
    }
    answer(options, { readAt: context.readAt, letters, notAllLookedAt: cut }, () =>
      listText(letters, cut, context.readAt, max),
    );
  });
}

async function lettersOf({ container }: OperatorContext, dataType: DataType, max: number): Promise<readonly Letter[]> {
  const found = await listDeadLetters(container.get(TOKENS.bus), container.get(TOKENS.topology), dataType, max);
  return found.map((message) => letterOf(dataType, message));
}

/** A dead letter may be anything that was ever sent: what cannot be read is shown by its message id. */
function letterOf(dataType: DataType, message: PeekedMessage): Letter {
  const body = (typeof message.body === 'object' && message.body !== null ? message.body : {}) as {
    readonly traceId?: unknown;
  };
  return {
    dataType,
    record: typeof body.traceId === 'string' ? body.traceId : `(message ${message.messageId})`,
    billerId: String(message.properties['billerId'] ?? message.correlationId ?? '-'),
    reason: message.deadLetterReason ?? '-',
    description: message.deadLetterDescription ?? '-',
    deadSince: message.enqueuedAt,
  };
}

const DESCRIPTION_WIDTH_MAX = 80;
const shortened = (text: string): string =>
  text.length > DESCRIPTION_WIDTH_MAX ? `${text.slice(0, DESCRIPTION_WIDTH_MAX - 1)}…` : text;

function listText(letters: readonly Letter[], cut: readonly DataType[], readAt: Instant, max: number): string {
  const source = sourceLine('bus (dead letters)', readAt);
  const more = cut.map((type) => `only the first ${max} of ${type} were looked at; --max looks at more`);
  if (letters.length === 0) return [source, 'no dead letters', ...more].join('\n');
  return [
    source,
    lettersTable(letters, readAt),
    counted(letters.length, 'dead letter'),
    ...more,
    'next: datapump record explain <record>, mend the cause (docs/runbooks/dead-letters.md), then: datapump deadletter redrive --type <type> --record <record>',
  ].join('\n');
}

const lettersTable = (letters: readonly Letter[], readAt: Instant): string =>
  tableText(
    ['record', 'type', 'reason', 'enqueued', 'description'].map((title) => ({ title })),
    letters.map(({ record, dataType, reason, deadSince, description }) => [
      record,
      dataType,
      reason,
      `${ageText(deadSince, readAt)} ago`,
      shortened(description),
    ]),
  );

async function redrive(options: RedriveOptions): Promise<void> {
  const problems: string[] = [];
  const dataType = dataTypeIn(options.type, '--type', problems);
  const keys = (options.record ?? []).flatMap((text) => recordKeyOf(text, '--record', problems) ?? []);
  if (options.record && options.all) problems.push('--record and --all: name records or take all, not both');
  if (!options.record && !options.all)
    problems.push('name the records with --record, or take every dead letter of the type with --all');
  const order = orderOf(options, problems);
  demandNone(problems);
  const records = options.all ? undefined : new Set(keys);
  await asOperator(options, async (context) => {
    const letters = (await lettersOf(context, dataType!, REDRIVE_MAX)).filter(
      ({ record }) => !records || records.has(record as RecordKey),
    );
    const absent = keys.filter((key) => !letters.some(({ record }) => record === key));
    const done = order ? await apply(context, dataType!, records, order) : [];
    const left = done.filter((each): each is Extract<Redriven, { result: 'left' }> => each.result === 'left');
    const redriven = done.length - left.length;
    if (absent.length > 0 || left.length > 0) process.exitCode = EXIT.failed;
    answer(
      options,
      { readAt: context.readAt, planned: letters, absent, applied: order !== undefined, redriven, left },
      () =>
        [
          sourceLine('bus (dead letters)', context.readAt),
          `plan: redrive ${counted(letters.length, 'dead letter')} of ${dataType}: each record is opened again, its retries start anew, and it is sent`,
          ...(letters.length > 0 ? [lettersTable(letters, context.readAt)] : []),
          ...absent.map((key) => `no dead letter of ${dataType} is of record ${key}`),
          ...left.map(({ messageId, record, why }) => `left: ${record ?? `message ${messageId}`}: ${why}`),
          order ? `done, by ${order.by}: ${redriven} redriven` : NOTHING_CHANGED,
        ].join('\n'),
    );
  });
}

async function apply(
  { container }: OperatorContext,
  dataType: DataType,
  records: ReadonlySet<RecordKey> | undefined,
  order: Order,
): Promise<readonly Redriven[]> {
  const ports = {
    history: container.get(TOKENS.history),
    bus: container.get(TOKENS.bus),
    shards: container.get(TOKENS.shards),
    shardClock: container.get(TOKENS.shardClock),
    contracts: container.get(TOKENS.contracts),
    chance: container.get(TOKENS.chance),
  };
  const done = await redriveDeadLetters(
    ports,
    container.get(TOKENS.topology),
  )({ dataType, records, ...order, max: REDRIVE_MAX });
  return done.filter((each) => each.result === 'redriven' || each.why !== 'not in the order');
}
