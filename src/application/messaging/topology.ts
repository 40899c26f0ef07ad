import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type SubscriptionDeclaration, type TopicDeclaration } from '../ports/message-bus';

/** Where record messages go: the topic, and the subscription that each data type's consumer reads. */
export interface EventsTopology {
  readonly eventsTopic: string;
  readonly subscriptions: Readonly<Record<DataType, string>>;
  /** The data types worked on here, undefined: all. Rows of the others are not claimed; their subscriptions stay declared. */
  readonly dataTypes?: readonly DataType[];
}

export interface TopologySettings extends EventsTopology {
  readonly lockMs: number;
  readonly deliveryCountMax: number;
  readonly duplicateDetectionWindowMs: number;
}

export const OUTBOX_TOPIC = 'datapump-outbox';
export const FETCHER_SUBSCRIPTION = 'fetcher';
export const VALIDATION_ERRORS_TOPIC = 'datapump-validation-errors';
export const VALIDATION_ERRORS_SUBSCRIPTION = 'operations';

/** A notification nobody took in two weeks is dropped: the record's stream keeps the truth. */
const NOTIFICATION_TTL_MS = 14 * 24 * 3_600_000;

/** The one declaration of topics and subscriptions; every bus adapter sets up or expects exactly this. */
export function declareTopology(settings: TopologySettings): readonly TopicDeclaration[] {
  const subscription = (name: string, eventType: string | undefined): SubscriptionDeclaration => ({
    name,
    eventType,
    lockMs: settings.lockMs,
    deliveryCountMax: settings.deliveryCountMax,
  });
  const { duplicateDetectionWindowMs } = settings;
  return [
    {
      name: OUTBOX_TOPIC,
      duplicateDetectionWindowMs,
      timeToLiveMs: undefined,
      subscriptions: [subscription(FETCHER_SUBSCRIPTION, undefined)],
    },
    {
      name: settings.eventsTopic,
      duplicateDetectionWindowMs,
      timeToLiveMs: undefined,
      subscriptions: DATA_TYPES.map((dataType) => subscription(settings.subscriptions[dataType], dataType)),
    },
    {
      name: VALIDATION_ERRORS_TOPIC,
      duplicateDetectionWindowMs,
      timeToLiveMs: NOTIFICATION_TTL_MS,
      subscriptions: [subscription(VALIDATION_ERRORS_SUBSCRIPTION, undefined)],
    },
  ];
}
