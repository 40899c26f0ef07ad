import {
  bulkhead,
  type BulkheadPolicy,
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhenResult,
} from 'cockatiel';
import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type Permit } from '../../application/ports/biller-gateway';
import { type Clock } from '../../application/ports/clock';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { RateShare } from './rate-share';

const WAITING_MAX = 10_000;
const CONCURRENCY_RETRY_AFTER_MS = 250;

export interface PermitOptions {
  readonly waitMs: number;
  readonly ratePerSecond?: number;
  readonly signal?: AbortSignal;
}

/**
 * Who may call one biller now: its breaker, then a place within its concurrency, then its rate.
 *
 * The breaker is cockatiel's and is told of every outcome after the fact, so a call never waits inside it:
 * - closed: everyone may call;
 * - open: no one, until its time is over;
 * - time over: one probe at a time; its good outcome closes the breaker, a bad one opens it anew. A probe that is given
 *   back without an outcome (the record was not sent after all) leaves the place to the next.
 */
export class Admission {
  private readonly breaker: CircuitBreakerPolicy;
  private readonly places: BulkheadPolicy;
  private readonly rate: RateShare;
  private openUntilMs = 0;
  private probing = false;

  constructor(
    profile: BillerProfile,
    allowance: BillerAllowance,
    private readonly clock: Clock,
  ) {
    const { failuresToOpen, openMs } = profile.breaker;
    this.breaker = circuitBreaker(
      handleWhenResult((outcome) => isFailure(outcome as CallOutcome)),
      { breaker: new ConsecutiveBreaker(failuresToOpen), halfOpenAfter: openMs },
    );
    this.breaker.onBreak(() => (this.openUntilMs = clock.monotonicMs() + openMs));
    this.places = bulkhead(profile.limits.concurrency, WAITING_MAX);
    this.rate = new RateShare(profile.billerId, allowance, clock);
  }

  /** Milliseconds until a probe is let through; 0 where calls are. */
  openForMs(): number {
    return this.breaker.state === CircuitState.Closed
      ? 0
      : Math.max(0, Math.ceil(this.openUntilMs - this.clock.monotonicMs()));
  }

  async permit(perSecond: number | undefined, options: PermitOptions): Promise<Permit> {
    const endsAt = this.clock.monotonicMs() + options.waitMs;
    const refusal = this.refusalByBreaker();
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
    // The breaker may have opened during the wait.
    const late = this.refusalByBreaker();
    if (late) {
      release();
      return late;
    }
    const isProbe = this.breaker.state !== CircuitState.Closed;
    if (isProbe) this.probing = true;
    let held = true;
    return {
      granted: true,
      release: () => {
        if (!held) return;
        held = false;
        if (isProbe) this.probing = false;
        release();
      },
    };
  }

  /** Told of every outcome. A straggler's outcome while the breaker is open changes nothing. */
  async note(outcome: CallOutcome): Promise<void> {
    if (outcome.kind === 'not-sent') return;
    try {
      await this.breaker.execute(() => outcome);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
    }
  }

  private refusalByBreaker(): Permit | undefined {
    if (this.breaker.state === CircuitState.Closed) return undefined;
    const retryAfterMs = this.openForMs();
    if (retryAfterMs > 0) return { granted: false, cause: 'breaker-open', retryAfterMs };
    return this.probing
      ? { granted: false, cause: 'breaker-open', retryAfterMs: CONCURRENCY_RETRY_AFTER_MS }
      : undefined;
  }

  /**
   * A place, as the function that gives it back. Whoever stops waiting stays in cockatiel's queue until its turn and
   * then leaves at once: aborting it there would swallow the wake-up of the one behind it.
   */
  private place(endsAt: number, signal: AbortSignal | undefined): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      let over = signal?.aborted ?? false;
      const giveUp = (): void => {
        over = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        resolve(undefined);
      };
      if (over) return resolve(undefined);
      const remainingMs = endsAt - this.clock.monotonicMs();
      if (this.places.executionSlots <= 0 && remainingMs <= 0) return resolve(undefined);
      const timer = setTimeout(giveUp, Math.max(0, remainingMs));
      signal?.addEventListener('abort', giveUp, { once: true });
      this.places
        .execute(() => {
          if (over) return undefined;
          clearTimeout(timer);
          signal?.removeEventListener('abort', giveUp);
          return new Promise<void>((release) => resolve(release));
        })
        .catch(giveUp);
    });
  }
}

/** Throttling is the biller at work; so is a "no". Only silence, breakage and refused connections count. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'connection-refused',
  'dns-failed',
  'connect-timeout',
  'tls-failed',
  'connection-failed',
]);
const isFailure = (outcome: CallOutcome): boolean =>
  outcome.kind === 'unknown' || (outcome.kind === 'not-executed' && CONNECTION_CODES.has(outcome.code));
