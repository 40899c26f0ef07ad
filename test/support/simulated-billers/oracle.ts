import { type CallOutcome } from '../../../src/domain/policies/delivery-outcome';
import { type KnownAnswer } from './answers';
import { answerOf, type Plan, type TokenPlan } from './plans';

/*
 * What a person would say of a call whose faults are known: written from the laws of the port, not from the adapter.
 * Times are those of the monotonic clock.
 */

export type Met =
  | { readonly met: 'answer'; readonly known: KnownAnswer; readonly at: number }
  | { readonly met: 'failure'; readonly code: string; readonly left: boolean; readonly at: number };

/** What one request meets between `from` and its deadline. */
export function meet(plan: Plan, from: number, deadline: number, nowMs: number): Met {
  const failure = (code: string, left: boolean, at: number): Met => ({ met: 'failure', code, left, at });
  const connected = from + plan.connectMs;
  if (connected >= deadline) return failure('connect-timeout', false, Math.max(from, deadline));
  if (plan.refused) return failure(plan.refused.code, false, connected);
  const begun = connected + plan.stallMs;
  if (begun >= deadline) return failure('too-late', false, begun);
  const unlessLate = (afterMs: number, met: (at: number) => Met): Met =>
    begun + afterMs >= deadline ? failure('timed-out', true, deadline) : met(begun + afterMs);
  const { end } = plan;
  if (end.kind === 'silence') return failure('timed-out', true, deadline);
  if (end.kind === 'broken') return unlessLate(end.afterMs, (at) => failure(end.how.code, true, at));
  if (end.kind === 'queued-again') return unlessLate(end.afterMs, (at) => failure('reset', true, at));
  const { headMs, bodyMs, known } = answerOf(plan, nowMs)!;
  return unlessLate(headMs + (known.endsAtHead ? 0 : bodyMs), (at) => ({ met: 'answer', known, at }));
}

/** What a call comes to, before its biller's wait is laid over a throttle. */
export function outcomeOf(met: Met, deadline: number): CallOutcome {
  if (met.met === 'answer') return met.known.outcome;
  if (met.left) return { kind: 'unknown', code: met.code };
  if (met.code === 'too-late') return { kind: 'not-sent', lateByMs: met.at - deadline };
  return { kind: 'not-executed', code: met.code };
}

export type TokenResult =
  | { readonly ok: true; readonly at: number; readonly lifetimeMs: number }
  | { readonly ok: false; readonly at: number; readonly code: string; readonly askedMs: number };

const TOKEN_LIMIT_MS = 5_000;

export function tokenResult({ plan, lifetime }: TokenPlan, at: number, nowMs: number): TokenResult {
  const met = meet(plan, at, at + TOKEN_LIMIT_MS, nowMs);
  const failed = (code: string, askedMs: number): TokenResult => ({ ok: false, at: met.at, code, askedMs });
  if (met.met === 'failure') return failed('unavailable', 0);
  const { outcome, answer, endsAtHead } = met.known;
  if (endsAtHead || (outcome.kind === 'unknown' && !outcome.answer)) return failed('unavailable', 0);
  if (lifetime) return { ok: true, at: met.at, lifetimeMs: lifetime.ms };
  const busy = answer.status === 429 || answer.status === 408;
  if (answer.status >= 400 && answer.status < 500 && !busy) return failed('token-refused', 30_000);
  return failed('unavailable', outcome.kind === 'throttled' ? outcome.retryAfterMs : 0);
}

const HOUR_MS = 3_600_000;

/** Everyone waits, then one finds out: the throttle and the credential of a biller. */
export class WaitModel {
  probedSince: number | undefined;
  code = '';
  retryable = true;
  private failures = 0;
  private rounds = 0;
  private until = 0;

  constructor(
    private readonly fraction: number,
    private readonly failuresToShut: number,
  ) {}

  shut = (): boolean => this.rounds > 0;
  remaining = (now: number): number => (this.shut() ? Math.max(0, this.until - now) : 0);

  fail(now: number, askedMs: number): number {
    const asked = Math.min(HOUR_MS, askedMs);
    this.failures++;
    if (!this.shut() && this.failures < this.failuresToShut) return asked;
    if (this.remaining(now) > 0) this.until = Math.max(this.until, now + asked);
    else {
      const full = Math.min(60_000, 2_000 * 2 ** this.rounds);
      const own = Math.ceil(full * (0.5 + this.fraction / 2));
      this.until = now + (this.rounds === 0 && asked > 0 ? asked : Math.max(asked, own));
      this.rounds++;
    }
    return this.remaining(now);
  }

  work(now: number): void {
    this.failures = 0;
    if (this.remaining(now) === 0) this.rounds = 0;
  }
}

export class BreakerModel {
  probedSince: number | undefined;
  private failures = 0;
  private until: number | undefined;

  constructor(private readonly terms: { readonly failuresToOpen: number; readonly openMs: number }) {}

  shut = (): boolean => this.until !== undefined;
  remaining = (now: number): number => Math.max(0, (this.until ?? 0) - now);

  note(now: number, failed: boolean): void {
    if (this.remaining(now) > 0) return;
    const opens = failed && (this.shut() || this.failures + 1 >= this.terms.failuresToOpen);
    this.until = opens ? now + this.terms.openMs : failed ? this.until : undefined;
    this.failures = opens || !failed ? 0 : this.failures + 1;
  }
}

/** Whether the outcome speaks against the biller, for it, or of nothing that it did. */
export function speaks(met: Met): { readonly breaks: boolean; readonly answers: boolean } {
  if (met.met === 'failure') return { breaks: true, answers: false };
  const { outcome, breaks } = met.known;
  return {
    breaks,
    answers: outcome.kind !== 'throttled' && (outcome.kind !== 'unknown' || outcome.answer !== undefined),
  };
}
