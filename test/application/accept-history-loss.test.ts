import { randomUUID } from 'node:crypto';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import {
  acceptHistoryLoss,
  type AcceptHistoryLossPorts,
  planHistoryLoss,
} from '../../src/application/operating/accept-history-loss';
import { checkHistory } from '../../src/application/history/check-history';
import { type History } from '../../src/application/history/history';
import { createHistory } from '../../src/application/history/history';
import { createHistoryGuard, HISTORY_LOOK_MS } from '../../src/application/history/history-guard';
import { type EventStore, type Position } from '../../src/application/ports/event-store';
import { PortFailure } from '../../src/application/ports/failures';
import { type Shard } from '../../src/application/ports/shard';
import { listInDoubt } from '../../src/application/queries/list-in-doubt';
import { resolveByOperator } from '../../src/application/operating/resolve-by-operator';
import { type ResolvedOutcome } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { ROW_STATUSES, type RowStatus } from '../../src/domain/dp-record/row-status';
import {
  deliveryAttemptStream,
  dpId,
  dpRecordStream,
  historyLossStream,
  shardName,
  type StreamName,
} from '../../src/domain/identifiers';
import { type Instant, msBetween } from '../../src/domain/instant';
import { startOf } from '../support/events';
import { accepted } from '../support/scripted-biller';
import { DeliveryBench, KEY } from './delivery-bench';

const ORDER = { by: 'ann', claimedBy: 'root', reason: 'the disk broke' };
const TOPOLOGY = { eventsTopic: 'datapump-events', subscriptions: { Payments: 'payments', Paperless: 'paperless', AutoPay: 'autopay', ACHRejects: 'achrejects' } } as const; // prettier-ignore

/** A bench whose event store is lost: another, empty one stands in its place. */
class Loss {
  readonly store = new SqliteEventStore({ path: ':memory:' });
  readonly history: History;

  private constructor(readonly bench: DeliveryBench) {
    this.history = createHistory({ eventStore: this.store, chance: bench.ports.chance, clock: bench.clock }, 'test');
  }

  /** The shard has noted the store before it was lost. */
  static async of(bench: DeliveryBench): Promise<Loss> {
    const { shards, clock, telemetry } = bench.ports;
    const data = {};
    await bench.eventStore.append('dpRecord-12:99' as StreamName, 'new', [
      { id: randomUUID(), type: 'Tested', data, metadata: { by: 'test', at: clock.now() } },
    ]);
    await createHistoryGuard({ eventStore: bench.eventStore, shards, witnesses: [], clock, telemetry }).look();
    return new Loss(bench);
  }

  ports(changes: Partial<AcceptHistoryLossPorts> = {}): AcceptHistoryLossPorts {
    const { shards, profiles, digest, clock, chance, telemetry } = this.bench.ports;
    return {
      eventStore: this.store,
      history: this.history,
      shards,
      witnesses: [],
      profiles,
      digest,
      clock,
      chance,
      telemetry,
      ...changes,
    };
  }

  accept = (restoredTo?: Instant) => acceptHistoryLoss(this.ports(), { ...ORDER, ...(restoredTo && { restoredTo }) });

  faults = async (): Promise<readonly string[]> =>
    (await checkHistory(this.ports())).findings.map(({ fault }) => fault);

  resolve(outcome: ResolvedOutcome) {
    const { bus, shards, shardClock, profiles, chance, telemetry } = this.bench.ports;
    const ports = { history: this.history, bus, shards, shardClock, profiles, chance, telemetry };
    return resolveByOperator(
      ports,
      TOPOLOGY,
    )({ record: KEY, outcome, evidence: 'the books', by: 'ann', reason: 'asked' });
  }

  async runUntilQuiet(): Promise<void> {
    for (let messages = 0; messages < 20; messages++) {
      const message = await this.bench.receive();
      if (!message) return;
      await this.bench.settle(message, await this.bench.handle(message, { history: this.history }));
    }
  }

  types = async (stream: Parameters<EventStore['readStream']>[0]): Promise<readonly string[]> =>
    (await this.store.readStream(stream)).map(({ type }) => type);
}

const CALLS = async (bench: DeliveryBench): Promise<readonly (string | undefined)[]> =>
  bench.biller.business().map(({ headers }) => headers['idempotency-key'] as string | undefined);

/** What the acceptance works on, of a bench whose records a consumer has delivered. */
const portsOf = ({ ports, eventStore }: DeliveryBench) => ({ ...ports, eventStore, witnesses: [] });

