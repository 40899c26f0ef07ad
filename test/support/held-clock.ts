import { SystemClock } from '../../src/adapters/system/system-clock';

/**
 * The machine's clock, which a test can stop and put forward: however long the machine takes for what lies between, no
 * wait that the clock measures is over before the test says so. Timers go on as ever.
 */
export class HeldClock extends SystemClock {
  private heldAtMs: number | undefined;
  private aheadMs = 0;

  override monotonicMs(): number {
    return (this.heldAtMs ?? super.monotonicMs()) + this.aheadMs;
  }

  /** From here on its time passes by `pass` alone. */
  hold(): void {
    // Whole, so that sums and differences are exact.
    this.heldAtMs ??= Math.ceil(super.monotonicMs());
  }

  pass(ms: number): void {
    this.aheadMs += ms;
  }
}
