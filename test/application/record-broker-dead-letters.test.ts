import { recordMessageOf } from '../support/record-messages';
import {
  recordBrokerDeadLetters,
  type RecordBrokerDeadLettersPorts,
} from '../../src/application/messaging/record-broker-dead-letters';
import { BROKER_DEAD_LETTER_REASON, type MessageBus } from '../../src/application/ports/message-bus';
import { VersionConflict } from '../../src/application/ports/failures';
import { dpId, dpRecordStream } from '../../src/domain/identifiers';
import { json } from '../support/scripted-biller';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { type Capability, DeliveryBench, KEY } from './delivery-bench';
import { EVENTS, faulty } from './shard-bench';
import { CONFLICTS_MAX } from '../../src/application/history/transact';

const PAYMENTS = { topic: EVENTS.eventsTopic, subscription: 'payments' };
const DEAD = { ...PAYMENTS, deadLetters: true };
const WAKE_AFTER_MS = 300_000;

let bench: DeliveryBench;
const start = async (capability: Capability = 'keys'): Promise<void> => {
  bench = await DeliveryBench.start(capability);
};
afterEach(() => bench.close());

const record = (ports: Partial<RecordBrokerDeadLettersPorts> = {}) =>
  recordBrokerDeadLetters({ ...bench.ports, ...ports }, EVENTS);
/** Received as often as the broker allows, settled never. */
const exhaust = async (): Promise<void> => {
  for (let received = await bench.receive(0); received; received = await bench.receive(0))
    await bench.abandon(received);
};
const waiting = () => bench.bus.peek(PAYMENTS, { max: 10 });
const events = async () =>
  (await bench.eventStore.readStream(dpRecordStream(KEY))).map(({ type, data }) => ({ type, ...(data as object) }));
const conflict = (): Promise<never> => Promise.reject(new VersionConflict(dpRecordStream(KEY), 1, 2));

