import { type Instant } from '../instant';
import { type BillerControlEvent, type Ordered } from './biller-control.events';

/** What operators have ordered for a biller, as it stands. */
export interface BillerControlState {
  readonly paused: (Omit<Ordered, 'at'> & { readonly since: Instant }) | undefined;
  /** Overrides the profile's rate while set. */
  readonly ratePerSecond: number | undefined;
}

export const uncontrolled: BillerControlState = { paused: undefined, ratePerSecond: undefined };

export function evolveBillerControl(state: BillerControlState, event: BillerControlEvent): BillerControlState {
  switch (event.type) {
    case 'BillerPaused': {
      const { by, claimedBy, reason, at } = event.data;
      return { ...state, paused: { by, ...(claimedBy === undefined ? {} : { claimedBy }), reason, since: at } };
    }
    case 'BillerResumed':
      return { ...state, paused: undefined };
    case 'BillerRateSet':
      return { ...state, ratePerSecond: event.data.perSecond };
  }
}
