import { withoutMinutes } from '../support/row-counts';
import {
  resolveByOperator,
  type OperatorResolution,
  type ResolveByOperatorPorts,
} from '../../src/application/operating/resolve-by-operator';
import { deliveryAttemptStream, dpId } from '../../src/domain/identifiers';
import { instantFromMs, msOf } from '../../src/domain/instant';
import { type DeliveryAttemptStarted } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { json } from '../support/scripted-biller';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { DeliveryBench, KEY } from './delivery-bench';
import { EVENTS } from './shard-bench';

const PAYMENTS = { topic: EVENTS.eventsTopic, subscription: 'payments' };
let bench: DeliveryBench;
afterEach(() => bench.close());

/** The biller's answer was lost, and it offers neither inquiry nor keys: only a person can tell. */
async function inDoubt(): Promise<void> {
  bench = await DeliveryBench.start('neither');
  await bench.publish();
  bench.biller.react = json(500, { code: 'oops' });
  await bench.runUntilQuiet();
  expect(await bench.rowStatus()).toBe('InDoubt');
}
const resolve = (order: Partial<OperatorResolution> = {}, ports: Partial<ResolveByOperatorPorts> = {}) =>
  resolveByOperator(
    { ...bench.ports, ...ports },
    EVENTS,
  )({ record: KEY, outcome: 'accepted', evidence: 'statement line 7', by: 'root@ops-1', reason: 'ticket 5', ...order });
const attempt = async () =>
  (await bench.eventStore.readStream(deliveryAttemptStream(KEY, 1))).map(({ type, data }) => ({
    type,
    ...(data as object),
  }));
const waiting = async () => (await bench.bus.peek(PAYMENTS, { max: 10 })).map(({ messageId }) => messageId);

describe('a person resolves a doubt (issue 9, no 16)', () => {
  it('closes the attempt with who, why and what was seen, reopens the row and wakes the record', async () => {
    await inDoubt();
    expect(await resolve({ claimedBy: 'anna', billerReference: 'R-9' })).toEqual({ result: 'resolved', attempt: 1 });
    expect((await attempt()).at(-1)).toMatchObject({
      type: 'DeliveryAttemptResolvedByOperator',
      outcome: 'accepted',
      by: 'root@ops-1',
      claimedBy: 'anna',
      evidence: 'statement line 7 (ticket 5)',
      billerReference: 'R-9',
    });
    expect(await bench.rowStatus()).toBe('Published');
    const [message] = await bench.bus.peek(PAYMENTS, { max: 10 });
    expect(message).toMatchObject({
      messageId: expect.stringMatching(/^12:100:s1\d{5}\.0$/),
      properties: { target: 'payments', traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) },
      body: { traceId: KEY, occurredAt: bench.clock.now(), source: { shard: 'Shard-1' } },
    });
    await bench.runUntilQuiet();
    expect(await bench.shard.findRow(dpId('100'))).toMatchObject({
      status: 'Delivered',
      details: [{ attempt: 1, outcome: 'Delivered', billerReference: 'R-9' }],
    });
    expect(bench.biller.business()).toHaveLength(1);
  });

  it('states no more than was said', async () => {
    await inDoubt();
    await resolve({ outcome: 'declined' });
    const closed = (await attempt()).at(-1)!;
    expect(closed).toMatchObject({ outcome: 'declined' });
    expect(Object.keys(closed)).not.toContain('claimedBy');
    expect(Object.keys(closed)).not.toContain('billerReference');
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Declined');
  });

  it('refuses a record that is not in doubt, unknown or ended, and touches nothing', async () => {
    bench = await DeliveryBench.start('neither');
    expect(await resolve()).toEqual({ result: 'refused', why: 'the record is unknown, not in doubt' });
    await bench.publish();
    expect(await resolve()).toEqual({ result: 'refused', why: 'the record is pending, not in doubt' });
    await bench.runUntilQuiet();
    expect(await resolve()).toEqual({ result: 'refused', why: 'the record is delivered, not in doubt' });
    expect(await waiting()).toEqual([]);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptAccepted']);
  });

  it('"not executed" only when the call and its late effect are over, to the millisecond; what is known is taken at once', async () => {
    await inDoubt();
    const [started] = (await attempt()) as unknown as [DeliveryAttemptStarted['data']];
    const begins = msOf(started.notAfter) + bench.profile.quarantineMs;
    bench.clock.ms = begins - 1;
    const refused = await resolve({ outcome: 'not-executed' });
    expect(refused).toEqual({
      result: 'refused',
      why: `until ${instantFromMs(begins)} the call or a late effect of it may still be on its way; say not-executed after that`,
    });
    expect(await waiting()).toEqual([]);
    bench.clock.ms = begins;
    expect(await resolve({ outcome: 'not-executed' })).toEqual({ result: 'resolved', attempt: 1 });
  });

  it('"accepted" may be said before that', async () => {
    await inDoubt();
    bench.clock.ms -= 3_600_000;
    expect(await resolve({ outcome: 'accepted' })).toEqual({ result: 'resolved', attempt: 1 });
  });

  it('"not executed" is refused where nobody can say when the attempt is over', async () => {
    await inDoubt();
    bench.profiles.clear();
    expect(await resolve({ outcome: 'not-executed' })).toEqual({
      result: 'refused',
      why: `profile version ${bench.profile.version} cannot be read, so nobody can say when the attempt is over`,
    });
    expect(await resolve({ outcome: 'declined' })).toEqual({ result: 'resolved', attempt: 1 });
  });

  it('said twice it is one word under two messages; a contradicting second word is kept, and an alarm', async () => {
    await inDoubt();
    const { telemetry, lines } = recordedTelemetry();
    expect([await resolve({}, { telemetry }), await resolve({}, { telemetry })]).toEqual([
      { result: 'resolved', attempt: 1 },
      { result: 'resolved', attempt: 1 },
    ]);
    expect((await waiting()).map(withoutMinutes)).toEqual(['12:100:s1.0', '12:100:s2.0']);
    const closings = async () => (await attempt()).filter(({ type }) => type === 'DeliveryAttemptResolvedByOperator');
    expect(await closings()).toHaveLength(1);
    expect(lines).toEqual([]);
    await resolve({ outcome: 'not-executed' }, { telemetry });
    expect(await closings()).toHaveLength(1);
    expect((await attempt()).map(({ type }) => type)).toContain('LateOutcomeObserved');
    expect(await bench.rowStatus()).toBe('Published');
  });

  it('a row that has its end, or is gone, is left as it is and gets no message', async () => {
    await inDoubt();
    await bench.shard.changeStatuses([{ dpId: dpId('100'), to: 'Withdrawn', from: ['InDoubt'] }]);
    expect(await resolve()).toEqual({ result: 'resolved', attempt: 1 });
    expect([await bench.rowStatus(), await waiting()]).toEqual(['Withdrawn', []]);
  });
});
