import { type BillerControl } from '../../src/application/operating/biller-control';
import { PortFailure } from '../../src/application/ports/failures';
import { type Gauges, measureGauges } from '../../src/application/queries/measure-gauges';
import { relayOutbox } from '../../src/application/scanning/relay-outbox';
import { chunkId, customerId, paymentId } from '../../src/domain/identifiers';
import { planChunks } from '../../src/domain/policies/chunking';
import { EVENTS, faulty, GAS, ShardBench, WATER } from './shard-bench';

const MINUTE_MS = 60_000;

let bench: ShardBench;
beforeEach(() => {
  bench = new ShardBench();
});
afterEach(() => bench.close());

const control: BillerControl = {
  state: async (biller) => ({ paused: biller === GAS, ratePerSecond: undefined }) as never,
  order: async () => 'done',
};
const measure = () => measureGauges({ ...bench, control }, EVENTS);

/** The value of one gauge for labels; undefined: it does not say. */
function told(gauges: Gauges, name: keyof Gauges, labels: Readonly<Record<string, string>>): number | undefined {
  return (gauges[name] ?? []).find(([own]) =>
    Object.entries(labels).every(([label, value]) => (own as Record<string, string>)[label] === value),
  )?.[1];
}

it('counts what waits per data type and biller, and how long the oldest has waited', async () => {
  await bench.one.seed({ rows: ['1', '2'].map((id) => bench.row(id)) });
  bench.clock.ms += 2 * MINUTE_MS;
  await bench.two.seed({ rows: [bench.row('3'), bench.row('4', { billerId: GAS, status: 'InDoubt' })] });
  bench.clock.ms += MINUTE_MS;
  const { gauges, unread } = await measure()();
  expect(unread).toEqual([]);
  const water = { data_type: 'Paperless', biller: WATER };
  expect(told(gauges, 'eligible.rows', water)).toBe(3);
  expect(told(gauges, 'eligible.oldest.seconds', water)).toBe(180);
  expect(told(gauges, 'in-doubt.records', water)).toBe(0);
  const gas = { data_type: 'Paperless', biller: GAS };
  expect(told(gauges, 'eligible.rows', gas)).toBe(0);
  expect(told(gauges, 'in-doubt.records', gas)).toBe(1);
  expect(gauges['in-doubt.money']).toEqual([]);
  expect([told(gauges, 'biller.paused', { biller: WATER }), told(gauges, 'biller.paused', { biller: GAS })]).toEqual([
    0, 1,
  ]);
});

it('adds up the money that is in doubt, in whole units, and no other', async () => {
  const paid = (id: string, minorUnits: number, status: 'New' | 'InDoubt') => ({
    row: bench.row(id, { dataType: 'Payments', paymentId: paymentId(`p${id}`), status }),
    payment: {
      paymentId: paymentId(`p${id}`),
      customerId: customerId('c'),
      billerId: WATER,
      amount: { minorUnits, currency: 'EUR' },
      invoiceType: 'x',
      paidAt: bench.clock.now(),
      achReturnCode: undefined,
    },
  });
  const all = [paid('1', 1_050, 'InDoubt'), paid('2', 25, 'InDoubt'), paid('3', 9_999, 'New')];
  await bench.one.seed({ rows: all.map(({ row }) => row), payments: all.map(({ payment }) => payment) });
  const { gauges } = await measure()();
  const euros = (gauges['in-doubt.money'] ?? []).filter(([{ currency }]) => currency === 'EUR');
  expect(euros.reduce((sum, [, value]) => sum + value, 0)).toBeCloseTo(10.75);
});

it('tells the outbox by number and by how long it has seen its oldest, and 0 when it is empty', async () => {
  await bench.one.seed({ rows: ['1', '2'].map((id) => bench.row(id)) });
  let drawn = 0;
  const look = measure();
  const claim = { billers: [WATER], rowsMax: 2, newChunkId: () => chunkId(`k${drawn++}`) };
  await bench.one.claim({ ...claim, plan: (rows) => planChunks(rows, 1) });
  const water = { data_type: 'Paperless', biller: WATER };
  await look();
  bench.clock.ms += MINUTE_MS;
  const full = await look();
  expect(told(full.gauges, 'outbox.chunks', water)).toBe(2);
  expect(told(full.gauges, 'outbox.oldest.seconds', water)).toBe(60);
  await relayOutbox(bench)(bench.one);
  const empty = await look();
  expect(told(empty.gauges, 'outbox.chunks', water)).toBe(0);
  expect(told(empty.gauges, 'outbox.oldest.seconds', water)).toBe(0);
  expect(told(empty.gauges, 'queue.messages', { queue: 'chunks', state: 'active' })).toBe(2);
});

it('names what it cannot read, and tells the rest', async () => {
  await bench.one.seed({ rows: [bench.row('1')] });
  const fails = async (): Promise<never> =>
    Promise.reject(new PortFailure('the bus is away', { code: 'connection-lost', retryable: true }));
  const { gauges, unread } = await measureGauges(
    { ...bench, control, bus: faulty(bench.bus, { depth: fails }) },
    EVENTS,
  )();
  expect(unread.length).toBeGreaterThan(0);
  expect(unread.every((what) => what.includes('the bus is away'))).toBe(true);
  expect(told(gauges, 'eligible.rows', { data_type: 'Paperless', biller: WATER })).toBe(1);
});
