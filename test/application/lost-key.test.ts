import { type BillerGateway, type PreparedCall } from '../../src/application/ports/biller-gateway';
import { dpId } from '../../src/domain/identifiers';
import { json } from '../support/scripted-biller';
import { storedProfileOf } from '../support/biller-fixtures';
import { DeliveryBench } from './delivery-bench';

describe('a key that does not get onto the request (issue 8, no 1)', () => {
  let bench: DeliveryBench;
  afterEach(() => bench.close());
  const lost = { Idempotency: { Header: 'X-Api-Key', Retention: '24h', Margin: '5m' } };

  it('of a version stored before the rules: no call, one end, and no spinning', async () => {
    bench = await DeliveryBench.start('keys', lost, true);
    await bench.publish();
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toEqual([]);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptNotSent']);
    expect(await bench.attemptEvents(2)).toEqual([]);
    expect(await bench.recordEvents()).toContain('DpRecordDeadLettered');
    expect(await bench.rowStatus()).toBe('Failed');
  });

  it('of an open attempt: its doubt is not resent without a key, a person decides', async () => {
    bench = await DeliveryBench.start('keys');
    await bench.publish();
    bench.biller.react = json(500, {});
    const message = (await bench.receive())!;
    await bench.handle(message);
    expect(bench.biller.business()).toHaveLength(1);
    const { version } = bench.profile;
    bench.profiles.set(version, {
      ...storedProfileOf('form-api-key-keys', bench.biller.baseUrl, { ...lost, Timeout: '2s', Quarantine: '3s' }),
      version: 'v-old' as never,
    });
    bench.clock.ms += 20_000;
    await bench.handle(message);
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toHaveLength(1);
    expect(await bench.rowStatus()).toBe('InDoubt');
  });

  it('seen only right before sending: nothing leaves, and the tries are bounded by the schedule', async () => {
    bench = await DeliveryBench.start('keys');
    await bench.publish();
    const { gateway } = bench.ports;
    const losing = Object.assign(Object.create(gateway) as BillerGateway, {
      prepare: async (...asked: Parameters<BillerGateway['prepare']>): Promise<PreparedCall> => ({
        ...(await gateway.prepare(...asked)),
        send: () => Promise.resolve({ kind: 'not-sent', lateByMs: 0, code: 'key-not-carried' }),
      }),
    });
    for (let visits = 0; visits < 40 && (await bench.rowStatus()) !== 'Failed'; visits++) {
      const message = await bench.receive(600_000);
      if (!message) break;
      await bench.settle(message, await bench.handle(message, { gateway: losing }));
    }
    expect(bench.biller.business()).toEqual([]);
    expect(await bench.shard.findRow(dpId('100'))).toMatchObject({ status: 'Failed' });
    expect(await bench.attemptEvents(8)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptNotSent']);
    expect(await bench.attemptEvents(9)).toEqual([]);
  });
});

describe('a value that is not there (issue 8, no 2)', () => {
  let bench: DeliveryBench;
  afterEach(() => bench.close());

  it.each([
    '{ "reference": record.key, "account": customer.acountNumber }',
    '{ "reference": record.key, "code": payment.achReturnCode }',
  ])('%s of a stored version: no call, and CannotPrepare', async (Body) => {
    const request = { Method: 'POST', Path: '/payments', Format: 'form', Body };
    bench = await DeliveryBench.start('keys', { Requests: { Payment: request } }, true);
    await bench.publish();
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toEqual([]);
    expect(await bench.rowStatus()).toBe('Failed');
  });

  it('is left out where the profile says so, and the rest is sent', async () => {
    const Body = '{ "reference": record.key, "amount": payment.amount, "code": payment.achReturnCode }';
    const request = { Method: 'POST', Path: '/payments', Format: 'form', Body, Optional: ['payment.achReturnCode'] };
    bench = await DeliveryBench.start('keys', { Actions: ['Payment'], Requests: { Payment: request } });
    await bench.publish();
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toMatchObject([{ body: 'reference=12%3A100&amount=12.34' }]);
    expect(await bench.rowStatus()).toBe('Delivered');
  });
});
