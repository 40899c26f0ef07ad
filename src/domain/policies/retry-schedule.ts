import { type RetrySchedule } from '../biller/biller-profile';
import { type Instant, msBetween, plusMs } from '../instant';

/** Where a profile names none. */
export const DEFAULT_RETRY_SCHEDULE: RetrySchedule = { kind: 'fixed', waitsMs: [1_000, 3_000, 5_000, 7_000], maxAgeMs: 24 * 3_600_000 };

export type RetryDecision =
  | { readonly retry: 'at'; readonly at: Instant }
  | { readonly retry: 'never'; readonly reason: 'AttemptsUsedUp' | 'TooOld' };

/**
 * When the next try may start. `spentTries` counts the tries that reached the biller or tried to, this one included.
 * `chance` is a number in [0, 1) drawn by the caller. Bounded by tries and by age.
 */
export function nextTry(
  schedule: RetrySchedule,
  facts: { readonly spentTries: number; readonly openedAt: Instant; readonly now: Instant; readonly chance: number },
): RetryDecision {
  const waitMs = waitBeforeTry(schedule, facts.spentTries, facts.chance);
  if (waitMs === undefined) return { retry: 'never', reason: 'AttemptsUsedUp' };
  const at = plusMs(facts.now, waitMs);
  if (msBetween(facts.openedAt, at) > schedule.maxAgeMs) return { retry: 'never', reason: 'TooOld' };
  return { retry: 'at', at };
}

/** Undefined: the tries are used up. */
export function waitBeforeTry(schedule: RetrySchedule, spentTries: number, chance: number): number | undefined {
  if (spentTries < 1) return 0;
  if (schedule.kind === 'fixed') return schedule.waitsMs[spentTries - 1];
  if (spentTries >= schedule.attemptsMax) return undefined;
  const full = Math.min(schedule.maxMs, schedule.initialMs * schedule.factor ** (spentTries - 1));
  return Math.round(full * (1 - schedule.jitter * chance));
}
