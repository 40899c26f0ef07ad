import { HttpBillerGateway } from '../../src/adapters/biller-http/http-biller-gateway';
import { ValidatedMessageContracts } from '../../src/adapters/messages/validated-message-contracts';
import { SqliteAnswerSnippets } from '../../src/adapters/sqlite/sqlite-answer-snippets';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { SqliteShards } from '../../src/adapters/sqlite/sqlite-shards';
import { EnvironmentSecretSource, secretVariable } from '../../src/adapters/system/environment-secret-source';
import { InProcessTokenCache } from '../../src/adapters/system/in-process-token-cache';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { type BillerControlState, uncontrolled } from '../../src/domain/biller/biller-control.state';
import { deliverRecord } from '../../src/application/delivering/deliver-record';
import { type DeliverRecordPorts } from '../../src/application/delivering/deliver-record.ports';
import { type Settlement } from '../../src/application/messaging/settlement';
import { fetchRows } from '../../src/application/fetching/fetch-rows';
import { createHistory } from '../../src/application/history/history';
import { type BillerAllowance } from '../../src/application/ports/biller-allowance';
import { type Clock } from '../../src/application/ports/clock';
import { type ReceivedMessage } from '../../src/application/ports/message-bus';
import { type Telemetry } from '../../src/application/ports/telemetry';
import { declareTopology } from '../../src/application/messaging/topology';
import { type BillerProfile } from '../../src/domain/biller/biller-profile';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import {
  billerId,
  deliveryAttemptStream,
  dpId,
  dpRecordStream,
  type ProfileVersion,
  recordKey,
  shardName,
} from '../../src/domain/identifiers';
import { instantFromMs, type Instant } from '../../src/domain/instant';
import { paymentRow, profileOf, storedProfileOf } from '../support/biller-fixtures';
import { type ScriptedBiller, startScriptedBiller } from '../support/scripted-biller';

export const KEY = recordKey(billerId('12'), dpId('100'));
const TOPOLOGY = {
  eventsTopic: 'datapump-events',
  subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' },
  lockMs: 60_000,
  deliveryCountMax: 10,
  duplicateDetectionWindowMs: 600_000,
};

/** A clock whose time moves only when the test, or a sleep, moves it. */
export class SteppedClock implements Clock {
  ms = Date.parse('2026-11-20T08:00:00.000Z');
  now = (): Instant => instantFromMs(this.ms);
  monotonicMs = (): number => this.ms;
  sleep = async (ms: number): Promise<void> => void (this.ms += ms);
}

const silent: Telemetry = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  count: () => undefined,
};

/** Which template speaks for the biller: what it offers when an answer is lost. */
export type Capability = 'keys' | 'inquiry' | 'neither';
const TEMPLATE: Record<Capability, string> = {
  keys: 'form-api-key-keys',
  inquiry: 'json-api-key-inquiry',
  neither: 'json-basic-neither',
};

const SECRETS = Object.fromEntries(
  [
    'form-api-key-keys-api-key',
    'json-api-key-inquiry-api-key',
    'json-basic-neither-user',
    'json-basic-neither-password',
  ].map((name) => [secretVariable(name), 'secret']),
);

/**
 * One consumer on the SQLite adapters in memory, the real HTTP gateway and a biller on a real socket. Only time is
 * replaced. `interrupt` lets a test die at, or look between, the calls of a port.
 */
export class DeliveryBench {
  readonly clock = new SteppedClock();
  readonly eventStore = new SqliteEventStore({ path: ':memory:' });
  readonly shard = new SqliteShard({ name: shardName('Shard-1'), path: ':memory:' });
  readonly bus = new SqliteMessageBus({
    path: ':memory:',
    topology: declareTopology(TOPOLOGY),
    now: () => this.clock.ms,
  });
  readonly snippets = new SqliteAnswerSnippets({ path: ':memory:' });
  readonly ports: DeliverRecordPorts;
  readonly profiles = new Map<ProfileVersion, BillerProfile>();
  control: BillerControlState = uncontrolled;
  allowance: BillerAllowance = { take: (_biller, { wanted }) => Promise.resolve({ granted: wanted, retryAfterMs: 0 }) };
  private readonly receiver = this.bus.receiver({ topic: TOPOLOGY.eventsTopic, subscription: 'payments' });
  private readonly gateway: HttpBillerGateway;

