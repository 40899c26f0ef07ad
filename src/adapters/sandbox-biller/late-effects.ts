import { type LateEffect, type SandboxLedger } from './sandbox-ledger';
import { settle } from './settlement';

/** Effects landed in one step, so that a restart after a long stop does not hold one long transaction. */
const LANDED_PER_STEP_MAX = 500;

/**
 * Effects that land after their request was given up. They wait in the ledger, not in memory: one timer stands for the
 * next one due. An effect is dated with the time it was due, even when the sandbox was down at that time: a biller that
 * promises a quarantine keeps it, and no inquiry is answered before what is due has landed.
 */
export class LateEffects {
  private nextDueMs = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly ledger: SandboxLedger,
    private readonly nowMs: () => number,
  ) {
    this.landDue();
  }

  schedule(late: Omit<LateEffect, 'lateId'>, requestedMs: number, seenAsPending: boolean): void {
    this.ledger.storeLateEffect(late, requestedMs, seenAsPending);
    if (late.dueMs < this.nextDueMs) this.arm(late.dueMs);
  }

  /** Lands what is due by now. Called before each request too, so that nobody sees the ledger lag behind its clock. */
  landDue(): void {
    const nowMs = this.nowMs();
    if (this.nextDueMs > nowMs) return;
    let landed: readonly LateEffect[];
    do {
      landed = this.ledger.takeLateEffectsDue(nowMs, LANDED_PER_STEP_MAX);
      for (const late of landed) this.land(late);
    } while (landed.length === LANDED_PER_STEP_MAX);
    this.arm(this.ledger.nextLateEffectDueMs());
  }

  /** What is due from now on lands at the next start. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private land(late: LateEffect): void {
    const done = settle(this.ledger, late, late.declineCode, late.dueMs, 'timeout-with-late-effect');
    if (late.idempotencyKey === undefined) return;
    this.ledger.answerKey(late.billerId, late.idempotencyKey, {
      status: done.status,
      answer: JSON.stringify(done.fields),
    });
  }

  private arm(dueMs: number): void {
    clearTimeout(this.timer);
    this.nextDueMs = dueMs;
    if (dueMs === Infinity || this.stopped) return;
    this.timer = setTimeout(() => this.wake(), Math.max(1, dueMs - this.nowMs()));
  }

  /** A timer may fire a millisecond before the wall clock says so; then it is set again. */
  private wake(): void {
    if (this.nextDueMs > this.nowMs()) this.arm(this.nextDueMs);
    else this.landDue();
  }
}
