import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export const TAKERS_PER_SECOND = 200;
/** Of each process: it lasts until it has got so many, however long a machine needs to start and to run it. */
const SHARE = 300;
const SHARE_WITHIN_MS = 60_000;

/**
 * Two processes ask for calls of `water` without pause until each has its share. `opening` is the JavaScript that makes
 * an `allowance` and a function `close`. What they were granted was granted between the first question and the last
 * answer, on the clock that all processes of the machine share.
 */
export async function grantedToTwoProcesses(
  opening: string,
): Promise<{ readonly granted: number; readonly elapsedMs: number }> {
  const taker = `
    const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
    (async () => {
      ${opening}
      const beganMs = nowMs();
      let granted = 0;
      while (granted < ${SHARE}) {
        if (nowMs() - beganMs > ${SHARE_WITHIN_MS}) throw new Error('got no more than ' + granted);
        granted += (await allowance.take('water', { perSecond: ${TAKERS_PER_SECOND}, wanted: 7 })).granted;
      }
      const endedMs = nowMs();
      await close();
      console.log(JSON.stringify({ granted, beganMs, endedMs }));
    })().catch((error) => { console.error(error); process.exit(1); });`;
  const outputs = await Promise.all([1, 2].map(() => promisify(execFile)(process.execPath, ['-e', taker])));
  const each = outputs.map(({ stdout }) => JSON.parse(stdout) as Record<'granted' | 'beganMs' | 'endedMs', number>);
  return {
    granted: each.reduce((sum, { granted }) => sum + granted, 0),
    elapsedMs: Math.max(...each.map(({ endedMs }) => endedMs)) - Math.min(...each.map(({ beganMs }) => beganMs)),
  };
}
