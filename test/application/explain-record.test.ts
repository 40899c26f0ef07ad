import fc from 'fast-check';
import { recordStory } from '../../src/adapters/command-line/record-story';
import { type Explanation, explainRecord } from '../../src/application/queries/explain-record';
import { causesFirst } from '../../src/application/queries/causes-first';
import { type EventStore, type StoredEvent } from '../../src/application/ports/event-store';
import { type BillerProfile } from '../../src/domain/biller/biller-profile';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import {
  deliveryAttemptStream,
  dpChunkStream,
  dpRecordStream,
  type RecordKey,
  type StreamName,
} from '../../src/domain/identifiers';
import { type Instant, instant, plusMs } from '../../src/domain/instant';

const KEY = '12:100' as RecordKey;
const START = instant('2026-11-20T08:00:00.000Z');
const DAY_MS = 86_400_000;

interface Told {
  readonly stream: StreamName;
  readonly type: string;
  readonly data: object;
}

const chunk = (type: string, data: object = {}): Told => ({ stream: dpChunkStream('c-1' as never), type, data });
const record = (type: string, data: object = {}): Told => ({ stream: dpRecordStream(KEY), type, data });
const attempt = (number: number, type: string, data: object = {}): Told => ({
  stream: deliveryAttemptStream(KEY, number),
  type,
  data,
});

const discovered = (at: Instant): readonly Told[] => [
  record('DpRecordDiscovered', {
    billerId: '12',
    dpId: '100',
    shard: 'S',
    dataType: 'Payments',
    chunkId: 'c-1',
    customerId: '1',
    at,
  }),
  record('DpRecordValidated', { validatedHash: 'h' }),
];
const started = (number: number, at: Instant): Told =>
  attempt(number, 'DeliveryAttemptStarted', {
    billerId: '12',
    dpId: '100',
    attempt: number,
    at,
    notAfter: plusMs(at, 5_000),
    idempotencyKey: 'k',
    requestHash: 'r',
    profileVersion: 'v1',
  });

type Course =
  | 'declined'
  | 'retry'
  | 'throttled'
  | 'not-sent'
  | 'held-resolved'
  | 'held-inquired'
  | 'dead-redriven'
  | 'cannot-prepare';

/** What processes write, in the order in which they do: each entry follows from those before it. */
function history(courses: readonly Course[], parks: readonly boolean[], publishedLate: boolean): readonly Told[] {
  const told: Told[] = [
    chunk('ChunkPlanned', {
      chunkId: 'c-1',
      billerId: '12',
      dataType: 'Payments',
      shard: 'S',
      dpStart: '100',
      dpEnd: '100',
      rows: 1,
    }),
    chunk('ChunkFetchStarted', { at: START, rowByRow: false }),
    ...discovered(START),
  ];
  const published = chunk('ChunkPublished', { published: 1, rejected: 0, skipped: 0, alreadyFinished: 0, at: START });
  if (!publishedLate) told.push(published);
  courses.forEach((course, index) => {
    const n = index + 1;
    if (parks[index]) told.push(record('DpRecordParked', { cause: 'breaker-open', until: START }));
    told.push(started(n, START));
    const unknown = attempt(n, 'DeliveryAttemptOutcomeUnknown', { code: 'timed-out', at: START });
    const retry = record('DpRecordRetryScheduled', { attempt: n, at: START, spent: true });
    const held = record('DpRecordHeldInDoubt', { attempt: n, cause: 'inquiry-cannot-tell' });
    switch (course) {
      case 'declined': told.push(unknown, attempt(n, 'DeliveryAttemptResolvedByInquiry', { outcome: 'not-executed' }), retry); break;
      case 'retry': told.push(attempt(n, 'DeliveryAttemptNotExecuted', { code: 'http-503' }), retry); break;
      case 'not-sent': told.push(attempt(n, 'DeliveryAttemptNotSent', { lateByMs: 3 }), retry); break;
      case 'throttled': told.push(attempt(n, 'DeliveryAttemptThrottled', { retryAfterMs: 1 }), record('DpRecordParked', { cause: 'throttled', until: START, attempt: n })); break;
      case 'held-resolved': told.push(unknown, record('DpRecordParked', { cause: 'attempt-open', until: START }), held, attempt(n, 'DeliveryAttemptResolvedByOperator', { outcome: 'not-executed', by: 'a@b', evidence: 'e' }), retry); break;
      case 'held-inquired': told.push(unknown, attempt(n, 'DeliveryAttemptInquired', { answer: 'pending', at: START }), held, attempt(n, 'DeliveryAttemptResolvedByOperator', { outcome: 'not-executed', by: 'a@b', evidence: 'e' }), retry); break;
      case 'dead-redriven': told.push(attempt(n, 'DeliveryAttemptNotExecuted', { code: 'x' }), record('DpRecordDeadLettered', { reason: 'AttemptsUsedUp', description: 'd', attempt: n }), record('DpRecordReconciled', { status: 'Failed' }), record('DpRecordRedriven', { ordinal: 1, by: 'a@b', reason: 'r', at: START })); break;
      case 'cannot-prepare': told.push(attempt(n, 'DeliveryAttemptNotSent', { lateByMs: 0, why: 'cannot-prepare' }), record('DpRecordDeadLettered', { reason: 'CannotPrepare', description: 'd', attempt: n }), record('DpRecordRedriven', { ordinal: 1, by: 'a@b', reason: 'r', at: START })); break;
    } // prettier-ignore
  });
  const last = courses.length + 1;
  told.push(
    started(last, START),
    attempt(last, 'DeliveryAttemptAccepted', { httpStatus: 200 }),
    record('DpRecordDelivered', { attempt: last }),
    record('DpRecordReconciled', { status: 'Delivered' }),
  );
  if (publishedLate) told.splice(4 + Math.min(3, told.length - 4), 0, published);
  return told;
}

