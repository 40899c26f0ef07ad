import { type Command } from 'commander';
import { whoText } from '../../adapters/command-line/words';
import { type OperatorOrder } from '../../application/operating/operator-order';
import { createOperatorOrders } from '../../application/operating/operator-orders';
import {
  billersNamedBy,
  countLetters,
  LETTER_KINDS,
  type LetterKind,
  lettersOf,
  lookThrough,
} from '../../application/queries/list-dead-letters';
import { redriveChunks, type RedrivenChunk } from '../../application/operating/redrive-chunks';
import { redriveDeadLetters, type Redriven } from '../../application/operating/redrive-dead-letters';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { countsTable, type Letter, letterOf, lettersTable, nextSteps, partText } from './dead-letter-text';
import { billerIdOf, letterKindIn, wholeNumberOf } from './operator-arguments';
import { asOperator, demandNone, type OperatorContext, orderOf, type OrderOptions } from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { recordKeyOf } from './operator-records';
import { EXIT } from './problems';

/** Notices tell of a rejection and nothing more: they are acknowledged, not redriven. */
const REDRIVEN = LETTER_KINDS.filter((kind) => kind !== 'Notices');
const wordsOf = (kinds: readonly LetterKind[]): string => kinds.map((kind) => kind.toLowerCase()).join(', ');
const KIND_WORDS = wordsOf(LETTER_KINDS);
const REDRIVEN_WORDS = wordsOf(REDRIVEN);
const LIST_MAX_DEFAULT = '100';
const LIST_MAX = 100_000;
/** A look for one biller, or for counts, goes through so many letters of each type and says where it stopped. */
const LOOK_MAX = 100_000;
/** One order takes at most so many letters in hand; what is left is told, and the order can be given again. */
const REDRIVE_MAX = 10_000;

interface RedriveOptions extends GlobalOptions, OrderOptions {
  readonly type: string;
  readonly record?: readonly string[];
  readonly message?: readonly string[];
  readonly all?: boolean;
}

export function addDeadLetterCommands(program: Command): void {
  const deadLetter = program.command('deadletter').description('messages that were given up');
  deadLetter
    .command('list')
    .description('the dead letters, and why')
    .option('--type <type>', `of this type alone: ${KIND_WORDS}`)
    .option('--biller <id>', 'of this biller alone')
    .option('--max <number>', 'show no more than so many of each type', LIST_MAX_DEFAULT)
    .option('--summary', 'how many there are by type, biller and reason')
    .action(async (_options, command: Command) => list(command.optsWithGlobals()));
  withOrder(
    deadLetter
      .command('redrive')
      .description('open dead-lettered records again and send them; send dead chunks again')
      .requiredOption('--type <type>', `one of ${REDRIVEN_WORDS}`)
      .option('--record <billerId:dpId...>', 'these records')
      .option('--message <id...>', 'these chunks, by the message ids that the list shows')
      .option('--all', 'every dead letter of the type'),
  ).action(async (_options, command: Command) => redrive(command.optsWithGlobals()));
}

interface ListOptions extends GlobalOptions {
  readonly type?: string;
  readonly biller?: string;
  readonly max: string;
  readonly summary?: boolean;
}

async function list(options: ListOptions): Promise<void> {
  const problems: string[] = [];
  const max = wholeNumberOf(options.max, '--max', { min: 1, max: LIST_MAX }, problems);
  const kind = options.type === undefined ? undefined : letterKindIn(options.type, LETTER_KINDS, problems);
  const biller = options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  demandNone(problems, options);
  await asOperator(options, async (context) => {
    const foundMax = options.summary ? LOOK_MAX : max;
    const letters: Letter[] = [];
    const parts: { readonly type: LetterKind; readonly lookedAt: number }[] = [];
    for (const type of kind === undefined ? LETTER_KINDS : [kind]) {
      const { found, lookedAt, complete } = await look(context, type, foundMax, biller);
      letters.push(...found);
      if (!complete) parts.push({ type, lookedAt });
    }
    const counts = countLetters(letters.map((letter) => ({ ...letter, kind: letter.type })));
    const json = { readAt: context.readAt, ...(options.summary ? {} : { letters }), counts, notAllLookedAt: parts };
    answer(options, json, () => {
      const table = options.summary ? countsTable(counts) : lettersTable(letters, context.readAt);
      return [
        sourceLine('bus (dead letters)', context.readAt),
        ...(letters.length === 0 ? ['no dead letters'] : [...table, counted(letters.length, 'dead letter')]),
        ...partText(parts),
        ...nextSteps(letters),
      ];
    });
  });
}

