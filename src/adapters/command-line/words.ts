import { type Instant, msBetween } from '../../domain/instant';
import { type Money, moneyText as moneyInWords } from '../../domain/money';

/** `353.90 CZK`; a dash where there is no amount. */
export const moneyText = (amount: Money | undefined): string => (amount ? moneyInWords(amount) : '-');

/** `2026-11-20 08:00:00.000Z`: easier to read than the T, and still the whole instant. */
export const timeText = (instant: Instant): string => instant.replace('T', ' ');

/** The person as the system knows it, and who that person says to be: `root@ops-1 (says: Ana)`. */
export const whoText = ({ by, claimedBy }: { readonly by: string; readonly claimedBy?: string }): string =>
  claimedBy === undefined ? by : `${by} (says: ${claimedBy})`;

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const; // prettier-ignore

/** The two largest units: `2d 3h`, `45s`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  let rest = ms;
  return UNITS.slice(first, first + 2)
    .map(([unit, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count === 0 ? '' : `${count}${unit}`;
    })
    .filter((part) => part !== '')
    .join(' ');
}

/** How long ago, in whole seconds. */
export const ageText = (since: Instant | undefined, now: Instant): string => {
  if (since === undefined) return '-';
  const ms = msBetween(since, now);
  return ms < 1_000 ? '0s' : durationText(ms);
};
