import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Container } from 'inversify';
import { type Instant } from '../../domain/instant';
import { type Settings } from '../configuration/declarations';
import { createContainer } from '../container/create-container';
import { TOKENS } from '../container/tokens';
import { armCrashPoint } from '../processes/arm-crash-point';
import { type GlobalOptions, settingsOf, settingsWithSecrets } from './command-context';
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
  armCrashPoint(read);
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

/** Undefined: only the plan is wanted. */
export interface Order {
  readonly by: string;
  readonly reason: string;
}

const WORDS_MAX = 500;

/** Who and why are stored for ever, so an order without them is none. Problems go to the list of the command's others. */
export function orderOf(options: OrderOptions, problems: string[]): Order | undefined {
  if (!options.apply) return undefined;
  const reason = options.reason?.trim() ?? '';
  if (reason === '') problems.push('--apply needs --reason "…": why it is done becomes a stored fact');
  if (reason.length > WORDS_MAX) problems.push(`--reason: at most ${WORDS_MAX} characters`);
  const by = options.by?.trim() ?? systemUser();
  if (by === undefined || by === '') problems.push('--by: name who orders this; the system does not tell');
  return { by: by ?? '', reason };
}

function systemUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** Stops before anything is opened where an argument is wrong: all of them at once. */
export function demandNone(problems: readonly string[]): void {
  if (problems.length > 0) throw new UsageProblems(problems);
}
