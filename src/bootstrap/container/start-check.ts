/** One thing a process depends on, tried once before it works. */
export interface StartCheck {
  /** Names of the settings that say where it is. */
  readonly settings: string;
  /** All that is wrong, a sentence each; throws PortFailure where it cannot be reached. */
  readonly problems: () => Promise<readonly string[]>;
}
