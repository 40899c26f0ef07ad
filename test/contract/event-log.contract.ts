import { randomUUID } from 'node:crypto';
import { type EventLog, LOG_PAGE_EVENTS_MAX, type LoggedEvent } from '../../src/application/ports/event-log';
import { type EventStore, type NewEvent, type Position } from '../../src/application/ports/event-store';
import { type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { noSizes } from '../support/no-sizes';

export interface EventLogFixture {
  readonly store: EventStore;
  readonly log: EventLog;
  /** Puts text into the data of the event at this place of the log, below the store. */
  readonly overwrite: (position: Position, text: string) => void;
  /** Moves an event where readAll passes it over; undefined: there is no such place in this store. */
  readonly hide?: (position: Position) => void;
  /** Damages the file so that some events cannot be read; undefined: the store sees to its files itself. */
  readonly damage?: () => Promise<EventLog>;
  dispose(): Promise<void>;
}

/** The laws of src/application/ports/event-log.ts, by number, on any adapter. */
export function eventLogContract(name: string, makeFixture: () => Promise<EventLogFixture>): void {
  describe(`event log: ${name}`, () => {
    let fixture: EventLogFixture;
    beforeEach(async () => (fixture = await makeFixture()));
    afterEach(() => fixture.dispose());

    async function all(log = fixture.log, max = 7): Promise<{ events: LoggedEvent[]; unreadable: string[] }> {
      const events: LoggedEvent[] = [];
      const unreadable: string[] = [];
      for (let after: Position | undefined; ;) {
        const page = await log.page({ max, ...(after === undefined ? {} : { after }) });
        events.push(...page.events);
        unreadable.push(...page.unreadable);
        if (page.next === after || page.next === undefined) return { events, unreadable };
        after = page.next;
      }
    }

    it('1: yields every event once, in the order of readAll, as the text that append was given', async () => {
      const appended = await fill(fixture.store, 20);
      const { events } = await all();
      const read = (await fixture.store.readAll({ max: 1_000 })).events;
      expect(events.map(({ id }) => id)).toEqual(read.map(({ id }) => id));
      expect(events.map(({ position }) => position)).toEqual(read.map(({ position }) => position));
      for (const { stream, revision, id, type, data, metadata } of events) {
        const own = appended.get(id)!;
        expect({ stream, revision, type, data, metadata }).toEqual({
          stream: own.stream,
          revision: '0',
          type: own.event.type,
          data: JSON.stringify(own.event.data),
          metadata: JSON.stringify(own.event.metadata),
        });
      }
    });

    it('2: begins behind `after` and ends with `upTo`', async () => {
      await fill(fixture.store, 9);
      const { events } = await all();
      const [after, upTo] = [events[2]!.position, events[5]!.position];
      const ids = async (options: object) =>
        (await fixture.log.page({ max: 100, ...options })).events.map(({ id }) => id);
      expect(await ids({ after, upTo })).toEqual(events.slice(3, 6).map(({ id }) => id));
      expect(await ids({ upTo: after })).toEqual(events.slice(0, 3).map(({ id }) => id));
      expect(await ids({ after: upTo, upTo })).toEqual([]);
      for (const max of noSizes(LOG_PAGE_EVENTS_MAX))
        await expect(fixture.log.page({ max })).rejects.toThrow('a page of the log');
      expect((await fixture.log.page({ max: LOG_PAGE_EVENTS_MAX })).events).toHaveLength(9);
      expect((await fixture.log.page({ max: 1 })).events).toHaveLength(1);
    });

    it('3: text that is no JSON comes as it lies there, and what readAll passes over comes with an oddity', async () => {
      await fill(fixture.store, 5);
      const before = (await all()).events;
      fixture.overwrite(before[2]!.position, '{"half": ');
      expect((await all()).events.map(({ data }) => data)[2]).toBe('{"half": ');
      if (!fixture.hide) return;
      fixture.hide(before[4]!.position);
      const after = (await all()).events;
      expect(after.map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort());
      expect(after.find(({ id }) => id === before[4]!.id)?.oddity).toMatch(/stands at position/);
    });

    it('4: next is the last position, or `after` where nothing was yielded, and goes on when there is more', async () => {
      expect(await fixture.log.page({ max: 5 })).toEqual({ events: [], unreadable: [], next: undefined });
      await fill(fixture.store, 3);
      const { next, events } = await fixture.log.page({ max: 5 });
      expect(next).toBe(events[2]!.position);
      expect(await fixture.log.page({ max: 5, after: next! })).toEqual({ events: [], unreadable: [], next });
      await fill(fixture.store, 1);
      expect((await fixture.log.page({ max: 5, after: next! })).events).toHaveLength(1);
    });

    it('5: what cannot be read is named and passed over', async () => {
      await fill(fixture.store, 400);
      const whole = await all(fixture.log, 1_000);
      expect([whole.events.length, whole.unreadable]).toEqual([400, []]);
      if (!fixture.damage) return;
      const { events, unreadable } = await all(await fixture.damage(), 1_000);
      expect(unreadable[0]).toMatch(
        /table event: what lies behind position \d+ up to .* cannot be read \(damaged pages\): restore it from a backup, then run: datapump history verify/,
      );
      expect(events.length).toBeGreaterThan(200);
      expect(events.length).toBeLessThan(400);
      expect(events.at(-1)!.id).toBe(whole.events.at(-1)!.id);
    });
  });
}

async function fill(
  store: EventStore,
  streams: number,
): Promise<ReadonlyMap<string, { stream: StreamName; event: NewEvent }>> {
  const all = Array.from({ length: streams }, (_, place) => ({
    stream: `dpRecord-12:${randomUUID()}` as StreamName,
    event: {
      id: randomUUID(),
      type: 'DpRecordParked',
      data: {
        z: 1,
        a: 'žluťoučký \u{1F40E} "\n',
        10: 'ten',
        2: [1e-7, 9_007_199_254_740_991],
        place,
        filler: 'x'.repeat(120),
      },
      metadata: { by: 'fill@test:1', at: instantFromMs(1_780_000_000_000 + place) },
    },
  }));
  await Promise.all(all.map(({ stream, event }) => store.append(stream, 'new', [event])));
  return new Map(all.map((each) => [each.event.id, each]));
}
