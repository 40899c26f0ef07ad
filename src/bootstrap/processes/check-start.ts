import { existsSync } from 'node:fs';
import { type Container } from 'inversify';
import { problemText } from '../../adapters/biller-profiles/validate-profile-document';
import { whyNotChecked } from '../../adapters/system/private-folder';
import { checkHistory } from '../../application/history/check-history';
import { type BusUser } from '../../application/messaging/bus-rights';
import { causeChain, PortFailure } from '../../application/ports/failures';
import { StartFailed, UsageProblems } from '../command-line/problems';
import { lockOutlivesTimeouts } from '../configuration/cross-checks';
import { type StartCheck, type StartProblem } from '../container/start-check';
import { findProfileSecrets } from './profile-secrets';
import { TOKENS } from '../container/tokens';
import { historyProblems } from './watch-history';

/** How often what may pass by itself is tried again. */
const LOOK_AGAIN_MS = 1_000;
const TELL_EVERY_MS = 10_000;

export interface StartOptions {
  readonly callsBillers?: boolean;
  /** The one service that this process is; undefined: it starts all of them. */
  readonly user?: BusUser | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Everything a process needs, tried before it works. What a person must mend is said at once, all of it; what may pass by
 * itself is waited for, `Start:WaitSeconds` at most. Returns early where the signal aborts. A process that calls billers,
 * or starts those that do, also needs the secrets of every live profile.
 */
export async function checkStart(
  container: Container,
  { callsBillers = false, user, signal }: StartOptions = {},
): Promise<void> {
  const clock = container.get(TOKENS.clock);
  const waitMs = container.get(TOKENS.settings)['Start:WaitSeconds'] * 1_000;
  const beganMs = clock.monotonicMs();
  let toldMs = -Infinity;
  while (signal?.aborted !== true) {
    const problems = await startProblems(container, callsBillers, user);
    if (problems.length === 0) return warnUnchecked(container);
    const lines = problems.map(lineOf);
    if (problems.some(({ passing }) => !passing)) throw new UsageProblems(lines);
    const waitedMs = clock.monotonicMs() - beganMs;
    if (waitedMs >= waitMs) throw new StartFailed(lines, Math.round(waitedMs / 1_000));
    if (clock.monotonicMs() - toldMs >= TELL_EVERY_MS) {
      toldMs = clock.monotonicMs();
      container.get(TOKENS.telemetry).warn('waiting for what this process needs to start', {
        waitedSeconds: Math.round(waitedMs / 1_000),
        atMostSeconds: waitMs / 1_000,
        problems: lines.join('; '),
      });
    }
    await clock.sleep(Math.min(LOOK_AGAIN_MS, waitMs - waitedMs), signal);
  }
}

function warnUnchecked(container: Container): void {
  const why = whyNotChecked(container.get(TOKENS.settings)['Data:Folder']);
  if (why !== undefined) container.get(TOKENS.telemetry).warn('who may use the data folder was not checked', { why });
}

/** Of the stores alone, each tried once, for who only looks: no profile is read, so none is registered. */
export async function storeProblems(container: Container, user: BusUser | undefined): Promise<readonly string[]> {
  const checks = await Promise.all(container.getAll(TOKENS.startChecks).map((check) => problemsOf(check, user)));
  const found = checks.flat();
  if (found.length === 0) found.push(...(await problemsOf(historyLook(container))));
  return [...new Set(found.map(lineOf))];
}

async function startProblems(
  container: Container,
  callsBillers: boolean,
  user: BusUser | undefined,
): Promise<readonly Told[]> {
  const checks = await Promise.all(container.getAll(TOKENS.startChecks).map((check) => problemsOf(check, user)));
  const found = checks.flat();
  const told = new Set(found.map(({ text }) => text));
  // Profiles keep their versions in the event store: where that is out of reach, it has said so already.
  // Before anything is written: a profile would be registered in whatever store stands there.
  if (found.length === 0) found.push(...(await problemsOf(historyCheck(container))));
  const refused = found.some(({ settings }) => settings === HISTORY);
  if (found.length === 0 || (!refused && container.get(TOKENS.settings)['Stack:EventStore'] === 'sqlite'))
    found.push(...(await problemsOf(profilesCheck(container, callsBillers))).filter(({ text }) => !told.has(text)));
  return [...new Map(found.map((problem) => [lineOf(problem), problem])).values()];
}

interface Told extends StartProblem {
  readonly settings: string;
}

async function problemsOf({ settings, problems }: StartCheck, user?: BusUser): Promise<readonly Told[]> {
  const named = (problem: string | StartProblem): Told => {
    const { text, passing } = typeof problem === 'string' ? { text: problem, passing: false } : problem;
    return { settings, text: settings === HISTORY ? text : text.replace(`${settings}: `, ''), passing };
  };
  try {
    return (await problems(user)).map(named);
  } catch (error) {
    // A failure of a port says what to do; what lies below it is for logs. Who may not enter is no outage here: a person
    // has just set it up.
    if (error instanceof PortFailure) return [named({ text: error.message, passing: error.retryable })];
    return [named(causeChain(error))];
  }
}

/** Its problems name their setting themselves. */
const HISTORY = '';

const lineOf = ({ settings, text }: Told): string => (settings === HISTORY ? text : `${settings}: ${text}`);

const historyCheck = (container: Container): StartCheck => ({
  settings: HISTORY,
  problems: async () =>
    historyProblems(container.get(TOKENS.settings), await container.get(TOKENS.historyGuard).look()),
});

/** The same without the guard, which would note in every shard how far the store has come. */
const historyLook = (container: Container): StartCheck => ({
  settings: HISTORY,
  problems: async () => {
    const { findings } = await checkHistory({
      eventStore: container.get(TOKENS.unguardedEventStore),
      shards: container.get(TOKENS.shards),
      witnesses: [container.get(TOKENS.historyWitness)],
    });
    return historyProblems(container.get(TOKENS.settings), findings);
  },
});

const profilesCheck = (container: Container, callsBillers: boolean): StartCheck => ({
  settings: 'Billers:Folder',
  problems: async () => {
    const settings = container.get(TOKENS.settings);
    const folder = settings['Billers:Folder'];
    if (!existsSync(folder)) return [`${folder} is no folder; name the one that holds the biller profiles`];
    const files = container.get(TOKENS.profileFiles);
    const profiles = await files.all();
    const locks = lockOutlivesTimeouts({
      lockSeconds: settings['Bus:LockSeconds'],
      permitWaitSeconds: settings['Consumer:PermitWaitSeconds'],
      billers: profiles.map(({ billerId, timeoutMs }) => ({ billerId, timeoutMs })),
    });
    const secrets = callsBillers ? await findProfileSecrets(profiles, container.get(TOKENS.secrets)) : undefined;
    return [...(await files.problems()).map(problemText), ...locks, ...(secrets?.missing ?? [])];
  },
});
