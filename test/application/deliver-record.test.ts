import { recordMessageOf } from '../support/record-messages';
import { type Database } from 'better-sqlite3';
import { type Settlement } from '../../src/application/messaging/settlement';
import { PortFailure } from '../../src/application/ports/failures';
import { type HeldShard, ShardRegistry } from '../../src/adapters/shared/shard-registry';
import { fetchChunk } from '../../src/application/fetching/fetch-chunk';
import { recordStory } from '../../src/adapters/command-line/record-story';
import { explainRecord } from '../../src/application/queries/explain-record';
import {
  deliveryAttemptStream,
  dpId,
  dpRecordStream,
  type ProfileVersion,
  shardName,
} from '../../src/domain/identifiers';
import { instantFromMs, plusMs } from '../../src/domain/instant';
import { accepted, json, type Reaction } from '../support/scripted-biller';
import { type Capability, DeliveryBench, KEY } from './delivery-bench';

let bench: DeliveryBench;
let opened: DeliveryBench | undefined;
const start = async (capability?: Capability, overrides?: Record<string, unknown>): Promise<DeliveryBench> => {
  opened = bench = await DeliveryBench.start(capability, overrides);
  await bench.publish();
  return bench;
};
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

/** Answers with the first reaction, then the second, and the last for ever. */
const inTurn = (...reactions: Reaction[]): Reaction => {
  let calls = 0;
  return (...call) => reactions[Math.min(calls++, reactions.length - 1)]!(...call);
};
/** As a load with corrections leaves the customer of the one row. */
const correctAccount = (account: string): unknown =>
  (bench.shard as unknown as { readonly database: Database }).database.exec(
    `UPDATE Customer SET AccountNumber = '${account}'`,
  );
const unavailable = json(503, { code: 'maintenance' });
const broken = json(500, { code: 'oops' });

describe('rule 0: a message is completed only when its record is safe', () => {
  it('delivers once, reconciles the row, and leaves no message behind', async () => {
    await start();
    await expect(bench.runUntilQuiet()).resolves.toEqual({ settle: 'complete' });
    expect(await bench.recordEvents()).toEqual([
      'DpRecordDiscovered',
      'DpRecordValidated',
      'DpRecordDelivered',
      'DpRecordReconciled',
    ]);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptAccepted']);
    const row = await bench.shard.findRow(dpId('100'));
    expect(row).toMatchObject({
      status: 'Delivered',
      details: [{ attempt: 1, outcome: 'Delivered', billerReference: 'R-1' }],
    });
    expect(bench.biller.business()).toHaveLength(1);
  });

  it('does not return a settlement while the successor is refused by the broker', async () => {
    await start('keys');
    bench.biller.react = unavailable;
    const message = (await bench.receive())!;
    const down = Object.assign(Object.create(bench.bus) as typeof bench.bus, {
      send: () => Promise.reject(new PortFailure('bus down', { code: 'unavailable', retryable: true })),
    });
    await expect(bench.handle(message, { bus: down })).rejects.toThrow('bus down');
  });

  it('numbers each hop, so that no message id is used twice', async () => {
    await start('keys');
    bench.biller.react = unavailable;
    const ids: string[] = [];
    for (let hop = 0; hop < 3; hop++) {
      const message = (await bench.receive())!;
      ids.push(message.messageId);
      await bench.settle(message, await bench.handle(message));
    }
    expect(ids).toEqual([KEY, `${KEY}:1`, `${KEY}:2`]);
  });
});

