import { type Command } from 'commander';
import { billerInFull } from '../../adapters/command-line/biller-states-text';
import { printer } from '../../adapters/command-line/printer';
import { type ParkCause } from '../../domain/dp-record/dp-record.events';
import { type BillerId } from '../../domain/identifiers';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { lookAround } from './look-around';
import { billerIdOf } from './operator-arguments';
import { asOperator, demandNone, type OperatorContext } from './operator-context';
import { answer, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

const FAILURES_SHOWN_MAX = 5;
/** What a record may wait for; breakers and tokens are each process' own, and are seen by what waits for them. */
const PARKED: readonly ParkCause[] = [
  'biller-paused',
  'outside-window',
  'breaker-open',
  'allowance-used-up',
  'token-unavailable',
  'profile-missing',
  'throttled',
  'attempt-open',
  'doubt-unresolved',
];

export function addBillerShowCommand(biller: Command): void {
  biller
    .command('show')
    .description('how one biller stands: its calls, what waits and for what, its failures')
    .argument('<biller>', "the biller's id")
    .action(async (id: string, _options, command: Command) => show(id, command.optsWithGlobals()));
}

async function show(id: string, options: GlobalOptions): Promise<void> {
  const problems: string[] = [];
  const billerId = billerIdOf(id, '<biller>', problems);
  demandNone(problems, options);
  await asOperator(options, async (context) => {
    const { readAt } = context;
    const unread = new Set<string>();
    const { states } = await lookAround(context, (what) => void unread.add(what));
    const state = states.find((each) => each.billerId === billerId);
    if (unread.size > 0) process.exitCode = EXIT.failed;
    if (!state) {
      printer.complain([
        `datapump: no biller ${id} is known: it has no profile, no row that is to end and no record`,
        ...unreadLines([...unread]),
      ]);
      process.exitCode = EXIT.failed;
      return;
    }
    const more = unread.size > 0 ? { parked: [], failures: [] } : await detailsOf(context, billerId!);
    answer(options, { readAt, ...state, ...more, unread: [...unread] }, () => [
      sourceLine('shards (waiting, in doubt), event store (the rest)', readAt),
      ...billerInFull(state, more, readAt),
      ...unreadLines([...unread]),
    ]);
  });
}

async function detailsOf({ container }: OperatorContext, billerId: BillerId) {
  const records = await container.get(TOKENS.projections).live();
  const parked: { cause: string; count: string }[] = [];
  for (const cause of PARKED) {
    const { records: found, total } = await records.search({ billerId, statuses: ['pending'], cause, max: 1 });
    if (found.length > 0) parked.push({ cause, count: total === undefined ? 'more than 10,000' : String(total) });
  }
  const failures = await (
    await container.get(TOKENS.failureProjections).live()
  ).failures({ billerId, max: FAILURES_SHOWN_MAX });
  return { parked, failures };
}
