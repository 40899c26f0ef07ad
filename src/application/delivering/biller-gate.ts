import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type ParkCause } from '../../domain/dp-record/dp-record.events';
import { type Instant, plusMs } from '../../domain/instant';
import { nextOpening } from '../../domain/policies/delivery-window';
import { type BillerControlState } from '../../domain/biller/biller-control.state';

/** How long a record waits before it looks again at a gate that names no time of its own. */
export const GATE_LOOK_AGAIN_MS = 30_000;

export interface Gate {
  readonly cause: ParkCause;
  readonly until: Instant;
}

/** What stops calls to a biller now. A gate stops calls, never reconciling. */
export function gateOf(
  profile: BillerProfile | undefined,
  control: BillerControlState,
  now: Instant,
): Gate | undefined {
  const later = plusMs(now, GATE_LOOK_AGAIN_MS);
  if (!profile) return { cause: 'profile-missing', until: later };
  if (control.paused || profile.rollout !== 'live') return { cause: 'biller-paused', until: later };
  const opening = nextOpening(profile.windows, now);
  return opening > now ? { cause: 'outside-window', until: opening } : undefined;
}
