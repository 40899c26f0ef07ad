import { type BillerId, type ProfileVersion } from '../identifiers';
import { type Action } from './data-type';

/**
 * What the rules need to know of a biller, as values in milliseconds. How its API is spoken (URLs, bodies, answers)
 * stays in `document`, which only the biller adapter reads.
 */
export interface BillerProfile {
  readonly billerId: BillerId;
  readonly version: ProfileVersion;
  readonly tenant: string;
  readonly vendor: string;
  readonly nameTemplate: string;
  readonly actions: readonly Action[];
  readonly constraints: BillerConstraints;
  readonly rollout: 'live' | 'shadow' | 'off';
  /** Longest time a call may take, from before its intent is stated to its answer. */
  readonly timeoutMs: number;
  /** Worst lateness of an effect at the biller after the deadline of the call that caused it. */
  readonly quarantineMs: number;
  readonly capability: DoubtCapability;
  readonly retry: RetrySchedule;
  readonly limits: { readonly concurrency: number; readonly perSecond: number | undefined };
  readonly breaker: { readonly failuresToOpen: number; readonly openMs: number };
  readonly windows: readonly DeliveryWindow[];
  /** The profile file as it was read: secrets appear in it by name only. */
  readonly document: Readonly<Record<string, unknown>>;
}

export interface BillerConstraints {
  /** Undefined: every invoice type. */
  readonly allowedInvoiceTypes: readonly string[] | undefined;
  readonly skipNocs: boolean;
}

/** What a biller offers for finding out whether a call that was not answered took effect. */
export interface DoubtCapability {
  /** It can be asked. `lagMs`: an effect may be missing from its answer for this long. */
  readonly inquiry: { readonly lagMs: number } | undefined;
  /** It ignores a repeated idempotency key for `retentionMs` after its first use; `marginMs` of that is not relied on. */
  readonly keys: { readonly retentionMs: number; readonly marginMs: number } | undefined;
}

export type RetrySchedule =
  | { readonly kind: 'fixed'; readonly waitsMs: readonly number[]; readonly maxAgeMs: number }
  | {
      readonly kind: 'exponential';
      readonly initialMs: number;
      readonly factor: number;
      readonly maxMs: number;
      /** Share of the wait that chance may take away, 0 to 1. */
      readonly jitter: number;
      readonly attemptsMax: number;
      readonly maxAgeMs: number;
    };

/** Hours in which a biller takes calls. No windows: always. */
export interface DeliveryWindow {
  readonly days: readonly Weekday[];
  /** `HH:MM`, on the quarter hour, in `timeZone`. */
  readonly from: string;
  readonly to: string;
  /** IANA name such as `Europe/Prague`. */
  readonly timeZone: string;
}

export const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];
