import { existsSync } from 'node:fs';
import { type Container } from 'inversify';
import { problemText } from '../../adapters/biller-profiles/validate-profile-document';
import { causeChain, PortFailure } from '../../application/ports/failures';
import { UsageProblems } from '../command-line/problems';
import { lockOutlivesTimeouts } from '../configuration/cross-checks';
import { TOKENS } from '../container/tokens';

/** Everything a process needs, tried before it works: all that is wrong is said at once. */
export async function checkStart(container: Container): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const problems: string[] = [];
  const attempt = async (work: () => Promise<readonly string[]> | readonly string[]): Promise<void> => {
    try {
      problems.push(...(await work()));
    } catch (error) {
      // Not a matter of configuration: whoever supervises this process starts it again.
      if (error instanceof PortFailure && error.retryable) throw error;
      problems.push(causeChain(error));
    }
  };
  await attempt(() => {
    const shards = container.get(TOKENS.shards).all();
    return shards.length > 0 ? [] : [`Shards:Names: no shard is named and none lies in ${settings['Data:Folder']}/shards; name them, or put rows in with: datapump load`];
  });
  await attempt(() => (container.get(TOKENS.bus), []));
  await attempt(async () => {
    if (!existsSync(settings['Billers:Folder'])) return [`Billers:Folder: ${settings['Billers:Folder']} is no folder; name the one that holds the biller profiles`];
    const files = container.get(TOKENS.profileFiles);
    const profiles = await files.all();
    const locks = lockOutlivesTimeouts({
      lockSeconds: settings['Bus:LockSeconds'],
      permitWaitSeconds: settings['Consumer:PermitWaitSeconds'],
      billers: profiles.map(({ billerId, timeoutMs }) => ({ billerId, timeoutMs })),
    });
    return [...(await files.problems()).map(problemText), ...locks];
  });
  if (problems.length > 0) throw new UsageProblems(problems);
}
