import { type Command } from 'commander';
import { PortFailure } from '../../application/ports/failures';
import { loadStackModule } from '../container/stack-modules';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, type OperatorContext } from './operator-context';
import { answer } from './operator-output';
import { EXIT, UsageProblems } from './problems';

interface SetUpOptions extends GlobalOptions {
  readonly plan?: boolean;
  readonly apply?: boolean;
  readonly script?: boolean;
  readonly check?: boolean;
}

interface MigrateOptions extends SetUpOptions {
  readonly newShard?: string;
}

const CHECK = 'show it, and end with exit code 1 where anything is left to do';

/** Both look by default; setting up twice is setting up once, and nothing is ever deleted. */
export function addSetUpCommands(program: Command): void {
  program
    .command('topology')
    .description('compare the topics, subscriptions and filters of the Service Bus namespace with the declared ones')
    .option('--plan', 'show what would be done (the default)')
    .option('--check', CHECK)
    .option('--apply', 'do it; needs the right to manage the namespace')
    .action((_options, command: Command) => setUp(command.optsWithGlobals(), topology));
  program
    .command('migrate')
    .description('compare the schema of each SQL Server shard with the one this program needs')
    .option('--plan', 'show what would be done (the default)')
    .option('--script', 'show the T-SQL as well, complete: it may be run by hand instead')
    .option(
      '--new-shard <ids>',
      'with --script: of a shard that is not there yet, for ids of this type (text, bigint, uniqueidentifier); asks no server',
    )
    .option('--check', CHECK)
    .option('--apply', 'do it; needs the right to create tables and views')
    .action((_options, command: Command) => {
      const options = command.optsWithGlobals<MigrateOptions>();
      return options.newShard === undefined ? setUp(options, migrate) : printNewShard(options, options.newShard);
    });
}

/** For whoever may not log in: neither settings nor servers are asked. */
function printNewShard(options: MigrateOptions, ids: string): void {
  const { ID_TYPES, scriptWithoutLogin } = loadStackModule.setUp();
  const idType = ID_TYPES.find((type) => type === ids.toLowerCase());
  const problems = [
    ...(idType === undefined ? [`--new-shard: found ${ids}, expected one of ${ID_TYPES.join(', ')}`] : []),
    ...(options.script ? [] : ['--new-shard: expected with --script, which it is for']),
    ...(options.apply || options.check
      ? ['--new-shard: expected without --apply and --check, which ask a server']
      : []),
  ];
  if (idType === undefined || problems.length > 0) throw new UsageProblems(problems);
  const script = scriptWithoutLogin(idType);
  answer(options, { ids: idType, script }, () => [...script.split('\n'), 'GO']);
}

type SetUp = (options: SetUpOptions, context: OperatorContext) => Promise<void>;

async function setUp(options: SetUpOptions, work: SetUp): Promise<void> {
  const ways = (['plan', 'check', 'apply'] as const).filter((way) => options[way]);
  if (ways.length > 1)
    throw new UsageProblems([`${ways.map((way) => `--${way}`).join(' and ')}: expected one of them`]);
  await asOperator(options, (context) => work(options, context), { mayCreate: true });
}

const topology: SetUp = async (options, { container, settings }) => {
  if (settings['Stack:Bus'] !== 'service-bus')
    throw new UsageProblems([
      'Stack:Bus: found "sqlite", expected "service-bus": the embedded bus sets itself up when it is opened',
    ]);
  const planned = await loadStackModule
    .setUp()
    .plannedTopology(settings, container.get(TOKENS.topology))
    .catch((error: unknown) => refusedBy('ServiceBus:Namespace or ServiceBus:ConnectionString', error));
  if (planned.problems.length > 0) throw new UsageProblems(planned.problems);
  const byHand = planned.steps.filter(({ kind }) => kind === 'by-hand');
  const steps = planned.steps.filter(({ kind }) => kind !== 'by-hand');
  const done: string[] = [];
  if (options.apply) await planned.apply((step) => void done.push(step));
  answer(options, { steps, byHand, done }, () => [
    ...byHand.map(({ text }) => `! ${text}`),
    ...(options.apply ? done.map((text) => `done: ${text}`) : steps.map(({ text }) => `+ ${text}`)),
    steps.length === 0 ? 'The topology is as declared.' : conclusion(options, steps.length),
  ]);
  if (options.check && planned.steps.length > 0) process.exitCode = EXIT.failed;
};

const migrate: SetUp = async (options, { container, settings }) => {
  if (settings['Stack:Shards'] !== 'sql-server')
    throw new UsageProblems([
      'Stack:Shards: found "sqlite", expected "sql-server": the embedded shards set themselves up when they are opened',
    ]);
  const secrets = container.get(TOKENS.secrets);
  const { plannedMigrations, migrate: apply } = loadStackModule.setUp();
  const plans = await plannedMigrations(settings, secrets);
  const problems = plans.flatMap((plan) => plan.problems.map((problem) => `shard ${plan.shard}: ${problem}`));
  if (problems.length > 0) throw new UsageProblems(problems);
  const done: { readonly shard: string; readonly versions: readonly number[] }[] = [];
  if (options.apply) await apply(settings, secrets, (shard, versions) => void done.push({ shard, versions }));
  const pending = plans.reduce((sum, plan) => sum + plan.pending.length, 0);
  answer(options, { plans, done }, () => [
    ...plans.flatMap(({ shard, version, target, pending: steps, script }) => [
      `shard ${shard}: schema version ${version} of ${target}`,
      ...(options.apply ? [] : steps.map((step) => `+ ${step.version} ${step.name}`)),
      ...(options.script && steps.length > 0 ? [...script.split('\n'), 'GO'] : []),
    ]),
    ...done.map(({ shard, versions }) => `done: shard ${shard}, versions added: ${versions.join(', ') || 'none'}`),
    pending === 0 ? 'Every schema is as needed.' : conclusion(options, pending),
  ]);
  if (options.check && pending > 0) process.exitCode = EXIT.failed;
};

const conclusion = ({ apply }: SetUpOptions, steps: number): string =>
  apply ? 'Done.' : `${steps} step${steps === 1 ? '' : 's'}; nothing was changed; add --apply to do it`;

/** Whoever may not look, or cannot reach the server, has a setting to correct. */
function refusedBy(setting: string, error: unknown): never {
  if (error instanceof PortFailure) throw new UsageProblems([`${setting}: ${error.message}`]);
  throw error;
}
