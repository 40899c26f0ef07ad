import { createHash } from 'node:crypto';
import { declareTopology, type TopologySettings } from '../../../src/application/messaging/topology';
import { type BillerProfile } from '../../../src/domain/biller/biller-profile';
import { type DataType } from '../../../src/domain/biller/data-type';
import { type Instant, instantFromMs } from '../../../src/domain/instant';
import { type ProfileVersion, profileVersion } from '../../../src/domain/identifiers';
import { Watch } from '../checker/watch';
import { BillerWorld } from './biller-world';
import { type BrokenAssumption } from './broken-assumptions';
import { Dice } from './dice';
import { hasDisaster, MemoryWitness } from './disaster';
import { FaultPlan } from './faults';
import { documentOf } from './http/documents';
import { HttpBillers } from './http/http-billers';
import { MemoryBroker } from './memory-broker';
import { MemoryEventStore } from './memory-event-store';
import { MemoryShard } from './memory-shard';
import { type Scenario } from './scenario';
import { WaitingRoom } from './simulated-bus';
import { WORLD_BEGINS_MS } from './simulated-process';
import { SqliteBroker } from './sqlite-broker';
import { sqliteShard, sqliteStore } from './sqlite-stores';
import { Timeline } from './timeline';
import { Wire } from './wire';
import { type WorldBroker, type WorldShard, type WorldStore } from './world-stores';

export interface WorldOptions {
  readonly seed: number;
  readonly faults: ConstructorParameters<typeof FaultPlan>[1] extends infer Options
    ? Omit<Options & object, 'nowMs'>
    : never;
  readonly narrate?: (line: string) => void;
  /** On the product's SQLite adapters instead of the simulator's own stores in memory. */
  readonly sqlite?: boolean;
  /** Through the product's own HTTP gateway, over sockets of the simulator's. */
  readonly http?: boolean;
  readonly broken?: BrokenAssumption;
  /** No chance but the faults that are decided. */
  readonly plain?: boolean;
}

export const TOPOLOGY: TopologySettings = {
  eventsTopic: 'datapump-events',
  subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' },
  lockMs: 60_000,
  deliveryCountMax: 6,
  duplicateDetectionWindowMs: 600_000,
};
export const CONCURRENT_MESSAGES_MAX = 8;

/** Everything outside the processes, in one place: stores, broker, billers, time, chance and the watch over them. */
export class World {
  readonly dice: Dice;
  readonly timeline: Timeline;
  readonly faults: FaultPlan;
  readonly wire: Wire;
  readonly store: WorldStore;
  readonly broker: WorldBroker;
  readonly brokerBeginsMs: number;
  readonly waiting: WaitingRoom;
  readonly witness = new MemoryWitness();
  /** Processes look after their history only where something may come back from a backup: it would cost every other seed. */
  readonly hasDisaster: boolean;
  /** A person does not let the processes start. */
  heldBack = false;
  messagesLost = false;
  storeLost = false;
  /** Rows that their owner took away, and records that had their end when the event store was lost. */
  readonly withdrawn = new Set<string>();
  /** Records whose id their owner used again for something else. */
  readonly usedAgain = new Set<string>();
  readonly overBefore = new Set<string>();
  readonly shards: readonly WorldShard[];
  readonly billers: BillerWorld;
  /** The billers as servers, where the product's own gateway speaks to them. */
  readonly http: HttpBillers | undefined;
  readonly watch: Watch;
  readonly profiles = { current: new Map<string, BillerProfile>(), versions: new Map<string, BillerProfile>() };
  /** By process: what its present life speaks to billers by. */
  readonly gateways = new Map<string, { readonly permitsHeld: number }>();
  readonly unbuildable = new Set<string>();
  /** Rows that throw when they are judged. */
  readonly breaking = new Set<string>();
  /** Records whose amount the biller's inquiry tells wrongly. */
  readonly misreported = new Set<string>();
  readonly narrate: ((line: string) => void) | undefined;
  readonly latenessFactor: number;
  readonly clockSlowness: number;
  readonly operatorLooksEveryMs: number | undefined;
  readonly broken: BrokenAssumption | undefined;
  lateEffectsUntil = 0;
  /** By how much the clock of a shard's database was set forwards since the beginning. */
  readonly clockSetMs = new Map<string, number>();
  private readonly draws = new Map<string, number>();
  private readonly digests = new Map<string, string>();

  constructor(
    options: WorldOptions,
    readonly scenario: Scenario,
  ) {
    this.dice = new Dice(options.seed);
    this.timeline = new Timeline(this.dice);
    this.faults = new FaultPlan(this.dice, {
      ...options.faults,
      ...(options.broken ? { rates: options.broken.rates } : {}),
      nowMs: () => this.timeline.now,
    });
    this.hasDisaster =
      !options.sqlite && !options.broken && !options.plain && hasDisaster(this.dice, options.faults.kinds);
    this.store = options.sqlite ? sqliteStore() : new MemoryEventStore();
    this.narrate = options.narrate && ((line) => options.narrate!(`${String(this.timeline.now).padStart(8)} ${line}`));
    this.wire = new Wire(this.timeline, this.dice, this.faults, this.narrate);
    const { latenessFactor = 1, retentionFactor = 1, clockSlowness = 1 } = options.broken ?? {};
    this.broken = options.broken;
    this.latenessFactor = latenessFactor;
    this.clockSlowness = clockSlowness;
    this.operatorLooksEveryMs = options.broken?.operatorLooksEveryMs;
    this.brokerBeginsMs = WORLD_BEGINS_MS + this.dice.between(-90_000, 90_000, 'clock of the broker');
    const Broker = options.sqlite ? SqliteBroker : MemoryBroker;
    this.broker = new Broker(declareTopology(TOPOLOGY), () => this.brokerBeginsMs + this.timeline.now);
    this.waiting = new WaitingRoom(this);
    this.shards = scenario.shards.map(({ name, clockAheadMs }) => {
      const nowMs = (): number => this.shardMs(name, clockAheadMs, this.timeline.now);
      const onMove = (record: string, from: string, to: string): void => this.watch.rowMoved(record, from, to);
      return options.sqlite ? sqliteShard(name, nowMs, onMove) : new MemoryShard(name, nowMs, onMove);
    });
    this.billers = new BillerWorld(this.timeline, this.dice);
    this.http = options.http ? new HttpBillers(this) : undefined;
    this.watch = new Watch(this.view(), {
      nowMs: () => this.timeline.now,
      inHandMax: CONCURRENT_MESSAGES_MAX,
      deliveryCountMax: TOPOLOGY.deliveryCountMax,
    });
    for (const { profile, nature } of scenario.billers) {
      this.billers.natures.set(profile.billerId, {
        ...nature,
        keyRetentionMs: nature.keyRetentionMs * retentionFactor,
      });
      this.publishProfile(profile);
    }
  }

