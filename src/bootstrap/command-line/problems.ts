/** Exit codes of every command: 0 done, 1 failed, 2 usage or configuration, 3 refused for safety. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

/** Wrong usage or configuration: every problem at once, said before anything was connected or changed. */
export class UsageProblems extends Error {
  override readonly name = 'UsageProblems';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** Not done because it would change what others own without being told to. */
export class RefusedForSafety extends Error {
  override readonly name = 'RefusedForSafety';
}

/** What a process needs stayed out of reach for as long as it waits: no matter of configuration, as far as it can tell. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed';
  constructor(
    readonly problems: readonly string[],
    readonly waitedSeconds: number,
  ) {
    super(`what this process needs stayed out of reach for ${waitedSeconds} s:\n${problems.join('\n')}`);
  }
}
