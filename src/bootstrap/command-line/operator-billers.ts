import { type Command } from 'commander';
import { undeliverableText } from '../../adapters/biller-profiles/assemble-profiles';
import { problemText } from '../../adapters/biller-profiles/validate-profile-document';
import { printer } from '../../adapters/command-line/printer';
import { tableLines } from '../../adapters/command-line/table';
import { timeText, whoText } from '../../adapters/command-line/words';
import { type BillerControlCommand } from '../../domain/biller/biller-control.decider';
import { type Ordered } from '../../domain/biller/biller-control.events';
import { type BillerControlState } from '../../domain/biller/biller-control.state';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerId } from '../../domain/identifiers';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { addBillerShowCommand } from './operator-biller-show';
import { addBillerCheckCommand } from './operator-biller-check';
import { billerIdOf, wholeNumberOf } from './operator-arguments';
import { asOperator, demandNone, type OperatorContext, orderOf, type OrderOptions } from './operator-context';
import { answer, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { EXIT } from './problems';

const PER_SECOND_MAX = 100_000;

export function addBillerCommands(program: Command): void {
  const biller = program.command('biller').description('billers: their profiles, and whether calls to them are made');
  biller
    .command('list')
    .description('profiles, what is paused, and what each biller offers against doubt')
    .action(async (_options, command: Command) => list(command.optsWithGlobals()));
  addBillerCheckCommand(biller);
  addBillerShowCommand(biller);
  withOrder(
    biller
      .command('pause')
      .description('make no more calls to a biller; its records wait and lose nothing')
      .argument('<biller>', "the biller's id"),
  ).action(async (id: string, _options, command: Command) => {
    const options: GlobalOptions & OrderOptions = command.optsWithGlobals();
    await orderBiller(id, options, [], 'calls to it stop; its records wait until it is resumed', (ordered) => ({
      type: 'PauseBiller',
      ordered,
    }));
  });
  withOrder(
    biller.command('resume').description('make calls to a paused biller again').argument('<biller>', "the biller's id"),
  ).action(async (id: string, _options, command: Command) => {
    const options: GlobalOptions & OrderOptions = command.optsWithGlobals();
    await orderBiller(
      id,
      options,
      [],
      'calls to it are made again; its waiting records go on within half a minute or so',
      (ordered) => ({ type: 'ResumeBiller', ordered }),
    );
  });
  withOrder(
    biller
      .command('rate')
      .description("set the calls per second to a biller over all processes, in place of its profile's")
      .argument('<biller>', "the biller's id")
      .option('--per-second <number>', 'calls a second')
      .option('--clear', "back to the profile's rate"),
  ).action(async (id: string, _options, command: Command) => rate(id, command.optsWithGlobals()));
}

async function rate(
  id: string,
  options: GlobalOptions & OrderOptions & { readonly perSecond?: string; readonly clear?: boolean },
): Promise<void> {
  const problems: string[] = [];
  if (options.perSecond !== undefined && options.clear)
    problems.push('--per-second and --clear: one of them, not both');
  if (options.perSecond === undefined && !options.clear)
    problems.push('give --per-second <number>, or --clear; to stop all calls: datapump biller pause');
  const perSecond =
    options.perSecond === undefined
      ? undefined
      : wholeNumberOf(options.perSecond, '--per-second', { min: 1, max: PER_SECOND_MAX }, problems);
  const plan =
    perSecond === undefined ? "its rate is again the profile's" : `at most ${perSecond} calls a second are made to it`;
  await orderBiller(id, options, problems, plan, (ordered) => ({
    type: 'SetBillerRate',
    ordered,
    ...(perSecond === undefined ? {} : { perSecond }),
  }));
}

async function orderBiller(
  id: string,
  options: GlobalOptions & OrderOptions,
  problems: string[],
  plan: string,
  command: (ordered: Ordered) => BillerControlCommand,
): Promise<void> {
  const biller = billerIdOf(id, '<biller>', problems);
  const order = orderOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async (context) => {
    const known = await isKnown(context, biller!);
    if (!known) {
      printer.complain([`datapump: no biller ${id} is known: it has no profile and no settings in a shard`]);
      process.exitCode = EXIT.failed;
      return;
    }
    const control = context.container.get(TOKENS.control);
    const before = await control.state(biller!);
    const result = order ? await control.order(biller!, command({ ...order, at: context.readAt })) : undefined;
    answer(options, { readAt: context.readAt, billerId: biller, plan, before, result: result ?? 'planned' }, () => [
      sourceLine(`event store (billerControl-${id})`, context.readAt),
      `now:  ${controlText(before)}`,
      `plan: biller ${id}: ${plan}`,
      result === undefined
        ? NOTHING_CHANGED
        : result === 'already-so'
          ? 'it is so already: nothing was changed'
          : `done, by ${whoText(order!)}`,
    ]);
  });
}

