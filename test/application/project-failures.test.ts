import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteFailureProjections } from '../../src/adapters/sqlite/sqlite-failure-projections';
import { currentFailures, normalized } from '../../src/application/queries/project-failures';
import { type DeliveryAttemptEvent } from '../../src/domain/delivery-attempt/delivery-attempt.events';
import { type DpRecordEvent } from '../../src/domain/dp-record/dp-record.events';
import { type StreamName } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';

it.each([
  ['attempt 12 was not-executed (maintenance)', 'attempt # was not-executed (maintenance)'],
  ['order 7f3a1c2e-1111-4222-8333-123456789abc of 1,204.50', 'order * of #'],
  ['hash deadbeef0123456789', 'hash *'],
  ['feedback  and\tdecade', 'feedback and decade'],
])('%s is told as %s', (text, expected) => expect(normalized(text)).toBe(expected));

describe('health and failures', () => {
  const folder = mkdtempSync(join(tmpdir(), 'project-failures-'));
  let eventStore: SqliteEventStore;
  let projections: SqliteFailureProjections;
  let minute: number;
  let made = 0;
  beforeEach(() => {
    eventStore = new SqliteEventStore({ path: ':memory:', synchronous: 'OFF' });
    projections = new SqliteFailureProjections({ path: join(folder, `f${++made}.sqlite`) });
    minute = 0;
  });
  afterEach(async () => {
    projections.close();
    await eventStore.close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const time = (at: number) => instant(`2026-11-20T08:${String(at).padStart(2, '0')}:00.000Z`);
  /** Each event a minute after the one before. */
  const append = async (stream: string, ...events: readonly (DeliveryAttemptEvent | DpRecordEvent)[]) => {
    const name = stream as StreamName;
    const stands = (await eventStore.readStream(name)).length;
    for (const [index, event] of events.entries())
      await eventStore.append(name, stands + index === 0 ? 'new' : stands + index - 1, [
        { id: randomUUID(), ...event, metadata: { by: 'test', at: time(++minute) } },
      ]);
  };
  const started = { type: 'DeliveryAttemptStarted', data: {} } as DeliveryAttemptEvent;
  const unknown = (code: string, httpStatus?: number): DeliveryAttemptEvent => ({
    type: 'DeliveryAttemptOutcomeUnknown',
    data: { code, at: time(0), ...(httpStatus === undefined ? {} : { httpStatus }) },
  });
  const accepted: DeliveryAttemptEvent = { type: 'DeliveryAttemptAccepted', data: { httpStatus: 200 } };
  const current = () => currentFailures({ eventStore, projections })();
  const healthOf = async (biller: string) =>
    (await (await current()).health()).find(({ billerId }) => billerId === biller);

  it('a biller is failing from its first failure on until it answers, also with a declined payment', async () => {
    await append('deliveryAttempt-12:1:1', started, accepted);
    await append('deliveryAttempt-12:2:1', started, unknown('unclear-answer', 503));
    await append('deliveryAttempt-12:3:1', started, {
      type: 'DeliveryAttemptNotExecuted',
      data: { code: 'refused 7' },
    });
    expect(await healthOf('12')).toMatchObject({
      failingSince: time(4),
      failuresInRow: 2,
      lastAnswerAt: time(2),
      lastError: { stage: 'call', kind: 'not-executed', text: 'refused #', at: time(6) },
      openAttempts: 1,
    });
    await append('deliveryAttempt-12:2:1', { type: 'DeliveryAttemptDeclined', data: { httpStatus: 422 } });
    expect(await healthOf('12')).toMatchObject({
      failingSince: undefined,
      failuresInRow: 0,
      lastAnswerAt: time(7),
      lastError: { at: time(6) },
      openAttempts: 0,
    });
  });

  it('what a person or an inquiry says of an attempt closes it, and says nothing of the biller’s calls', async () => {
    await append('deliveryAttempt-12:1:1', started, unknown('timed-out'));
    await append('deliveryAttempt-12:1:1', { type: 'DeliveryAttemptResolvedByInquiry', data: { outcome: 'accepted' } });
    expect(await healthOf('12')).toMatchObject({ failingSince: time(2), openAttempts: 0, failuresInRow: 1 });
  });

  it('groups what differs in numbers alone, by biller, stage, kind and status', async () => {
    for (const id of [1, 2, 3]) await append(`deliveryAttempt-12:${id}:1`, started, unknown(`busy ${id}`, 503));
    await append('deliveryAttempt-7:1:1', started, unknown('busy 1', 503));
    await append('deliveryAttempt-12:4:1', started, unknown('busy 1', 500));
    await append('dpRecord-12:9', {
      type: 'DpRecordRejected',
      data: { reasons: ['customer-missing', 'payment-missing'] },
    });
    await append('dpRecord-12:9', {
      type: 'DpRecordDeadLettered',
      data: { reason: 'TooOld', description: 'after 5 days' },
    });
    const failures = await (await current()).failures({ max: 10 });
    expect(
      failures.map(({ billerId, stage, kind, status, text, count, examples }) =>
        [billerId, stage, kind, status, text, count, examples.join(' ')].join('|'),
      ),
    ).toEqual([
      '12|conclusion|dead-lettered||TooOld: after # days|1|12:9',
      '12|validation|rejected||customer-missing payment-missing|1|12:9',
      '12|answer|unknown|500|busy #|1|12:4',
      '7|answer|unknown|503|busy #|1|7:1',
      '12|answer|unknown|503|busy #|3|12:3 12:2 12:1',
    ]);
  });

  it('comes to the same whether it follows event by event or is built at once', async () => {
    const follows = async () => {
      const projection = await current();
      return [await projection.health(), await projection.failures({ max: 10 })];
    };
    await append('deliveryAttempt-12:1:1', started);
    await follows();
    await append('deliveryAttempt-12:1:1', unknown('x', 502));
    await follows();
    await append('deliveryAttempt-12:2:1', started, unknown('x', 502));
    const followed = await follows();
    const anew = new SqliteFailureProjections({ path: join(folder, 'anew.sqlite') });
    try {
      const built = await currentFailures({ eventStore, projections: anew })();
      expect([await built.health(), await built.failures({ max: 10 })]).toEqual(followed);
    } finally {
      anew.close();
    }
  });
});