async function look({ container }: OperatorContext, type: LetterKind, foundMax: number, biller: BillerId | undefined) {
  const contracts = container.get(TOKENS.contracts);
  const source = lettersOf(container.get(TOKENS.topology), type);
  const looked = await lookThrough(container.get(TOKENS.bus), source, { foundMax, lookMax: LOOK_MAX }, (message) =>
    biller === undefined ? true : billersNamedBy(message).includes(biller),
  );
  return { ...looked, found: looked.found.map((message) => letterOf(type, message, contracts)) };
}

async function redrive(options: RedriveOptions): Promise<void> {
  const problems: string[] = [];
  const type = letterKindIn(options.type, REDRIVEN, problems);
  const keys = (options.record ?? []).flatMap((text) => recordKeyOf(text, '--record', problems) ?? []);
  const names = options.message ?? keys;
  const isNamed = options.record !== undefined || options.message !== undefined;
  if (isNamed && options.all) problems.push('--record, --message and --all: name them or take all, not both');
  if (!isNamed && !options.all)
    problems.push(
      'name the records with --record, the chunks with --message, or take every dead letter of the type with --all',
    );
  if (type === 'Chunks' && options.record) problems.push('--record: chunks are named by --message');
  if (type !== undefined && type !== 'Chunks' && options.message)
    problems.push('--message: records are named by --record');
  const order = orderOf(options, problems);
  demandNone(problems, options);
  const wanted = options.all ? undefined : new Set<string>(names);
  await asOperator(options, async (context) => {
    const nameOf = ({ record, messageId }: Letter): string => (type === 'Chunks' ? messageId : (record ?? ''));
    const looked = await look(context, type!, REDRIVE_MAX, undefined);
    const letters = looked.found.filter((letter) => !wanted || wanted.has(nameOf(letter)));
    const absent = names.filter((name) => !letters.some((letter) => nameOf(letter) === name));
    const done = order ? await apply(context, type!, wanted, order) : [];
    const left = done.filter((each): each is Extract<Done, { result: 'left' }> => each.result === 'left');
    const redriven = done.length - left.length;
    if (absent.length > 0 || left.length > 0) process.exitCode = EXIT.failed;
    answer(
      options,
      { readAt: context.readAt, planned: letters, absent, applied: order !== undefined, redriven, left },
      () => [
        sourceLine('bus (dead letters)', context.readAt),
        planText(type!, letters.length),
        ...(looked.complete
          ? []
          : [`one order takes the first ${REDRIVE_MAX}, what lies behind them is left for the next`]),
        ...(letters.length > 0 ? lettersTable(letters, context.readAt) : []),
        ...absent.map((name) => `no dead letter of ${type} is of ${type === 'Chunks' ? 'message' : 'record'} ${name}`),
        ...left.map((each) => `left: ${('record' in each && each.record) || `message ${each.messageId}`}: ${each.why}`),
        order ? `done, by ${whoText(order)}: ${redriven} redriven` : NOTHING_CHANGED,
      ],
    );
  });
}

const planText = (type: LetterKind, count: number): string =>
  type === 'Chunks'
    ? `plan: redrive ${counted(count, 'dead letter')} of Chunks: each chunk is sent to the fetcher again, and its rows that wait are fetched`
    : `plan: redrive ${counted(count, 'dead letter')} of ${type}: each record is opened again, its retries start anew, and it is sent`;

type Done = Redriven | RedrivenChunk;

async function apply(
  { container }: OperatorContext,
  type: LetterKind,
  wanted: ReadonlySet<string> | undefined,
  order: OperatorOrder,
): Promise<readonly Done[]> {
  const ports = {
    bus: container.get(TOKENS.bus),
    shards: container.get(TOKENS.shards),
    shardClock: container.get(TOKENS.shardClock),
    contracts: container.get(TOKENS.contracts),
    chance: container.get(TOKENS.chance),
  };
  const topology = container.get(TOKENS.topology);
  const done =
    type === 'Chunks' || type === 'Notices'
      ? await redriveChunks(
          {
            ...ports,
            orders: createOperatorOrders({ eventStore: container.get(TOKENS.eventStore), chance: ports.chance }),
          },
          topology,
        )({ messageIds: wanted, ...order, max: REDRIVE_MAX })
      : await redriveDeadLetters(
          { ...ports, history: container.get(TOKENS.history), profiles: container.get(TOKENS.profiles) },
          topology,
        )({ dataType: type, records: wanted as ReadonlySet<RecordKey> | undefined, ...order, max: REDRIVE_MAX });
  return done.filter((each) => each.result === 'redriven' || each.why !== 'not in the order');
}
