import { PortFailure } from '../../src/application/ports/failures';
import { type EventStore } from '../../src/application/ports/event-store';
import { type Shard } from '../../src/application/ports/shard';
import { createHistory } from '../../src/application/history/history';
import { createShardClock } from '../../src/application/shard-clock';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { accepted, json, type Reaction } from '../support/scripted-biller';
import { type Capability, DeliveryBench } from './delivery-bench';

/** Every question to the shard is a query: nothing is known of its time without asking it. */
const SAMPLE_MS = 0;
const unavailable = (what: string) => new PortFailure(`${what} is out`, { code: 'unavailable', retryable: true });

let bench: DeliveryBench;
afterEach(() => bench.close());

/** A bench whose shard and whose event store's reads go out when the biller has the call, and stay out until `mend`. */
async function outAtTheCall(
  capability: Capability,
  reactions: readonly Reaction[],
  options: { readonly outAtCall: number; readonly readsToo?: boolean },
) {
  bench = await DeliveryBench.start(capability);
  await bench.publish();
  let isOut = false;
  const steppedShard = Object.assign(Object.create(bench.shard) as typeof bench.shard, {
    now: async () => bench.clock.now(),
  });
  const shard = failing<Shard>(
    steppedShard,
    () => isOut,
    () => true,
  );
  const eventStore: EventStore = failing(
    bench.eventStore,
    () => isOut && (options.readsToo ?? false),
    (method) => method === 'readStream',
  );
  const shards = { all: () => [shard], named: () => shard, ofBiller: async () => shard };
  const history = createHistory({ eventStore, chance: new SystemChance(), clock: bench.clock }, 'test');
  let calls = 0;
  bench.biller.react = (...call) => {
    isOut = ++calls >= options.outAtCall;
    reactions[Math.min(calls, reactions.length) - 1]!(...call);
  };
  return {
    ports: { shards, history, shardClock: createShardClock(bench.clock, SAMPLE_MS) },
    mend: () => {
      isOut = false;
    },
  };
}

/** Fails as the real one does while it is out: every method that asks it something. */
function failing<Port extends EventStore | Shard>(
  port: Port,
  isOut: () => boolean,
  asks: (method: string) => boolean,
): Port {
  return new Proxy(port, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...parameters: unknown[]) =>
        isOut() && asks(String(name))
          ? Promise.reject(unavailable(String(name)))
          : (member as (...all: unknown[]) => unknown).apply(target, parameters);
    },
  });
}

describe('rule 9: what the biller said is appended first, whatever else is down (issue 9, no 2)', () => {
  it.each<[string, Reaction, DeliveryAttemptEvent['type']]>([
    ['accepts', accepted, 'DeliveryAttemptAccepted'],
    ['declines', json(422, { status: 'declined', code: 'account-closed' }), 'DeliveryAttemptDeclined'],
    ['throttles', json(429, {}), 'DeliveryAttemptThrottled'],
    ['refuses for now', json(503, { code: 'maintenance' }), 'DeliveryAttemptNotExecuted'],
    ['answers what nobody understands', json(500, { code: 'oops' }), 'DeliveryAttemptOutcomeUnknown'],
  ])('where the biller %s and the shard went out meanwhile', async (_how, reaction, event) => {
    const { ports, mend } = await outAtTheCall('keys', [reaction], { outAtCall: 1 });
    const message = (await bench.receive())!;
    await expect(bench.handle(message, ports)).rejects.toThrow('is out');
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', event]);
    mend();
    await bench.handle(message, ports);
    expect(await bench.recordEvents()).not.toContain('DpRecordHeldInDoubt');
    expect(bench.biller.business()).toHaveLength(1);
  });

  it('where a resend is answered and the shard went out meanwhile', async () => {
    const { ports, mend } = await outAtTheCall('keys', [json(500, { code: 'oops' }), accepted], { outAtCall: 2 });
    const message = (await bench.receive())!;
    await bench.handle(message, ports);
    bench.clock.ms += 10_000;
    await expect(bench.handle(message, ports)).rejects.toThrow('is out');
    expect((await bench.attemptEvents(1)).slice(-2)).toEqual(['DeliveryAttemptResent', 'DeliveryAttemptAccepted']);
    mend();
    await bench.handle(message, ports);
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('where an inquiry is answered and the shard went out meanwhile', async () => {
    const asked = json(200, { state: 'posted', reference: 'R-9', amountMinorUnits: 1234 });
    const { ports, mend } = await outAtTheCall('inquiry', [json(500, { code: 'oops' }), asked], { outAtCall: 2 });
    const message = (await bench.receive())!;
    await bench.handle(message, ports);
    bench.clock.ms += 10_000;
    await expect(bench.handle(message, ports)).rejects.toThrow('is out');
    expect(await bench.attemptEvents(1)).toContain('DeliveryAttemptResolvedByInquiry');
    mend();
    await bench.handle(message, ports);
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('where the append meets a conflict and the stream cannot be read for a while', async () => {
    const { ports, mend } = await outAtTheCall('keys', [accepted], { outAtCall: 1, readsToo: true });
    const message = (await bench.receive())!;
    const slept = bench.clock.sleep;
    let sleeps = 0;
    bench.clock.sleep = async (ms) => {
      if (++sleeps === 3) mend();
      await slept(ms);
    };
    const { append } = bench.eventStore;
    let conflicts = 0;
    bench.eventStore.append = async function (this: typeof bench.eventStore, ...parameters) {
      const type = parameters[2][0]?.type;
      // Somebody else adds to the attempt's stream just before the answer does.
      if (type === 'DeliveryAttemptAccepted' && conflicts++ === 0) {
        const observed = {
          id: new SystemChance().uuid(),
          type: 'DeliveryAttemptOutcomeUnknown',
          data: { code: 'x', at: bench.clock.now(), observation: 1 },
          metadata: { by: 'other', at: bench.clock.now() },
        };
        await append.call(this, parameters[0], parameters[1], [observed]);
      }
      return append.apply(this, parameters);
    };
    await bench.handle(message, ports);
    expect(sleeps).toBeGreaterThanOrEqual(3);
    expect(await bench.attemptEvents(1)).toEqual([
      'DeliveryAttemptStarted',
      'DeliveryAttemptOutcomeUnknown',
      'DeliveryAttemptAccepted',
    ]);
    expect(await bench.rowStatus()).toBe('Delivered');
  });
});
