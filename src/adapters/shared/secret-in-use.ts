import { PortFailure } from '../../application/ports/failures';

/** After a refusal the other side is left alone so long: who asks for the same meanwhile hears the same at once. */
export const REFUSED_PAUSE_MS = 5_000;

/**
 * A secret that may be changed while the process runs. in use → (refused) read again, once for all who were refused
 * → (another) in use, and the work is done once more → (the same, or not to be had) that work is refused for
 * REFUSED_PAUSE_MS. So a changed secret costs no restart, and a wrong one neither a storm of logins nor a locked account.
 */
export class SecretInUse {
  private readonly refusals = new Map<string, { readonly failure: PortFailure; readonly untilMs: number }>();
  private renewing: Promise<string> | undefined;
  private renewals = 0;
  private readAtMs = -Infinity;

  constructor(
    private secret: string,
    private readonly options: {
      /** Reads it again; undefined: it was given once and for all. */
      readonly reread: (() => Promise<string>) | undefined;
      /** Connects with another secret. What it throws, the refused hear. */
      readonly connect: (secret: string) => void;
      readonly monotonicMs?: () => number;
    },
  ) {}

  /**
   * Runs work that fails with PortFailure; it must find the connection anew each time, since it may run twice. `entity`:
   * what it asks for, one of a few; a right may be missing there and nowhere else.
   */
  async run<T>(entity: string, work: () => Promise<T>): Promise<T> {
    const refusal = this.refusals.get(entity);
    if (refusal !== undefined && this.nowMs() < refusal.untilMs) throw refusal.failure;
    const before = this.renewals;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PortFailure) || error.code !== 'not-authorized') throw error;
      const why = this.renewals === before ? await this.renewOnce() : '';
      if (this.renewals !== before) return work();
      const { message, code, retryable, facts, cause } = error;
      const failure = new PortFailure(`${message}${why}`, { code, retryable, facts, cause });
      this.refusals.set(entity, { failure, untilMs: this.nowMs() + REFUSED_PAUSE_MS });
      throw failure;
    }
  }

  private renewOnce(): Promise<string> {
    return (this.renewing ??= this.renew().finally(() => (this.renewing = undefined)));
  }

  /** Why there is no other secret to try; empty where there is, or where it has just been looked for. */
  private async renew(): Promise<string> {
    const { reread, connect } = this.options;
    if (reread === undefined || this.nowMs() - this.readAtMs < REFUSED_PAUSE_MS) return '';
    this.readAtMs = this.nowMs();
    try {
      const secret = await reread();
      if (secret === this.secret) return '; its secret was read again and is the same';
      connect(secret);
      this.secret = secret;
      this.renewals++;
      this.refusals.clear();
      return '';
    } catch (error) {
      return `; its secret was read again in vain: ${(error as Error).message}`;
    }
  }

  private nowMs(): number {
    return (this.options.monotonicMs ?? (() => performance.now()))();
  }
}
