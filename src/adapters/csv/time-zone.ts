/** True for an IANA name that this program's time zone data knows. */
export function isTimeZone(name: string): boolean {
  try {
    return (
      /^[A-Za-z][\w+-]*(\/[\w+-]+)*$/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
    );
  } catch {
    return false;
  }
}

const DAY_MS = 86_400_000;

/**
 * What a clock on the wall there means, both as milliseconds (the wall's as if it were UTC). A time that the clocks showed
 * twice is the first of the two. Undefined: no clock showed it, since they were put forward over it.
 */
export function wallClock(timeZone: string): (wallMs: number) => number | undefined {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  }); // prettier-ignore
  const offsetAt = (ms: number): number => {
    const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const [year, month, day] = [Number(part['year']), Number(part['month']), Number(part['day'])];
    const wall = Date.UTC(year, month - 1, day, Number(part['hour']), Number(part['minute']), Number(part['second']));
    return wall - Math.floor(ms / 1_000) * 1_000;
  };
  return (wallMs) => {
    // The offsets of the days around hold on one side of any change between them.
    const instants = [offsetAt(wallMs - DAY_MS), offsetAt(wallMs + DAY_MS)].map((offset) => wallMs - offset);
    return instants.filter((ms) => ms + offsetAt(ms) === wallMs).sort((a, b) => a - b)[0];
  };
}
