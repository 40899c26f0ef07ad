import { type Command } from 'commander';
import { type Lines } from '../../adapters/command-line/printer';
import { totalsTable } from '../../adapters/command-line/totals-table';
import { type ControlScope } from '../../application/queries/control-totals';
import { type Conservation, type Difference, proveConservation } from '../../application/queries/prove-conservation';
import { dayFrom } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { billerIdOf } from './operator-arguments';
import { asOperator, demandNone } from './operator-context';
import { answer, counted, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

interface ProveOptions extends GlobalOptions {
  readonly day?: string;
  readonly biller?: string;
}

export function addProveCommand(program: Command): void {
  // Scripts that call it by its former name go on.
  for (const [name, hidden] of [
    ['prove', false],
    ['control-totals', true],
  ] as const) {
    program
      .command(name, { hidden })
      .description(
        'is every eligible record accounted for: counts and money by shard, biller, type and end, from the shards and from the event store; exit code 1 where they differ, with the records',
      )
      .option('--day <day>', 'of the rows created on this day (UTC), such as 2026-11-20; without it, of all')
      .option('--biller <id>', 'of this biller alone')
      .action(async (_options, command: Command) => prove(command.optsWithGlobals()));
  }
}

async function prove(options: ProveOptions): Promise<void> {
  const problems: string[] = [];
  const scope = scopeOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = {
      eventStore: container.get(TOKENS.eventStore),
      projections: container.get(TOKENS.projections),
      shards: container.get(TOKENS.shards),
    };
    const proof = await proveConservation(ports)(scope);
    if (!proof.conserved) process.exitCode = EXIT.failed;
    answer(options, { readAt, ...scope, ...proof }, () => proofText(proof, scope, readAt));
  });
}

function scopeOf({ day, biller }: ProveOptions, problems: string[]): ControlScope {
  const found = day === undefined ? undefined : dayFrom(day);
  if (day !== undefined && found === undefined)
    problems.push(`--day: found ${JSON.stringify(day)}, expected a day such as 2026-11-20, from 1970 to 2099`);
  const billerId = biller === undefined ? undefined : billerIdOf(biller, '--biller', problems);
  return { ...(found === undefined ? {} : { day: found }), ...(billerId === undefined ? {} : { billerId }) };
}

function proofText(proof: Conservation, { day }: ControlScope, readAt: string): Lines {
  const { shards, eventStore, differences, explained, unread } = proof;
  const open = shards.reduce((sum, line) => sum + line.ends.open.count, 0);
  const verdict =
    differences.length > 0
      ? [
          `${counted(differences.length, 'difference')}:`,
          ...differences.flatMap(differenceLines),
          'next: docs/runbooks/history-behind.md',
        ]
      : unread.length > 0
        ? ['what could be read says the same of every end; the rest is not compared']
        : ['conserved: both sources say the same of every end'];
  return [
    sourceLine(`shards and event store${day === undefined ? '' : `, rows created on ${day}`}`, readAt),
    ...(shards.length + eventStore.length === 0 ? ['no row and no record'] : totalsTable(proof)),
    ...(open > 0
      ? [
          `${counted(open, 'record')} of the shards ${open === 1 ? 'is' : 'are'} under way; what is under way is not compared`,
        ]
      : []),
    ...explained.flatMap(endLines),
    ...(explained.length > 0
      ? [
          'of these the totals differ and no record does: they moved meanwhile, are filed under another day, or were taken back. If that stays: datapump projection rebuild',
        ]
      : []),
    ...verdict,
    ...unreadLines(unread),
  ];
}

const endLines = ({ shard, billerId, dataType, ends }: Conservation['explained'][number]): Lines =>
  ends.map(
    ({ end, shards, eventStore }) =>
      `  ${shard} ${billerId} ${dataType} ${end}: shards ${shards}, event store ${eventStore}`,
  );

function differenceLines({ records, differing, ...line }: Difference): Lines {
  return [
    ...endLines(line),
    ...records.map(
      ({ record, shardSays, eventStoreSays }) =>
        `    ${record}: its shard says ${shardSays}, the event store ${eventStoreSays}`,
    ),
    ...(differing > records.length ? [`    and ${differing - records.length} more`] : []),
    ...(differing === 0 ? ['    no record is named: look at a day of it with --day'] : []),
  ];
}
