import { type Database } from 'better-sqlite3';

/**
 * Writes of one event-loop turn share one commit, so that `synchronous=FULL` costs an fsync a turn and not one a request.
 *
 * States: idle → (first write) open → (end of the turn) idle again; any failure → failed, for ever. A failed group's
 * waiters never run: their answers would tell of effects that the ledger does not hold.
 */
export class GroupCommit {
  private waiting: (() => void)[] = [];
  private state: 'idle' | 'open' | 'failed' = 'idle';
  private readonly begin;
  private readonly commit;

  constructor(
    database: Database,
    private readonly onFailure: (error: Error) => void,
  ) {
    this.begin = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
  }

  /** Runs a write inside this turn's transaction. A write that throws takes the whole group down. */
  write<Result>(work: () => Result): Result {
    if (this.state === 'failed') throw new Error('the ledger has failed before and takes no more writes');
    try {
      if (this.state === 'idle') {
        this.begin.run();
        this.state = 'open';
        setImmediate(() => this.flush());
      }
      return work();
    } catch (error) {
      this.fail(error as Error);
      throw error;
    }
  }

  /** Runs `then` once everything written or read so far is on disk: at once where nothing is waiting for a commit. */
  afterCommit(then: () => void): void {
    if (this.state === 'open') this.waiting.push(then);
    else if (this.state === 'idle') then();
  }

  flush(): void {
    if (this.state !== 'open') return;
    try {
      this.commit.run();
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    const waiting = this.waiting;
    this.waiting = [];
    this.state = 'idle';
    for (const then of waiting) then();
  }

  private fail(error: Error): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    this.waiting = [];
    this.onFailure(error);
  }
}
