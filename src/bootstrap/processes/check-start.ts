import { existsSync } from 'node:fs';
import { type Container } from 'inversify';
import { problemText } from '../../adapters/biller-profiles/validate-profile-document';
import { causeChain, PortFailure } from '../../application/ports/failures';
import { UsageProblems } from '../command-line/problems';
import { lockOutlivesTimeouts } from '../configuration/cross-checks';
import { type StartCheck } from '../container/start-check';
import { TOKENS } from '../container/tokens';

/** Everything a process needs, tried once before it works: all that is wrong is said at once. */
export async function checkStart(container: Container): Promise<void> {
  const checks = await Promise.all(container.getAll(TOKENS.startChecks).map(problemsOf));
  const found = checks.flat();
  const told = new Set(found.map(({ text }) => text));
  // Profiles keep their versions in the event store: where that is out of reach, it has said so already.
  if (found.length === 0 || container.get(TOKENS.settings)['Stack:EventStore'] === 'sqlite')
    found.push(...(await problemsOf(profilesCheck(container))).filter(({ text }) => !told.has(text)));
  const problems = [...new Set(found.map(({ settings, text }) => `${settings}: ${text}`))];
  if (problems.length > 0) throw new UsageProblems(problems);
}

interface Told {
  readonly settings: string;
  readonly text: string;
}

async function problemsOf({ settings, problems }: StartCheck): Promise<readonly Told[]> {
  const named = (problem: string): Told => ({ settings, text: problem.replace(`${settings}: `, '') });
  try {
    return (await problems()).map(named);
  } catch (error) {
    // Another process has the file for a moment: no matter of configuration, whoever supervises this one starts it again.
    if (error instanceof PortFailure && error.code === 'storage-busy') throw error;
    // A failure of a port says what to do; what lies below it is for logs.
    return [named(error instanceof PortFailure ? error.message : causeChain(error))];
  }
}

const profilesCheck = (container: Container): StartCheck => ({
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
    return [...(await files.problems()).map(problemText), ...locks];
  },
});
