import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type JobResult, type SeedJob } from './job';

type Answer = { readonly result: JobResult } | { readonly job: SeedJob; readonly error: string };

/** A job that ended in an error of the simulator's own, or did not end. */
export class BrokenJob extends Error {
  constructor(
    readonly job: SeedJob,
    why: string,
    readonly hung: boolean,
  ) {
    super(`job ${JSON.stringify(job)} ${why}`);
  }
}

export const WORKERS = Math.min(8, Math.max(1, availableParallelism()));

/** Runs jobs on the program built in a folder, on some threads, until they are done or `enough` says so. */
export async function runJobs(
  built: string,
  jobs: Iterable<SeedJob>,
  options: {
    readonly workers: number;
    readonly onResult: (result: JobResult) => void;
    readonly enough?: () => boolean;
    /** Of real time for one job; what takes longer hangs, in code that never waits. */
    readonly limitMs?: number;
  },
): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(join(built, 'test/simulation/worker.js'));
      let limit: NodeJS.Timeout | undefined;
      let current: SeedJob | undefined;
      const fail = (error: Error): void => {
        clearTimeout(limit);
        void worker.terminate().then(() => reject(error));
      };
      const next = (): void => {
        clearTimeout(limit);
        const job = options.enough?.() ? undefined : queue.next();
        if (job === undefined || job.done) return void worker.terminate().then(() => resolve());
        current = job.value;
        worker.postMessage(current);
        const { limitMs } = options;
        if (limitMs !== undefined)
          limit = setTimeout(() => fail(new BrokenJob(job.value, `did not end within ${limitMs} ms`, true)), limitMs);
      };
      worker.on('message', (answer: Answer) => {
        if ('error' in answer) return fail(new BrokenJob(answer.job, `broke: ${answer.error}`, false));
        try {
          options.onResult(answer.result);
          next();
        } catch (error) {
          fail(error as Error);
        }
      });
      // An error that nobody took ends the thread: it is the job's, as one that was told.
      worker.on('error', (error) =>
        fail(current === undefined ? error : new BrokenJob(current, `broke: ${error.message}`, false)),
      );
      next();
    });
  await Promise.all(Array.from({ length: options.workers }, one));
}
