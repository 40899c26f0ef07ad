import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokenJob, runJobs } from './pool';

describe('jobs on threads (issue 9, no 17)', () => {
  /** A thread may take long to start; only what never ends meets its limit. */
  const LIMIT_MS = 60_000;
  const cases: readonly (readonly [string, string, number, RegExp, boolean])[] = [
    ['throws', `throw new Error('odd');`, LIMIT_MS, /broke: .*odd/, false],
    ['leaves a promise that fails', `void Promise.reject(new Error('odd'));`, LIMIT_MS, /broke: .*odd/, false],
    ['tells of an error', `parentPort.postMessage({ job, error: 'odd' });`, LIMIT_MS, /broke: odd/, false],
    ['never ends', ``, 200, /did not end within 200 ms/, true],
  ];
  it.each(cases)('one that %s is broken, by name', async (_, does, limitMs, words, hung) => {
    const built = mkdtempSync(join(tmpdir(), 'datapump-pool-'));
    mkdirSync(join(built, 'test/simulation'), { recursive: true });
    writeFileSync(
      join(built, 'test/simulation/worker.js'),
      `const { parentPort } = require('node:worker_threads'); parentPort.on('message', (job) => { ${does} });`,
    );
    const ran = runJobs(built, [{ seed: 7 }] as never, { workers: 1, onResult: () => undefined, limitMs });
    await expect(ran).rejects.toThrow(BrokenJob);
    await expect(ran).rejects.toMatchObject({ job: { seed: 7 }, hung, message: expect.stringMatching(words) });
    rmSync(built, { recursive: true });
  });
});