describe('rule 1: the contract comes first', () => {
  it('dead-letters a message that breaks it, with the reason', async () => {
    await start();
    const message = (await bench.receive())!;
    const settlement = await bench.handle({ ...message, body: { dpId: '100' } });
    expect(settlement).toMatchObject({ settle: 'dead-letter', reason: 'InvalidContract' });
    expect(bench.biller.business()).toHaveLength(0);
  });

  it.each([
    ['nested 100,000 deep', '['.repeat(100_000)],
    ['that is text', 'hello'],
    ['that is nothing', undefined],
    ['that is null', null],
  ])('dead-letters a body %s, in consumer and fetcher (issue 8, no 8)', async (_what, body) => {
    await start();
    const message = { ...(await bench.receive())!, body };
    const refused = { settle: 'dead-letter', reason: 'InvalidContract' };
    expect(await bench.handle(message)).toMatchObject(refused);
    expect(
      await fetchChunk(bench.ports, { eventsTopic: 'datapump-events', batchSize: 10, concurrentBillersMax: 1 })(
        message,
      ),
    ).toMatchObject(refused);
  });

  it('holds the message of another publisher while a shard is down, in consumer and fetcher, and sets none aside', async () => {
    opened = bench = await DeliveryBench.start();
    const down = {
      name: shardName('Shard-2'),
      close: async () => undefined,
      billersWithSettings: () => {
        throw new PortFailure('Shard-2: no such database', { code: 'not-found', retryable: false });
      },
    } as unknown as HeldShard;
    const shards = new ShardRegistry<HeldShard>([bench.shard, down]);
    const theirs = { dpId: 100, billerId: 12, source: { shard: 'of-theirs', table: 'dbo.datapump' } };
    await bench.bus.send('datapump-events', [recordMessageOf('foreign-1', theirs)]);
    const message = (await bench.receive())!;
    const outage = { code: 'unavailable', retryable: true };
    await expect(bench.handle(message, { shards })).rejects.toMatchObject(outage);
    const fetch = fetchChunk(
      { ...bench.ports, shards },
      { eventsTopic: 'datapump-events', batchSize: 10, concurrentBillersMax: 1 },
    );
    const chunk = { ...message, body: { billerId: '12', dpStart: '100', dpEnd: '100', messageId: '12:100+100' } };
    await expect(fetch(chunk)).rejects.toMatchObject(outage);
    Object.assign(down, { billersWithSettings: () => [] });
    expect(await bench.handle(message, { shards })).toEqual({ settle: 'complete' });
    expect(await fetch(chunk)).toEqual({ settle: 'complete' });
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('discovers and validates a record that another publisher sent', async () => {
    opened = bench = await DeliveryBench.start();
    await bench.bus.send('datapump-events', [recordMessageOf('foreign-1', { dpId: 100, billerId: 12 })]);
    await bench.runUntilQuiet();
    expect((await bench.recordEvents()).slice(0, 3)).toEqual([
      'DpRecordDiscovered',
      'DpRecordValidated',
      'DpRecordDelivered',
    ]);
  });
});

describe('the two bounds of the present (issue 9, no 13)', () => {
  it('a start is dated by the earliest that it can be, and owned until the latest', async () => {
    await start();
    const now = bench.clock.now();
    const shardClock = { ...bench.ports.shardClock, atMost: async () => plusMs(now, 100_000) };
    const message = (await bench.receive())!;
    await bench.handle(message, { shardClock });
    const [started] = await bench.eventStore.readStream(deliveryAttemptStream(KEY, 1));
    expect(started!.data).toMatchObject({ at: now, notAfter: plusMs(now, 102_000) });
  });
});

describe('rule 2: what is done is not done again', () => {
  it('completes a second message of a delivered record without a call', async () => {
    await start();
    const message = (await bench.receive())!;
    await bench.handle(message);
    await expect(bench.handle(message)).resolves.toEqual({ settle: 'complete' });
    expect(bench.biller.business()).toHaveLength(1);
  });

  it('only reconciles where the outcome is known and the shard was down', async () => {
    await start();
    const message = (await bench.receive())!;
    const failing = Object.assign(Object.create(bench.shard) as typeof bench.shard, {
      reconcile: () => Promise.reject(new PortFailure('shard down', { code: 'unavailable', retryable: true })),
    });
    const shards = { all: () => [failing], named: () => failing, ofBiller: async () => failing };
    await expect(bench.handle(message, { shards })).rejects.toThrow('shard down');
    bench.control = { ...bench.control, paused: { by: 'op', reason: 'why', since: bench.clock.now() } };
    await bench.handle(message);
    expect(await bench.rowStatus()).toBe('Delivered');
    expect(bench.biller.business()).toHaveLength(1);
  });
});

describe('rule 3: gates park, and spend nothing', () => {
  it('parks a record of a paused biller once per cause and delivers it after the pause', async () => {
    await start();
    bench.control = { ...bench.control, paused: { by: 'op', reason: 'why', since: bench.clock.now() } };
    await bench.runUntilQuiet({ messagesMax: 3 });
    expect(await bench.recordEvents()).toEqual(['DpRecordDiscovered', 'DpRecordValidated', 'DpRecordParked']);
    expect(bench.biller.business()).toHaveLength(0);
    bench.control = { ...bench.control, paused: undefined };
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Delivered');
    expect(await bench.attemptEvents(1)).toContain('DeliveryAttemptAccepted');
  });

  it.each([
    ['is away', new PortFailure('the event store is away', { code: 'unavailable', retryable: true })],
    ['holds a damaged page', new PortFailure('a page is damaged', { code: 'storage-damaged', retryable: false })],
    ['fails in a way that nobody foresaw', new Error('odd')],
  ])(
    'calls no biller while what holds the orders to it %s, and delivers when they can be read',
    async (_how, failure) => {
      await start();
      const message = (await bench.receive())!;
      const control = { state: () => Promise.reject(failure), order: async () => 'done' as const };
      await expect(bench.handle(message, { control })).rejects.toBe(failure);
      expect(bench.biller.business()).toHaveLength(0);
      expect(await bench.attemptEvents(1)).toEqual([]);
      await bench.handle(message);
      expect(await bench.rowStatus()).toBe('Delivered');
    },
  );

  it.each(['inquiry', 'keys'] as const)(
    'asks no biller and sends it nothing again (%s) while the orders to it cannot be read',
    async (capability) => {
      await start(capability);
      bench.biller.react = broken;
      const first = (await bench.receive())!;
      await bench.settle(first, await bench.handle(first));
      expect(bench.biller.business()).toHaveLength(1);
      const requests = bench.biller.business().length;
      const away = new PortFailure('the event store is away', { code: 'unavailable', retryable: true });
      const control = { state: () => Promise.reject(away), order: async () => 'done' as const };
      const message = (await bench.receive())!;
      bench.clock.ms += 60_000;
      await expect(bench.handle(message, { control })).rejects.toBe(away);
      expect(bench.biller.business()).toHaveLength(requests);
      bench.biller.react = accepted;
      await bench.handle(message);
      expect(bench.biller.business().length).toBeGreaterThan(requests);
    },
  );

  it('reconciles a known end although the orders to its biller cannot be read', async () => {
    await start();
    const message = (await bench.receive())!;
    const failing = Object.assign(Object.create(bench.shard) as typeof bench.shard, {
      reconcile: () => Promise.reject(new PortFailure('shard down', { code: 'unavailable', retryable: true })),
    });
    const shards = { all: () => [failing], named: () => failing, ofBiller: async () => failing };
    await expect(bench.handle(message, { shards })).rejects.toThrow('shard down');
    const control = { state: () => Promise.reject(new Error('odd')), order: async () => 'done' as const };
    await expect(bench.handle(message, { control })).resolves.toEqual({ settle: 'complete' });
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('cuts no Retry-After short where the time of the shard is known only roughly', async () => {
    await start();
    bench.biller.react = inTurn(json(429, {}, { 'retry-after': '20' }), accepted);
    const calledFrom = bench.clock.ms;
    const lagging = { ...bench.ports.shardClock, atLeast: async () => instantFromMs(bench.clock.ms - 15_000) };
    const message = (await bench.receive())!;
    await bench.settle(message, await bench.handle(message, { shardClock: lagging }));
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Delivered');
    expect(bench.clock.ms - calledFrom).toBeGreaterThanOrEqual(20_000);
  });

  it('keeps the hours of a biller', async () => {
    await start('keys', { Windows: [{ Days: ['Fri'], From: '12:00', To: '13:00', TimeZone: 'UTC' }] });
    await bench.runUntilQuiet({ messagesMax: 1 });
    expect(bench.biller.business()).toHaveLength(0);
    const message = await bench.receive(5 * 3_600_000);
    expect(bench.clock.now() >= '2026-11-20T12:00:00.000Z').toBe(true);
    await bench.handle(message!);
    expect(await bench.rowStatus()).toBe('Delivered');
  });
});

describe('rule 4: an open attempt belongs to its owner, then to the ladder', () => {
  const lost: Reaction = (_response, _request, socket) => socket.destroy();

  it('waits for the owner until notAfter and the quarantine are over', async () => {
    await start('keys');
    bench.biller.react = inTurn(lost, accepted);
    const first = (await bench.receive())!;
    const began = bench.clock.ms;
    await bench.settle(first, await bench.handle(first));
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptOutcomeUnknown']);
    const successor = (await bench.receive())!;
    expect(bench.clock.ms - began).toBeGreaterThanOrEqual(2_000 + 3_000);
    await bench.handle(successor);
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('resends identical bytes under the same key where the biller has keys', async () => {
    await start('keys');
    bench.biller.react = inTurn(broken, accepted);
    await bench.runUntilQuiet();
    const [one, two] = bench.biller.business();
    expect(two!.body).toBe(one!.body);
    expect(two!.headers['idempotency-key']).toBe(one!.headers['idempotency-key']);
    expect(await bench.attemptEvents(1)).toEqual([
      'DeliveryAttemptStarted',
      'DeliveryAttemptOutcomeUnknown',
      'DeliveryAttemptResent',
      'DeliveryAttemptAccepted',
    ]);
    expect(await bench.attemptEvents(2)).toEqual([]);
  });

  it('sends again at the rate that an operator ordered, as it called at first', async () => {
    await start('keys');
    const rates: unknown[] = [];
    bench.allowance = {
      take: (_biller, { perSecond, wanted }) => {
        rates.push(perSecond);
        return Promise.resolve({ granted: wanted, retryAfterMs: 0 });
      },
    };
    bench.control = { paused: undefined, ratePerSecond: 3 };
    bench.biller.react = inTurn(broken, accepted);
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toHaveLength(2);
    expect(rates.length).toBeGreaterThan(0);
    expect(new Set(rates)).toEqual(new Set([3]));
  });

  it('leaves a biller alone that throttles the second call, for as long as it asked, whichever message comes first', async () => {
    await start('keys');
    const calledAt: number[] = [];
    const reactions = inTurn(broken, json(429, {}, { 'retry-after': '40' }), accepted);
    bench.biller.react = (response, request, socket) => {
      calledAt.push(bench.clock.ms);
      reactions(response, request, socket);
    };
    const message = (await bench.receive())!;
    await bench.settle(message, await bench.handle(message));
    const second = (await bench.receive())!;
    await bench.handle(second);
    // Its lock was lost: the same message comes again, long before the biller wants to be called.
    bench.clock.ms += 10_000;
    await bench.settle(second, await bench.handle(second));
    await bench.runUntilQuiet();
    expect(calledAt).toHaveLength(3);
    expect(calledAt[2]! - calledAt[1]!).toBeGreaterThanOrEqual(40_000);
    expect(await bench.attemptEvents(1)).toEqual([
      'DeliveryAttemptStarted',
      'DeliveryAttemptOutcomeUnknown',
      'DeliveryAttemptResent',
      'DeliveryAttemptOutcomeUnknown',
      'DeliveryAttemptResent',
      'DeliveryAttemptAccepted',
    ]);
  });

  it('a customer corrected while a call is open: not sent again, a person decides; the next record goes to the new account (issue 8, no 20)', async () => {
    await start('keys');
    bench.biller.react = inTurn(broken, accepted);
    const first = (await bench.receive())!;
    await bench.settle(first, await bench.handle(first));
    correctAccount('000777');
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toHaveLength(1);
    expect(
      (await bench.eventStore.readStream(dpRecordStream(KEY))).map(({ data }) => (data as { cause?: string }).cause),
    ).toContain('bytes-changed');
    expect(await bench.rowStatus()).toBe('InDoubt');
  });

  it('a customer corrected before the call is sent with the new account number, without another verdict (issue 8, no 20)', async () => {
    await start('keys');
    correctAccount('000777');
    bench.biller.react = accepted;
    await bench.runUntilQuiet();
    expect(bench.biller.business().map(({ body }) => body)).toEqual([expect.stringContaining('000777')]);
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('sends again no faster than an operator ordered', async () => {
    await start('keys');
    const rates: number[] = [];
    bench.allowance = {
      take: (_biller, { perSecond, wanted }) => (
        rates.push(perSecond),
        Promise.resolve({ granted: wanted, retryAfterMs: 0 })
      ),
    };
    bench.control = { ...bench.control, ratePerSecond: 3 };
    bench.biller.react = inTurn(broken, accepted);
    await bench.runUntilQuiet();
    expect(await bench.attemptEvents(1)).toContain('DeliveryAttemptResent');
    expect(rates).toEqual([3, 3]);
  });

  it('does not resend once the key may be forgotten', async () => {
    await start('keys', { Idempotency: { Header: 'Idempotency-Key', Retention: '1m', Margin: '10s' } });
    bench.biller.react = broken;
    const message = (await bench.receive())!;
    await bench.handle(message);
    bench.clock.ms += 60_000;
    await bench.handle(message);
    expect(bench.biller.business()).toHaveLength(1);
    expect(await bench.rowStatus()).toBe('InDoubt');
  });

  it('asks a biller that can be asked, and never sends again what was posted', async () => {
    await start('inquiry');
    bench.biller.react = (response, request, socket) =>
      request.method === 'GET'
        ? json(200, { state: 'posted', reference: 'R-9', amountMinorUnits: 1234 })(response, request, socket)
        : broken(response, request, socket);
    await bench.runUntilQuiet();
    expect(bench.biller.business().filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect(await bench.attemptEvents(1)).toContain('DeliveryAttemptResolvedByInquiry');
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('starts the next attempt only where the biller says the first had no effect', async () => {
    await start('inquiry');
    let posts = 0;
    bench.biller.react = (response, request, socket) => {
      if (request.method === 'GET') return json(404, { state: 'absent' })(response, request, socket);
      return (++posts === 1 ? broken : accepted)(response, request, socket);
    };
    await bench.runUntilQuiet();
    expect(await bench.attemptEvents(2)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptAccepted']);
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('holds another amount for a person', async () => {
    await start('inquiry');
    bench.biller.react = (response, request, socket) =>
      request.method === 'GET'
        ? json(200, { state: 'posted', reference: 'R-9', amountMinorUnits: 99 })(response, request, socket)
        : broken(response, request, socket);
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('InDoubt');
  });

  it('goes straight to a person where the biller offers neither', async () => {
    await start('neither');
    bench.biller.react = broken;
    await expect(bench.runUntilQuiet()).resolves.toEqual({ settle: 'complete' });
    expect(bench.biller.business()).toHaveLength(1);
    expect(await bench.rowStatus()).toBe('InDoubt');
    expect(await bench.recordEvents()).toContain('DpRecordHeldInDoubt');
  });

  it('judges the doubt by the profile version that the attempt was started with', async () => {
    await start('neither');
    bench.biller.react = broken;
    const message = (await bench.receive())!;
    await bench.handle(message);
    // The present profile would ask; the stored one cannot.
    const asking = await DeliveryBench.start('inquiry');
    bench.profile = { ...asking.profile, version: 'other' as ProfileVersion };
    await asking.close();
    bench.clock.ms += 10_000;
    await bench.handle(message);
    expect(bench.biller.business()).toHaveLength(1);
    expect(await bench.rowStatus()).toBe('InDoubt');
  });
});

describe('rule 5: what is sent is what stands there now', () => {
  it('withdraws a record whose row vanished', async () => {
    await start();
    const message = (await bench.receive())!;
    const gone = Object.assign(Object.create(bench.shard) as typeof bench.shard, { findRow: async () => undefined });
    const shards = { all: () => [gone], named: () => gone, ofBiller: async () => gone };
    await bench.handle(message, { shards });
    expect(await bench.recordEvents()).toContain('DpRecordWithdrawn');
    expect(bench.biller.business()).toHaveLength(0);
  });

  it('validates again where the validated fields changed', async () => {
    await start();
    const message = (await bench.receive())!;
    const row = (await bench.shard.findRow(dpId('100')))!;
    const changed = Object.assign(Object.create(bench.shard) as typeof bench.shard, {
      findRow: async () => ({ ...row, biller: { ...row.biller!, active: false } }),
    });
    const shards = { all: () => [changed], named: () => changed, ofBiller: async () => changed };
    await bench.handle(message, { shards });
    expect(await bench.recordEvents()).toContain('DpRecordRejected');
    expect(bench.biller.business()).toHaveLength(0);
  });

  it('spends no attempt where the request cannot be prepared', async () => {
    await start();
    const message = (await bench.receive())!;
    const gateway = Object.assign(Object.create(bench.ports.gateway) as typeof bench.ports.gateway, {
      prepare: () =>
        Promise.reject(new PortFailure('no token', { code: 'token-refused', retryable: true, retryAfterMs: 1_000 })),
    });
    await expect(bench.handle(message, { gateway })).resolves.toEqual({ settle: 'complete' });
    expect(await bench.attemptEvents(1)).toEqual([]);
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Delivered');
  });
});

describe('rule 6: one owner per attempt', () => {
  it('lets one of many consumers call, the others come back later', async () => {
    await start();
    const message = (await bench.receive())!;
    await Promise.all(Array.from({ length: 8 }, () => bench.handle(message)));
    expect(bench.biller.business()).toHaveLength(1);
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toHaveLength(1);
    expect(await bench.rowStatus()).toBe('Delivered');
  });
});

describe('rule 7: nothing leaves too late', () => {
  it('closes an attempt as NotSent where its owner slept past the deadline', async () => {
    await start();
    const message = (await bench.receive())!;
    const history = {
      ...bench.ports.history,
      appendToAttempt: async (...call: Parameters<typeof bench.ports.history.appendToAttempt>) => {
        const appended = await bench.ports.history.appendToAttempt(...call);
        if (call[3][0]?.type === 'DeliveryAttemptStarted') bench.clock.ms += 5_000;
        return appended;
      },
    };
    await bench.handle(message, { history });
    expect(bench.biller.business()).toHaveLength(0);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptNotSent']);
    await bench.runUntilQuiet();
    expect(await bench.attemptEvents(2)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptAccepted']);
  });
});

describe('rule 8: exactly one event closes an attempt', () => {
  it('keeps of an answer that settles nothing what an integrator needs, for as long as it is kept (issue 8, no 15)', async () => {
    await start('neither');
    bench.biller.react = json(200, {
      state: 'QUEUED',
      reason: 'E-7',
      holder: 'Ada <Lovelace>',
      account: 'A&1',
      card: '4111 1111 1111 1111',
    });
    await bench.runUntilQuiet();
    const explain = explainRecord({ ...bench.ports, eventStore: bench.eventStore, snippets: () => bench.snippets });
    const story = recordStory(await explain(KEY, { now: bench.clock.now() })).join('\n');
    expect(story).toMatch(/no clear answer \(http-200, HTTP 200, application\/json\): it may or may not/);
    expect(story).toMatch(/the answer, masked: \{"state":"QUEUED","reason":"E-7",/);
    expect(story).not.toMatch(/Ada|Lovelace|A&1|4111/);
    expect(JSON.stringify(await bench.eventStore.readStream(deliveryAttemptStream(KEY, 1)))).not.toContain('QUEUED');
    expect(await bench.snippets.forget(plusMs(bench.clock.now(), 1))).toBe(1);
    expect(recordStory(await explain(KEY, { now: bench.clock.now() })).join('\n')).not.toContain('QUEUED');
  });

  it('takes 500 as unknown, never as not executed', async () => {
    await start('neither');
    bench.biller.react = inTurn(broken, accepted);
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toHaveLength(1);
  });

  it('asks a biller that throttles without saying for how long ever more rarely, and no longer than its age allows (issue 8, no 9)', async () => {
    await start('keys', { RetrySchedule: { Kind: 'Fixed', Waits: ['1s'], MaxAge: '10m' } });
    bench.biller.react = json(429, {});
    expect(await bench.runUntilQuiet({ withinMs: 120_000 })).toMatchObject({ settle: 'dead-letter', reason: 'TooOld' });
    expect(bench.biller.business().length).toBeGreaterThan(8);
    expect(bench.biller.business().length).toBeLessThan(30);
  });

  it('waits for the one that finds out, calling nothing, until its age is over (issue 8, no 9)', async () => {
    await start('keys', { RetrySchedule: { Kind: 'Fixed', Waits: ['1s'], MaxAge: '10m' } });
    const throttled = {
      ...bench.ports.gateway,
      permit: async () => ({ granted: false as const, cause: 'throttled' as const, retryAfterMs: 60_000 }),
    };
    let settled: Settlement | undefined;
    for (let hops = 0; hops < 30 && settled?.settle !== 'dead-letter'; hops++) {
      const message = (await bench.receive(120_000))!;
      settled = await bench.handle(message, { gateway: throttled });
      await bench.settle(message, settled);
    }
    expect(settled).toMatchObject({ settle: 'dead-letter', reason: 'TooOld' });
    expect(bench.biller.business()).toEqual([]);
    expect(await bench.attemptEvents(1)).toEqual(['DeliveryAttemptStarted', 'DeliveryAttemptNotSent']);
    expect((await bench.recordEvents()).filter((type) => type === 'DpRecordParked')).toHaveLength(1);
  });

  it('parks on 429 as long as the biller asks and spends no try', async () => {
    await start('keys', { RetrySchedule: { Kind: 'Fixed', Waits: ['1s'], MaxAge: '1h' } });
    bench.biller.react = inTurn(...[1, 2, 3].map(() => json(429, {}, { 'retry-after': '7' })), accepted);
    const began = bench.clock.ms;
    await bench.runUntilQuiet();
    expect(bench.clock.ms - began).toBeGreaterThanOrEqual(21_000);
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('keeps a late answer beside what closed the attempt, and suspects a double', async () => {
    await start('inquiry');
    const message = (await bench.receive())!;
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    const gateway = Object.assign(Object.create(bench.ports.gateway) as typeof bench.ports.gateway, {
      prepare: async (request: Parameters<typeof bench.ports.gateway.prepare>[0]) => ({
        requestHash: (await bench.ports.gateway.prepare(request)).requestHash,
        send: async () => (await held, { kind: 'accepted' as const, httpStatus: 200, billerReference: 'R-late' }),
      }),
    });
    const owner = bench.handle(message, { gateway });
    while ((await bench.attemptEvents(1)).length === 0) await new Promise(setImmediate);
    bench.clock.ms += 20_000;
    bench.biller.react = (response, request, socket) =>
      request.method === 'GET'
        ? json(404, { state: 'absent' })(response, request, socket)
        : accepted(response, request, socket);
    await bench.handle(message);
    answer();
    await owner;
    expect(await bench.attemptEvents(1)).toEqual([
      'DeliveryAttemptStarted',
      'DeliveryAttemptResolvedByInquiry',
      'LateOutcomeObserved',
      'DoublePostSuspected',
    ]);
  });
});

describe('rule 9: outcomes end in the shard and in the stream', () => {
  it('records a decline as final', async () => {
    await start();
    bench.biller.react = json(422, { status: 'declined', code: 'account-closed' });
    await bench.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Declined');
    expect(bench.biller.business()).toHaveLength(1);
  });

  it('retries what was not executed by the schedule, then dead-letters it', async () => {
    await start();
    bench.biller.react = unavailable;
    await expect(bench.runUntilQuiet()).resolves.toMatchObject({ settle: 'dead-letter', reason: 'AttemptsUsedUp' });
    expect(bench.biller.business().length).toBeGreaterThan(1);
    expect(await bench.rowStatus()).toBe('Failed');
    const keys = new Set(bench.biller.business().map(({ headers }) => headers['idempotency-key']));
    expect(keys.size).toBe(1);
  });

  it('stops a record whose row knows more than its stream', async () => {
    await start();
    await bench.shard.reconcile({
      dpId: dpId('100'),
      to: 'Delivered',
      from: ['Queued', 'Published'],
      detail: {
        attempt: 1,
        outcome: 'Delivered',
        billerReference: 'R-0',
        code: undefined,
        recordedAt: bench.clock.now(),
      },
    });
    await expect(bench.runUntilQuiet()).resolves.toMatchObject({ settle: 'dead-letter', reason: 'HistoryBehind' });
    expect(bench.biller.business()).toHaveLength(0);
  });
});
