import { setMaxListeners } from 'node:events';
import { type Container } from 'inversify';
import { otelProblems } from '../telemetry/otel-variables';
import { SystemClock } from '../../adapters/system/system-clock';
import { printer } from '../../adapters/command-line/printer';
import { type Settings } from '../configuration/declarations';
import { loadSettings } from '../configuration/load-settings';
import { runtimeProblems } from '../configuration/runtime-checks';
import { readNamedSecrets } from '../configuration/read-named-secrets';
import { problemLine } from '../configuration/setting-problem';
import { inspectorProblem } from '../configuration/stack-checks';
import { createContainer, type LogTarget } from '../container/create-container';
import { secretSourceOf } from '../container/secret-source';
import { TOKENS } from '../container/tokens';
import { armCrashPoint } from '../processes/arm-crash-point';
import { endWithParent } from '../processes/end-with-parent';
import { installLastResort } from '../processes/last-resort';
import { StartFailed, UsageProblems } from './problems';

export interface GlobalOptions {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

/** Settings from defaults, file, environment and flags; all problems at once. */
export function settingsOf(options: GlobalOptions): Settings {
  const loaded = loadSettings({
    environment: process.env,
    ...(options.config === undefined ? {} : { file: options.config }),
    overrides: options.data === undefined ? {} : { 'Data:Folder': options.data },
  });
  if ('problems' in loaded) throw new UsageProblems(loaded.problems.map(problemLine));
  return loaded.settings;
}

/** The same with the secrets that the settings name; refuses a debugger in production. */
export async function settingsWithSecrets(settings: Settings): Promise<Settings> {
  const inspected = inspectorProblem(settings);
  const clock = new SystemClock();
  const waitSeconds = settings['Start:WaitSeconds'];
  const read = await readNamedSecrets(settings, () => secretSourceOf(settings, clock), {
    clock,
    waitMs: waitSeconds * 1_000,
    onWait: (problem) => printer.complain([`datapump: waiting up to ${waitSeconds} s: ${problem}`]),
  });
  const runtime = runtimeProblems(process.env, process.execArgv);
  const problems = [
    ...runtime,
    ...otelProblems(process.env),
    ...(inspected === undefined ? [] : [inspected]),
    ...read.problems,
  ];
  if (problems.length > 0) throw new UsageProblems([...problems, ...read.passing]);
  if (read.passing.length > 0) throw new StartFailed(read.passing, waitSeconds);
  return read.settings;
}

/** Runs a command with a container and closes whatever it opened. */
export async function withContainer<Result>(
  options: GlobalOptions,
  role: string,
  work: (container: Container) => Promise<Result>,
  logTo?: LogTarget,
): Promise<Result> {
  const settings = await settingsWithSecrets(settingsOf(options));
  const container = createContainer(settings, role, logTo);
  await armCrashPoint(settings, container, role);
  const lifecycle = container.get(TOKENS.lifecycle);
  try {
    return await work(container);
  } finally {
    for (const { what, error } of await lifecycle.close())
      container.get(TOKENS.telemetry).error(`failed to close the ${what}`, error);
  }
}

/**
 * A signal that SIGTERM, SIGINT and the end of a supervisor abort; the second SIGTERM or SIGINT ends the process at once.
 * With `drainMs`, an error that nobody caught aborts it too, and the process ends as failed within that time.
 */
export function stopSignal(options: { readonly drainMs?: number } = {}): AbortSignal {
  const controller = new AbortController();
  // Each record in hand may wait on it: Node's warning at 11 listeners would tell of no leak.
  setMaxListeners(0, controller.signal);
  let asked = 0;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (++asked > 1) process.exit(1);
      controller.abort();
    });
  }
  endWithParent(() => controller.abort());
  if (options.drainMs !== undefined)
    installLastResort({
      process,
      drain: () => controller.abort(),
      limitMs: options.drainMs,
      tell: (text) => printer.complain(text.split('\n')),
      exit: (code) => process.exit(code),
    });
  return controller.signal;
}
