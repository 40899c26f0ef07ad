import { type RequestListener } from 'node:http';

/** What this process tells of itself, and to whom. */
export interface Watching {
  /** Whether anybody reads metrics of this process. */
  readonly isMeasured: boolean;
  /** Answers a scrape. */
  readonly metricsHandler: RequestListener | undefined;
}
