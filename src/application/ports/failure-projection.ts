import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Position } from './event-store';

/** Of each group of failures so many records are kept as examples, the newest. */
export const EXAMPLES_MAX = 5;

/**
 * A disposable read model: how the calls to each biller go, and failures grouped by what they have in common, kept up from
 * the event store. It holds ids and codes, and nothing personal.
 *
 * Laws:
 *  1  advance stores health, failures and the position together, and only where it stands at `from`; else it changes nothing
 *     and answers false.
 *  2  The health of a biller replaces the one it had.
 *  3  Failures of one fingerprint and biller add up: counts are summed, first and last seen are the earliest and the latest, and
 *     examples are the newest EXAMPLES_MAX, each record once.
 *  4  failures yields those of a biller, seen last at `since` or later, where given; seen last first, at most `max`.
 *  5  beside is empty, or stands where its building stopped; whatever is done to it, live answers as before. takeOver makes it
 *     the live one for every process; where none was built it changes nothing.
 */
export interface FailureProjection {
  position(): Promise<Position | undefined>;
  advance(step: FailureStep): Promise<boolean>;
  health(): Promise<readonly BillerHealth[]>;
  failures(query: {
    readonly billerId?: BillerId;
    readonly since?: Instant;
    readonly max: number;
  }): Promise<readonly Failure[]>;
  close(): void;
}

export interface FailureProjections {
  live(): Promise<FailureProjection>;
  beside(): Promise<FailureProjection>;
  takeOver(): Promise<void>;
  close(): void;
}

export interface FailureStep {
  readonly from: Position | undefined;
  readonly to: Position;
  readonly health: readonly BillerHealth[];
  readonly failures: readonly Failure[];
}

/** By the attempts' streams alone: what a breaker of some process thinks is not in it. */
export interface BillerHealth {
  readonly billerId: BillerId;
  /** The first failure since the last answer; undefined: its last call was answered. */
  readonly failingSince: Instant | undefined;
  readonly failuresInRow: number;
  readonly lastError: CallError | undefined;
  readonly lastAnswerAt: Instant | undefined;
  /** Attempts begun and not closed: calls on their way, and those in doubt. */
  readonly openAttempts: number;
}

export interface CallError extends Fingerprint {
  readonly at: Instant;
}

/** What failures have in common. */
export interface Fingerprint {
  /** Where it failed: `call`, `answer`, `validation`, `conclusion`. */
  readonly stage: string;
  /** What became of it: `not-executed`, `unknown`, `throttled`, `not-sent`, `rejected`, `dead-lettered`, `in-doubt`. */
  readonly kind: string;
  /** HTTP status, where an answer came and it is kept. */
  readonly status: number | undefined;
  /** A code, or words without their numbers and ids. */
  readonly text: string;
}

export interface Failure extends Fingerprint {
  readonly billerId: BillerId;
  readonly count: number;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  /** Newest first. */
  readonly examples: readonly RecordKey[];
}
