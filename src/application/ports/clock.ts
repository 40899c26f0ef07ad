import { type Instant } from '../../domain/instant';

/** Time of this process. What two processes compare comes from a shard database's clock instead. */
export interface Clock {
  now(): Instant;
  /** Milliseconds that never run backwards; only differences mean anything. Goes on while the process is stopped. */
  monotonicMs(): number;
  /** Resolves after `ms` or when the signal aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
