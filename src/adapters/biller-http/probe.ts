import { type Clock } from '../../application/ports/clock';

export const PROBE_WAIT_MIN_MS = 250;

/** The one call that may find out whether a biller can be called again, while all others wait. */
export class Probe {
  private beganMs: number | undefined;

  constructor(private readonly clock: Clock) {}

  get underWay(): boolean {
    return this.beganMs !== undefined;
  }

  begin(): void {
    this.beganMs = this.clock.monotonicMs();
  }

  end(): void {
    this.beganMs = undefined;
  }

  /**
   * For whoever comes while it is under way: as long again as it has taken so far. A quick answer frees the others at
   * once, a slow one is asked after a few times and not by every record every moment.
   */
  waitMs(): number {
    const sofarMs = this.beganMs === undefined ? 0 : this.clock.monotonicMs() - this.beganMs;
    return Math.max(PROBE_WAIT_MIN_MS, Math.ceil(sofarMs));
  }
}
