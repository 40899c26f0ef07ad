import { type Clock } from '../../application/ports/clock';
import { type EventStore } from '../../application/ports/event-store';
import { isOutage } from '../../application/ports/failures';

const REPEATS_MAX = 10;
const WAIT_MS = 500;

/** An event store whose reads are repeated through an outage: a proof reads everything and must not end over one call. */
export function patientReads(store: EventStore, clock: Clock): EventStore {
  const patiently = async <T>(read: () => Promise<T>): Promise<T> => {
    for (let repeats = 0; ; repeats++) {
      try {
        return await read();
      } catch (error) {
        if (!isOutage(error) || repeats >= REPEATS_MAX) throw error;
        await clock.sleep(WAIT_MS);
      }
    }
  };
  return {
    append: (stream, expected, events) => store.append(stream, expected, events),
    readStream: (stream, options) => patiently(() => store.readStream(stream, options)),
    readAll: (options) => patiently(() => store.readAll(options)),
    identity: () => patiently(() => store.identity()),
    head: () => patiently(() => store.head()),
    holds: (event) => patiently(() => store.holds(event)),
    isAfter: (position, other) => store.isAfter(position, other),
  };
}
