import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { type BillerId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type MessageBus, type SubscriptionDepth } from '../ports/message-bus';
import { PortFailure } from '../ports/failures';
import { type Shards } from '../ports/shard';
import { type ShardTotals } from '../ports/shard-totals';
import { type EventsTopology, FETCHER_SUBSCRIPTION } from '../messaging/topology';
import { type LetterKind, subscriptionOf } from './list-dead-letters';

/** `kind`: whose messages, as the commands over dead letters call them. */
export type MeasuredSubscription = {
  readonly kind: LetterKind;
  readonly topic: string;
  readonly subscription: string;
} & SubscriptionDepth;

export interface Backlog {
  /** Source: the shard databases. */
  readonly rows: readonly {
    readonly billerId: BillerId;
    readonly dataType: DataType;
    readonly status: RowStatus;
    readonly count: number;
    readonly oldestAt: Instant | undefined;
    readonly neverDue?: number;
  }[];
  readonly unpublishedChunks: number;
  /** Source: the bus. */
  readonly subscriptions: readonly MeasuredSubscription[];
  /** Source: the bus. Notices of rejected rows, for people: they hold up nothing. Undefined where they could not be read. */
  readonly notices: MeasuredSubscription | undefined;
  /**
   * Of the data types worked on here: nothing eligible, nothing on its way: what is left has its end or waits for a person. A broker that does not tell
   * what is scheduled may still hold a message for later, of a record that has its end: it will be completed unread.
   */
  readonly drained: boolean;
}

const ON_THEIR_WAY: ReadonlySet<RowStatus> = new Set(['Queued', 'Published']);
const UNPUBLISHED_LOOK_MAX = 200;

/**
 * `tell` given: what fails is told and left out, and nothing is said to be drained; without it the first failure is thrown.
 * A bus that could not even be opened is left out. `part`: rows that have ended are left out, and cost nothing.
 */
export function measureBacklog(
  ports: { readonly shards: Shards; readonly bus: MessageBus | undefined },
  settings: EventsTopology,
  tell?: (unread: string) => void,
  part?: 'to-end',
) {
  return async (liveBillers: ReadonlySet<BillerId>): Promise<Backlog> => {
    let whole = ports.bus !== undefined;
    const orTold = async <T>(what: string, instead: T, work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (!tell || !(error instanceof PortFailure)) throw error;
        tell(`${what}: ${error.message}`);
        whole = false;
        return instead;
      }
    };
    const shards = ports.shards.all();
    const perShard = await Promise.all(
      shards.map((shard) => orTold<ShardTotals>(`shard ${shard.name}`, [], () => shard.totals(part))),
    );
    perShard.forEach(({ damaged = [] }, index) =>
      damaged.forEach((what) => tell?.(`shard ${shards[index]!.name}: ${what}`)),
    );
    const totals = perShard.flat();
    const unpublished = await Promise.all(
      shards.map((shard) =>
        orTold(`outbox of shard ${shard.name}`, [], () => shard.unpublishedChunks(UNPUBLISHED_LOOK_MAX)),
      ),
    );
    const unpublishedChunks = unpublished.reduce((sum, chunks) => sum + chunks.length, 0);
    const { bus } = ports;
    const measure = async (kind: LetterKind): Promise<MeasuredSubscription | undefined> => {
      if (!bus) return undefined;
      const source = subscriptionOf(settings, kind);
      return orTold(`bus, ${source.topic}/${source.subscription}`, undefined, async () => ({
        kind,
        ...source,
        ...(await bus.depth(source)),
      }));
    };
    const [notices, ...measured] = await Promise.all([
      measure('Notices'),
      measure('Chunks'),
      ...DATA_TYPES.map(measure),
    ]);
    const subscriptions = measured.flatMap((each) => each ?? []);
    const worked = new Set(settings.dataTypes ?? DATA_TYPES);
    const mine = new Set([FETCHER_SUBSCRIPTION, ...[...worked].map((dataType) => settings.subscriptions[dataType])]);
    const owed = totals.some(
      ({ status, billerId, dataType, count, neverDue = 0 }) =>
        worked.has(dataType) &&
        (ON_THEIR_WAY.has(status) || (status === 'New' && liveBillers.has(billerId) && count > neverDue)),
    );
    const rows = totals.map(({ amount: _amount, ...row }) => row);
    const drained =
      whole &&
      !owed &&
      unpublishedChunks === 0 &&
      subscriptions.every(
        ({ subscription, active, scheduled }) => !mine.has(subscription) || active + (scheduled ?? 0) === 0,
      );
    return { rows, unpublishedChunks, subscriptions, notices, drained };
  };
}
