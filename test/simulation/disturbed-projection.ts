import { isDeepStrictEqual } from 'node:util';
import { SqliteRecordProjection } from '../../src/adapters/sqlite/sqlite-record-projection';
import { type EventStore } from '../../src/application/ports/event-store';
import { PortFailure } from '../../src/application/ports/failures';
import {
  type ProjectedRecord,
  type ProjectedTotal,
  type RecordProjection,
} from '../../src/application/ports/record-projection';
import { projectRecords } from '../../src/application/queries/project-records';
import { dayOf } from '../../src/domain/instant';
import { byPromise } from './world/at-once';
import { type World } from './world/world';

const PAGE_EVENTS = 7;
const FAULT_SHARE = 0.2;
/** Faults end before, so that it comes to its end. */
const ROUNDS_MAX = 200;
const FAULTY_ROUNDS = 60;
const ENTRIES_MAX = 1_000;

/**
 * The record projection, built in small pages by two at once whose reads fail, and whose writes fail before or after they
 * are done, must come to what one undisturbed pass builds.
 */
export async function disturbedProjection(world: World): Promise<readonly string[]> {
  const calm = new SqliteRecordProjection({ path: ':memory:' });
  const disturbed = new SqliteRecordProjection({ path: ':memory:' });
  const eventStore = byPromise<EventStore>(world.store);
  try {
    await projectRecords({ eventStore, projection: calm })();
    let round = 0;
    const ports = faulty(world, eventStore, disturbed, () => round < FAULTY_ROUNDS);
    for (let ended = false; !ended && round < ROUNDS_MAX; round++) {
      const passes = await Promise.allSettled([projectRecords(ports)(), projectRecords(ports)()]);
      ended = passes.every(({ status }) => status === 'fulfilled');
    }
    const [expected, found] = await Promise.all([calm, disturbed].map(wholeOf));
    const [kept, summed] = [await disturbed.totals(), sumsOf(await disturbed.entries(undefined, ENTRIES_MAX))];
    return [
      ...(isDeepStrictEqual(found, expected)
        ? []
        : [
            `a disturbed one came to ${JSON.stringify(found).slice(0, 200)}, an undisturbed one to ${JSON.stringify(expected).slice(0, 200)}`,
          ]),
      ...(isDeepStrictEqual(new Set(kept.map((each) => JSON.stringify(each))), summed)
        ? []
        : [
            `its totals are ${JSON.stringify(kept).slice(0, 200)}, its records sum to ${[...summed].join().slice(0, 200)}`,
          ]),
    ];
  } finally {
    calm.close();
    disturbed.close();
  }
}

const wholeOf = async (projection: RecordProjection): Promise<unknown> => [
  await projection.totals(),
  await projection.entries(undefined, ENTRIES_MAX),
  await projection.position(),
];

/** What the totals must be, from the records alone. */
function sumsOf(entries: readonly ProjectedRecord[]): ReadonlySet<string> {
  const sums = new Map<string, ProjectedTotal>();
  for (const { createdAt, shard, billerId, dataType, status, amount } of entries) {
    const day = dayOf(createdAt);
    const name = JSON.stringify([day, shard, billerId, dataType, status, amount?.currency]);
    const { count = 0, amount: sum } = sums.get(name) ?? {};
    const minorUnits = (sum?.minorUnits ?? 0) + (amount?.minorUnits ?? 0);
    sums.set(name, {
      day, shard, billerId, dataType, status, count: count + 1, amount: amount && { minorUnits, currency: amount.currency },
    }); // prettier-ignore
  }
  return new Set([...sums.values()].map((each) => JSON.stringify(each)));
}

function faulty(world: World, store: EventStore, projection: RecordProjection, strikes: () => boolean) {
  const fails = (what: string): void => {
    if (strikes() && world.dice.fraction(`projection ${what}`, world.draw(`projection ${what}`)) < FAULT_SHARE)
      throw new PortFailure(`failed to ${what}`, { code: 'connection-lost', retryable: true });
  };
  const eventStore: EventStore = Object.assign(Object.create(store) as EventStore, {
    readAll: (options: Parameters<EventStore['readAll']>[0]) => {
      fails('read a page');
      return store.readAll({ ...options, max: PAGE_EVENTS });
    },
  });
  const kept: RecordProjection = Object.assign(Object.create(projection) as RecordProjection, {
    find: (records: Parameters<RecordProjection['find']>[0]) => {
      fails('find');
      return projection.find(records);
    },
    advance: async (...what: Parameters<RecordProjection['advance']>) => {
      fails('advance');
      const advanced = await projection.advance(...what);
      fails('hear that it advanced');
      return advanced;
    },
  });
  return { eventStore, projection: kept };
}
