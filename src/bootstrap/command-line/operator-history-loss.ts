import { type Command } from 'commander';
import { historyLossText } from '../../adapters/command-line/history-loss-text';
import { type Lines } from '../../adapters/command-line/printer';
import { whoText } from '../../adapters/command-line/words';
import {
  acceptHistoryLoss,
  type LossPlan,
  type LossResult,
  planHistoryLoss,
} from '../../application/operating/accept-history-loss';
import { type OperatorOrder } from '../../application/operating/operator-order';
import { instant, type Instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, demandNone, type OperatorContext, orderOf, type OrderOptions } from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { RefusedForSafety } from './problems';

interface LossOptions extends GlobalOptions, OrderOptions {
  readonly restoredTo?: string;
}

export function addHistoryLossCommand(history: Command): void {
  withOrder(
    history
      .command('accept-loss')
      .description(
        'when the event store is lost for good: hold every row that it knew in doubt, and go on with the new one',
      )
      .option(
        '--restored-to <instant>',
        'all stores were restored to this time together, so that none of them can tell',
      ),
  ).action(async (_options, command: Command) => acceptLoss(command.optsWithGlobals()));
}

async function acceptLoss(options: LossOptions): Promise<void> {
  const problems: string[] = [];
  const restoredTo = options.restoredTo === undefined ? undefined : instantIn(options.restoredTo, problems);
  const order = orderOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async (context) => {
    const ports = portsOf(context);
    const plan = await planHistoryLoss(ports, restoredTo);
    if (plan.acceptedAt !== undefined)
      throw new RefusedForSafety(`this loss was accepted at ${plan.acceptedAt} and is dealt with: start the processes`);
    if (plan.findings.length === 0 && restoredTo === undefined) {
      throw new RefusedForSafety(
        'nothing is lost: this is the event store that the shards know, with everything that was seen in it; ' +
          'where all stores were restored together, say so with --restored-to <instant>',
      );
    }
    // From here on this process may write into a store that no other process may.
    if (order) context.container.get(TOKENS.historyGuard).yield();
    const result =
      order &&
      (await acceptHistoryLoss(ports, {
        ...order,
        ...(restoredTo && { restoredTo }),
      }));
    answer(options, { readAt: context.readAt, applied: order !== undefined, ...plan, result }, () => [
      sourceLine('event store, shards, history witness', context.readAt),
      ...historyLossText(plan),
      ...ending(plan, result, order),
    ]);
  });
}

function ending(plan: LossPlan, result: LossResult | undefined, order: OperatorOrder | undefined): Lines {
  if (!result || !order) return [NOTHING_CHANGED];
  return [
    `done, by ${whoText(order)}: ${counted(result.held, 'record')} held in doubt, ${result.finished} had their end, ` +
      `${result.known} have an answer that a consumer writes down, ${result.another} mean another payment now`,
    `${plan.shards.map(({ shard }) => shard).join(', ')} take this event store for theirs; the processes may be started`,
    'next: datapump in-doubt list',
  ];
}

function portsOf({ container }: OperatorContext) {
  return {
    eventStore: container.get(TOKENS.eventStore),
    shards: container.get(TOKENS.shards),
    witnesses: [container.get(TOKENS.historyWitness)],
    history: container.get(TOKENS.history),
    profiles: container.get(TOKENS.profiles),
    digest: container.get(TOKENS.digest),
    clock: container.get(TOKENS.clock),
    chance: container.get(TOKENS.chance),
    telemetry: container.get(TOKENS.telemetry),
  };
}

function instantIn(text: string, problems: string[]): Instant | undefined {
  try {
    return instant(text);
  } catch (error) {
    problems.push(`--restored-to: ${(error as Error).message}`);
    return undefined;
  }
}