describe('an accepted loss of history (issue 8, no 4)', () => {
  let bench: DeliveryBench;
  let loss: Loss;
  beforeEach(async () => {
    bench = await DeliveryBench.start('keys');
    loss = await Loss.of(bench);
  });
  afterEach(async () => {
    await loss.store.close();
    await bench.close();
  });
  const forgetResult = (): void =>
    void (bench.shard as unknown as { database: { exec(sql: string): void } }).database.exec('DELETE FROM DpDetail');
  const setStatus = (status: RowStatus): void =>
    void (bench.shard as unknown as { database: { prepare(sql: string): { run(value: string): void } } }).database
      .prepare('UPDATE datapump SET Status = ?')
      .run(status);

  const HELD: readonly RowStatus[] = ['Queued', 'Published', 'Failed', 'InDoubt'];
  it.each(ROW_STATUSES.map((status) => [status, HELD.includes(status)] as const))(
    'a row %s is held: %s',
    async (status, held) => {
      setStatus(status);
      const plan = await planHistoryLoss(loss.ports());
      expect(plan.shards[0]!.rows.reduce((sum, { count }) => sum + count, 0)).toBe(held ? 1 : 0);
      expect(await loss.accept()).toEqual({ held: held ? 1 : 0, finished: 0, known: 0, another: 0 });
      expect(await bench.rowStatus()).toBe(held ? 'InDoubt' : status);
      expect(await loss.types(dpRecordStream(KEY))).toEqual(
        held ? ['DpRecordDiscovered', 'DpRecordHeldInDoubt', 'DpRecordReconciled'] : [],
      );
      expect(await loss.faults()).toEqual([]);
    },
  );

  it.each(ROW_STATUSES.map((status) => [status, status === 'New' || HELD.includes(status)] as const))(
    'where the shard was restored too, a row %s is held: %s',
    async (status, held) => {
      setStatus(status);
      await loss.accept(bench.clock.now());
      expect(await bench.rowStatus()).toBe(held ? 'InDoubt' : status);
    },
  );

  it('a shard that remembers less than another is taken for restored', async () => {
    setStatus('New');
    const known = (await bench.shard.knownHistory())!;
    const mark = { ...known.mark!, position: String(Number(known.mark!.position) + 1) as Position };
    const witness = { name: 'witness', knownHistory: async () => ({ ...known, mark }), noteHistory: async () => true };
    expect((await planHistoryLoss(loss.ports({ witnesses: [witness] }))).shards[0]).toMatchObject({ restored: true });
    expect((await planHistoryLoss(loss.ports())).shards[0]).toMatchObject({ restored: false });
  });

  it('is accepted with every witness or not at all: one out of reach would refuse the others for ever', async () => {
    const gone = () => Promise.reject(new PortFailure('gone', { code: 'unavailable', retryable: true }));
    const witnesses = [{ name: 'witness', knownHistory: gone, noteHistory: gone }];
    await expect(acceptHistoryLoss(loss.ports({ witnesses }), ORDER)).rejects.toThrow(/witness is out of reach/);
    expect(await loss.types(historyLossStream)).toEqual([]);
    expect(await bench.rowStatus()).toBe('Queued');
  });

  it('says who, why, and what became of it, and lists the record with its key', async () => {
    await loss.accept();
    const [accepted, concluded] = await loss.store.readStream(historyLossStream);
    expect(accepted).toMatchObject({
      type: 'HistoryLossAccepted',
      data: { ...ORDER, lost: ['Shard-1: new'], restoredShards: [] },
    });
    expect(concluded).toMatchObject({ type: 'HistoryLossConcluded', data: { held: 1, finished: 0, left: 0 } });
    const { records } = await listInDoubt({ shards: bench.ports.shards, eventStore: loss.store })({ max: 10 });
    const [listed] = records;
    expect(listed).toMatchObject({
      record: KEY,
      cause: 'history-lost',
      attempt: 1,
      idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
  });

  it('does not conclude while a row cannot be read, so that nothing runs, and holds it when it was restored', async () => {
    const database = (bench.shard as unknown as { database: { exec(sql: string): void } }).database;
    database.exec(`PRAGMA ignore_check_constraints = ON; UPDATE datapump SET CreatedAt = 'no date'`);
    await expect(loss.accept()).rejects.toMatchObject({
      code: 'storage-damaged',
      message: expect.stringMatching(/failed to hold every row, so nothing may run yet.*row 100 is damaged/) as string,
    });
    expect(await loss.types(historyLossStream)).toEqual(['HistoryLossAccepted']);
    expect(await loss.faults()).toEqual(['unfinished']);

    database.exec(`UPDATE datapump SET CreatedAt = '2026-11-20T07:00:00.000Z'`);
    expect(await loss.accept()).toMatchObject({ held: 1 });
    expect(await loss.types(historyLossStream)).toEqual([
      'HistoryLossAccepted',
      'HistoryLossAccepted',
      'HistoryLossConcluded',
    ]);
    expect(await loss.faults()).toEqual([]);
    expect(await bench.rowStatus()).toBe('InDoubt');
  });

  it('a message that is still around posts nothing', async () => {
    await bench.publish();
    await loss.accept();
    await loss.runUntilQuiet();
    expect(await CALLS(bench)).toEqual([]);
    expect(await bench.rowStatus()).toBe('InDoubt');
  });

  it.each<readonly [ResolvedOutcome, RowStatus]>([
    ['accepted', 'Delivered'],
    ['declined', 'Declined'],
  ])('a person resolves it as %s: its row is %s, and nothing is posted', async (outcome, status) => {
    await loss.accept();
    expect(await loss.resolve(outcome)).toEqual({ result: 'resolved', attempt: 1 });
    await loss.runUntilQuiet();
    expect(await bench.rowStatus()).toBe(status);
    expect(await CALLS(bench)).toEqual([]);
  });

  it('a person says not-executed, not before the quarantine is over: it is delivered, once, under the same key', async () => {
    bench.biller.react = accepted;
    await bench.publish();
    await bench.runUntilQuiet({ messagesMax: 1 });
    const [before] = await CALLS(bench);
    forgetResult();
    setStatus('Published');
    await loss.accept();
    expect(await loss.resolve('not-executed')).toMatchObject({ result: 'refused' });
    // A call may have left just before: it has its own time first.
    const [start] = await loss.store.readStream(deliveryAttemptStream(KEY, 1));
    const { at, notAfter } = start!.data as { at: Instant; notAfter: Instant };
    expect(msBetween(at, notAfter)).toBe(bench.profile.timeoutMs);
    // Rows are held by the shard's own clock, which the test does not step.
    bench.clock.ms = Date.now() + 10_000;
    expect(await loss.resolve('not-executed')).toEqual({ result: 'resolved', attempt: 1 });
    await loss.runUntilQuiet();
    const calls = await CALLS(bench);
    expect(calls).toEqual([before, before]);
    expect(await loss.types(deliveryAttemptStream(KEY, 2))).toContain('DeliveryAttemptAccepted');
  });

  it('numbers its attempt above every one that the row tells of', async () => {
    await bench.shard.reconcile({
      dpId: dpId('100'), to: 'Delivered', from: ['Queued'],
      detail: { attempt: 3, outcome: 'Delivered', billerReference: 'r', code: undefined, recordedAt: bench.clock.now() },
    }); // prettier-ignore
    setStatus('Published');
    await loss.accept();
    expect(await loss.types(deliveryAttemptStream(KEY, 4))).toEqual(['DeliveryAttemptStarted']);
    expect((await loss.history.record(KEY)).state).toMatchObject({ status: 'in-doubt', attempt: 4, nextAttempt: 4 });
    await loss.resolve('accepted');
    await loss.runUntilQuiet();
    expect(await bench.rowStatus()).toBe('Delivered');
  });

  it('ends in the same place when it dies at any call of a port and is repeated', async () => {
    for (let fatal = 1; ; fatal++) {
      const bench = await DeliveryBench.start('keys');
      const loss = await Loss.of(bench);
      let calls = 0;
      const dying = <Port extends object>(port: Port): Port =>
        new Proxy(port, {
          get(target, name) {
            const member: unknown = Reflect.get(target, name, target);
            if (typeof member !== 'function') return member;
            return (...parameters: unknown[]): unknown => {
              if (name !== 'now' && ++calls > fatal) throw new Error('killed');
              return (member as (...all: unknown[]) => unknown).apply(target, parameters);
            };
          },
        });
      const store = dying<EventStore>(loss.store);
      const shard = dying<Shard>(bench.shard);
      const died = await acceptHistoryLoss(
        loss.ports({
          eventStore: store,
          history: createHistory({ eventStore: store, chance: bench.ports.chance, clock: bench.clock }, 'test'),
          shards: { all: () => [shard], named: () => shard, ofBiller: async () => shard },
        }),
        ORDER,
      ).then(
        () => false,
        () => true,
      );
      if (died) {
        expect(await loss.faults()).not.toEqual([]);
        await loss.accept();
      }
      expect(await bench.rowStatus()).toBe('InDoubt');
      expect(await loss.types(dpRecordStream(KEY))).toEqual([
        'DpRecordDiscovered',
        'DpRecordHeldInDoubt',
        'DpRecordReconciled',
      ]);
      expect(await loss.types(deliveryAttemptStream(KEY, 1))).toEqual(['DeliveryAttemptStarted']);
      expect(await loss.faults()).toEqual([]);
      await loss.store.close();
      await bench.close();
      if (!died) {
        expect(fatal).toBeGreaterThan(10);
        return;
      }
    }
  });
});

/** The store is an older copy of the right one: what it still tells is used. */
describe('a loss of the newest part of the history (issue 8, no 4)', () => {
  const benches: DeliveryBench[] = [];
  const started = async (): Promise<DeliveryBench> => {
    benches.push(await DeliveryBench.start('keys'));
    return benches.at(-1)!;
  };
  afterEach(() => Promise.all(benches.splice(0).map((bench) => bench.close())));

  it.each<readonly [string, (bench: DeliveryBench) => Promise<void>, RowStatus, readonly string[], string]>([
    ['judged, never called', async () => undefined, 'InDoubt', ['DeliveryAttemptStarted'], 'held'],
    [
      'delivered: the row follows',
      async (bench) => {
        bench.biller.react = accepted;
        await bench.runUntilQuiet();
      },
      'Delivered',
      ['DeliveryAttemptStarted', 'DeliveryAttemptAccepted'],
      'finished',
    ],
  ])('a record %s', async (_, before, status, attempt, result) => {
    const bench = await started();
    await bench.publish();
    await before(bench);
    // The shard was restored to a time when its row was on its way.
    (bench.shard as unknown as { database: { exec(sql: string): void } }).database.exec(
      `UPDATE datapump SET Status = 'Published'; DELETE FROM DpDetail`,
    );
    const { clock } = bench.ports;
    const ports = portsOf(bench);
    const restoredTo = clock.now();
    expect(await acceptHistoryLoss(ports, { ...ORDER, restoredTo })).toMatchObject({ [result]: 1 });
    expect(await bench.rowStatus()).toBe(status);
    expect(await bench.attemptEvents(1)).toEqual(attempt);
    expect(await planHistoryLoss(ports, restoredTo)).toMatchObject({ acceptedAt: expect.any(String) as string });
  });

  it('an attempt that was closed without effect is not tried again: what came after it is lost, so the next is in doubt', async () => {
    const bench = await started();
    await bench.publish();
    // It died between the answer and what follows from it.
    const metadata = { by: 'test', at: bench.clock.now() };
    await bench.eventStore.append(deliveryAttemptStream(KEY, 1), 'new', [
      { id: randomUUID(), type: 'DeliveryAttemptStarted', data: startOf(), metadata },
      { id: randomUUID(), type: 'DeliveryAttemptNotExecuted', data: { code: 'http-503' }, metadata },
    ]);
    const closed = await bench.attemptEvents(1);
    const { clock } = bench.ports;
    const ports = portsOf(bench);
    const calls = bench.biller.business().length;
    await acceptHistoryLoss(ports, { ...ORDER, restoredTo: clock.now() });
    await bench.runUntilQuiet();
    expect(bench.biller.business()).toHaveLength(calls);
    expect(await bench.rowStatus()).toBe('InDoubt');
    expect(await bench.attemptEvents(1)).toEqual(closed);
    expect(await bench.attemptEvents(2)).toEqual(['DeliveryAttemptStarted']);
  });

  it('waits for processes that nothing had told', async () => {
    const bench = await started();
    await bench.publish();
    const { shards, profiles, digest, clock, chance, telemetry, history } = bench.ports;
    const began = bench.clock.ms;
    await acceptHistoryLoss(
      { eventStore: bench.eventStore, history, shards, witnesses: [], profiles, digest, clock, chance, telemetry },
      { ...ORDER, restoredTo: clock.now() },
    );
    expect(bench.clock.ms - began).toBeGreaterThan(HISTORY_LOOK_MS);
    expect(shardName('Shard-1')).toBe(bench.shard.name);
  });
});
