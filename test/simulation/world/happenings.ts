import { type OutgoingMessage } from '../../../src/application/ports/message-bus';
import { FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../../../src/application/messaging/topology';
import { customerId, paymentId, profileVersion } from '../../../src/domain/identifiers';
import { instantFromMs } from '../../../src/domain/instant';
import { USED_AGAIN_FROM } from '../checker/final-check';
import { foldAttempt } from '../checker/fold';
import { type WorldFault, WORLD_FAULTS } from './faults';
import { type Operator } from './operator';
import { CAPABILITIES, capabilityOf, type PlannedRow } from './scenario';
import { WORLD_BEGINS_MS } from './simulated-process';
import { LINKS, type Outage } from './wire';
import { TOPOLOGY, type World } from './world';

/** Rows, foreign messages and poison come when the scenario says; the faults of the world strike at times of the dice. */
export function letThingsHappen(world: World, operator: Operator): void {
  const { scenario, timeline, dice, faults } = world;
  for (const planned of scenario.rows) timeline.at(planned.arrivesAtMs, () => arrive(world, planned));
  for (let number = 0; number < scenario.poisons; number++)
    timeline.at(dice.between(0, scenario.faultsMs, 'poison', number), () => poison(world, number));
  const { operatorLooksEveryMs: every = Infinity } = world;
  for (let at = every; at < scenario.faultsMs; at += every) timeline.at(at, () => operator.resolveAll());
  if (world.broken?.shardClocksJump) setClocks(world);
  for (const kind of Object.keys(WORLD_FAULTS) as WorldFault[]) {
    for (let number = 0; number < faults.timesInTheWorld(kind); number++) {
      const about = `world ${kind}`;
      const question = dice.question(about);
      timeline.at(dice.between(10_000, scenario.faultsMs - 10_000, `${about} at`, number), () => {
        if (!faults.strike(about, question, number, [kind])) return;
        return WORLD_STRIKES[kind]!(world, operator, `${about} ${number}`);
      });
    }
  }
}

/** By far more than any quarantine, to and fro. */
function setClocks({ scenario, timeline, dice, clockSetMs }: World): void {
  for (const { name } of scenario.shards)
    for (let number = 0; number < CLOCK_SETTINGS; number++)
      timeline.at(dice.between(20_000, scenario.faultsMs, `clock of ${name} is set`, number), () => {
        clockSetMs.set(name, dice.between(-600_000, 600_000, `clock of ${name} is set to`, number));
      });
}

async function arrive(world: World, { home, seed, record, trait, row }: PlannedRow): Promise<void> {
  const shard = world.shards.find(({ name }) => name === home)!;
  await shard.seed(seed);
  if (trait === 'declines') world.billers.declining.add(record);
  if (trait === 'breaks-processing') world.breaking.add(record);
  if (trait === 'unbuildable') world.unbuildable.add(record);
  if (trait === 'misreported') world.misreported.add(record);
  const sendNow = async (topic: string, messageId: string, body: unknown): Promise<void> => {
    const messages = [{ messageId, body, properties: { eventType: row.dataType } }];
    world.watch.sent(topic, messages);
    await world.broker.send(topic, messages);
    world.busChanged(topic);
  };
  const occurredAt = instantFromMs(WORLD_BEGINS_MS);
  if (trait === 'foreign-record') {
    await sendNow(TOPOLOGY.eventsTopic, `foreign-${record}`, {
      dpId: row.dpId,
      billerId: row.billerId,
      eventType: row.dataType,
      occurredAt,
      version: 1,
      traceId: record,
      messageId: record,
      source: { shard: home, table: 'dbo.datapump' },
    });
  }
  if (trait === 'foreign-chunk') {
    const messageId = `${row.billerId}:${row.dpId}+${row.dpId}`;
    await sendNow(OUTBOX_TOPIC, messageId, { billerId: row.billerId, dpStart: row.dpId, dpEnd: row.dpId, messageId });
  }
}

/** Bodies that break the contract, in the queues of a consumer and of the fetcher. */
async function poison(world: World, number: number): Promise<void> {
  const eventType = world.scenario.dataTypes[0]!;
  const message = (messageId: string): OutgoingMessage => ({
    messageId,
    body: { version: 7, dpId: number },
    properties: { eventType },
  });
  await world.broker.send(TOPOLOGY.eventsTopic, [message(`poison-${number}`)]);
  await world.broker.send(OUTBOX_TOPIC, [message(`poison-chunk-${number}`)]);
  world.busChanged(TOPOLOGY.eventsTopic);
  world.busChanged(OUTBOX_TOPIC);
}

const CLOCK_SETTINGS = 40;

/**
 * A row that means something else under the id it had: changed where it stands, or taken away and put there anew. Nothing
 * of it is on its way to the biller: a result that comes meanwhile would be written to whatever stands there.
 */
function useIdAgain(world: World, about: string): void | Promise<void> {
  // No rule says whose an id is when its stream came back from a backup of before it was used again.
  if (world.hasDisaster) return;
  const planned = someRow(world, about);
  if (!planned) return;
  const { record, home, row, seed } = planned;
  const { started, closedAs } = foldAttempt(world.store.history(world.watch.newestAttempt(record)));
  if (started && closedAs === undefined) return;
  const shard = world.shards.find(({ name }) => name === home)!;
  const [customer] = seed.customers ?? [];
  if (!customer) return;
  const other = { ...customer, customerId: customerId(`${customer.customerId}-again`) };
  const [payment] = seed.payments ?? [];
  const otherPayment = payment && {
    ...payment,
    paymentId: paymentId(`${payment.paymentId}-again`),
    customerId: other.customerId,
    amount: { minorUnits: USED_AGAIN_FROM + payment.amount.minorUnits, currency: 'USD' },
  };
  const to = { customerId: other.customerId, ...(otherPayment && { paymentId: otherPayment.paymentId }) };
  const rows = world.dice.fraction(about, 1) < 0.5 ? [] : [{ ...row, ...to }];
  world.usedAgain.add(record);
  // Who it points to is there first, as in one transaction of the platform: a row that points to nobody is not sound.
  const pointElsewhere = (): void => {
    if (rows.length === 0) return shard.repoint(row.dpId, to);
    shard.withdraw(row.dpId);
    return void shard.seed({ rows });
  };
  const put = shard.seed({ customers: [other], payments: otherPayment ? [otherPayment] : [] });
  return put instanceof Promise ? put.then(pointElsewhere) : pointElsewhere();
}

/** A promise: nothing else happens until it is done. */
type Strike = (world: World, operator: Operator, about: string) => void | Promise<void>;

const outage =
  (port: Outage): Strike =>
  (world, _, about) =>
    void world.wire.outages.set(port, world.timeline.now + world.dice.between(3_000, 60_000, about));

const someRow = (world: World, about: string): PlannedRow | undefined => {
  const arrived = world.scenario.rows.filter(({ arrivesAtMs }) => arrivesAtMs <= world.timeline.now);
  return arrived.length === 0 ? undefined : world.dice.pick(arrived, about);
};

const WORLD_STRIKES: Partial<Record<WorldFault, Strike>> = {
  'sql-outage': outage('shard'),
  'one-shard-outage': (world, _, about) => {
    const { name } = world.dice.pick(world.scenario.shards, about, 1);
    world.wire.outages.set(`shard ${name}`, world.timeline.now + world.dice.between(10_000, 120_000, about));
  },
  'one-process-cut-off': (world, _, about) => {
    const process = world.dice.pick([...world.gateways.keys()], about, 1);
    const until = world.timeline.now + world.dice.between(10_000, 90_000, about);
    for (const link of LINKS) world.wire.outages.set(`${process} to ${link}`, until);
  },
  'one-link-cut': (world, _, about) => {
    const process = world.dice.pick([...world.gateways.keys()], about, 1);
    const until = world.timeline.now + world.dice.between(10_000, 120_000, about);
    world.wire.outages.set(`${process} to ${world.dice.pick(LINKS, about, 2)}`, until);
  },
  'bus-outage': outage('bus'),
  'store-outage': outage('store'),
  'bus-message-lost': ({ broker, dice, scenario }, _, about) => {
    const chunk = dice.fraction(about, 1) < 0.3;
    const subscription = chunk ? FETCHER_SUBSCRIPTION : TOPOLOGY.subscriptions[dice.pick(scenario.dataTypes, about)];
    broker.lose({ topic: chunk ? OUTBOX_TOPIC : TOPOLOGY.eventsTopic, subscription }, dice.between(0, 100, about, 2));
  },
  'profile-changed': (world, _, about) => {
    const { profile } = world.dice.pick(world.scenario.billers, about);
    const present = world.profiles.current.get(profile.billerId)!;
    const remembers = world.billers.natures.get(profile.billerId)!.remembersKeys;
    const changed = capabilityOf(world.dice.pick(CAPABILITIES, about, 1), world.dice, about);
    world.publishProfile({
      ...present,
      version: profileVersion(`v2-${about.replaceAll(' ', '-')}`),
      quarantineMs: world.dice.pick([5_000, 20_000, 45_000], about, 2),
      timeoutMs: world.dice.pick([2_000, 5_000, 12_000], about, 3),
      // A profile tells the truth about its biller: keys only where it remembers them, and no lag below its own.
      capability: {
        inquiry: changed.inquiry && { lagMs: 30_000 },
        keys: remembers && changed.keys ? profile.capability.keys : undefined,
      },
    });
  },
  'biller-stopped': (world, _, about) => {
    const { billerId } = world.dice.pick(world.scenario.billers, about).profile;
    const present = world.profiles.current.get(billerId)!;
    world.publishProfile({ ...present, version: world.newVersion(), rollout: 'off' });
    world.timeline.after(world.dice.between(5_000, 120_000, about, 1), () => world.goLiveAgain(billerId));
  },
  'row-withdrawn': (world, _, about) => {
    const planned = someRow(world, about);
    if (!planned) return;
    world.withdrawn.add(planned.record);
    world.shards.find(({ name }) => name === planned.home)!.withdraw(planned.row.dpId);
  },
  'payment-amount-changed': (world, _, about) => {
    const planned = someRow(world, about);
    if (planned?.row.paymentId)
      world.shards.find(({ name }) => name === planned.home)!.changeAmount(planned.row.paymentId, 100);
  },
  'customer-renamed': (world, _, about) => {
    const planned = someRow(world, about);
    if (planned) world.shards.find(({ name }) => name === planned.home)!.rename(planned.row.customerId, ' the second');
  },
  'operator-redrives-twice': (_world, operator) => operator.redriveTwice(),
  'operator-pauses': (world, operator, about) => {
    const { billerId } = world.dice.pick(world.scenario.billers, about).profile;
    operator.pause(billerId);
    world.timeline.after(world.dice.between(5_000, 120_000, about, 1), () => operator.resume(billerId));
  },
  'operator-slows': (world, operator, about) => {
    const { billerId } = world.dice.pick(world.scenario.billers, about).profile;
    operator.slow(billerId, world.dice.pick([1, 2, 5], about, 1));
  },
  'operator-resolves': (_world, operator) => operator.resolveAll(),
  'id-used-again': (world, _, about) => useIdAgain(world, about),
};
