import { type BillerId } from '../identifiers';
import { type Instant } from '../instant';
import { type BillerControlEvent, type Ordered } from './biller-control.events';

/** What operators have ordered for a biller, as it stands. */
export interface BillerControlState {
  readonly paused: (Omit<Ordered, 'at'> & { readonly since: Instant }) | undefined;
  /** Overrides the profile's rate while set. */
  readonly ratePerSecond: number | undefined;
  /** Everything is stopped: then `paused` says who stopped it, whatever was ordered for this biller. */
  readonly everythingStopped?: true;
}

/**
 * Stands in place of a biller: a pause of it stops the calls to every biller, resuming it lifts the stop. What was ordered
 * for one biller stands beside it and is so again afterwards. No id of a biller holds a colon.
 */
export const EVERYTHING = ':everything' as BillerId;

/** What holds for a biller, by its own orders and by those for everything. */
export const underStop = (own: BillerControlState, everything: BillerControlState): BillerControlState =>
  everything.paused ? { ...own, paused: everything.paused, everythingStopped: true } : own;

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
