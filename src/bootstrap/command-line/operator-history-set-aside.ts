import { type Command } from 'commander';
import { whoText } from '../../adapters/command-line/words';
import { lostSeals } from '../../application/queries/lost-seals';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, demandNone, orderOf, type OrderOptions } from './operator-context';
import { answer, counted, NOTHING_CHANGED, sourceLine, withOrder } from './operator-output';
import { RefusedForSafety } from './problems';

export function addHistorySetAsideCommand(history: Command): void {
  withOrder(
    history
      .command('set-aside')
      .description('after an older event store was restored: set the copies of seals aside that it does not know'),
  ).action(async (_options, command: Command) => setAside(command.optsWithGlobals()));
}

async function setAside(options: GlobalOptions & OrderOptions): Promise<void> {
  const problems: string[] = [];
  const order = orderOf(options, problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const witnesses = container.getAll(TOKENS.sealWitnesses).flatMap((each) => each());
    const { newest, lost, otherwise } = await lostSeals({ eventStore: container.get(TOKENS.eventStore), witnesses })();
    if (otherwise.length > 0)
      throw new RefusedForSafety(`${otherwise.join('; ')}: that is no older backup; docs/runbooks/history-tampered.md`);
    const told = lost.map(({ witness, from, to }) => ({ witness: witness.name, place: witness.place, from, to }));
    if (order)
      for (const { witness, from } of lost)
        await witness.setAside({ from, by: whoText(order), reason: order.reason, at: readAt });
    answer(options, { readAt, newest, setAside: told, applied: order !== undefined && lost.length > 0 }, () => [
      sourceLine('seals of the event store and their copies', readAt),
      `the event store ends at seal ${newest}`,
      ...told.map(
        ({ witness, place, from, to }) =>
          `${witness} (${place}) knows ${counted(to - from + 1, 'seal')} more, ${from} to ${to}`,
      ),
      ...(told.length === 0
        ? ['no copy knows more: there is nothing to set aside']
        : [order ? 'these are set aside; each copy keeps who ordered it and why' : NOTHING_CHANGED]),
    ]);
  });
}
