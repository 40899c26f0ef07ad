import { type BillerDocument, durationMs, type RetryDocument } from '../shared/biller-document/biller-document';
import { type Found } from '../shared/biller-document/profile-headers';

interface Bounds {
  readonly least: string;
  readonly most: string;
  /** What goes wrong beyond them. */
  readonly why: string;
}

/** What a duration may be, by its place. Within them no date of a schedule leaves the calendar. */
export const DURATION_BOUNDS = {
  Timeout: {
    least: '100ms',
    most: '5m',
    why: 'a call must have time to be answered, and end while its message is locked',
  },
  Quarantine: { least: '1s', most: '7d', why: 'an effect can appear after the deadline; too short posts twice' },
  Retention: { least: '1s', most: '400d', why: 'a key is remembered for a time' },
  Margin: { least: '1s', most: '30d', why: 'clocks differ, so the end of the retention is not relied on' },
  Lag: { least: '0s', most: '7d', why: 'an effect appears in the answer of an inquiry within days or never' },
  InquiryTimeout: {
    least: '100ms',
    most: '5m',
    why: 'an inquiry must have time to be answered, and end while its message is locked',
  },
  Open: { least: '100ms', most: '24h', why: 'a biller left alone longer than a day is paused by a person' },
  Wait: { least: '100ms', most: '7d', why: 'a try at once finds the same fault, one after a week nobody expects' },
  MaxAge: { least: '1m', most: '400d', why: 'a record needs time for its tries, and an end' },
} as const satisfies Record<string, Bounds>;

/** Every duration of a profile that lies outside its bounds, and those that contradict each other. */
export function durationProblems(document: BillerDocument): readonly Found[] {
  const found: Found[] = [];
  const within = (path: string, text: string | undefined, { least, most, why }: Bounds): void => {
    if (text === undefined) return;
    const ms = durationMs(text);
    if (ms < durationMs(least) || ms > durationMs(most))
      found.push([path, `a duration from ${least} to ${most} was expected, found ${text}: ${why}`]);
  };
  const { Idempotency: keys, StatusInquiry: inquiry, Breaker: breaker, RetrySchedule: retry } = document;
  within('/Timeout', document.Timeout, DURATION_BOUNDS.Timeout);
  within('/Quarantine', document.Quarantine, DURATION_BOUNDS.Quarantine);
  within('/Idempotency/Retention', keys?.Retention, DURATION_BOUNDS.Retention);
  within('/Idempotency/Margin', keys?.Margin, DURATION_BOUNDS.Margin);
  within('/StatusInquiry/Lag', inquiry?.Lag, DURATION_BOUNDS.Lag);
  within('/StatusInquiry/Timeout', inquiry?.Timeout, DURATION_BOUNDS.InquiryTimeout);
  within('/Breaker/Open', breaker?.Open, DURATION_BOUNDS.Open);
  if (retry) {
    within('/RetrySchedule/MaxAge', retry.MaxAge, DURATION_BOUNDS.MaxAge);
    for (const [path, text] of waitsOf(retry)) within(path, text, DURATION_BOUNDS.Wait);
    if (found.length === 0) found.push(...contradictions(retry));
  }
  return found;
}

const waitsOf = (retry: RetryDocument): readonly Found[] =>
  retry.Kind === 'Fixed'
    ? retry.Waits.map((wait, index) => [`/RetrySchedule/Waits/${index}`, wait])
    : [
        ['/RetrySchedule/Initial', retry.Initial],
        ['/RetrySchedule/Max', retry.Max],
      ];

function* contradictions(retry: RetryDocument): Generator<Found> {
  for (const [path, wait] of waitsOf(retry))
    if (durationMs(wait) > durationMs(retry.MaxAge))
      yield [path, `at most MaxAge (${retry.MaxAge}) was expected, found ${wait}: the try would never come`];
  if (retry.Kind === 'Exponential' && durationMs(retry.Initial) > durationMs(retry.Max))
    yield [
      '/RetrySchedule/Initial',
      `at most Max (${retry.Max}) was expected, found ${retry.Initial}: waits grow from the first to the longest`,
    ];
}