function stored(told: readonly Told[], waits: readonly number[]): readonly StoredEvent[] {
  const revisions = new Map<string, number>();
  let at = START;
  return told.map(({ stream, type, data }, index) => {
    at = plusMs(at, waits[index % waits.length]!);
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    return { id: `e-${index}`, stream, revision, type, data, metadata: { by: 'p', at } } as unknown as StoredEvent;
  });
}

const histories = (events: readonly StoredEvent[]) => {
  const of = (stream: string) => events.filter((event) => event.stream === stream);
  const attempts: (readonly StoredEvent[])[] = [];
  for (let n = 1; of(deliveryAttemptStream(KEY, n)).length > 0; n++) attempts.push(of(deliveryAttemptStream(KEY, n)));
  return { chunk: of(dpChunkStream('c-1' as never)), record: of(dpRecordStream(KEY)), attempts };
};

const course = fc.constantFrom<Course>(
  'declined',
  'retry',
  'throttled',
  'not-sent',
  'held-resolved',
  'held-inquired',
  'dead-redriven',
  'cannot-prepare',
);
const anyHistory = (waits: fc.Arbitrary<number>) =>
  fc
    .record({
      courses: fc.array(course, { maxLength: 4 }),
      parks: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      late: fc.boolean(),
      waits: fc.array(waits, { minLength: 1, maxLength: 12 }),
    })
    .map(({ courses, parks, late, waits: all }) => stored(history(courses, parks, late), all));

const storeOf = (events: readonly StoredEvent[]): Pick<EventStore, 'readStream'> => ({
  readStream: (stream, { fromRevision = 0 } = {}) =>
    Promise.resolve(events.filter((event) => event.stream === stream && event.revision >= fromRevision)),
});
const profile = { billerId: '12', rollout: 'live', quarantineMs: 1_000, capability: {} } as unknown as BillerProfile;
const explain = (
  events: readonly StoredEvent[],
  when: { now: Instant; asOf?: Instant },
  row?: Partial<DpRow>,
  profiles: readonly BillerProfile[] = [profile],
): Promise<Explanation> =>
  explainRecord({
    eventStore: storeOf(events) as EventStore,
    shards: { ofBiller: () => Promise.resolve({ findRow: () => Promise.resolve(row) }) } as never,
    profiles: {
      all: () => Promise.resolve(profiles),
      current: () => Promise.resolve(profiles[0]),
      version: () => Promise.resolve(profiles[0]),
      tenants: () => Promise.resolve([]),
    },
  })(KEY, when);

