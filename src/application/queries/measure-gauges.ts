import { carriesMoney, DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId } from '../../domain/identifiers';
import { type Instant, msBetween } from '../../domain/instant';
import { decimalText } from '../../domain/money';
import {
  type EventsTopology,
  FETCHER_SUBSCRIPTION,
  OUTBOX_TOPIC,
  VALIDATION_ERRORS_SUBSCRIPTION,
  VALIDATION_ERRORS_TOPIC,
} from '../messaging/topology';
import { type BillerControl } from '../operating/biller-control';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Clock } from '../ports/clock';
import { PortFailure } from '../ports/failures';
import { type MessageBus, type SubscriptionDepth } from '../ports/message-bus';
import { BILLERS_MAX, type GaugeName, type LabelsOf } from '../ports/metrics-catalogue';
import { type Shard, type Shards } from '../ports/shard';
import { type OutboxChunk } from '../ports/shard-claims';
import { type ShardTotals } from '../ports/shard-totals';

/** What one look found: the gauges of the catalogue that the scanner tells. */
export type Gauges = { readonly [Name in GaugeName]?: readonly (readonly [LabelsOf<Name>, number])[] };

export interface Measured {
  readonly gauges: Gauges;
  /** What could not be read, in words; where there is any, the look is not whole and its gauges leave it out. */
  readonly unread: readonly string[];
}

export interface MeasureGaugesPorts {
  readonly shards: Shards;
  readonly bus: MessageBus;
  readonly profiles: BillerProfiles;
  readonly control: BillerControl;
  readonly clock: Clock;
}

/** One more than a relay's work: enough for an alarm at 1,000. */
const OUTBOX_LOOK_MAX = 1_001;
const SECOND_MS = 1_000;

/** Counts what waits, where, and since when; what fails is left out and named, whatever else is to be read. */
export function measureGauges(ports: MeasureGaugesPorts, settings: EventsTopology) {
  /** Since when each chunk has been seen unpublished, by the monotonic clock. */
  let unpublishedSince = new Map<ChunkId, number>();

  return async (): Promise<Measured> => {
    const unread: string[] = [];
    const orUnread = async <Answer>(what: string, work: () => Promise<Answer>): Promise<Answer | undefined> => {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof PortFailure)) throw error;
        unread.push(`${what}: ${error.message}`);
        return undefined;
      }
    };
    const shards = ports.shards.all();
    const totals = await Promise.all(shards.map((shard) => orUnread(`shard ${shard.name}`, () => totalsOf(shard))));
    const looks = totals.flatMap((each) => (each ? [each] : []));
    const outboxes = await Promise.all(
      shards.map((shard) => orUnread(`outbox of shard ${shard.name}`, () => shard.unpublishedChunks(OUTBOX_LOOK_MAX))),
    );
    const queues = await Promise.all(
      queuesOf(settings).map(async (queue) => {
        const depth = await orUnread(`queue ${queue.subscription}`, () => ports.bus.depth(queue));
        return depth ? depthGauges(queue, depth) : [];
      }),
    );
    const paused = await orUnread('orders to billers', () => pausedGauges(ports));
    return {
      unread,
      gauges: {
        ...rowGauges(looks),
        ...outboxGauges(
          outboxes.flatMap((each) => each ?? []),
          looks.flatMap((look) => look.totals),
        ),
        'queue.messages': queues.flat(),
        ...(paused && { 'biller.paused': paused }),
      },
    };
  };

  function outboxGauges(chunks: readonly OutboxChunk[], known: readonly OfBiller[]): Gauges {
    const now = ports.clock.monotonicMs();
    unpublishedSince = new Map(chunks.map(({ chunkId }) => [chunkId, unpublishedSince.get(chunkId) ?? now]));
    const groups = grouped<OfBiller | OutboxChunk>([...known, ...chunks]).map(
      ([labels, members]) => [labels, members.flatMap((each) => ('chunkId' in each ? [each] : []))] as const,
    );
    return {
      'outbox.chunks': groups.map(([labels, members]) => [labels, members.length]),
      'outbox.oldest.seconds': groups.map(([labels, members]) => [
        labels,
        Math.max(0, ...members.map(({ chunkId }) => now - unpublishedSince.get(chunkId)!)) / SECOND_MS,
      ]),
    };
  }
}

