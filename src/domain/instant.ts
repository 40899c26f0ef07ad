/**
 * A point in time: ISO-8601, UTC, always with milliseconds and `Z` (`2026-11-20T08:00:00.000Z`).
 * The fixed form makes `<` and `>` on the text the order in time.
 */
export type Instant = string & { readonly __brand: 'Instant' };

const FORM = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/;

export const instantFromMs = (ms: number): Instant => new Date(ms).toISOString() as Instant;
export const msOf = (instant: Instant): number => Date.parse(instant);
export const plusMs = (instant: Instant, ms: number): Instant => instantFromMs(msOf(instant) + ms);
export const msBetween = (from: Instant, to: Instant): number => msOf(to) - msOf(from);
export const earliest = (a: Instant, b: Instant): Instant => (a < b ? a : b);
export const latest = (a: Instant, b: Instant): Instant => (a > b ? a : b);

/** Accepts any ISO-8601 instant with an offset and brings it to the fixed form; throws on anything else. */
export function instant(text: string): Instant {
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || !FORM.test(text)) {
    throw new TypeError(`an instant must be ISO-8601 with an offset, got ${JSON.stringify(text)}`);
  }
  return instantFromMs(ms);
}
