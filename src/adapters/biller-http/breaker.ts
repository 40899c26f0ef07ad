import { type Clock } from '../../application/ports/clock';
import { Probe } from './probe';

/**
 * closed → (so many failures in a row) open → (its time is over) half-open → closed by a good outcome, open anew by a
 * bad one. By the monotonic clock: setting the machine's time neither opens nor keeps it.
 */
export class Breaker {
  readonly probe: Probe;
  private failures = 0;
  private openUntilMs: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly terms: { readonly failuresToOpen: number; readonly openMs: number },
  ) {
    this.probe = new Probe(clock);
  }

  isShut(): boolean {
    return this.openUntilMs !== undefined;
  }

  /** Milliseconds until a probe is let through; 0 where calls are. */
  remainingMs(): number {
    return this.openUntilMs === undefined ? 0 : Math.max(0, Math.ceil(this.openUntilMs - this.clock.monotonicMs()));
  }

  /** A straggler's outcome while it is open changes nothing. */
  note(failed: boolean): void {
    if (this.remainingMs() > 0) return;
    if (!failed) {
      this.failures = 0;
      this.openUntilMs = undefined;
    } else if (this.isShut() || ++this.failures >= this.terms.failuresToOpen) {
      this.failures = 0;
      this.openUntilMs = this.clock.monotonicMs() + this.terms.openMs;
    }
  }
}
