import { type Command } from 'commander';
import { addHistoryLossCommand } from './operator-history-loss';
import { addHistorySetAsideCommand } from './operator-history-set-aside';
import { addHistoryVerifyCommand } from './operator-history-verify';

/** The noun; each verb has a file of its own. */
export function addHistoryCommands(program: Command): void {
  const history = program
    .command('history')
    .description('the history as a whole: is it what was written, the right one, and all of it there');
  addHistoryVerifyCommand(history);
  addHistorySetAsideCommand(history);
  addHistoryLossCommand(history);
}
