/** Service Bus writes "for ever" as .NET's longest time span, a little over 29,000 years. */
const FOR_EVER_MS = 10_000_000 * 24 * 3_600_000;
const FORM = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

export const isoDuration = (ms: number): string => `PT${ms / 1_000}S`;

/** Milliseconds; undefined: for ever. Throws TypeError on what is no duration of days, hours, minutes and seconds. */
export function msOfIsoDuration(text: string): number | undefined {
  const parts = FORM.exec(text);
  if (parts === null || text === 'P' || text.endsWith('T'))
    throw new TypeError(`expected an ISO-8601 duration, got ${JSON.stringify(text)}`);
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map((part) => Number(part ?? 0));
  const ms = Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000);
  return ms >= FOR_EVER_MS ? undefined : ms;
}
