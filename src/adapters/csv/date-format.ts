import {
  type Instant,
  instantFromMs,
  isPlausible,
  msOf,
  PLAUSIBLE_BEFORE,
  PLAUSIBLE_FROM,
  PLAUSIBLE_TEXT,
} from '../../domain/instant';
import { isTimeZone, wallClock } from './time-zone';

/** How a file writes its dates. */
export interface DateFormat {
  readonly dateFormat?: string;
  /** IANA name; where dates and times of the file are those of a clock there. Default UTC. */
  readonly timeZone?: string;
  /** The first year that `YY` can mean: 2000 reads 00 to 99 as 2000 to 2099. */
  readonly twoDigitYearsFrom?: number;
}

export type DateRead = { readonly at: Instant } | { readonly problem: string };
export type DateReader = (text: string) => DateRead;

const DIGITS = {
  YYYY: '4',
  YY: '2',
  MM: '2',
  M: '1,2',
  DD: '2',
  D: '1,2',
  HH: '2',
  H: '1,2',
  mm: '2',
  ss: '2',
} as const;
type Token = keyof typeof DIGITS;
const TOKEN = /YYYY|YY|MM|M|DD|D|HH|H|mm|ss|T|[A-Za-z]+|[^A-Za-z]/g;
const isToken = (text: string): text is Token => Object.hasOwn(DIGITS, text);
const TOKENS_TEXT =
  'expected YYYY (or YY), MM or M, DD or D, and for times HH or H, mm, ss, with marks between them, such as DD.MM.YYYY';

/** Every problem of a format by itself, each as `key: words`. */
export function dateFormatProblems({ dateFormat, timeZone, twoDigitYearsFrom }: DateFormat): readonly string[] {
  const problems: string[] = [];
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    problems.push(
      `/timeZone: ${JSON.stringify(timeZone)} is no time zone, expected an IANA name such as Europe/Prague`,
    );
  }
  const parts: readonly string[] = dateFormat?.match(TOKEN) ?? [];
  const tokens = parts.filter(isToken);
  const count = (...any: readonly Token[]): number => tokens.filter((token) => any.includes(token)).length;
  const strange = parts.find((part) => /[A-Za-z]/.test(part) && part !== 'T' && !isToken(part));
  const say = (words: string): void => void problems.push(`/dateFormat: ${JSON.stringify(dateFormat)} ${words}`);
  if (strange !== undefined) say(`holds ${JSON.stringify(strange)}, ${TOKENS_TEXT}`);
  else if (dateFormat !== undefined) {
    if ([count('YYYY', 'YY'), count('MM', 'M'), count('DD', 'D')].some((times) => times !== 1))
      say(`does not name year, month and day once each, ${TOKENS_TEXT}`);
    else if (count('HH', 'H') > 1 || count('mm') !== count('HH', 'H') || count('ss') > count('mm'))
      say(`has a time that is not HH:mm or HH:mm:ss, ${TOKENS_TEXT}`);
    else if (parts.some((part, at) => isToken(part) && /^(M|D|H)$/.test(part) && isToken(parts[at + 1] ?? '')))
      say('does not say where a number of one or two digits ends: expected a mark after M, D and H');
    if (parts.some((part) => /\d/.test(part))) say(`holds digits, ${TOKENS_TEXT}`);
  }
  if (count('YY') > 0 && twoDigitYearsFrom === undefined) {
    problems.push(
      '/dateFormat: YY does not say which century, expected "twoDigitYearsFrom": 2000 beside it (the first year it can mean), or YYYY',
    );
  }
  if (count('YY') === 0 && twoDigitYearsFrom !== undefined)
    problems.push('/twoDigitYearsFrom: is only for a "dateFormat" with YY');
  return problems;
}

/** Dates of a file are few, its lines many: what a text means is looked up. */
const KEPT_MAX = 10_000;
const KEPT_LENGTH_MAX = 40;

/** A reader for a format without problems. A date alone is its midnight in the time zone. */
export function dateReader(format: DateFormat): DateReader {
  const read = format.dateFormat === undefined ? isoReader(format) : formatReader(format, format.dateFormat);
  const kept = new Map<string, DateRead>();
  return (text) => {
    const known = kept.get(text);
    if (known) return known;
    const found = read(text);
    if (text.length > KEPT_LENGTH_MAX) return found;
    if (kept.size >= KEPT_MAX) kept.clear();
    kept.set(text, found);
    return found;
  };
}

