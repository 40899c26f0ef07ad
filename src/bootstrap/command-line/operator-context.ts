import { existsSync } from 'node:fs';
import { type Container } from 'inversify';
import { operatorIdentity } from '../../adapters/system/operator-identity';
import { type OperatorOrder } from '../../application/operating/operator-order';
import { type Instant } from '../../domain/instant';
import { isBlank } from '../../domain/invisible-text';
import { maskCardData } from '../../domain/policies/card-data';
import { type Settings } from '../configuration/declarations';
import { createContainer } from '../container/create-container';
import { TOKENS } from '../container/tokens';
import { armCrashPoint } from '../processes/arm-crash-point';
import { type GlobalOptions, settingsOf, settingsWithSecrets } from './command-context';
import { operatorText } from './operator-text';
import { UsageProblems } from './problems';

/** What an operator's command may use: everything opens when it is first asked for, and is closed at the end. */
export interface OperatorContext {
  readonly container: Container;
  readonly settings: Settings;
  /** When the command looked: each table says so. */
  readonly readAt: Instant;
}

/**
 * Runs an operator's command. Arguments are complete before this is called; here the settings are read and the data
 * folder is looked for, since looking must not make one.
 */
export async function asOperator<Result>(
  options: GlobalOptions,
  work: (context: OperatorContext) => Promise<Result>,
  changes: { readonly settings?: Partial<Settings>; readonly mayCreate?: boolean } = {},
): Promise<Result> {
  const read = settingsOf(options);
  // People read this output: log lines are for what went wrong.
  const settings: Settings = {
    ...read,
    'Log:Level': read['Log:Level'] === 'fatal' ? 'fatal' : 'error',
    ...changes.settings,
  };
  const folder = settings['Data:Folder'];
  if (!changes.mayCreate && settings['Stack:Shards'] === 'sqlite' && !existsSync(folder)) {
    throw new UsageProblems([
      `Data:Folder: ${folder} is no folder; name the one that holds the data with --data, or make one with: datapump load`,
    ]);
  }
  const container = createContainer(await settingsWithSecrets(settings), 'operator');
  await armCrashPoint(settings, container, 'operator');
  try {
    return await work({ container, settings, readAt: container.get(TOKENS.clock).now() });
  } finally {
    for (const { what, error } of await container.get(TOKENS.lifecycle).close()) {
      container.get(TOKENS.telemetry).error(`failed to close the ${what}`, error);
    }
  }
}

export interface OrderOptions {
  readonly apply?: boolean;
  readonly reason?: string;
  readonly by?: string;
}

const WITHOUT_REASON = '--apply needs --reason "…": why it is done becomes a stored fact';

/**
 * Who and why are stored for ever, so an order without them is none; undefined: only the plan is wanted. Who it is the
 * system says; --by is kept beside that. Problems go to the list of the command's others.
 */
export function orderOf(options: OrderOptions, problems: string[]): OperatorOrder | undefined {
  if (!options.apply) return undefined;
  const given = options.reason ?? '';
  if (isBlank(given)) problems.push(WITHOUT_REASON);
  const reason = isBlank(given) ? undefined : operatorText(given, '--reason', problems);
  const claimedBy = options.by === undefined ? undefined : operatorText(options.by, '--by', problems);
  const by = maskCardData(operatorIdentity(process.env));
  return { by, ...(claimedBy === undefined ? {} : { claimedBy }), reason: reason ?? '' };
}

/** Stops before anything is opened where an argument is wrong: all of them at once. */
export function demandNone(problems: readonly string[], options?: GlobalOptions): void {
  if (problems.length > 0) throw new UsageProblems([...problems, ...(options ? settingsProblems(options) : [])]);
}

/** With `options`: what is wrong with the settings is told with what is wrong with the arguments. */
function settingsProblems(options: GlobalOptions): readonly string[] {
  try {
    settingsOf(options);
    return [];
  } catch (error) {
    if (error instanceof UsageProblems) return error.problems;
    throw error;
  }
}
