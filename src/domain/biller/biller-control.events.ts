/*
 * Stored for ever in the stream `billerControl-<billerId>`: what operators ordered, who and why. `by` is who the system
 * knows it was, `claimedBy` who the person at the command line said to be.
 */
import { type Instant } from '../instant';

export type BillerControlEvent = BillerPaused | BillerResumed | BillerRateSet;

export interface Ordered {
  readonly by: string;
  readonly claimedBy?: string;
  readonly reason: string;
  readonly at: Instant;
}

export interface BillerPaused {
  readonly type: 'BillerPaused';
  readonly data: Ordered;
}
export interface BillerResumed {
  readonly type: 'BillerResumed';
  readonly data: Ordered;
}
export interface BillerRateSet {
  readonly type: 'BillerRateSet';
  /** Absent: back to the profile's rate. */
  readonly data: Ordered & { readonly perSecond?: number };
}
