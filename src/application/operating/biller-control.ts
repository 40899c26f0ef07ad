import { billerControlStream, type BillerId } from '../../domain/identifiers';
import { billerControlDecider, type BillerControlCommand } from '../../domain/biller/biller-control.decider';
import { type BillerControlEvent } from '../../domain/biller/biller-control.events';
import { type BillerControlState, EVERYTHING, underStop } from '../../domain/biller/biller-control.state';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { type EventStore, type ExpectedRevision, READ_EVENTS_MAX } from '../ports/event-store';
import { transact } from '../history/transact';

/** A control stream is read from its start: so many pages of operator orders are more than any biller sees. */
const PAGES_MAX = 20;

export interface BillerControl {
  /** Through a short cache: an order, for it or for EVERYTHING, takes effect within `cacheMs` in every process. */
  state(biller: BillerId): Promise<BillerControlState>;
  /** Of a biller, or of EVERYTHING. */
  order(biller: BillerId, command: BillerControlCommand): Promise<'done' | 'already-so'>;
}

export function createBillerControl(
  ports: { eventStore: EventStore; clock: Clock; chance: Chance },
  options: { readonly cacheMs: number; readonly by: string },
): BillerControl {
  const { eventStore, clock, chance } = ports;
  const cache = new Map<BillerId, { readonly readAt: number; readonly state: Promise<BillerControlState> }>();

  async function load(biller: BillerId): Promise<{ state: BillerControlState; revision: ExpectedRevision }> {
    let state = billerControlDecider.initialState;
    let revision: ExpectedRevision = 'new';
    for (let page = 0; page < PAGES_MAX; page++) {
      const fromRevision: number = revision === 'new' ? 0 : revision + 1;
      const events = await eventStore.readStream(billerControlStream(biller), { fromRevision });
      for (const event of events) {
        state = billerControlDecider.evolve(state, event as unknown as BillerControlEvent);
        revision = event.revision;
      }
      if (events.length < READ_EVENTS_MAX) break;
    }
    return { state, revision };
  }

  function cached(biller: BillerId): Promise<BillerControlState> {
    const known = cache.get(biller);
    if (known && clock.monotonicMs() - known.readAt < options.cacheMs) return known.state;
    const state = load(biller).then((loaded) => loaded.state);
    state.catch(() => cache.delete(biller));
    cache.set(biller, { readAt: clock.monotonicMs(), state });
    return state;
  }

  return {
    async state(biller) {
      const [own, everything] = await Promise.all([cached(biller), cached(EVERYTHING)]);
      return underStop(own, everything);
    },
    async order(biller, command) {
      return transact(async () => {
        const { state, revision } = await load(biller);
        const decision = billerControlDecider.decide(command, state);
        const events = decision.outcome === 'accepted' ? decision.events : [];
        if (events.length === 0) return 'already-so';
        const metadata = { by: options.by, at: command.ordered.at };
        const batch = events.map((event) => ({ id: chance.uuid(), ...event, metadata }));
        await eventStore.append(billerControlStream(biller), revision, batch);
        cache.delete(biller);
        return 'done';
      });
    },
  };
}
