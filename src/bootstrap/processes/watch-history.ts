import { setMaxListeners } from 'node:events';
import { type Container } from 'inversify';
import { historyProblems as problemsOfHistory } from '../../adapters/command-line/history-words';
import { type HistoryFinding } from '../../application/history/check-history';
import { UsageProblems } from '../command-line/problems';
import { type Settings } from '../configuration/declarations';
import { TOKENS } from '../container/tokens';

/** Which setting says where the event store is. */
const eventStoreSetting = (settings: Settings): string =>
  settings['Stack:EventStore'] === 'sqlite' ? 'Data:Folder' : 'EventStore:ConnectionString';

export const historyProblems = (settings: Settings, findings: readonly HistoryFinding[]): readonly string[] =>
  problemsOfHistory(findings).map((problem) => `${eventStoreSetting(settings)}: ${problem}`);

/**
 * Runs the work while the event store is the one that the shards know. Should it be replaced, the work is told to stop
 * (nothing is appended any more from the first look on), and what happened is thrown as a matter of configuration.
 */
export async function whileHistoryHolds<Result>(
  container: Container,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const guard = container.get(TOKENS.historyGuard);
  const ended = new AbortController();
  const stop = new AbortController();
  const working = AbortSignal.any([signal, stop.signal]);
  setMaxListeners(0, working);
  const watching = guard.watch(ended.signal).then((findings) => {
    if (findings.length > 0) stop.abort();
    return findings;
  });
  const [outcome] = await Promise.allSettled([work(working)]);
  ended.abort();
  const findings = await watching;
  if (findings.length > 0) throw new UsageProblems(historyProblems(container.get(TOKENS.settings), findings));
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}
