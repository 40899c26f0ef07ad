import { type BusUser } from '../../application/messaging/bus-rights';

/** What is wrong with one thing a process depends on. */
export interface StartProblem {
  readonly text: string;
  /** It may pass by itself, as an outage does: waited for, and never taken for a wrong setting. */
  readonly passing: boolean;
}

/** One thing a process depends on, tried once before it works. */
export interface StartCheck {
  /** Names of the settings that say where it is. */
  readonly settings: string;
  /**
   * All that is wrong, a sentence each where a person must mend it; throws PortFailure where it cannot be reached. `user`:
   * who is to work, where it is one service alone: it may be allowed no more than that service needs.
   */
  readonly problems: (user?: BusUser) => Promise<readonly (string | StartProblem)[]>;
}
