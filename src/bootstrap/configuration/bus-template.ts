import { filterSql } from '../../adapters/service-bus/topology-plan';
import { isoDuration } from '../../adapters/service-bus/iso-duration';
import { type BusUser, busRights } from '../../application/messaging/bus-rights';
import { declareTopology, type TopologySettings } from '../../application/messaging/topology';
import { DATA_TYPES } from '../../domain/biller/data-type';

/** .NET's longest time span, which is how Service Bus writes "for ever". */
const FOR_EVER = 'P10675199DT2H48M5.4775807S';

const SERVICES: Readonly<Record<string, BusUser | undefined>> = {
  scanner: 'scanner',
  fetcher: 'fetcher',
  ...Object.fromEntries(
    DATA_TYPES.map((dataType) => [`consumer-${dataType.toLowerCase()}`, { consumes: [dataType] } as const]),
  ),
  operator: 'operator',
  // Compares the topology and changes schemas; it sends and receives nothing.
  'set-up': undefined,
};

/** What deploy/bicep makes of the one declaration: flat lists, since a template loops over one at a time. */
export function busTemplate(settings: TopologySettings) {
  const topics = declareTopology(settings);
  const rights = Object.entries(SERVICES).map(([service, user]) => ({
    service,
    ...(user === undefined ? { sends: [], receives: [] } : busRights(user, settings)),
  }));
  return {
    topics: topics.map(({ name, duplicateDetectionWindowMs, timeToLiveMs }) => ({
      name,
      duplicateDetection: isoDuration(duplicateDetectionWindowMs),
      timeToLive: timeToLiveMs === undefined ? FOR_EVER : isoDuration(timeToLiveMs),
    })),
    subscriptions: topics.flatMap(({ name: topic, subscriptions }) =>
      subscriptions.map((subscription) => ({
        topic,
        name: subscription.name,
        lock: isoDuration(subscription.lockMs),
        deliveriesMax: subscription.deliveryCountMax,
        filter: filterSql(subscription),
      })),
    ),
    services: rights.map(({ service }) => service),
    senders: rights.flatMap(({ service, sends }) => sends.map((topic) => ({ service, topic }))),
    receivers: rights.flatMap(({ service, receives }) => receives.map((source) => ({ service, ...source }))),
  };
}
