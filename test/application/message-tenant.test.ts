import { recordMessageOf } from '../support/record-messages';
import { fetchChunk } from '../../src/application/fetching/fetch-chunk';
import { redriveDeadLetters } from '../../src/application/operating/redrive-dead-letters';
import { recordBrokerDeadLetters } from '../../src/application/messaging/record-broker-dead-letters';
import { resolveByOperator } from '../../src/application/operating/resolve-by-operator';
import { sweepStalled } from '../../src/application/scanning/sweep-stalled';
import { type Shard, type Shards } from '../../src/application/ports/shard';
import { dpId, shardName } from '../../src/domain/identifiers';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { paymentRow } from '../support/biller-fixtures';
import { json } from '../support/scripted-biller';
import { type Capability, DeliveryBench, KEY } from './delivery-bench';

const TOPOLOGY = {
  eventsTopic: 'datapump-events',
  subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' },
};
const PAYMENTS = { topic: TOPOLOGY.eventsTopic, subscription: 'payments' };
const BY = { by: 'anna', reason: 'a test' };

let bench: DeliveryBench;
const start = async (capability?: Capability): Promise<void> => {
  bench = await DeliveryBench.start(capability);
  bench.profile = { ...bench.profile, tenant: 'north' };
  bench.profiles.set(bench.profile.version, bench.profile);
};
afterEach(() => bench.close());

const waitingTenants = async (): Promise<readonly unknown[]> =>
  (await bench.bus.peek(PAYMENTS, { max: 100 })).map(({ properties }) => properties['tenant']);
/** Nothing in hand: only what an act sends is left. */
const emptied = async (): Promise<void> => {
  for (let message = await bench.receive(0); message; message = await bench.receive(0))
    await bench.settle(message, { settle: 'complete' });
};

describe('every message of a record carries the tenant of its profile (issue 8, no 5)', () => {
  it('at its first publication, and as a successor', async () => {
    await start();
    await bench.publish();
    expect(await waitingTenants()).toEqual(['north']);
    bench.control = { paused: { ...BY, since: bench.clock.now() }, ratePerSecond: undefined };
    const message = (await bench.receive())!;
    await bench.settle(message, await bench.handle(message));
    expect(await waitingTenants()).toEqual(['north']);
  });

  it('though the message in hand was sent under the tenant that its biller had before', async () => {
    await start();
    await bench.publish();
    const before = bench.profile;
    bench.profile = { ...before, tenant: 'south', version: 'v2' as typeof before.version };
    bench.profiles.set(bench.profile.version, bench.profile);
    bench.control = { paused: { ...BY, since: bench.clock.now() }, ratePerSecond: undefined };
    const message = (await bench.receive())!;
    await bench.settle(message, await bench.handle(message));
    expect(await waitingTenants()).toEqual(['south']);
  });

  it('after a sweep', async () => {
    await start();
    await bench.publish();
    await emptied();
    const shard = Object.assign(Object.create(bench.shard) as Shard, {
      takeStalled: async () => [{ ...paymentRow(), status: 'Published', ordinal: 1 }],
    });
    await sweepStalled(
      { ...bench.ports, shards: { ...bench.ports.shards, all: () => [shard] } },
      { ...TOPOLOGY, afterMs: 1, rowsPerPassMax: 10 },
    )();
    expect(await waitingTenants()).toEqual(['north']);
  });

  it('after a redrive, whatever the letter says', async () => {
    await start();
    await bench.publish();
    bench.biller.react = json(503, { code: 'maintenance' });
    await bench.runUntilQuiet();
    await redriveDeadLetters(bench.ports, TOPOLOGY)({ dataType: 'Payments', records: undefined, ...BY, max: 10 });
    expect(await waitingTenants()).toEqual(['north']);
  });

  it('after an operator resolved a doubt', async () => {
    await start('neither');
    await bench.publish();
    bench.biller.react = json(500, { code: 'oops' });
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('InDoubt');
    await resolveByOperator(bench.ports, TOPOLOGY)({ record: KEY, outcome: 'accepted', evidence: 'statement', ...BY });
    expect(await waitingTenants()).toEqual(['north']);
  });

  it('and a message that names a tenant its biller never had is refused', async () => {
    await start();
    await bench.publish();
    const message = (await bench.receive())!;
    for (const tenant of ['north', '12', bench.profiles.get(bench.profile.version)!.tenant])
      expect(await bench.handle({ ...message, properties: { ...message.properties, tenant } })).toEqual({
        settle: 'complete',
      });
    for (const tenant of ['South', 'NORTH', '', 13, true]) {
      const forged = { ...message, properties: { ...message.properties, tenant } };
      expect(await bench.handle(forged)).toMatchObject({
        settle: 'dead-letter',
        reason: 'InvalidContract',
        description: expect.stringContaining('properties.tenant') as string,
      });
      const chunk = {
        ...forged,
        properties: { tenant },
        body: { billerId: '12', dpStart: '100', dpEnd: '100', messageId: '12:100+100' },
      };
      expect(
        await fetchChunk(bench.ports, { eventsTopic: TOPOLOGY.eventsTopic, batchSize: 10, concurrentBillersMax: 1 })(
          chunk,
        ),
      ).toMatchObject({ reason: 'InvalidContract' });
    }
  });
});