  publishProfile(planned: BillerProfile): void {
    const profile = this.http ? { ...planned, document: { ...documentOf(planned, this.dice) } } : planned;
    this.profiles.versions.set(`${profile.billerId} ${profile.version}`, profile);
    this.profiles.current.set(profile.billerId, profile);
    this.watch.laws.doorMoved(profile.billerId, 'not live', profile.rollout !== 'live');
  }

  /** A biller that was stopped for a while is live again, by whatever its profile says by now. */
  goLiveAgain(biller: string): void {
    const present = this.profiles.current.get(biller)!;
    const planned = this.scenario.billers.find(({ profile }) => profile.billerId === biller)!.profile;
    if (present.rollout === planned.rollout) return;
    this.publishProfile({ ...present, version: this.newVersion(), rollout: planned.rollout });
  }

  newVersion(): ProfileVersion {
    return profileVersion(`v${this.profiles.versions.size + 1}`);
  }

  /** Of the processes' present lives: when nothing is under way, none may be out. */
  permitsHeld(): readonly string[] {
    return [...this.gateways].flatMap(([process, { permitsHeld }]) =>
      permitsHeld > 0 ? [`${process} still holds ${permitsHeld} permits or probes`] : [],
    );
  }

  private shardMs(name: string, clockAheadMs: number, ms: number): number {
    return WORLD_BEGINS_MS + clockAheadMs + ms + (this.clockSetMs.get(name) ?? 0);
  }

  homeOf(biller: string): string | undefined {
    return this.scenario.billers.find(({ profile }) => profile.billerId === biller)?.home;
  }

  shardOfRecord(record: string): WorldShard {
    const home = this.homeOf(record.slice(0, record.indexOf(':')));
    return this.shards.find(({ name }) => name === home)!;
  }

  carriesMoney(record: string): boolean {
    const type = this.shardOfRecord(record)
      .stored()
      .find(({ billerId, dpId }) => `${billerId}:${dpId}` === record)?.dataType;
    return type === 'Payments' || type === 'ACHRejects';
  }

  brokerNow(): Instant {
    return instantFromMs(this.brokerBeginsMs + this.timeline.now);
  }

  /** Whoever waits for a message of the topic is told to look. */
  busChanged(topic: string): void {
    for (const { name, subscriptions } of declareTopology(TOPOLOGY)) {
      if (name === topic)
        for (const { name: subscription } of subscriptions) this.waiting.lookAgain({ topic, subscription });
    }
  }

  /** How often something was drawn before. */
  draw(about: string): number {
    const count = this.draws.get(about) ?? 0;
    this.draws.set(about, count + 1);
    return count;
  }

  readonly digest = (text: string): string => {
    const known = this.digests.get(text) ?? createHash('sha256').update(text).digest('hex');
    this.digests.set(text, known);
    return known;
  };

  /** Gives back what the stores hold of the machine. */
  async close(): Promise<void> {
    for (const each of [this.store, this.broker, ...this.shards]) await each.close();
  }

  private view(): ConstructorParameters<typeof Watch>[0] {
    return {
      stream: (name) => this.store.history(name),
      wasAccepted: (topic, messageId) => this.broker.wasAccepted(topic, messageId),
      shardInstant: (record, ms) => {
        const { clockAheadMs } = this.scenario.shards.find(({ name }) => name === this.shardOfRecord(record).name)!;
        return instantFromMs(this.shardMs(this.shardOfRecord(record).name, clockAheadMs, ms));
      },
      rowsOfChunk: (chunkId) =>
        this.shards.flatMap((shard) =>
          shard
            .stored()
            .filter((row) => row.chunkId === chunkId)
            .map((row) => ({ record: `${row.billerId}:${row.dpId}`, status: row.status })),
        ),
      keyReliedOnMs: (biller, version) => {
        const profile = this.profiles.versions.get(`${biller} ${version}`);
        const keys = profile?.capability.keys;
        return profile && keys && keys.retentionMs - keys.marginMs - profile.quarantineMs;
      },
      targetOf: (dataType) => TOPOLOGY.subscriptions[dataType as DataType],
      opensAt: (biller) => this.profiles.current.get(biller)?.windows[0]?.from,
      mayResend: (biller, key, version) => {
        const declared = this.profiles.versions.get(`${biller} ${version}`)?.capability.keys;
        return declared !== undefined && this.billers.remembersSince(biller, key) < declared.retentionMs;
      },
    };
  }
}