describe('dead letters of the broker itself (issue 9, no 16)', () => {
  it('are recorded once: stream, row and broker tell one story, and the attempt is claimed first', async () => {
    await start();
    await bench.publish();
    await exhaust();
    const { telemetry, lines } = recordedTelemetry();
    const look = record({ telemetry });
    expect([await look('Payments'), await look('Payments')]).toEqual([1, 0]);
    expect((await events()).slice(-2)).toEqual([
      expect.objectContaining({
        type: 'DpRecordDeadLettered',
        reason: 'DeadLetteredByBroker',
        description: 'delivered 10 times without being settled (message 12:100)',
      }),
      { type: 'DpRecordReconciled', status: 'Failed' },
    ]);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptNotSent']);
    expect([await bench.rowStatus(), lines]).toEqual([
      'Failed',
      [`warn recorded a dead letter of the broker {"record":"${KEY}"}`],
    ]);
    expect(await bench.bus.peek(DEAD, { max: 9 })).toHaveLength(1);
    expect(await record()('Payments')).toBe(0);
  });

  it('only of the data type asked for, of that reason, that keep their contract and whose record is known', async () => {
    await start();
    await bench.bus.send(EVENTS.eventsTopic, [
      recordMessageOf('unknown'),
      recordMessageOf('broken', { dpId: undefined }),
    ]);
    await exhaust();
    await bench.bus.send(EVENTS.eventsTopic, [recordMessageOf('by a person')]);
    await bench.settle((await bench.receive(0))!, {
      settle: 'dead-letter',
      reason: 'InvalidContract',
      description: 'd',
    });
    await bench.publish();
    await bench.runUntilQuiet();
    const before = await events();
    expect([await record()('Payments'), await record()('Paperless')]).toEqual([0, 0]);
    expect(await events()).toEqual(before);
    expect(
      (await bench.bus.peek(DEAD, { max: 9 })).filter(
        ({ deadLetterReason }) => deadLetterReason === BROKER_DEAD_LETTER_REASON,
      ),
    ).toHaveLength(2);
  });

  it('a record that has its end is reconciled where it was not, and nothing else', async () => {
    await start();
    await bench.publish();
    const dying = faulty(bench.shard, { reconcile: () => Promise.reject(new Error('died')) });
    const ports = { shards: { all: () => [dying], named: () => dying, ofBiller: async () => dying } };
    bench.biller.react = json(503, { code: 'maintenance' });
    await bench.shard.changeStatuses([{ dpId: dpId('100'), to: 'Published', from: ['Queued'] }]);
    await exhaust();
    await expect(record(ports)('Payments')).rejects.toThrow('died');
    expect([(await events()).at(-1)!.type, await bench.rowStatus()]).toEqual(['DpRecordDeadLettered', 'Published']);
    expect(await record()('Payments')).toBe(0);
    expect([(await events()).at(-1)!.type, await bench.rowStatus()]).toEqual(['DpRecordReconciled', 'Failed']);
    const before = await events();
    expect(await record()('Payments')).toBe(0);
    expect(await events()).toEqual(before);
  });

  it.each<['Published' | 'InDoubt' | 'Failed' | 'Withdrawn', boolean]>([
    ['Published', false],
    ['InDoubt', false],
    ['Failed', true],
    ['Withdrawn', true],
  ])(
    'with an open attempt nothing is concluded; a row that is %s, which the sweep passes over (%s), gets a message at the pace of a sweep',
    async (status, woken) => {
      await start('neither');
      await bench.publish();
      bench.biller.react = json(500, { code: 'oops' });
      const first = (await bench.receive(0))!;
      await bench.handle(first);
      await bench.abandon(first);
      for (let received = await bench.receive(0); received; received = await bench.receive(0))
        await bench.abandon(received);
      const others = (await waiting()).length;
      const row = await bench.rowStatus();
      if (row !== status)
        await bench.shard.changeStatuses([{ dpId: dpId('100'), to: status, from: ['Queued', 'Published', 'InDoubt'] }]);
      const before = (await events()).length;
      const now = bench.clock.ms;
      expect(await record()('Payments')).toBe(0);
      expect(await events()).toHaveLength(before);
      const sent = (await waiting()).slice(others);
      expect(sent).toHaveLength(woken ? 1 : 0);
      if (!woken) return;
      const { sequenceNumber } = (await bench.bus.peek(DEAD, { max: 1 }))[0]!;
      expect(sent[0]).toMatchObject({ messageId: `12:100:d${sequenceNumber}.0`, properties: { target: 'payments' } });
      expect(Date.parse(sent[0]!.enqueuedAt)).toBe(now + WAKE_AFTER_MS);
    },
  );

  it.each([
    [CONFLICTS_MAX, 1],
    [CONFLICTS_MAX + 1, 0],
  ])('after %i lost races it is recorded %i times, at the next look in any case', async (races, recorded) => {
    await start();
    await bench.publish();
    await exhaust();
    let lost = 0;
    const append = bench.ports.history.appendToAttempt.bind(bench.ports.history);
    const history = faulty(bench.ports.history, {
      appendToAttempt: (...call) => (lost++ < races ? conflict() : append(...call)),
    });
    const look = record({ history });
    expect(await look('Payments')).toBe(recorded);
    expect(await bench.rowStatus()).toBe(recorded === 1 ? 'Failed' : 'Published');
    expect(await look('Payments')).toBe(1 - recorded);
    expect(await bench.rowStatus()).toBe('Failed');
  });

  it('tells once of what no shard here holds, and looks at it again each time', async () => {
    await start();
    await bench.publish();
    await exhaust();
    const { telemetry, lines } = recordedTelemetry();
    let asked = 0;
    const look = record({
      telemetry,
      shards: { all: () => [], named: () => bench.shard, ofBiller: async () => (asked++, undefined) },
    });
    expect([await look('Payments'), await look('Payments')]).toEqual([0, 0]);
    expect([asked, lines]).toEqual([
      2,
      ['warn a dead letter of the broker is of no shard here, it stays listed {"messageId":"12:100","billerId":"12"}'],
    ]);
  });

  it('goes through any number of letters page by page, from the beginning each time', async () => {
    await start();
    await bench.bus.send(
      EVENTS.eventsTopic,
      Array.from({ length: 401 }, (_, index) => recordMessageOf(`unknown-${index}`)),
    );
    const receiver = bench.bus.receiver(PAYMENTS);
    for (const each of await receiver.receive({ max: 1_000, waitMs: 0 }))
      await receiver.deadLetter(each, { reason: 'r', description: 'd' });
    await bench.publish();
    await exhaust();
    const pages: (string | undefined)[] = [];
    const bus = faulty<MessageBus>(bench.bus, {
      peek: (source, options) => (pages.push(options.after), bench.bus.peek(source, options)),
    });
    const look = record({ bus });
    expect(await look('Payments')).toBe(1);
    expect(pages).toEqual([undefined, expect.any(String), expect.any(String)]);
    expect(await look('Payments')).toBe(0);
    expect(pages.slice(3)).toEqual(pages.slice(0, 3));
  });
});