describe('one way to find a shard (issue 8, no 6)', () => {
  const message = (shard: string, deliveryCount = 1) =>
    recordMessageOf(`foreign-${deliveryCount}`, { source: { shard, table: 'dbo.datapump' } });
  /** Received as often as the broker allows, settled never. */
  const exhaust = async (): Promise<void> => {
    for (let received = await bench.receive(0); received; received = await bench.receive(0))
      await bench.abandon(received);
  };

  it("records the broker's dead letter of a message that calls our shard by a name of its own", async () => {
    await start();
    await bench.publish();
    await emptied();
    await bench.bus.send(TOPOLOGY.eventsTopic, [message('of-theirs')]);
    await exhaust();
    expect(await recordBrokerDeadLetters(bench.ports, TOPOLOGY)('Payments')).toBe(1);
    expect(await bench.recordEvents()).toContain('DpRecordDeadLettered');
    expect(await bench.rowStatus()).toBe('Failed');
  });

  it('leaves listed, and looks at again, what no shard here holds', async () => {
    await start();
    await bench.publish();
    await emptied();
    await bench.bus.send(TOPOLOGY.eventsTopic, [message('of-theirs')]);
    await exhaust();
    const nobody: Shards = { all: () => [bench.shard], named: () => bench.shard, ofBiller: async () => undefined };
    const record = recordBrokerDeadLetters({ ...bench.ports, shards: nobody }, TOPOLOGY);
    expect(await record('Payments')).toBe(0);
    expect(await bench.bus.peek({ ...PAYMENTS, deadLetters: true }, { max: 10 })).toHaveLength(1);
    nobody.ofBiller = async () => bench.shard;
    expect(await record('Payments')).toBe(1);
  });

  it('reads a known record in the shard it was discovered in, whatever shard of ours a message names', async () => {
    await start();
    await bench.publish();
    await emptied();
    const other = new SqliteShard({ name: shardName('Shard-2'), path: ':memory:' });
    const { paymentId: _paymentId, ...row } = paymentRow();
    // The same number, of another biller.
    await other.seed({
      billers: [{ ...row.biller!, billerId: '13' as never }],
      customers: [],
      payments: [],
      rows: [{ ...row, billerId: '13' as never, status: 'Failed' }],
    });
    const shards = { all: () => [bench.shard, other], named: () => bench.shard, ofBiller: async () => bench.shard };
    await bench.bus.send(TOPOLOGY.eventsTopic, [message('Shard-2')]);
    const received = (await bench.receive())!;
    expect(await bench.handle(received, { shards })).toEqual({ settle: 'complete' });
    expect(await bench.rowStatus()).toBe('Delivered');
    expect((await other.findRow(dpId('100')))?.status).toBe('Failed');
    await other.close();
  });
});
