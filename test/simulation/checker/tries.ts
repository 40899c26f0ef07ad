import { type FoldedAttempt, type RawEvent } from './fold';

/** What a biller's profile allows: how many tries, and how long after its opening a record is tried. */
export interface TryLimits {
  readonly triesMax: number;
  readonly maxAgeMs: number;
  /** The longest wait between two tries. */
  readonly waitMaxMs: number;
}

const ageAt = (opened: string, at: unknown): number => Date.parse(String(at)) - Date.parse(opened);

/**
 * Tries and age are kept to, from discovery and anew from each redrive: no try beyond them, and nobody is given up before.
 * What a person or a late answer freed from doubt is tried once more, whatever was spent.
 */
export function checkTries(
  events: readonly RawEvent[],
  attempt: (number: number) => FoldedAttempt,
  { triesMax, maxAgeMs, waitMaxMs }: TryLimits,
  tell: (what: string) => void,
): void {
  let opened = '';
  let spent = 0;
  let held = false;
  for (const { type, data, at } of events) {
    if (type === 'DpRecordDiscovered' || type === 'DpRecordRedriven') {
      opened = String(data['at']);
      spent = 0;
    }
    if (type === 'DpRecordRetryScheduled') {
      const costs = attempt(Number(data['attempt'])).costsTry;
      if (data['spent'] !== costs)
        tell(`a retry after attempt ${String(data['attempt'])} says that it cost ${costs ? 'no' : 'a'} try`);
      if (costs) spent++;
      if (!held && spent >= triesMax) tell(`is to be tried again after ${spent} of ${triesMax} tries`);
      // Judged by what the time certainly was when it was said.
      if (!held && ageAt(opened, at) > maxAgeMs)
        tell(`is to be tried again at an age of ${ageAt(opened, at)} of ${maxAgeMs} ms`);
    }
    if (type === 'DpRecordDeadLettered' && data['reason'] === 'AttemptsUsedUp' && spent + 1 < triesMax)
      tell(`was given up after ${spent + 1} of ${triesMax} tries`);
    if (type === 'DpRecordDeadLettered' && data['reason'] === 'TooOld' && ageAt(opened, at) + waitMaxMs <= maxAgeMs)
      tell(`was given up as too old at an age of ${ageAt(opened, at)} of ${maxAgeMs} ms`);
    if (type !== 'DpRecordReconciled') held = type === 'DpRecordHeldInDoubt';
  }
}
