import { isoDuration, msOfIsoDuration } from '../../src/adapters/service-bus/iso-duration';
import { ServiceBusTopology } from '../../src/adapters/service-bus/service-bus-topology';
import {
  describeStep,
  type ExistingTopic,
  filterSql,
  planTopology,
  topologyProblems,
} from '../../src/adapters/service-bus/topology-plan';
import { type SubscriptionDeclaration, type TopicDeclaration } from '../../src/application/ports/message-bus';
import { AdministrationPeer } from '../support/wire-peers/amqp/administration-peer';

const payments: SubscriptionDeclaration = {
  name: 'payments',
  eventType: 'Payments',
  lockMs: 60_000,
  deliveryCountMax: 10,
};
const notices: SubscriptionDeclaration = { ...payments, name: "o'notices", eventType: undefined };
const EVENTS: TopicDeclaration = {
  name: 'datapump-events',
  duplicateDetectionWindowMs: 600_000,
  timeToLiveMs: undefined,
  subscriptions: [payments, notices],
};
const PAYMENTS_SQL = "eventType = 'Payments' AND (NOT EXISTS(target) OR target = 'payments')";
const asDeclared: ExistingTopic = {
  ...EVENTS,
  partitioned: false,
  subscriptions: EVENTS.subscriptions.map((each) => ({ ...each, rules: [{ name: 'datapump', sql: filterSql(each) }] })),
};
const plan = (existing: readonly ExistingTopic[]) => planTopology([EVENTS], existing, { partitioned: false });
const sentences = (existing: readonly ExistingTopic[]) => plan(existing).map(describeStep);
const withPayments = (over: Partial<ExistingTopic['subscriptions'][number]>): ExistingTopic => ({
  ...asDeclared,
  subscriptions: [{ ...asDeclared.subscriptions[0]!, ...over }, asDeclared.subscriptions[1]!],
});

describe('the plan', () => {
  it('creates all in an empty namespace, topics before their subscriptions', () => {
    expect(sentences([])).toEqual([
      'create topic datapump-events, duplicates detected for 600000 ms',
      `create subscription datapump-events/payments, lock 60000 ms, at most 10 deliveries, filter ${PAYMENTS_SQL}`,
      "create subscription datapump-events/o'notices, lock 60000 ms, at most 10 deliveries, filter (NOT EXISTS(target) OR target = 'o''notices')",
    ]);
  });

  it('is empty where all stands as declared', () => {
    expect(plan([asDeclared])).toEqual([]);
  });

  it('changes what can be changed', () => {
    const sql = `create the rule datapump of datapump-events/payments: ${PAYMENTS_SQL}`;
    expect(sentences([{ ...asDeclared, timeToLiveMs: 60_000, duplicateDetectionWindowMs: 30_000 }])).toEqual([
      'change topic datapump-events: duplicate detection window 30000 ms -> 600000 ms, time to live 60000 ms -> for ever',
    ]);
    expect(sentences([withPayments({ lockMs: 30_000, deliveryCountMax: 3, rules: [] })])).toEqual([
      'change subscription datapump-events/payments: lock 30000 ms -> 60000 ms, delivery count 3 -> 10',
      sql,
    ]);
    expect(sentences([withPayments({ rules: [{ name: 'datapump', sql: '1=1' }] })])).toEqual([
      sql.replace('create', 'change'),
    ]);
  });

  it('leaves to people what cannot be changed and what would have to be deleted', () => {
    const strange: ExistingTopic = { ...asDeclared, partitioned: true, duplicateDetectionWindowMs: 0 };
    expect(plan([strange]).map(({ kind }) => kind)).toEqual(['by-hand', 'by-hand']);
    const rules = [{ name: '$Default', sql: '1=1' }, ...asDeclared.subscriptions[0]!.rules];
    expect(sentences([withPayments({ rules })])).toEqual([
      'by hand: subscription datapump-events/payments: its rule $Default lets other messages in too: remove it',
    ]);
  });

  it('names what no namespace could hold', () => {
    const subscriptions = [{ ...payments, lockMs: 300_001 }];
    expect(topologyProblems([{ ...EVENTS, duplicateDetectionWindowMs: 19_999, subscriptions }])).toEqual([
      'topic datapump-events: its duplicate detection window is 19999 ms, expected 20 s to 7 days',
      'subscription datapump-events/payments: its lock is 300001 ms, expected at most 5 minutes',
    ]);
    expect(topologyProblems([EVENTS])).toEqual([]);
  });
});