  private constructor(
    readonly biller: ScriptedBiller,
    public profile: BillerProfile,
  ) {
    this.profiles.set(profile.version, profile);
    this.gateway = new HttpBillerGateway({
      clock: this.clock,
      digest: sha256Digest,
      hosts: { allowedHosts: [], allowPlainLoopback: true },
      secrets: new EnvironmentSecretSource({ environment: SECRETS }),
      tokens: new InProcessTokenCache(this.clock),
      chance: new SystemChance(),
      telemetry: silent,
      snippets: this.snippets,
      allowance: { take: (...asked) => this.allowance.take(...asked) },
    });
    const chance = new SystemChance();
    this.ports = {
      history: createHistory({ eventStore: this.eventStore, chance, clock: this.clock }, 'test'),
      shards: new SqliteShards([this.shard]),
      shardClock: {
        atLeast: async () => this.clock.now(),
        atMost: async () => this.clock.now(),
        carried: () => this.clock.now(),
        carriedAtMost: () => this.clock.now(),
      },
      bus: this.bus,
      profiles: {
        all: async () => [this.profile],
        current: async () => this.profile,
        version: async (_biller, version) => this.profiles.get(version),
        tenants: async () => [...new Set([...this.profiles.values()].map(({ tenant }) => tenant))],
      },
      gateway: this.gateway,
      control: { state: async () => this.control, order: async () => 'done' },
      contracts: new ValidatedMessageContracts(),
      clock: this.clock,
      chance,
      digest: sha256Digest,
      telemetry: silent,
    };
  }

  /** `stored`: the profile is a version from before today's rules, read as it is. */
  static async start(
    capability: Capability = 'keys',
    overrides: Readonly<Record<string, unknown>> = {},
    stored = false,
  ): Promise<DeliveryBench> {
    const biller = await startScriptedBiller();
    const profile = (stored ? storedProfileOf : profileOf)(TEMPLATE[capability], biller.baseUrl, {
      Timeout: '2s',
      Quarantine: '3s',
      ...overrides,
    });
    const bench = new DeliveryBench(biller, profile);
    const row = paymentRow();
    await bench.shard.seed({
      billers: [row.biller!],
      customers: [row.customer!],
      payments: [row.payment!],
      rows: [
        {
          dpId: row.dpId,
          billerId: row.billerId,
          dataType: row.dataType,
          customerId: row.customerId,
          paymentId: row.paymentId!,
          createdAt: row.createdAt,
          status: 'Queued',
        },
      ],
    });
    return bench;
  }

  async close(): Promise<void> {
    await this.gateway.close();
    this.snippets.close();
    await this.biller.close();
    await this.receiver.close();
    await this.bus.close();
    await this.shard.close();
    await this.eventStore.close();
  }

  /** As the fetcher does it: discovered, validated, published. */
  async publish(): Promise<void> {
    const row = (await this.shard.findRow(dpId('100')))!;
    await fetchRows(
      this.ports,
      { eventsTopic: TOPOLOGY.eventsTopic, batchSize: 100, concurrentBillersMax: 1 },
      {
        shard: this.shard,
        profile: this.profile,
        traceparent: '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01',
        rowByRow: false,
        now: this.clock.now(),
      },
      [row],
    );
  }

  /** Moves time to the next message that is due within `withinMs` and receives it. */
  async receive(withinMs = 60_000): Promise<ReceivedMessage | undefined> {
    for (let waited = 0; waited <= withinMs; waited += 250) {
      const [message] = await this.receiver.receive({ max: 1, waitMs: 0 });
      if (message) return message;
      this.clock.ms += 250;
    }
    return undefined;
  }

  handle(message: ReceivedMessage, ports: Partial<DeliverRecordPorts> = {}): Promise<Settlement> {
    return deliverRecord({ ...this.ports, ...ports }, { ...TOPOLOGY, permitWaitMs: 1_000 })(message);
  }

  async settle(message: ReceivedMessage, settlement: Settlement): Promise<void> {
    if (settlement.settle === 'complete') await this.receiver.complete(message);
    else await this.receiver.deadLetter(message, settlement);
  }

  abandon = (message: ReceivedMessage): Promise<void> => this.receiver.abandon(message);

  /** Receives, handles and settles messages until none comes within `withinMs`; returns the last settlement. */
  async runUntilQuiet(
    options: { readonly withinMs?: number; readonly messagesMax?: number } = {},
  ): Promise<Settlement | undefined> {
    let last: Settlement | undefined;
    for (let messages = 0; messages < (options.messagesMax ?? 60); messages++) {
      const message = await this.receive(options.withinMs);
      if (!message) return last;
      last = await this.handle(message);
      await this.settle(message, last);
    }
    return last;
  }

  async recordEvents(): Promise<readonly DpRecordEvent['type'][]> {
    return (await this.eventStore.readStream(dpRecordStream(KEY))).map(({ type }) => type as DpRecordEvent['type']);
  }

  async attemptEvents(attempt: number): Promise<readonly DeliveryAttemptEvent['type'][]> {
    return (await this.eventStore.readStream(deliveryAttemptStream(KEY, attempt))).map(
      ({ type }) => type as DeliveryAttemptEvent['type'],
    );
  }

  async rowStatus(): Promise<string | undefined> {
    return (await this.shard.findRow(dpId('100')))?.status;
  }
}
