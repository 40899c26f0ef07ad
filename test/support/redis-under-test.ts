import { spawnSync } from 'node:child_process';

/** DATAPUMP_TEST_REDIS or the Redis of this machine; `answers` says whether there is one, so that suites can say so. */
export const redisUnderTest = (): { readonly url: string; readonly answers: boolean } => {
  const url = process.env['DATAPUMP_TEST_REDIS'] ?? 'redis://127.0.0.1:6379';
  const { hostname, port } = new URL(url);
  // In a process of its own: suites are declared before anything asynchronous can run.
  const look = `require('node:net').connect(${Number(port || 6379)}, ${JSON.stringify(hostname)}).on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
  return { url, answers: spawnSync(process.execPath, ['-e', look], { timeout: 30_000 }).status === 0 };
};

/** Of connections to a Redis that answers: a machine that is busy is not taken for a Redis that is away. */
export const PATIENT_COMMANDS_MS = 2_000;
