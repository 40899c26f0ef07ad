import { bulkhead, type BulkheadPolicy } from 'cockatiel';
import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type Permit } from '../../application/ports/biller-gateway';
import { type Clock } from '../../application/ports/clock';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { type BillerTrouble } from './backoff';
import { Breaker } from './breaker';
import { isFailure, saysNotThrottled } from './outcome-meaning';
import { type Probe } from './probe';
import { RateShare } from './rate-share';

const WAITING_MAX = 10_000;
const CONCURRENCY_RETRY_AFTER_MS = 250;
/** Without a reason of ours an abort makes an error with its stack, for each record that waited. */
const WAIT_OVER = 'the wait is over';

export interface PermitOptions {
  readonly waitMs: number;
  readonly ratePerSecond?: number;
  readonly signal?: AbortSignal;
}

type Refused = Extract<Permit, { granted: false }>;

/** Calls stop here while it is shut; once its wait is over, one at a time may find out whether it still is. */
interface Gate {
  readonly probe: Probe;
  isShut(): boolean;
  remainingMs(): number;
}

/**
 * Who may call one biller now: its gates (breaker, throttle, credential), then a place within its concurrency, then its
 * rate. The gates are told of every outcome after the fact, so a call never waits inside one. A permit granted while a
 * gate is shut is its probe; one that is given back without an outcome (the record was not sent after all) leaves the
 * place to the next.
 */
export class Admission {
  private readonly breaker: Breaker;
  private readonly gates: readonly (readonly [Gate, Refused['cause']])[];
  private readonly places: BulkheadPolicy;
  private readonly rate: RateShare;

  readonly billerId: string;

  constructor(
    profile: BillerProfile,
    allowance: BillerAllowance,
    private readonly clock: Clock,
    private readonly trouble: BillerTrouble,
  ) {
    this.billerId = profile.billerId;
    this.breaker = new Breaker(clock, profile.breaker);
    this.gates = [
      [this.breaker, 'breaker-open'],
      [trouble.throttle, 'throttled'],
      [trouble.token, 'token-unavailable'],
    ];
    this.places = bulkhead(profile.limits.concurrency, WAITING_MAX);
    this.rate = new RateShare(profile.billerId, allowance, clock);
  }

  isBroken(): boolean {
    return this.breaker.isShut();
  }

  /** Milliseconds until the biller may be asked anything; 0 where it may. */
  shutForMs(): number {
    return Math.max(this.breaker.remainingMs(), this.trouble.throttle.remainingMs());
  }

  async permit(perSecond: number | undefined, options: PermitOptions): Promise<Permit> {
    const endsAt = this.clock.monotonicMs() + options.waitMs;
    const refusal = this.refusalByGates();
    if (refusal) return refusal;
    const release = await this.place(endsAt, options.signal);
    if (!release) return { granted: false, cause: 'allowance-used-up', retryAfterMs: CONCURRENCY_RETRY_AFTER_MS };
    try {
      const waitMs = perSecond === undefined ? 0 : await this.rate.take(perSecond, endsAt, options.signal);
      if (waitMs > 0) {
        release();
        return { granted: false, cause: 'allowance-used-up', retryAfterMs: waitMs };
      }
    } catch (error) {
      release();
      throw error;
    }
    // A gate may have been shut during the wait.
    const late = this.refusalByGates();
    if (late) {
      release();
      return late;
    }
    const probed = this.gates.filter(([gate]) => gate.isShut());
    for (const [gate] of probed) gate.probe.begin();
    let held = true;
    return {
      granted: true,
      release: () => {
        if (!held) return;
        held = false;
        for (const [gate] of probed) gate.probe.end();
        release();
      },
    };
  }

  /** Told of every outcome; the same one, where the biller throttles with the wait that follows. */
  note(outcome: CallOutcome): CallOutcome {
    if (outcome.kind === 'not-sent') return outcome;
    this.breaker.note(isFailure(outcome));
    if (outcome.kind === 'throttled') return { kind: 'throttled', retryAfterMs: this.throttled(outcome.retryAfterMs) };
    if (saysNotThrottled(outcome)) this.trouble.throttle.worked();
    return outcome;
  }

  /** The wait that follows, `atLeastMs` or longer. */
  throttled(atLeastMs: number): number {
    return this.trouble.throttle.failed('throttled', atLeastMs);
  }

  private refusalByGates(): Refused | undefined {
    for (const [gate, cause] of this.gates) {
      if (!gate.isShut()) continue;
      const remainingMs = gate.remainingMs();
      if (remainingMs > 0) return { granted: false, cause, retryAfterMs: remainingMs };
      if (gate.probe.underWay) return { granted: false, cause, retryAfterMs: gate.probe.waitMs() };
    }
    return undefined;
  }

  /**
   * A place, as the function that gives it back. Whoever stops waiting stays in cockatiel's queue until its turn and
   * then leaves at once: aborting it there would swallow the wake-up of the one behind it.
   */
  private place(endsAt: number, signal: AbortSignal | undefined): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(undefined);
      const remainingMs = endsAt - this.clock.monotonicMs();
      const mustWait = this.places.executionSlots <= 0;
      if (mustWait && remainingMs <= 0) return resolve(undefined);
      let over = false;
      const waiting = mustWait ? new AbortController() : undefined;
      const giveUp = (): void => {
        over = true;
        waiting?.abort(WAIT_OVER);
        signal?.removeEventListener('abort', giveUp);
        resolve(undefined);
      };
      if (mustWait) signal?.addEventListener('abort', giveUp, { once: true });
      let placed = false;
      this.places
        .execute(() => {
          if (over) return undefined;
          placed = true;
          waiting?.abort(WAIT_OVER);
          signal?.removeEventListener('abort', giveUp);
          return new Promise<void>((release) => resolve(release));
        })
        .catch(giveUp);
      if (waiting) void this.clock.sleep(remainingMs, waiting.signal).then(() => placed || over || giveUp());
    });
  }
}
