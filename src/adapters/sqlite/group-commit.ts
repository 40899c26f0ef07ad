import { type Database, type Statement } from 'better-sqlite3';
import { PortFailure } from '../../application/ports/failures';
import { BUSY_TIMEOUT_MS, OpenedFile, storageFailure } from './sqlite-file';

const OPERATIONS_MAX = 1_024;
/** A group takes no further operation after this long, so that the event loop is not held up. */
const GROUP_MS_MAX = 25;
/** More waiting operations than this mean that a caller forgot its own bound. */
const WAITING_MAX = 65_536;
const BUSY_PAUSE_MS_MAX = 4;

interface Waiting {
  readonly operation: () => unknown;
  /** What failed, for the message: `append 3 events to stream …`. */
  readonly step: string;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets operations share commits, since a commit costs an fsync however much it holds.
 *
 * idle → (run) scheduled → (next turn of the event loop) committing → scheduled while operations wait, else idle.
 *
 * Operations run in the order of run(), synchronously, in one `BEGIN IMMEDIATE … COMMIT`, each in a savepoint of its
 * own: one that throws takes back its own writes only. Each promise settles after the COMMIT. An operation runs at
 * most once. A file that was deleted or replaced meanwhile takes no further group. While another process holds the write lock the group waits with timers, not inside SQLite, because
 * SQLite's busy handler would put this whole process to sleep.
 */
export class GroupCommit {
  private waiting: Waiting[] = [];
  private scheduled = false;
  private closed = false;
  private busySince: number | undefined;
  private idleListeners: (() => void)[] = [];
  private readonly begin: Statement;
  private readonly commit: Statement;
  private readonly rollback: Statement;
  private readonly savepoint: Statement;
  private readonly release: Statement;
  private readonly undo: Statement;
  private readonly operationsMax: number;
  private readonly file: OpenedFile;

  constructor(
    private readonly database: Database,
    options: { readonly operationsMax?: number } = {},
  ) {
    this.operationsMax = options.operationsMax ?? OPERATIONS_MAX;
    this.file = new OpenedFile(database.name);
    this.begin = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.rollback = database.prepare('ROLLBACK');
    this.savepoint = database.prepare('SAVEPOINT operation');
    this.release = database.prepare('RELEASE operation');
    this.undo = database.prepare('ROLLBACK TO operation');
  }

  /** Runs a synchronous operation in the next group; resolves with its result once that is durable. */
  run<T>(operation: () => T, step = 'commit'): Promise<T> {
    if (this.closed) return Promise.reject(this.failure('closed', false, 'it was closed'));
    if (this.waiting.length >= WAITING_MAX) {
      return Promise.reject(this.failure('storage-busy', true, `${WAITING_MAX} operations wait already`));
    }
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ operation, step, resolve, reject });
      this.schedule();
    });
  }

  /** Resolves when nothing waits or runs. */
  drain(): Promise<void> {
    if (this.waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleListeners.push(resolve));
  }

  /** Takes no further operation and finishes those it has. The database stays open: it belongs to the caller. */
  async close(): Promise<void> {
    this.closed = true;
    await this.drain();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.commitGroup());
  }

  private commitGroup(): void {
    if (!this.tryBegin()) return;
    const results: { readonly waiting: Waiting; readonly value?: unknown; readonly error?: unknown }[] = [];
    let failure: { readonly error: unknown } | undefined;
    const deadline = performance.now() + GROUP_MS_MAX;
    const group = this.waiting;
    let taken = 0;
    try {
      while (taken < group.length && taken < this.operationsMax && (taken === 0 || performance.now() < deadline)) {
        const waiting = group[taken++]!;
        this.savepoint.run();
        try {
          results.push({ waiting, value: waiting.operation() });
        } catch (error) {
          // SQLite itself gives up the whole transaction on a full disk: nothing is left to undo.
          if (!this.database.inTransaction) throw error;
          this.undo.run();
          results.push({ waiting, error });
        }
        this.release.run();
      }
      this.commit.run();
    } catch (error) {
      if (this.database.inTransaction) this.rollback.run();
      failure = { error };
    }
    this.waiting = group.slice(taken);
    if (failure === undefined) {
      for (const result of results) {
        if ('error' in result) this.refuse(result.waiting, result.error);
        else result.waiting.resolve(result.value as never);
      }
    } else for (const waiting of group.slice(0, taken)) this.refuse(waiting, failure.error);
    this.scheduled = false;
    this.goOn();
  }

  /** False: the lock is elsewhere, and either a timer tries again or the waiting operations have been refused. */
  private tryBegin(): boolean {
    try {
      this.file.demandSame();
      this.database.pragma('busy_timeout = 0');
      this.begin.run();
      this.busySince = undefined;
      return true;
    } catch (error) {
      const failure = storageFailure('failed to begin', this.database.name, error);
      this.busySince ??= performance.now();
      const busy = failure instanceof PortFailure && failure.code === 'storage-busy';
      if (busy && performance.now() - this.busySince < BUSY_TIMEOUT_MS) {
        setTimeout(() => this.commitGroup(), 1 + Math.random() * (BUSY_PAUSE_MS_MAX - 1));
        return false;
      }
      this.busySince = undefined;
      const refused = this.waiting;
      this.waiting = [];
      for (const waiting of refused) this.refuse(waiting, error);
      this.scheduled = false;
      this.goOn();
      return false;
    } finally {
      if (this.database.open) this.database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  private goOn(): void {
    if (this.waiting.length > 0) return this.schedule();
    const listeners = this.idleListeners;
    this.idleListeners = [];
    for (const listener of listeners) listener();
  }

  private refuse(waiting: Waiting, error: unknown): void {
    waiting.reject(storageFailure(`failed to ${waiting.step}`, this.database.name, error));
  }

  private failure(code: 'closed' | 'storage-busy', retryable: boolean, why: string): PortFailure {
    return new PortFailure(`${this.database.name} takes no further operation: ${why}`, {
      code,
      retryable,
      facts: { path: this.database.name },
    });
  }
}
