import { type Decider } from '../../domain/decider';
import { type StoredEvent } from '../ports/event-store';
import { PortFailure } from '../ports/failures';

/**
 * Evolves by an event as it was stored. A decider takes every event that was ever written; one it cannot take has a type or
 * members that were not: nothing may be decided on such a stream.
 */
export function evolved<State, Event>(
  decider: Pick<Decider<State, never, Event, never>, 'evolve'>,
  state: State,
  event: StoredEvent,
): State {
  let next: State | undefined;
  let cause: unknown;
  try {
    next = decider.evolve(state, event as unknown as Event);
  } catch (error) {
    cause = error;
  }
  if (next !== undefined) return next;
  const { stream, revision, position } = event;
  throw new PortFailure(
    `event ${revision} of stream ${stream} (position ${position}) is damaged, or of a newer datapump (its type or its members are unknown): run datapump history verify, and restore the event store from a backup (docs/runbooks/history-tampered.md)`,
    { code: 'storage-damaged', retryable: false, facts: { stream, revision, position }, cause },
  );
}
