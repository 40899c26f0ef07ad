/**
 * A point in time: ISO-8601, UTC, always with milliseconds and `Z` (`2026-11-20T08:00:00.000Z`).
 * The fixed form makes `<` and `>` on the text the order in time.
 */
export type Instant = string & { readonly __brand: 'Instant' };

const FORM = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/;
const FIXED_FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export const instantFromMs = (ms: number): Instant => new Date(ms).toISOString() as Instant;
export const msOf = (instant: Instant): number => Date.parse(instant);
export const plusMs = (instant: Instant, ms: number): Instant => instantFromMs(msOf(instant) + ms);
export const msBetween = (from: Instant, to: Instant): number => msOf(to) - msOf(from);
export const earliest = (a: Instant, b: Instant): Instant => (a < b ? a : b);
export const latest = (a: Instant, b: Instant): Instant => (a > b ? a : b);

/** A day of UTC: `2026-11-20`. */
export type Day = string & { readonly __brand: 'Day' };
const DAY_LENGTH = 10;
const DAY_MS = 86_400_000;
export const dayOf = (at: Instant): Day => at.slice(0, DAY_LENGTH) as Day;
export const startOf = (day: Day): Instant => `${day}T00:00:00.000Z` as Instant;
export const dayAfter = (day: Day, days = 1): Day => dayOf(plusMs(startOf(day), days * DAY_MS));

/**
 * Dates of payments and rows lie in here. What lies outside is a default of some program (0001-01-01), a typing error or
 * a "never" (2999-12-31): taken as it stands it would be sent to a biller, or waited for in silence.
 */
export const PLAUSIBLE_FROM = '1970-01-01T00:00:00.000Z' as Instant;
export const PLAUSIBLE_BEFORE = '2100-01-01T00:00:00.000Z' as Instant;
export const PLAUSIBLE_TEXT = 'a date from 1970 to 2099';

/** Date.parse takes 30 February for 2 March, and 24:00 for the next day. */
const isInCalendar = (date: string): boolean => {
  const ms = Date.parse(`${date.slice(0, 10)}T00:00:00.000Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date.slice(0, 10));
};

/** False also where the text is no instant at all: databases without types keep whatever was written. */
export const isPlausible = (at: Instant): boolean => {
  if (!FIXED_FORM.test(at) || at < PLAUSIBLE_FROM || at >= PLAUSIBLE_BEFORE) return false;
  const ms = Date.parse(at);
  return !Number.isNaN(ms) && instantFromMs(ms) === at;
};

/** Undefined: the text is no day of the calendar, or no plausible one. */
export const dayFrom = (text: string): Day | undefined =>
  /^\d{4}-\d\d-\d\d$/.test(text) && isPlausible(startOf(text as Day)) ? (text as Day) : undefined;

/** Accepts any plausible ISO-8601 instant with an offset and brings it to the fixed form; throws on anything else. */
export function instant(text: string): Instant {
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || !FORM.test(text) || !isInCalendar(text)) {
    throw new TypeError(`an instant must be ISO-8601 with an offset, got ${JSON.stringify(text)}`);
  }
  const at = instantFromMs(ms);
  if (!isPlausible(at)) throw new TypeError(`an instant must be ${PLAUSIBLE_TEXT}, got ${JSON.stringify(text)}`);
  return at;
}
