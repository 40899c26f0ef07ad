import { accepted, alreadySo, type Decider } from '../decider';
import { type BillerControlEvent, type Ordered } from './biller-control.events';
import { type BillerControlState, evolveBillerControl, uncontrolled } from './biller-control.state';

/** `ordered`: who orders it, why and when. */
export type BillerControlCommand =
  | { readonly type: 'PauseBiller'; readonly ordered: Ordered }
  | { readonly type: 'ResumeBiller'; readonly ordered: Ordered }
  /** Without `perSecond`: back to the profile's rate. */
  | { readonly type: 'SetBillerRate'; readonly perSecond?: number; readonly ordered: Ordered };

/** An operator's order is never refused, and stands once: who pauses what is paused changes neither since when nor why. */
export const billerControlDecider: Decider<BillerControlState, BillerControlCommand, BillerControlEvent, never> = {
  initialState: uncontrolled,
  evolve: evolveBillerControl,
  isTerminal: () => false,
  decide(command, { paused, ratePerSecond }) {
    switch (command.type) {
      case 'PauseBiller':
        if (paused) return alreadySo;
        return accepted<BillerControlEvent>({ type: 'BillerPaused', data: command.ordered });
      case 'ResumeBiller':
        if (!paused) return alreadySo;
        return accepted<BillerControlEvent>({ type: 'BillerResumed', data: command.ordered });
      case 'SetBillerRate': {
        const { perSecond, ordered } = command;
        if (ratePerSecond === perSecond) return alreadySo;
        const data = { ...ordered, ...(perSecond === undefined ? {} : { perSecond }) };
        return accepted<BillerControlEvent>({ type: 'BillerRateSet', data });
      }
    }
  },
};