interface ShardLook {
  readonly now: Instant;
  readonly totals: ShardTotals;
}

async function totalsOf(shard: Shard): Promise<ShardLook> {
  const totals = await shard.totals();
  return { now: await shard.now(), totals };
}

interface OfBiller {
  readonly billerId: BillerId;
  readonly dataType: DataType;
}
type BillerLabels = { readonly data_type: string; readonly biller: string };

function grouped<Member extends OfBiller>(members: readonly Member[]): readonly (readonly [BillerLabels, Member[]])[] {
  const groups = new Map<string, readonly [BillerLabels, Member[]]>();
  for (const member of members) {
    const { billerId: biller, dataType: data_type } = member;
    const key = `${data_type} ${biller}`;
    const group = groups.get(key) ?? ([{ data_type, biller }, []] as const);
    group[1].push(member);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** A biller whose rows have all come to their end stays in sight at 0: a panel then shows that nothing waits, not a gap. */
function rowGauges(looks: readonly ShardLook[]): Gauges {
  const totals = looks.flatMap(({ now, totals: of }) => of.map((total) => ({ ...total, now })));
  const groups = grouped(totals);
  const count = (wanted: readonly string[]) =>
    groups.map(([labels, members]) => {
      const among = members.filter(({ status }) => wanted.includes(status));
      return [labels, among.reduce((sum, { count: rows, neverDue = 0 }) => sum + rows - neverDue, 0)] as const;
    });
  const money = totals.flatMap(({ status, billerId, dataType, amount }) => {
    const value = Number(decimalText(amount));
    if (!carriesMoney(dataType) || !Number.isFinite(value)) return [];
    const labels = { data_type: dataType, biller: billerId, currency: amount.currency };
    return [[labels, status === 'InDoubt' ? value : 0] as const];
  });
  return {
    'eligible.rows': count(['New']),
    'eligible.oldest.seconds': groups.map(([labels, members]) => {
      const waits = members.flatMap(({ status, oldestAt, now }) =>
        status === 'New' && oldestAt !== undefined ? [msBetween(oldestAt, now) / SECOND_MS] : [],
      );
      return [labels, Math.max(0, ...waits)];
    }),
    'under-way.rows': count(['Queued', 'Published']),
    'dead-lettered.records': count(['Failed']),
    'in-doubt.records': count(['InDoubt']),
    'in-doubt.money': money,
  };
}

interface Queue {
  readonly queue: 'chunks' | 'records' | 'notices';
  readonly data_type: string;
  readonly topic: string;
  readonly subscription: string;
}

const queuesOf = ({ eventsTopic, subscriptions }: EventsTopology): readonly Queue[] => [
  { queue: 'chunks', data_type: 'unknown', topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION },
  ...DATA_TYPES.map((data_type) => ({
    queue: 'records' as const,
    data_type,
    topic: eventsTopic,
    subscription: subscriptions[data_type],
  })),
  {
    queue: 'notices',
    data_type: 'unknown',
    topic: VALIDATION_ERRORS_TOPIC,
    subscription: VALIDATION_ERRORS_SUBSCRIPTION,
  },
];

function depthGauges({ queue, data_type }: Queue, depth: SubscriptionDepth) {
  const { active, scheduled, deadLettered } = depth;
  const labels = { queue, data_type };
  return [
    [{ ...labels, state: 'active' }, active],
    ...(scheduled === undefined ? [] : [[{ ...labels, state: 'scheduled' }, scheduled] as const]),
    [{ ...labels, state: 'dead-lettered' }, deadLettered],
  ] as readonly (readonly [LabelsOf<'queue.messages'>, number])[];
}

/** Of the billers that have series of their own: each costs a look into its stream. */
async function pausedGauges({ profiles, control }: MeasureGaugesPorts) {
  const billers = (await profiles.all()).slice(0, BILLERS_MAX).map(({ billerId }) => billerId);
  return Promise.all(
    billers.map(async (biller) => [{ biller }, (await control.state(biller)).paused ? 1 : 0] as const),
  );
}
