import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import {
  type EventsTopology,
  FETCHER_SUBSCRIPTION,
  OUTBOX_TOPIC,
  VALIDATION_ERRORS_SUBSCRIPTION,
  VALIDATION_ERRORS_TOPIC,
} from './topology';

export interface Source {
  readonly topic: string;
  readonly subscription: string;
}

/** What a service must be allowed to do on the bus, and nothing beside. */
export interface BusRights {
  readonly sends: readonly string[];
  /** Looking at messages needs the same right as taking them. */
  readonly receives: readonly Source[];
}

/** Who works on the bus: `operator` is whoever gives an operator's commands. */
export type BusUser = 'scanner' | 'fetcher' | 'operator' | { readonly consumes: readonly DataType[] };

/** The one declaration of who sends and receives what: the rights that are granted, and those that a start tries. */
export function busRights(user: BusUser, { eventsTopic, subscriptions }: EventsTopology): BusRights {
  const chunks: Source = { topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION };
  const records = (dataType: DataType): Source => ({ topic: eventsTopic, subscription: subscriptions[dataType] });
  switch (user) {
    case 'scanner':
      // Relays chunks, sweeps chunks and records, and looks how many chunks wait.
      return { sends: [OUTBOX_TOPIC, eventsTopic], receives: [chunks] };
    case 'fetcher':
      // Sends what is left of a chunk again.
      return { sends: [OUTBOX_TOPIC, eventsTopic, VALIDATION_ERRORS_TOPIC], receives: [chunks] };
    case 'operator':
      return {
        sends: [OUTBOX_TOPIC, eventsTopic],
        receives: [
          chunks,
          ...DATA_TYPES.map(records),
          { topic: VALIDATION_ERRORS_TOPIC, subscription: VALIDATION_ERRORS_SUBSCRIPTION },
        ],
      };
    default:
      // Successors go where the message came from.
      return { sends: [eventsTopic], receives: user.consumes.map(records) };
  }
}
