import { type DeliveryWindow, WEEKDAYS, type Weekday } from '../biller/biller-profile';
import { type Instant, plusMs } from '../instant';

const QUARTER_HOUR_MS = 15 * 60_000;
/** Fifteen days of quarter hours: a weekly window may fall into the hour that a change to summer time leaves out. */
const STEPS_MAX = 15 * 24 * 4;

/** When the biller takes calls: `now` where it does already, else the next opening. No windows: always. */
export function nextOpening(windows: readonly DeliveryWindow[], now: Instant): Instant {
  if (windows.length === 0 || isOpen(windows, now)) return now;
  const aligned = plusMs(now, QUARTER_HOUR_MS - (Date.parse(now) % QUARTER_HOUR_MS));
  for (let step = 0; step < STEPS_MAX; step++) {
    const candidate = plusMs(aligned, step * QUARTER_HOUR_MS);
    if (isOpen(windows, candidate)) return candidate;
  }
  return plusMs(now, STEPS_MAX * QUARTER_HOUR_MS);
}

export const isOpen = (windows: readonly DeliveryWindow[], at: Instant): boolean =>
  windows.length === 0 || windows.some((window) => contains(window, at));

/** A window whose `to` is not after its `from` runs past midnight and belongs to the day on which it opens. */
function contains(window: DeliveryWindow, at: Instant): boolean {
  const local = localTime(at, window.timeZone);
  const dayBefore = WEEKDAYS[(WEEKDAYS.indexOf(local.day) + 6) % 7]!;
  if (window.from < window.to)
    return window.days.includes(local.day) && local.time >= window.from && local.time < window.to;
  return (
    (window.days.includes(local.day) && local.time >= window.from) ||
    (window.days.includes(dayBefore) && local.time < window.to)
  );
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function localTime(at: Instant, timeZone: string): { day: Weekday; time: string } {
  let formatter = formatters.get(timeZone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formatters.set(timeZone, formatter);
  }
  const parts = Object.fromEntries(formatter.formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
  return { day: parts['weekday'] as Weekday, time: `${parts['hour']}:${parts['minute']}` };
}
