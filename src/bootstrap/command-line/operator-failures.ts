import { type Command } from 'commander';
import { failuresTable } from '../../adapters/command-line/biller-states-text';
import { currentFailures, rebuildFailures } from '../../application/queries/project-failures';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf, wholeNumberOf } from './operator-arguments';
import { asOperator, demandNone } from './operator-context';
import { momentOf } from './operator-find';
import { answer, sourceLine } from './operator-output';

const LIMIT_DEFAULT = '50';
const LIMIT_MAX = 1_000;

interface FailureOptions extends GlobalOptions {
  readonly biller?: string;
  readonly since?: string;
  readonly limit: string;
  readonly rebuild?: boolean;
}

export function addFailuresCommand(program: Command): void {
  program
    .command('failures')
    .description('what failed, grouped by what failures have in common but for numbers and ids; seen last first')
    .option('--biller <id>', 'of this biller alone')
    .option('--since <day>', 'seen on this day (UTC) or later, or from this instant on')
    .option('--limit <number>', `show at most so many, 1 to ${LIMIT_MAX}`, LIMIT_DEFAULT)
    .option('--rebuild', 'build the read model of failures anew first')
    .action(async (_options, command: Command) => failures(command.optsWithGlobals()));
}

async function failures(options: FailureOptions): Promise<void> {
  const problems: string[] = [];
  const max = wholeNumberOf(options.limit, '--limit', { min: 1, max: LIMIT_MAX }, problems);
  const billerId = options.biller === undefined ? undefined : billerIdOf(options.biller, '--biller', problems);
  const since = options.since === undefined ? undefined : momentOf(options.since, '--since', 0, problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = {
      eventStore: container.get(TOKENS.eventStore),
      projections: container.get(TOKENS.failureProjections),
    };
    if (options.rebuild) await rebuildFailures(ports)();
    const projection = await currentFailures(ports)();
    const query = { ...(billerId === undefined ? {} : { billerId }), ...(since === undefined ? {} : { since }) };
    const found = await projection.failures({ ...query, max: max + 1 });
    const shown = found.slice(0, max);
    const more = found.length > max;
    answer(options, { readAt, ...query, more, failures: shown }, () => [
      sourceLine('projection of failures (from the event store)', readAt),
      ...(shown.length === 0 ? ['nothing failed'] : failuresTable(shown, readAt)),
      ...(more ? [`the first ${max} are shown; --limit shows more`] : []),
      ...(shown.length === 0 ? [] : ['next: datapump record explain <the example>']),
    ]);
  });
}
