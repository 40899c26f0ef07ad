import { recordMessageOf } from '../support/record-messages';
import { redriveDeadLetters } from '../../src/application/operating/redrive-dead-letters';
import { sweepStalled } from '../../src/application/scanning/sweep-stalled';
import { dpId } from '../../src/domain/identifiers';
import { DeliveryBench } from './delivery-bench';

const SETTINGS = {
  eventsTopic: 'datapump-events',
  subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' },
};
const LETTERS = { topic: SETTINGS.eventsTopic, subscription: 'payments', deadLetters: true };

let bench: DeliveryBench;
const sql = (statement: string): void =>
  void (bench.shard as unknown as { database: { exec(sql: string): void } }).database.exec(statement);
const reasons = async (): Promise<readonly (string | undefined)[]> =>
  (await bench.bus.peek(LETTERS, { max: 100 })).map(({ deadLetterReason }) => deadLetterReason);
/** Every row that owes a result is stalled by now. */
const sweep = (): Promise<number> =>
  sweepStalled({ ...bench.ports }, { ...SETTINGS, afterMs: -600_000, rowsPerPassMax: 100 })();

beforeEach(async () => {
  bench = await DeliveryBench.start('keys');
});
afterEach(() => bench.close());

describe('a row whose id has come to mean something else since it was discovered (issue 9, no 15)', () => {
  it.each([
    ['another payment', `UPDATE datapump SET PaymentId = 'p-2'`],
    ['another kind of change', `UPDATE datapump SET EventType = 'ACHRejects'`],
  ])('%s: ends its record and its row once, however often the sweep looks', async (_what, change) => {
    await bench.publish();
    sql(change);
    for (let pass = 0; pass < 4; pass++) {
      await bench.runUntilQuiet();
      await sweep();
    }
    expect(await reasons()).toEqual(['IdentityConflict']);
    expect(await bench.rowStatus()).toBe('Failed');
    expect(await bench.recordEvents()).toEqual([
      'DpRecordDiscovered',
      'DpRecordValidated',
      'DpRecordDeadLettered',
      'DpRecordReconciled',
    ]);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptNotSent']);
    expect(bench.biller.business()).toHaveLength(0);
  });

  it('gets no result of what it was, while the record goes on to have it', async () => {
    await bench.publish();
    const message = (await bench.receive())!;
    const down = Object.assign(Object.create(bench.shard) as typeof bench.shard, {
      reconcile: () => Promise.reject(new Error('the shard is out')),
    });
    const shards = { all: () => [down], named: () => down, ofBiller: async () => down };
    await expect(bench.handle(message, { shards })).rejects.toThrow('the shard is out');
    sql(`UPDATE datapump SET PaymentId = 'p-2'`);
    await bench.settle(message, await bench.handle(message));
    expect(await bench.recordEvents()).toContain('DpRecordDelivered');
    expect(await bench.rowStatus()).toBe('Failed');
    expect((await bench.shard.findRow(dpId('100')))!.details).toEqual([]);
    await sweep();
    expect(await bench.receive(5_000)).toBeUndefined();
  });

  it("leaves the row alone that has become another biller's", async () => {
    await bench.publish();
    const message = (await bench.receive())!;
    await bench.handle(message);
    sql(`UPDATE datapump SET BillerId = '13', Status = 'Queued'; DELETE FROM DpDetail`);
    expect(await bench.handle(message)).toEqual({ settle: 'complete' });
    expect(await bench.rowStatus()).toBe('Queued');
  });

  it('is delivered by a redrive once it means again what it was', async () => {
    await bench.publish();
    sql(`UPDATE datapump SET PaymentId = 'p-9'`);
    await bench.runUntilQuiet();
    const redrive = redriveDeadLetters(bench.ports, SETTINGS);
    const order = { dataType: 'Payments', records: undefined, by: 'a person', reason: 'test', max: 10 } as const;
    await redrive(order);
    await bench.runUntilQuiet();
    expect(await reasons()).toEqual(['IdentityConflict']);
    sql(`UPDATE datapump SET PaymentId = 'p-1'`);
    await redrive(order);
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Delivered');
    expect(bench.biller.business()).toHaveLength(1);
    expect(await reasons()).toEqual([]);
  });
});

describe('a row that breaks its own judging, discovered by a consumer (issue 9, no 15)', () => {
  it('is rejected there as at the fetcher, and leaves no dead letter with each sweep', async () => {
    const row = (await bench.shard.findRow(dpId('100')))!;
    Object.defineProperty(row.customer!, 'billerId', {
      get: () => {
        throw new TypeError('the row breaks processing');
      },
    });
    const shard = Object.assign(Object.create(bench.shard) as typeof bench.shard, {
      findRow: async () => ({
        ...row,
        customer: row.customer,
        status: (await bench.shard.findRow(dpId('100')))!.status,
      }),
    });
    await bench.bus.send(SETTINGS.eventsTopic, [recordMessageOf('foreign-1')]);
    const message = (await bench.receive())!;
    const settlement = await bench.handle(message, {
      shards: { all: () => [shard], named: () => shard, ofBiller: async () => shard },
    });
    expect(settlement).toEqual({ settle: 'complete' });
    expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordRejected', 'DpRecordReconciled']);
    expect(await bench.rowStatus()).toBe('Rejected');
  });
});