async function isKnown({ container }: OperatorContext, biller: BillerId): Promise<boolean> {
  return (
    (await container.get(TOKENS.shards).ofBiller(biller)) !== undefined ||
    (await container.get(TOKENS.profiles).current(biller)) !== undefined
  );
}

function controlText({ paused, ratePerSecond, everythingStopped }: BillerControlState): string {
  const rateText = ratePerSecond === undefined ? "the profile's rate" : `${ratePerSecond} calls a second`;
  return paused
    ? `${everythingStopped ? 'stopped, with everything,' : 'paused'} by ${whoText(paused)} since ${timeText(paused.since)} (${paused.reason}); ${rateText}`
    : `not paused; ${rateText}`;
}

async function list(options: GlobalOptions): Promise<void> {
  await asOperator(options, async ({ container, settings, readAt }) => {
    const files = container.get(TOKENS.profileFiles);
    const control = container.get(TOKENS.control);
    const problems = (await files.problems()).map(problemText);
    const undeliverable = await files.undeliverable();
    const billers = await Promise.all(
      [...(await files.all())]
        .sort(byId)
        .map(async (profile) => ({ profile, control: await control.state(profile.billerId) })),
    );
    const json = billers.map(({ profile, control: state }) => ({
      billerId: profile.billerId, rollout: profile.rollout, actions: profile.actions, version: profile.version,
      capability: profile.capability, limits: profile.limits, ...state,
    })); // prettier-ignore
    printer.complain(problems.map((problem) => `not valid: ${problem}`));
    const notDeliverable = undeliverable.map(({ billerId }) => billerId);
    answer(options, { readAt, billers: json, notDeliverable, problems }, () => [
      sourceLine(`profiles in ${settings['Billers:Folder']}, event store (pauses, rates)`, readAt),
      ...tableLines(
        ['biller', 'vendor', 'rollout', 'actions', 'against doubt', 'rate/s', 'calls', 'version'].map((title) => ({
          title,
        })),
        billers.map(({ profile, control: state }) => rowOf(profile, state)),
      ),
      ...undeliverable.map(undeliverableText),
      ...(problems.length > 0 ? ['next: datapump biller check'] : []),
    ]);
  });
}

const byId = (a: BillerProfile, b: BillerProfile): number =>
  a.billerId.localeCompare(b.billerId, 'en', { numeric: true });

function rowOf(profile: BillerProfile, { paused, ratePerSecond }: BillerControlState): readonly string[] {
  const against = [...(profile.capability.inquiry ? ['inquiry'] : []), ...(profile.capability.keys ? ['keys'] : [])];
  const rateText =
    ratePerSecond === undefined ? String(profile.limits.perSecond ?? 'no limit') : `${ratePerSecond} (ordered)`;
  return [
    profile.billerId, profile.vendor, profile.rollout, profile.actions.join(' '), against.join(' + ') || 'neither: a person', rateText,
    paused ? `PAUSED by ${whoText(paused)}: ${paused.reason}` : 'made', profile.version,
  ]; // prettier-ignore
}
