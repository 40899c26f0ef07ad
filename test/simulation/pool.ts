import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type JobResult, type SeedJob } from './job';

type Answer = { readonly result: JobResult } | { readonly job: SeedJob; readonly error: string };

export const WORKERS = Math.min(8, Math.max(1, availableParallelism()));

/** Runs jobs on the program built in a folder, on some threads, until they are done or `enough` says so. */
export async function runJobs(
  built: string, jobs: Iterable<SeedJob>, options: { readonly workers: number; readonly onResult: (result: JobResult) => void; readonly enough?: () => boolean },
): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(join(built, 'test/simulation/worker.js'));
      const next = (): void => {
        const job = options.enough?.() ? undefined : queue.next();
        if (job === undefined || job.done) void worker.terminate().then(() => resolve());
        else worker.postMessage(job.value);
      };
      worker.on('message', (answer: Answer) => {
        if ('error' in answer) {
          void worker.terminate();
          reject(new Error(`job ${JSON.stringify(answer.job)} broke: ${answer.error}`));
          return;
        }
        options.onResult(answer.result);
        next();
      });
      worker.on('error', reject);
      next();
    });
  await Promise.all(Array.from({ length: options.workers }, one));
}
