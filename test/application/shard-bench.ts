import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { SqliteShards } from '../../src/adapters/sqlite/sqlite-shards';
import { type SeedRow } from '../../src/adapters/shared/shard-seed';
import { createHistory } from '../../src/application/history/history';
import { type MessageSource, type PeekedMessage } from '../../src/application/ports/message-bus';
import { declareTopology } from '../../src/application/messaging/topology';
import { type BillerProfile } from '../../src/domain/biller/biller-profile';
import {
  type BillerId,
  billerId,
  customerId,
  dpChunkStream,
  dpId,
  type ChunkId,
  shardName,
} from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { profileOf } from '../support/biller-fixtures';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { SteppedClock } from './delivery-bench';

export const EVENTS = {
  eventsTopic: 'datapump-events',
  subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' },
};
export const OUTBOX: MessageSource = { topic: 'datapump-outbox', subscription: 'fetcher' };
export const recordsOf = (subscription: string): MessageSource => ({ topic: EVENTS.eventsTopic, subscription });
export const WATER = billerId('water');
export const GAS = billerId('gas');
export const TESTED = billerId('tested');
export const STOPPED = billerId('stopped');

/** Two shards, a bus and an event store in memory under one clock that tests move: what scanner, relay and sweep work on. */
export class ShardBench {
  readonly clock = new SteppedClock();
  readonly eventStore = new SqliteEventStore({ path: ':memory:' });
  readonly bus = new SqliteMessageBus({
    path: ':memory:',
    now: () => this.clock.ms,
    topology: declareTopology({ ...EVENTS, lockMs: 60_000, deliveryCountMax: 10, duplicateDetectionWindowMs: 600_000 }),
  });
  readonly one = this.open('Shard-1');
  readonly two = this.open('Shard-2');
  readonly told = recordedTelemetry();
  readonly counted: [string, number | undefined, unknown][] = [];
  readonly telemetry = {
    ...this.told.telemetry,
    count: (name: string, by?: number, labels?: unknown) => void this.counted.push([name, by, labels]),
  };
  private drawn = 0;
  readonly chance = {
    uuid: () => `${String(++this.drawn).padStart(8, '0')}-0000-4000-8000-00000000000a`,
    fraction: () => 0.5,
  };
  readonly history = createHistory({ eventStore: this.eventStore, chance: this.chance, clock: this.clock }, 'test');
  private readonly profile = profileOf('form-api-key-keys', 'http://127.0.0.1:1');
  readonly live: BillerProfile[] = [WATER, GAS].map((biller) => ({
    ...this.profile,
    billerId: biller,
    rollout: 'live',
    tenant: `tenant-of-${biller}`,
  }));
  readonly others: BillerProfile[] = [
    { ...this.profile, billerId: TESTED, rollout: 'shadow' },
    { ...this.profile, billerId: STOPPED, rollout: 'off' },
  ];
  readonly profiles = {
    all: async () => [...this.live, ...this.others],
    current: async (biller: BillerId) => this.live.find((each) => each.billerId === biller),
    version: async () => undefined,
    tenants: async () => [],
  };
  readonly shards = new SqliteShards([this.one, this.two]);

  private open(name: string): SqliteShard {
    return new SqliteShard({ name: shardName(name), path: ':memory:', now: () => this.clock.ms });
  }

  row(id: string, more: Partial<SeedRow> = {}): SeedRow {
    return {
      dpId: dpId(id),
      billerId: WATER,
      dataType: 'Paperless',
      customerId: customerId('c'),
      createdAt: this.clock.now(),
      ...more,
    };
  }

  at = (ms: number) => instantFromMs(ms);

  messages = (source: MessageSource): Promise<readonly PeekedMessage[]> => this.bus.peek(source, { max: 1_000 });
  async idsIn(source: MessageSource): Promise<readonly string[]> {
    return (await this.messages(source)).map(({ messageId }) => messageId);
  }

  async planned(chunk: ChunkId): Promise<readonly unknown[]> {
    return (await this.eventStore.readStream(dpChunkStream(chunk))).map(({ type, data }) => ({
      type,
      ...(data as object),
    }));
  }

  async close(): Promise<void> {
    await this.bus.close();
    await this.shards.close();
    await this.eventStore.close();
  }
}

/** A port with some calls going wrong: the rest is the real one's. */
export const faulty = <Port extends object>(port: Port, faults: Partial<Port>): Port =>
  Object.assign(Object.create(port) as Port, faults);
