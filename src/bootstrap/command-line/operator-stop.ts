import { type Command } from 'commander';
import { timeText, whoText } from '../../adapters/command-line/words';
import { type BillerControlCommand } from '../../domain/biller/biller-control.decider';
import { EVERYTHING } from '../../domain/biller/biller-control.state';
import { type Ordered } from '../../domain/biller/biller-control.events';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, demandNone, orderOf, type OrderOptions } from './operator-context';
import { answer, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';

export function addStopCommands(program: Command): void {
  const stop = program.command('stop').description('stop the calls to every biller at once, and lift that again');
  withOrder(
    stop.command('everything').description('make no more calls to any biller; their records wait and lose nothing'),
  ).action(async (_options, command: Command) =>
    orderAll(
      command.optsWithGlobals(),
      'calls to every biller stop; calls that have been made are still recorded, and all records wait until it is lifted',
      (ordered) => ({ type: 'PauseBiller', ordered }),
    ),
  );
  withOrder(
    stop.command('lift').description('make calls again; a biller that was paused by itself stays paused'),
  ).action(async (_options, command: Command) =>
    orderAll(
      command.optsWithGlobals(),
      'calls are made again; waiting records go on within half a minute or so',
      (ordered) => ({ type: 'ResumeBiller', ordered }),
    ),
  );
}

async function orderAll(
  options: GlobalOptions & OrderOptions,
  plan: string,
  command: (ordered: Ordered) => BillerControlCommand,
): Promise<void> {
  const problems: string[] = [];
  const order = orderOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const control = container.get(TOKENS.control);
    const { paused: before } = await control.state(EVERYTHING);
    const result = order ? await control.order(EVERYTHING, command({ ...order, at: readAt })) : undefined;
    answer(options, { readAt, plan, before: before ?? null, result: result ?? 'planned' }, () => [
      sourceLine('event store (billerControl-:everything)', readAt),
      `now:  ${before ? `everything is stopped by ${whoText(before)} since ${timeText(before.since)}: ${before.reason}` : 'nothing is stopped'}`,
      `plan: ${plan}`,
      ...(result === undefined
        ? [NOTHING_CHANGED]
        : result === 'already-so'
          ? ['it is so already: nothing was changed']
          : [
              `done, by ${whoText(order!)}`,
              `every process heeds it within ${container.get(TOKENS.settings)['Control:CacheSeconds']} s (Control:CacheSeconds)`,
            ]),
    ]);
  });
}
