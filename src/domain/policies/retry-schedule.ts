import { type RetrySchedule } from '../biller/biller-profile';
import { type Instant, msBetween, plusMs } from '../instant';

/** Where a profile names none. */
export const DEFAULT_RETRY_SCHEDULE: RetrySchedule = {
  kind: 'fixed',
  waitsMs: [1_000, 3_000, 5_000, 7_000],
  maxAgeMs: 24 * 3_600_000,
};

const THROTTLED_AGAIN_FIRST_MS = 1_000;
const THROTTLED_AGAIN_MAX_MS = 60_000;

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

/**
 * The wait after a throttled call: what the biller asked for, or longer, since a biller that lets others through may
 * throttle one record (by customer, by account) for hours. Doubled with each attempt up to a bound, half of it by chance.
 */
export function waitAfterThrottle(askedMs: number, attempt: number, chance: number): number {
  const full = Math.min(THROTTLED_AGAIN_MAX_MS, THROTTLED_AGAIN_FIRST_MS * 2 ** Math.max(0, attempt - 1));
  return Math.max(askedMs, Math.round(full * (0.5 + 0.5 * chance)));
}

/** Undefined: the tries are used up. */
export function waitBeforeTry(schedule: RetrySchedule, spentTries: number, chance: number): number | undefined {
  if (spentTries < 1) return 0;
  if (schedule.kind === 'fixed') return schedule.waitsMs[spentTries - 1];
  if (spentTries >= schedule.attemptsMax) return undefined;
  const full = Math.min(schedule.maxMs, schedule.initialMs * schedule.factor ** (spentTries - 1));
  return Math.round(full * (1 - schedule.jitter * chance));
}
