import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { type AttemptInHand, closeAttempt } from '../../src/application/delivering/close-attempt';
import { createHistory, type History } from '../../src/application/history/history';
import { VersionConflict } from '../../src/application/ports/failures';
import { deliveryAttemptDecider, type ClosingEvent } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import { billerId, deliveryAttemptStream, dpId, type ProfileVersion, recordKey } from '../../src/domain/identifiers';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { SteppedClock } from './delivery-bench';
import { faulty } from './shard-bench';

const KEY = recordKey(billerId('12'), dpId('100'));
const NOT_SENT: ClosingEvent = { type: 'DeliveryAttemptNotSent', data: { lateByMs: 5 } };
const conflict = new VersionConflict(deliveryAttemptStream(KEY, 1), 0, 1);

describe('closing an attempt under races (issue 9, no 16)', () => {
  let eventStore: SqliteEventStore;
  let history: History;
  const clock = new SteppedClock();
  const { telemetry } = recordedTelemetry();
  beforeEach(async () => {
    eventStore = new SqliteEventStore({ path: ':memory:' });
    let drawn = 0;
    history = createHistory(
      { eventStore, clock, chance: { uuid: () => `id-${++drawn}`, fraction: () => 0 } },
      'consumer',
    );
    const absent = await history.attempt(KEY, 1);
    const start = {
      billerId: billerId('12'),
      dpId: dpId('100'),
      attempt: 1,
      at: clock.now(),
      notAfter: clock.now(),
      idempotencyKey: 'k',
      requestHash: 'h',
      profileVersion: 'v1' as ProfileVersion,
    };
    const decision = deliveryAttemptDecider.decide({ type: 'StartAttempt', start }, absent.state);
    if (decision.outcome !== 'accepted') throw new Error('refused');
    await history.appendToAttempt(KEY, 1, absent, decision.events, clock.now());
  });
  afterEach(() => eventStore.close());
  const hand = async (): Promise<AttemptInHand> => ({ key: KEY, number: 1, attempt: await history.attempt(KEY, 1) });
  const stored = async () => (await eventStore.readStream(deliveryAttemptStream(KEY, 1))).map(({ type }) => type);
  const losing = (races: number, error: Error) => {
    let appends = 0;
    return {
      appends: () => appends,
      history: faulty(history, {
        appendToAttempt: (...call) => (appends++ < races ? Promise.reject(error) : history.appendToAttempt(...call)),
      }),
    };
  };

  it.each([
    [0, true],
    [1, true],
    [8, true],
    [9, false],
  ])('after %i lost races in a row it is closed: %s', async (races, closed) => {
    const { history: racing, appends } = losing(races, conflict);
    const closing = closeAttempt({ history: racing, telemetry }, await hand(), NOT_SENT, clock.now());
    if (closed) await closing;
    else await expect(closing).rejects.toBe(conflict);
    expect(appends()).toBe(closed ? races + 1 : 9);
    expect(await stored()).toEqual(['DeliveryAttemptStarted', ...(closed ? ['DeliveryAttemptNotSent'] : [])]);
  });

  it('what is no lost race is told at once', async () => {
    const away = new Error('away');
    const { history: failing, appends } = losing(9, away);
    await expect(closeAttempt({ history: failing, telemetry }, await hand(), NOT_SENT, clock.now())).rejects.toBe(away);
    expect([appends(), await stored()]).toEqual([1, ['DeliveryAttemptStarted']]);
  });

  it('who comes second with the same word adds nothing, and holds what stands', async () => {
    const [one, two] = [await hand(), await hand()];
    await closeAttempt({ history, telemetry }, one, NOT_SENT, clock.now());
    const held = await closeAttempt({ history, telemetry }, two, NOT_SENT, clock.now());
    expect((await stored()).filter((type) => type === 'DeliveryAttemptNotSent')).toHaveLength(1);
    expect(held.state.status).toBe('closed');
  });
});
