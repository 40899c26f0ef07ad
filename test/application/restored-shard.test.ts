import { VALIDATION_ERRORS_TOPIC } from '../../src/application/messaging/topology';
import { dpId } from '../../src/domain/identifiers';
import { DeliveryBench } from './delivery-bench';

/** A shard alone is restored: the streams know more than its rows, and absorb what comes again. */
describe('a restored shard (issue 8, no 4)', () => {
  let bench: DeliveryBench;
  const sql = (statement: string): void =>
    void (bench.shard as unknown as { database: { exec(sql: string): void } }).database.exec(statement);
  const notices = async (): Promise<readonly unknown[]> => {
    const receiver = bench.bus.receiver({ topic: VALIDATION_ERRORS_TOPIC, subscription: 'operations' });
    const messages = await receiver.receive({ max: 10, waitMs: 0 });
    await receiver.close();
    return messages.map(({ body }) => (body as { readonly reasons: unknown }).reasons);
  };
  beforeEach(async () => {
    bench = await DeliveryBench.start('keys');
    await bench.publish();
  });
  afterEach(() => bench.close());

  it('a row that is claimed again after its delivery is reconciled, not posted', async () => {
    await bench.runUntilQuiet();
    const posted = bench.biller.business().length;
    sql(`UPDATE datapump SET Status = 'Queued'; DELETE FROM DpDetail`);
    await bench.publish();
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Delivered');
    expect((await bench.shard.findRow(dpId('100')))!.details).toHaveLength(1);
    expect(bench.biller.business()).toHaveLength(posted);
    expect(await notices()).toEqual([]);
  });

  it('a row that comes back after its record was withdrawn is told to a person', async () => {
    sql('CREATE TABLE kept AS SELECT * FROM datapump; DELETE FROM datapump');
    await bench.runUntilQuiet();
    expect(await bench.recordEvents()).toContain('DpRecordWithdrawn');
    sql(`INSERT INTO datapump SELECT * FROM kept; UPDATE datapump SET Status = 'Queued'; DROP TABLE kept`);
    await bench.publish();
    expect(await bench.rowStatus()).toBe('Withdrawn');
    expect(await notices()).toEqual([['withdrawn-before']]);
    expect(bench.biller.business()).toHaveLength(0);
  });

  it('an id that now means another payment is told to a person, and neither is posted for the other', async () => {
    await bench.runUntilQuiet();
    const posted = bench.biller.business().length;
    sql(`UPDATE datapump SET Status = 'Queued', PaymentId = 'p-2'; DELETE FROM DpDetail`);
    await bench.publish();
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Failed');
    expect(await notices()).toEqual([['identity-conflict']]);
    expect(bench.biller.business()).toHaveLength(posted);
  });
});
