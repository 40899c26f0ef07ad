import { type Command } from 'commander';
import { type Lines } from '../../adapters/command-line/printer';
import { tableLines } from '../../adapters/command-line/table';
import { ageText, whoText } from '../../adapters/command-line/words';
import { acknowledgeRejections, rejectedRecordOf } from '../../application/operating/acknowledge-rejections';
import { createOperatorOrders } from '../../application/operating/operator-orders';
import { type PeekedMessage } from '../../application/ports/message-bus';
import { billersNamedBy, lookThrough, subscriptionOf } from '../../application/queries/list-dead-letters';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { messageIdText, messageText } from './message-text';
import { billerIdOf, wholeNumberOf } from './operator-arguments';
import { asOperator, demandNone, type OperatorContext, orderOf, type OrderOptions } from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { recordKeyOf } from './operator-records';
import { EXIT } from './problems';

const LIST_MAX_DEFAULT = '100';
const LIST_MAX = 100_000;
const LOOK_MAX = 100_000;
const ACKNOWLEDGE_MAX = 10_000;

interface Notice {
  readonly record: RecordKey | undefined;
  readonly messageId: string;
  readonly type: string;
  readonly reasons: readonly string[];
  readonly since: Instant;
}

export function addRejectedCommands(program: Command): void {
  const rejected = program
    .command('rejected')
    .description('rows that cannot be delivered as they stand, as the fetcher told of them');
  rejected
    .command('list')
    .description('the notices that nobody has acknowledged yet, and why each row was rejected')
    .option('--biller <id>', 'of this biller alone')
    .option('--max <number>', 'show no more than so many', LIST_MAX_DEFAULT)
    .action(async (_options, command: Command) => list(command.optsWithGlobals()));
  withOrder(
    rejected
      .command('acknowledge')
      .description('take notices away that a person has dealt with; the records stay rejected')
      .option('--record <billerId:dpId...>', 'of these records')
      .option('--all', 'every notice'),
  ).action(async (_options, command: Command) => acknowledge(command.optsWithGlobals()));
}

/** A row has a dozen reasons at most; a message may name any number. */
const REASONS_SHOWN_MAX = 50;

async function list(options: GlobalOptions & { readonly biller?: string; readonly max: string }): Promise<void> {
  const problems: string[] = [];
  const max = wholeNumberOf(options.max, '--max', { min: 1, max: LIST_MAX }, problems);
  const biller = options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  demandNone(problems, options);
  await asOperator(options, async (context) => {
    const { notices, lookedAt, complete } = await look(context, max, biller);
    answer(options, { readAt: context.readAt, notices, lookedAt, complete }, () => [
      sourceLine('bus (notices of rejected rows)', context.readAt),
      ...(notices.length === 0
        ? ['no notices']
        : [...noticesTable(notices, context.readAt), counted(notices.length, 'notice')]),
      ...(complete
        ? []
        : [`looked at the first ${counted(lookedAt, 'notice')}, more may lie behind: --max or --biller`]),
      ...(notices.length === 0
        ? []
        : [
            'next: datapump record explain <record>, mend the row (docs/runbooks/rejected-records.md), then: datapump rejected acknowledge --record <record>',
          ]),
    ]);
  });
}

/** Those that wait, then those that a broker gave up: nobody has seen either. */
async function look({ container }: OperatorContext, foundMax: number, biller: BillerId | undefined) {
  const source = subscriptionOf(container.get(TOKENS.topology), 'Notices');
  const notices: Notice[] = [];
  let lookedAt = 0;
  let complete = true;
  for (const deadLetters of [false, true]) {
    const bounds = { foundMax: foundMax - notices.length, lookMax: LOOK_MAX };
    const looked = await lookThrough(container.get(TOKENS.bus), { ...source, deadLetters }, bounds, (message) =>
      biller === undefined ? true : billersNamedBy(message).includes(biller),
    );
    notices.push(...looked.found.map(noticeOf));
    lookedAt += looked.lookedAt;
    complete &&= looked.complete;
  }
  return { notices, lookedAt, complete };
}

function noticeOf(message: PeekedMessage): Notice {
  const body = (typeof message.body === 'object' && message.body !== null ? message.body : {}) as {
    readonly reasons?: unknown;
    readonly eventType?: unknown;
  };
  return {
    record: rejectedRecordOf(message),
    messageId: messageIdText(message.messageId),
    type: messageText(body.eventType ?? message.properties['eventType'] ?? '-'),
    reasons: Array.isArray(body.reasons) ? body.reasons.slice(0, REASONS_SHOWN_MAX).map(messageText) : [],
    since: message.enqueuedAt,
  };
}

const noticesTable = (notices: readonly Notice[], readAt: Instant): Lines =>
  tableLines(
    ['record', 'type', 'told', 'reasons'].map((title) => ({ title })),
    notices.map(({ record, messageId, type, since, reasons }) => [
      record ?? `(message ${messageId})`,
      type,
      `${ageText(since, readAt)} ago`,
      reasons.join(', ') || '-',
    ]),
  );

interface AcknowledgeOptions extends GlobalOptions, OrderOptions {
  readonly record?: readonly string[];
  readonly all?: boolean;
}

async function acknowledge(options: AcknowledgeOptions): Promise<void> {
  const problems: string[] = [];
  const keys = (options.record ?? []).flatMap((text) => recordKeyOf(text, '--record', problems) ?? []);
  if (options.record && options.all) problems.push('--record and --all: name records or take all, not both');
  if (!options.record && !options.all) problems.push('name the records with --record, or take every notice with --all');
  const order = orderOf(options, problems);
  demandNone(problems, options);
  const records = options.all ? undefined : new Set(keys);
  await asOperator(options, async (context) => {
    const { container, readAt } = context;
    const looked = await look(context, ACKNOWLEDGE_MAX, undefined);
    const planned = looked.notices.filter(({ record }) => record !== undefined && (!records || records.has(record)));
    const absent = keys.filter((key) => !planned.some(({ record }) => record === key));
    if (absent.length > 0) process.exitCode = EXIT.failed;
    const orders = createOperatorOrders({
      eventStore: container.get(TOKENS.eventStore),
      chance: container.get(TOKENS.chance),
    });
    const done = order
      ? await acknowledgeRejections(
          { orders, bus: container.get(TOKENS.bus) },
          container.get(TOKENS.topology),
        )({
          records,
          ...order,
          at: readAt,
          max: ACKNOWLEDGE_MAX,
        })
      : [];
    answer(options, { readAt, planned, absent, applied: order !== undefined, acknowledged: done.length }, () => [
      sourceLine('bus (notices of rejected rows)', readAt),
      `plan: acknowledge ${counted(planned.length, 'notice')}: they are taken away, the records stay rejected`,
      ...(planned.length > 0 ? noticesTable(planned, readAt) : []),
      ...absent.map((key) => `no notice is of record ${key}`),
      order ? `done, by ${whoText(order)}: ${done.length} acknowledged` : NOTHING_CHANGED,
    ]);
  });
}
