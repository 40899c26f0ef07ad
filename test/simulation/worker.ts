import { parentPort } from 'node:worker_threads';
import { runJob, type SeedJob } from './job';

// Failures are part of the game here, some hundred a seed, and nobody reads where they were made.
Error.stackTraceLimit = 0;

/** One job at a time; the next is sent when its result is there. */
parentPort!.on('message', (job: SeedJob) => {
  runJob(job).then(
    (result) => parentPort!.postMessage({ result }),
    (error: unknown) =>
      parentPort!.postMessage({ job, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
