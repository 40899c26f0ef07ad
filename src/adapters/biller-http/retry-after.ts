/** Of all the time one may name: ten years and more mean the same. */
const SECONDS_DIGITS_MAX = 9;
const HEADER_LENGTH_MAX = 256;
const SECONDS = /^\d+$/;
/** The three forms of RFC 9110 §5.6.7. Date.parse alone takes "-1" and "1.5" for dates. */
const DATE =
  /(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}/g;

/**
 * The milliseconds that an answer asks for. A date is one of the answerer's clock, which says in Date (RFC 9110 §6.6.1)
 * what time it was there: our own may be minutes off, and is taken where the answer names none.
 */
export function waitAskedMs(headers: Readonly<Record<string, string>>, ownNowMs: number): number | undefined {
  const { date = '' } = headers;
  const answeredAtMs = new RegExp(`^(?:${DATE.source})$`).test(date) ? timeOf(date) : NaN;
  return retryAfterMs(headers['retry-after'], Number.isNaN(answeredAtMs) ? ownNowMs : answeredAtMs);
}

/** asctime names no zone and means GMT. */
const timeOf = (date: string): number => Date.parse(date.endsWith('GMT') ? date : `${date} GMT`);

/**
 * The milliseconds that Retry-After asks for (RFC 9110 §10.2.3: seconds, or an HTTP date); of several the longest.
 * Undefined where it asks for nothing usable: absent, junk, zero, negative, or a date that is over.
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined || header.length > HEADER_LENGTH_MAX) return undefined;
  const waits: number[] = [];
  const rest = header.replace(DATE, (date) => {
    waits.push(timeOf(date) - nowMs);
    return '';
  });
  for (const part of rest.split(',').map((one) => one.trim())) {
    if (part === '') continue;
    if (!SECONDS.test(part)) return undefined;
    waits.push(Number(part.slice(-SECONDS_DIGITS_MAX - 1)) * 1_000);
    if (part.replace(/^0+/, '').length > SECONDS_DIGITS_MAX) waits.push(Number.MAX_SAFE_INTEGER);
  }
  const longest = Math.max(...waits.filter((wait) => !Number.isNaN(wait)), 0);
  return longest > 0 ? longest : undefined;
}
