import { type Decider } from '../../domain/decider';
import { type StreamName } from '../../domain/identifiers';
import { evolved } from '../history/evolve-stored';
import { type EventStore, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import { isDamage } from '../ports/failures';

/** A stream longer than this many pages is a defect, not a history. */
const PAGES_MAX = 50;
/** Damaged events passed over in one stream; more of them, and the rest is given up. */
const DAMAGED_MAX = 100;

/** What can be read of a stream, for people who look; nothing may be decided on it where `tell` was called. */
export async function readWhole(
  eventStore: EventStore,
  stream: StreamName,
  tell: (damage: string) => void,
): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  let from = 0;
  let damaged = 0;
  let size = READ_EVENTS_MAX;
  for (let pages = 0; pages < PAGES_MAX + READ_EVENTS_MAX; pages++) {
    try {
      const page = await eventStore.readStream(stream, { fromRevision: from, max: size });
      events.push(...page);
      from = (page.at(-1)?.revision ?? from) + 1;
      if (page.length < size) return events;
    } catch (error) {
      if (!isDamage(error)) throw error;
      const { revision } = error.facts;
      // A page of the file that cannot be read names no event: up to there one by one, then no further.
      if (typeof revision !== 'number' && size > 1) {
        size = 1;
        continue;
      }
      tell(error.message);
      if (typeof revision !== 'number' || ++damaged > DAMAGED_MAX) return events;
      const before =
        revision > from ? await eventStore.readStream(stream, { fromRevision: from, max: revision - from }) : [];
      events.push(...before);
      from = revision + 1;
    }
  }
  return events;
}

/** Folds what is there; an event that cannot be folded is told and left out. */
export function foldStored<State, Event>(
  decider: Pick<Decider<State, never, Event, never>, 'initialState' | 'evolve'>,
  events: readonly StoredEvent[],
  tell: (damage: string) => void,
): State {
  let state = decider.initialState;
  for (const event of events) {
    try {
      state = evolved(decider, state, event);
    } catch (error) {
      if (!isDamage(error)) throw error;
      tell(error.message);
    }
  }
  return state;
}