const ISO_DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const ISO_INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)$/;
const ISO_EXPECTED = 'expected a date (2026-11-20) or an instant with an offset (2026-11-20T08:00:00Z)';

function isoReader({ timeZone }: DateFormat): DateReader {
  const resolve = resolver(timeZone);
  return (text) => {
    const date = ISO_DATE.exec(text);
    if (date) return resolve(numbers(date), true);
    const whole = ISO_INSTANT.exec(text);
    if (!whole) return { problem: ISO_EXPECTED };
    const ms = wallMs(numbers(whole)) === undefined ? NaN : Date.parse(text);
    return Number.isNaN(ms) ? { problem: 'which is in no calendar' } : plausible(ms);
  };
}

function formatReader({ timeZone, twoDigitYearsFrom = 0 }: DateFormat, dateFormat: string): DateReader {
  const parts: readonly string[] = dateFormat.match(TOKEN) ?? [];
  const tokens = parts.filter(isToken);
  // A blank of the format is any one blank: which one a program writes cannot be seen.
  const literal = (part: string): string => (part === ' ' ? '\\s' : part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  const form = new RegExp(
    `^${parts.map((part) => (isToken(part) ? `(\\d{${DIGITS[part]}})` : literal(part))).join('')}$`,
  );
  const resolve = resolver(timeZone);
  const dateOnly = !tokens.some((token) => token.startsWith('H'));
  const placeOf = (...any: readonly Token[]): number => tokens.findIndex((token) => any.includes(token));
  const places = [
    placeOf('YYYY', 'YY'),
    placeOf('MM', 'M'),
    placeOf('DD', 'D'),
    placeOf('HH', 'H'),
    placeOf('mm'),
    placeOf('ss'),
  ];
  const short = tokens.includes('YY');
  return (text) => {
    const match = form.exec(text);
    if (!match) return { problem: `expected a date as ${dateFormat}` };
    const values = places.map((place) => (place < 0 ? 0 : Number(match[place + 1])));
    if (short) values[0] = twoDigitYearsFrom + ((values[0]! - twoDigitYearsFrom % 100 + 100) % 100); // prettier-ignore
    return resolve(values, dateOnly);
  };
}

const numbers = (match: RegExpExecArray): number[] => Array.from({ length: 6 }, (_, at) => Number(match[at + 1] ?? 0));

/** As if the clock on the wall were UTC; undefined for a day or time that no calendar has. */
function wallMs([year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0]: readonly number[]):
  number | undefined {
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || day < 1) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return date.setUTCHours(hour, minute, second, 0);
}

const plausible = (ms: number): DateRead => {
  const at = instantFromMs(ms);
  return isPlausible(at) ? { at } : { problem: `expected ${PLAUSIBLE_TEXT}` };
};

function resolver(timeZone: string | undefined): (values: readonly number[], dateOnly: boolean) => DateRead {
  const instantOf = timeZone === undefined ? (ms: number) => ms : wallClock(timeZone);
  return (values, dateOnly) => {
    const wall = wallMs(values);
    if (wall === undefined) return { problem: 'which is in no calendar' };
    if (Math.abs(wall - MIDDLE_MS) > REACH_MS) return { problem: `expected ${PLAUSIBLE_TEXT}` };
    const ms = instantOf(wall) ?? (dateOnly ? firstOfDay(wall, instantOf) : undefined);
    return ms === undefined
      ? { problem: `which no clock in ${timeZone} showed: there they were put forward over it` }
      : plausible(ms);
  };
}

/** A little more than the plausible range: outside it time zones need not be asked, and some years have no number there. */
const MIDDLE_MS = (msOf(PLAUSIBLE_FROM) + msOf(PLAUSIBLE_BEFORE)) / 2;
const REACH_MS = (msOf(PLAUSIBLE_BEFORE) - msOf(PLAUSIBLE_FROM)) / 2 + 2 * 86_400_000;

const QUARTER_HOUR_MS = 900_000;
const QUARTERS_MAX = 12;

/** Where clocks are put forward at midnight, the day begins a little later. */
function firstOfDay(wall: number, instantOf: (wallMs: number) => number | undefined): number | undefined {
  for (let quarter = 1; quarter <= QUARTERS_MAX; quarter++) {
    const ms = instantOf(wall + quarter * QUARTER_HOUR_MS);
    if (ms !== undefined) return ms;
  }
  return undefined;
}
