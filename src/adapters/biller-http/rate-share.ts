import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type Clock } from '../../application/ports/clock';
import { type BillerId } from '../../domain/identifiers';

/** So much of the biller's rate is taken at a time: a record does not cost a round trip to the shared count. */
const BATCH_MS = 50;
/** An unused share is dropped after this, so that it never adds to a later second. */
const KEPT_MS = 200;

/** This process' share of a biller's rate, taken from the count of all processes in small batches. */
export class RateShare {
  private left = 0;
  private takenAtMs = 0;
  private refill: Promise<number> | undefined;

  constructor(
    private readonly biller: BillerId,
    private readonly allowance: BillerAllowance,
    private readonly clock: Clock,
  ) {}

  /** 0: taken. Else: nothing before `endsAt`; the milliseconds after which to ask again. */
  async take(perSecond: number, endsAt: number, signal: AbortSignal | undefined): Promise<number> {
    for (;;) {
      if (this.clock.monotonicMs() - this.takenAtMs > KEPT_MS) this.left = 0;
      if (this.left > 0) {
        this.left--;
        return 0;
      }
      const waitMs = await (this.refill ??= this.fill(perSecond).finally(() => (this.refill = undefined)));
      if (this.left > 0) continue;
      const askAgainMs = Math.max(1, waitMs);
      if (this.clock.monotonicMs() + askAgainMs > endsAt || signal?.aborted) return askAgainMs;
      await this.clock.sleep(askAgainMs, signal);
    }
  }

  private async fill(perSecond: number): Promise<number> {
    const wanted = Math.max(1, Math.ceil((perSecond * BATCH_MS) / 1_000));
    const { granted, retryAfterMs } = await this.allowance.take(this.biller, { perSecond, wanted });
    this.left = granted;
    this.takenAtMs = this.clock.monotonicMs();
    return granted > 0 ? 0 : retryAfterMs;
  }
}
