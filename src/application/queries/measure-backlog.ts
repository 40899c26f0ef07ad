import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type MessageBus, type SubscriptionDepth } from '../ports/message-bus';
import { type Shards } from '../ports/shard';
import { type EventsTopology, FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../topology';

export interface Backlog {
  /** Source: the shard databases. */
  readonly rows: readonly { readonly billerId: BillerId; readonly dataType: DataType; readonly status: RowStatus; readonly count: number; readonly oldestAt: Instant | undefined }[];
  readonly unpublishedChunks: number;
  /** Source: the bus. */
  readonly subscriptions: readonly ({ readonly topic: string; readonly subscription: string } & SubscriptionDepth)[];
  /**
   * Nothing eligible, nothing on its way: what is left has its end or waits for a person. A broker that does not tell
   * what is scheduled may still hold a message for later, of a record that has its end: it will be completed unread.
   */
  readonly drained: boolean;
}

const ON_THEIR_WAY: ReadonlySet<RowStatus> = new Set(['Queued', 'Published']);
const UNPUBLISHED_LOOK_MAX = 200;

export function measureBacklog(ports: { readonly shards: Shards; readonly bus: MessageBus }, settings: EventsTopology) {
  return async (liveBillers: ReadonlySet<BillerId>): Promise<Backlog> => {
    const totals = (await Promise.all(ports.shards.all().map((shard) => shard.totals()))).flat();
    const unpublished = await Promise.all(ports.shards.all().map((shard) => shard.unpublishedChunks(UNPUBLISHED_LOOK_MAX)));
    const unpublishedChunks = unpublished.reduce((sum, chunks) => sum + chunks.length, 0);
    const sources = [
      { topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION },
      ...DATA_TYPES.map((dataType) => ({ topic: settings.eventsTopic, subscription: settings.subscriptions[dataType] })),
    ];
    const subscriptions = await Promise.all(sources.map(async (source) => ({ ...source, ...(await ports.bus.depth(source)) })));
    const owed = totals.some(({ status, billerId }) => ON_THEIR_WAY.has(status) || (status === 'New' && liveBillers.has(billerId)));
    const rows = totals.map(({ billerId, dataType, status, count, oldestAt }) => ({ billerId, dataType, status, count, oldestAt }));
    const drained = !owed && unpublishedChunks === 0 && subscriptions.every(({ active, scheduled }) => active + (scheduled ?? 0) === 0);
    return { rows, unpublishedChunks, subscriptions, drained };
  };
}
