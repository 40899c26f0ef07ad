import { type Proof } from '../demo/proof';

/** One data set, the processes over it, what is done to them, and the proof. */
export interface Trial {
  readonly name: string;
  /** Of the same trial, from 1. */
  readonly turn: number;
  run(options: TrialOptions): Promise<TrialOutcome>;
}

export interface TrialOptions {
  /** Its own; it may not be there yet. */
  readonly folder: string;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** What came of a trial. Good: proved, and what was to be shown has really happened. */
export interface TrialOutcome {
  /** Processes that were killed where they were to be. */
  readonly kills: number;
  /** Processes that had ended, by a kill or as told, and were started again. */
  readonly restarts: number;
  readonly records: number;
  readonly lost: number;
  readonly doubled: number;
  /** Records in doubt at the end, by what brought them there. */
  readonly doubts: Proof['doubts'];
  /** What else there is to tell, in a few words. */
  readonly note?: string;
  /** Undefined: good. */
  readonly failure: string | undefined;
}

export const NOTHING_SHOWN: Omit<TrialOutcome, 'failure'> = {
  kills: 0,
  restarts: 0,
  records: 0,
  lost: 0,
  doubled: 0,
  doubts: { fault: 0, kill: 0 },
};

const PROBLEMS_SHOWN_MAX = 5;

/** What a proof does not like; empty: proved. */
export function problemsOf({
  lost,
  doubled,
  differing,
  differences,
  attemptEvents,
  billers,
}: Proof): readonly string[] {
  const suspected = attemptEvents['DoublePostSuspected'] ?? 0;
  const unbalanced = billers.filter(({ balanced }) => !balanced).map(({ biller }) => biller.billerId);
  return [
    ...(lost + doubled + differing > 0 ? [`not proved: ${lost} lost, ${doubled} doubled, ${differing} differ`] : []),
    ...(unbalanced.length > 0 ? [`the sums of billers ${unbalanced.join(', ')} do not agree`] : []),
    ...(suspected > 0 ? [`${suspected} double posts suspected`] : []),
    ...differences.slice(0, PROBLEMS_SHOWN_MAX).map(({ record, text }) => `${record}: ${text}`),
  ];
}

export const failureOf = (problems: readonly string[]): string | undefined =>
  problems.length === 0 ? undefined : problems.join('\n  ');