describe('the story of a record (issue 8, no 15)', () => {
  it('is told in the order in which it happened, wherever instants differ', () => {
    fc.assert(
      fc.property(anyHistory(fc.integer({ min: 1, max: 5_000 })), (events) => {
        expect(causesFirst(histories(events)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
      }),
      { numRuns: 500 },
    );
  });

  it('never tells an effect before its cause, though all share an instant', () => {
    fc.assert(
      fc.property(anyHistory(fc.constantFrom(0, 0, 0, 1)), (events) => {
        const story = causesFirst(histories(events));
        const at = (type: string, number?: number): number =>
          story.findIndex((event) => event.type === type && (number === undefined || numberOf(event) === number));
        expect(new Set(story)).toEqual(new Set(events));
        for (const stream of new Set(events.map((event) => event.stream)))
          expect(story.filter((event) => event.stream === stream)).toEqual(
            events.filter((event) => event.stream === stream),
          );
        expect(at('ChunkFetchStarted')).toBeLessThan(at('DpRecordDiscovered'));
        expect(at('DpRecordValidated')).toBeLessThan(at('ChunkPublished'));
        story.forEach((event, index) => {
          const number = numberOf(event);
          if (number === undefined) return;
          const concluded = /DpRecord(Delivered|RetryScheduled|DeadLettered|Parked)/.test(event.type);
          if (concluded)
            expect(story.slice(0, index).some((cause) => numberOf(cause) === number && CLOSES.test(cause.type))).toBe(
              true,
            );
          if (event.type === 'DpRecordHeldInDoubt') expect(at('DeliveryAttemptStarted', number)).toBeLessThan(index);
          if (event.type === 'DeliveryAttemptResolvedByOperator')
            expect(at('DpRecordHeldInDoubt', number)).toBeLessThan(index);
          if (event.type === 'DeliveryAttemptStarted' && number > 1)
            expect(
              story
                .slice(0, index)
                .some((cause) => cause.stream === dpRecordStream(KEY) && numberOf(cause) === number - 1),
            ).toBe(true);
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it('names no past instant as one to come, and nothing later than --as-of as happened', async () => {
    const moment = fc.integer({ min: -DAY_MS, max: 2 * DAY_MS }).map((ms) => plusMs(START, ms));
    await fc.assert(
      fc.asyncProperty(
        anyHistory(fc.integer({ min: 0, max: 3_600_000 })),
        moment,
        fc.boolean(),
        async (events, when, past) => {
          const told = await explain(events, past ? { now: plusMs(START, 3 * DAY_MS), asOf: when } : { now: when });
          if (told.next.at !== undefined) expect(told.next.at > when).toBe(true);
          if (told.next.overdueSince !== undefined) expect(told.next.overdueSince <= when).toBe(true);
          if (past) for (const { at } of told.timeline) expect(at <= when).toBe(true);
          if (told.since !== undefined) expect(told.timeline.some(({ at }) => at === told.since)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('says since when it is as it is, not since when it was loaded', async () => {
    const events = stored(history(['retry'], [], false), [1_000]);
    const row = {
      status: 'Delivered',
      shard: 'S',
      createdAt: plusMs(START, -DAY_MS),
      customerId: '1',
      details: [],
    } as unknown as DpRow;
    const lines = recordStory(await explain(events, { now: plusMs(START, DAY_MS) }, row));
    expect(lines[1]).toBe('state   delivered by attempt 2 (Payments), since 2026-11-20 08:00:11.000Z');
    expect(lines[2]).toBe('row     Delivered in S, created 2026-11-19 08:00:00.000Z, customer 1');
  });

  it('says what was due and did not happen', async () => {
    const events = stored(
      [
        ...history([], [], false).slice(0, 5),
        record('DpRecordParked', { cause: 'breaker-open', until: plusMs(START, 60_000) }),
      ],
      [1],
    );
    expect((await explain(events, { now: START, asOf: plusMs(START, 10) })).next).toEqual({
      what: 'waiting (breaker-open), looked at again',
      at: plusMs(START, 60_000),
    });
    expect((await explain(events, { now: plusMs(START, 60_000) })).next.what).toBe(
      'waiting (breaker-open); it should have been looked at again by 2026-11-20 08:01:00.000Z: a consumer does when it gets to it, else the sweep sends it again',
    );
  });

  it.each([
    ['New', [], 'nothing: biller 12 has no profile, so no scan claims the row (datapump biller list)'],
    [
      'New',
      [{ ...profile, rollout: 'off' } as unknown as BillerProfile],
      'nothing: the profile of biller 12 is off, not live, so no scan claims the row (datapump biller list)',
    ],
    ['New', [profile], 'the scanner claims the row'],
    ['Queued', [profile], 'the fetcher reads its chunk'],
    [
      'Delivered',
      [profile],
      'nothing by itself: the row is Delivered and the event store knows nothing of it (docs/runbooks/history-behind.md)',
    ],
  ] as const)('promises a row that is %s with the profiles %j no more than happens', async (status, profiles, what) => {
    expect((await explain([], { now: START }, { status, billerId: '12' as never }, profiles)).next).toEqual({
      what,
      at: undefined,
    });
  });

  it.each([
    [{ lateByMs: 1_500 }, 'not sent: its time was over by 1s'],
    [{ lateByMs: 0 }, 'not sent: no call was to be made'],
    [{ lateByMs: 0, why: 'cannot-prepare' }, 'not sent: no request could be made of it'],
    [{ lateByMs: 0, why: 'row-withdrawn' }, 'not sent: its row is gone from the shard'],
  ])('says why nothing was sent: %j', async (data, sentence) => {
    const events = stored([started(1, START), attempt(1, 'DeliveryAttemptNotSent', data)], [1]);
    expect(recordStory(await explain(events, { now: START }))[5]).toMatch(new RegExp(`  ${sentence}$`));
  });
});

const CLOSES = /^DeliveryAttempt(Accepted|Declined|Throttled|NotExecuted|NotSent|ResolvedBy\w+)$/;
const numberOf = (event: StoredEvent): number | undefined =>
  event.stream.startsWith('deliveryAttempt-')
    ? Number(event.stream.split(':').at(-1))
    : (event.data as { attempt?: number }).attempt;