describe('durations', () => {
  it.each([
    ['PT30S', 30_000],
    ['PT1M', 60_000],
    ['P1DT2H3M4.5S', 93_784_500],
    ['P14D', 1_209_600_000],
    ['P10675199DT2H48M5.4775807S', undefined],
    [isoDuration(12_345), 12_345],
  ])('%s', (text, ms) => expect(msOfIsoDuration(text)).toBe(ms));

  it.each(['', 'P', 'PT', 'P1M', '30', 'PT-1S'])('refuses %j', (text) =>
    expect(() => msOfIsoDuration(text)).toThrow(TypeError),
  );
});

describe('over the administration API', () => {
  let peer: AdministrationPeer;
  let topology: ServiceBusTopology;
  let administrationUrl: string;
  const connectionString = (keyName: string): string =>
    `Endpoint=sb://peer.invalid/;SharedAccessKeyName=${keyName};SharedAccessKey=a2V5`;
  const missing = async () => planTopology([EVENTS], await topology.read([EVENTS]), { partitioned: false });
  beforeEach(async () => {
    peer = new AdministrationPeer('root');
    administrationUrl = await peer.listen();
    topology = new ServiceBusTopology({ connectionString: connectionString('root'), administrationUrl });
  });
  afterEach(() => peer.close());

  it('what was applied stands as declared, and a second run changes nothing', async () => {
    await topology.apply(await missing());
    expect(await missing()).toEqual([]);
    const [topic] = await topology.read([EVENTS]);
    expect(topic).toMatchObject({ partitioned: false, duplicateDetectionWindowMs: 600_000, timeToLiveMs: undefined });
    expect(topic!.subscriptions[0]).toMatchObject({ lockMs: 60_000, rules: [{ name: 'datapump', sql: PAYMENTS_SQL }] });
    expect(peer.changes).toHaveLength(3);
  });

  it('brings back what somebody changed, and deletes nothing', async () => {
    await topology.apply(await missing());
    peer.put(
      'datapump-events/Subscriptions/payments/Rules/datapump',
      'RuleDescription',
      '<Filter><SqlExpression>1=1</SqlExpression></Filter><Action/>',
    );
    peer.put(
      'datapump-events/Subscriptions/payments/Rules/other',
      'RuleDescription',
      '<Filter><Label>x</Label></Filter><Action/>',
    );
    const shorter: TopicDeclaration = {
      ...EVENTS,
      duplicateDetectionWindowMs: 30_000,
      timeToLiveMs: 60_000,
      subscriptions: [{ ...payments, lockMs: 30_000 }],
    };
    const steps = planTopology([shorter], await topology.read([shorter]), { partitioned: false });
    expect(steps.map(({ kind }) => kind)).toEqual(['change-topic', 'change-subscription', 'change-rule', 'by-hand']);
    const done: string[] = [];
    await topology.apply(steps, ({ kind }) => done.push(kind));
    expect(done).toEqual(['change-topic', 'change-subscription', 'change-rule']);
    expect(
      planTopology([shorter], await topology.read([shorter]), { partitioned: false }).map(({ kind }) => kind),
    ).toEqual(['by-hand']);
  });

  it('says that a key may not manage', async () => {
    const listener = new ServiceBusTopology({ connectionString: connectionString('listener'), administrationUrl });
    await expect(listener.read([EVENTS])).rejects.toMatchObject({ code: 'not-authorized', retryable: false });
  });
});
