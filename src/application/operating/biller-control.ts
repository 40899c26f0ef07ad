import { billerControlStream, type BillerId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type OperatorOrder } from './operator-order';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { type EventStore, type ExpectedRevision, READ_EVENTS_MAX } from '../ports/event-store';
import { transact } from '../history/transact';

/**
 * Stored for ever in the stream `billerControl-<billerId>`: what operators ordered, who and why. `by` is who the system
 * knows it was, `claimedBy` who the person at the command line said to be.
 */
export type BillerControlEvent =
  | { readonly type: 'BillerPaused'; readonly data: { readonly by: string; readonly claimedBy?: string; readonly reason: string; readonly at: Instant } }
  | { readonly type: 'BillerResumed'; readonly data: { readonly by: string; readonly claimedBy?: string; readonly reason: string; readonly at: Instant } }
  | { readonly type: 'BillerRateSet'; readonly data: { readonly perSecond?: number; readonly by: string; readonly claimedBy?: string; readonly reason: string; readonly at: Instant } };

export interface BillerControlState {
  readonly paused: (OperatorOrder & { readonly since: Instant }) | undefined;
  /** Overrides the profile's rate while set. */
  readonly ratePerSecond: number | undefined;
}

export const uncontrolled: BillerControlState = { paused: undefined, ratePerSecond: undefined };

export function evolveBillerControl(state: BillerControlState, event: BillerControlEvent): BillerControlState {
  switch (event.type) {
    case 'BillerPaused':
      return { ...state, paused: { ...orderIn(event.data), since: event.data.at } };
    case 'BillerResumed':
      return { ...state, paused: undefined };
    case 'BillerRateSet':
      return { ...state, ratePerSecond: event.data.perSecond };
  }
}

const orderIn = ({ by, claimedBy, reason }: OperatorOrder): OperatorOrder => ({ by, ...(claimedBy === undefined ? {} : { claimedBy }), reason });

/** A control stream is read from its start: so many pages of operator orders are more than any biller sees. */
const PAGES_MAX = 20;

export interface BillerControl {
  /** Through a short cache: an order takes effect within `cacheMs` in every process. */
  state(biller: BillerId): Promise<BillerControlState>;
  order(biller: BillerId, event: BillerControlEvent): Promise<'done' | 'already-so'>;
}

export function createBillerControl(
  ports: { eventStore: EventStore; clock: Clock; chance: Chance },
  options: { readonly cacheMs: number; readonly by: string },
): BillerControl {
  const { eventStore, clock, chance } = ports;
  const cache = new Map<BillerId, { readonly readAt: number; readonly state: Promise<BillerControlState> }>();

  async function load(biller: BillerId): Promise<{ state: BillerControlState; revision: ExpectedRevision }> {
    let state = uncontrolled;
    let revision: ExpectedRevision = 'new';
    for (let page = 0; page < PAGES_MAX; page++) {
      const fromRevision: number = revision === 'new' ? 0 : revision + 1;
      const events = await eventStore.readStream(billerControlStream(biller), { fromRevision });
      for (const event of events) {
        state = evolveBillerControl(state, event as unknown as BillerControlEvent);
        revision = event.revision;
      }
      if (events.length < READ_EVENTS_MAX) break;
    }
    return { state, revision };
  }

  return {
    state(biller) {
      const known = cache.get(biller);
      if (known && clock.monotonicMs() - known.readAt < options.cacheMs) return known.state;
      const state = load(biller).then((loaded) => loaded.state);
      state.catch(() => cache.delete(biller));
      cache.set(biller, { readAt: clock.monotonicMs(), state });
      return state;
    },
    async order(biller, event) {
      return transact(async () => {
        const { state, revision } = await load(biller);
        if (isAlreadySo(state, event)) return 'already-so';
        const metadata = { by: options.by, at: event.data.at };
        await eventStore.append(billerControlStream(biller), revision, [{ id: chance.uuid(), ...event, metadata }]);
        cache.delete(biller);
        return 'done';
      });
    },
  };
}

function isAlreadySo(state: BillerControlState, event: BillerControlEvent): boolean {
  switch (event.type) {
    case 'BillerPaused':
      return state.paused !== undefined;
    case 'BillerResumed':
      return state.paused === undefined;
    case 'BillerRateSet':
      return state.ratePerSecond === event.data.perSecond;
  }
}
