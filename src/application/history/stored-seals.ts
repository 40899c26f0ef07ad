import { isSealStream, placeOfSeal, type Seal, SEAL_CATEGORY, sealOf } from './history-seal';
import { type EventStore, type StoredEvent } from '../ports/event-store';
import { COPIES_PER_CALL_MAX } from '../ports/seal-witness';

/** Beyond this many seals nobody looks: 10^12 events. */
const SEALS_MAX = 2 ** 30;

/** A seal as the event store holds it: with the event around it, which its seal speaks of too. */
export interface StoredSeal {
  readonly number: number;
  /** Undefined: what stands there is no seal. */
  readonly seal: Seal | undefined;
  readonly event: StoredEvent;
}

export async function sealNumbered(eventStore: EventStore, number: number): Promise<StoredSeal | undefined> {
  const { stream, revision } = placeOfSeal(number);
  const [event] = await eventStore.readStream(stream, { fromRevision: revision, max: 1 });
  return event?.revision === revision ? storedSeal(number, event) : undefined;
}

/** The newest seal: a search by halves, from where it was last seen. About 40 small reads for a million seals. */
export async function newestSeal(eventStore: EventStore, from = 0): Promise<StoredSeal | undefined> {
  let low = from;
  let newest = low === 0 ? undefined : await sealNumbered(eventStore, low);
  if (low > 0 && !newest) return newestSeal(eventStore);
  let step = 1;
  let high = SEALS_MAX;
  while (high - low > 1) {
    const place: number = high === SEALS_MAX ? low + step : Math.floor((low + high) / 2);
    const found = await sealNumbered(eventStore, place);
    if (found) {
      low = place;
      newest = found;
      step *= 2;
    } else high = place;
  }
  return newest;
}

/** Seals from a number on, in their order, at most `max`; those of one stream, so none may mean that a stream ended. */
export async function sealsFrom(eventStore: EventStore, number: number, max: number): Promise<readonly StoredSeal[]> {
  const { stream, revision } = placeOfSeal(number);
  const events = await eventStore.readStream(stream, {
    fromRevision: revision,
    max: Math.min(max, COPIES_PER_CALL_MAX),
  });
  return events.map((event) => storedSeal(number + event.revision - revision, event));
}

function storedSeal(number: number, event: StoredEvent): StoredSeal {
  const seal = event.type === 'HistorySealed' ? sealOf(event.data) : undefined;
  return { number, seal, event };
}

/** Whether an event belongs where only seals stand; what stands there and is none has slipped in. */
export const belongsToSeals = (stream: string): boolean => isSealStream(stream) && SEAL_STREAM.test(stream);

const SEAL_STREAM = new RegExp(`^${SEAL_CATEGORY}-\\d{1,9}$`);
