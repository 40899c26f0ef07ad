import { randomUUID } from 'node:crypto';
import {
  APPEND_EVENTS_MAX,
  READ_EVENTS_MAX,
  type EventStore,
  type NewEvent,
  type Position,
  type StoredEvent,
} from '../../src/application/ports/event-store';
import { VersionConflict } from '../../src/application/ports/failures';
import { type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { noSizes } from '../support/no-sizes';

export interface EventStoreFixture {
  readonly store: EventStore;
  /** A second, independent client of the same store, as another process would have. */
  readonly other: EventStore;
  /** Lets the clients go without ceremony and connects anew. */
  readonly reopen: () => Promise<EventStore>;
  /** How law 5 holds for ids that only another process has sent; see docs/adr/0014-event-store-db-repeats.md. */
  readonly repeatsOfOthers: 'judged-by-batch' | 'judged-by-event';
  /** Puts text where an event's data lie, below the store; undefined: nobody here may reach below it. */
  readonly overwrite?: (id: string, text: string) => void;
  /** A client of another store of the same kind, empty; undefined where the suite may not make one. */
  readonly emptied?: () => Promise<EventStore>;
  dispose(): Promise<void>;
}

/** The laws of src/application/ports/event-store.ts, by number, on any adapter. */
export function eventStoreContract(name: string, makeFixture: () => Promise<EventStoreFixture>): void {
  describe(`event store: ${name}`, () => {
    let fixture: EventStoreFixture;
    let store: EventStore;
    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterEach(() => fixture.dispose());

    it('1: an append at new creates the stream; revisions count from 0 without gaps', async () => {
      const stream = newStream();
      expect(await store.append(stream, 'new', events(2))).toEqual({ revision: 1 });
      expect(await store.append(stream, 1, events(3))).toEqual({ revision: 4 });
      expect((await store.readStream(stream)).map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
    });

    it('2: an append elsewhere than at the newest revision is a VersionConflict that tells both', async () => {
      const stream = newStream();
      await expect(store.append(stream, 0, events(1))).rejects.toMatchObject({
        name: 'VersionConflict',
        expected: 0,
        actual: 'new',
      });
      await store.append(stream, 'new', events(2));
      await expect(store.append(stream, 'new', events(1))).rejects.toMatchObject({ expected: 'new', actual: 1 });
      await expect(store.append(stream, 0, events(1))).rejects.toMatchObject({ expected: 0, actual: 1 });
      await expect(store.append(stream, 7, events(1))).rejects.toBeInstanceOf(VersionConflict);
      expect(await store.readStream(stream)).toHaveLength(2);
    });

    it('3: an append is whole or not at all, whatever fails beside it', async () => {
      const streams = Array.from({ length: 20 }, newStream);
      await Promise.all(streams.map((stream) => store.append(stream, 'new', events(1))));
      const results = await Promise.allSettled(
        streams.map((stream, index) => store.append(stream, index % 2 === 0 ? 0 : 'new', events(5))),
      );
      expect(results.map(({ status }) => status)).toEqual(
        streams.map((_, index) => (index % 2 === 0 ? 'fulfilled' : 'rejected')),
      );
      const lengths = await Promise.all(streams.map(async (stream) => (await store.readStream(stream)).length));
      expect(lengths).toEqual(streams.map((_, index) => (index % 2 === 0 ? 6 : 1)));
    });

    it('4: the very same append repeated is an idempotent success, also after others have followed', async () => {
      const stream = newStream();
      const first = events(2);
      const second = events(1);
      await store.append(stream, 'new', first);
      expect(await store.append(stream, 'new', first)).toEqual({ revision: 1 });
      await store.append(stream, 1, second);
      await store.append(stream, 2, events(1));
      expect(await fixture.other.append(stream, 'new', first)).toEqual({ revision: 1 });
      expect(await fixture.other.append(stream, 1, second)).toEqual({ revision: 2 });
      expect(await store.readStream(stream)).toHaveLength(4);
    });

    it('5: the same ids elsewhere, other ids at the same place, a part or an extension are conflicts', async () => {
      const stream = newStream();
      const [a, b, c] = events(3) as [NewEvent, NewEvent, NewEvent];
      await store.append(stream, 'new', [a, b]);
      await expect(store.append(stream, 0, [a, b])).rejects.toBeInstanceOf(VersionConflict);
      await expect(store.append(stream, 1, [a, b])).rejects.toBeInstanceOf(VersionConflict);
      await expect(store.append(stream, 'new', events(2))).rejects.toBeInstanceOf(VersionConflict);
      await expect(store.append(stream, 'new', [b, a])).rejects.toBeInstanceOf(VersionConflict);
      await expect(store.append(stream, 'new', [a])).rejects.toBeInstanceOf(VersionConflict);
      await expect(store.append(stream, 'new', [a, b, c])).rejects.toBeInstanceOf(VersionConflict);
      await store.append(stream, 1, [c]);
      await expect(store.append(stream, 'new', [a, b, c])).rejects.toBeInstanceOf(VersionConflict);
      await expect(store.append(stream, 0, [b, c])).rejects.toBeInstanceOf(VersionConflict);
      expect((await store.readStream(stream)).map(({ id }) => id)).toEqual([a.id, b.id, c.id]);
    });

    it('5: ids that another process sent are judged as the store declares', async () => {
      const stream = newStream();
      const [a, b, c] = events(3) as [NewEvent, NewEvent, NewEvent];
      await store.append(stream, 'new', [a, b]);
      const { other } = fixture;
      await expect(other.append(stream, 'new', [a, b, c])).rejects.toBeInstanceOf(VersionConflict);
      await expect(other.append(stream, 0, [a, b])).rejects.toBeInstanceOf(VersionConflict);
      await expect(other.append(stream, 'new', [b, a])).rejects.toBeInstanceOf(VersionConflict);
      const part = (await fixture.reopen()).append(stream, 'new', [a]);
      switch (fixture.repeatsOfOthers) {
        case 'judged-by-batch':
          await expect(part).rejects.toBeInstanceOf(VersionConflict);
          await expect((await fixture.reopen()).append(stream, 1, [a, b])).rejects.toBeInstanceOf(VersionConflict);
          expect((await store.readStream(stream)).map(({ id }) => id)).toEqual([a.id, b.id]);
          break;
        case 'judged-by-event':
          expect(await part).toEqual({ revision: 0 });
          expect(await store.readStream(stream)).toHaveLength(2);
          expect(await (await fixture.reopen()).append(stream, 1, [a, b])).toEqual({ revision: 3 });
          expect((await store.readStream(stream)).map(({ id }) => id)).toEqual([a.id, b.id, a.id, b.id]);
      }
    });

    it('6: of concurrent appends at one revision exactly one wins and each loser gets VersionConflict', async () => {
      for (const expected of ['new', 0] as const) {
        const stream = newStream();
        if (expected === 0) await store.append(stream, 'new', events(1));
        const racers = Array.from({ length: 40 }, (_, index) =>
          (index % 2 === 0 ? store : fixture.other).append(stream, expected, events(2)),
        );
        const results = await Promise.allSettled(racers);
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(VersionConflict);
        expect(await store.readStream(stream)).toHaveLength(expected === 0 ? 3 : 2);
      }
    });

    it('7: an append never fails because of another stream, not even with the same ids', async () => {
      const batch = events(2);
      const streams = Array.from({ length: 30 }, newStream);
      await Promise.all(
        streams.map((stream, index) => (index % 2 === 0 ? store : fixture.other).append(stream, 'new', batch)),
      );
      for (const stream of streams)
        expect((await store.readStream(stream)).map(({ id }) => id)).toEqual(batch.map(({ id }) => id));
    });

    it('8: a stream is read in order and exactly as appended; one that does not exist is empty', async () => {
      const stream = newStream('odd \'";--žlutý🐎');
      const event: NewEvent = {
        id: randomUUID(),
        type: 'DpRecordDiscovered',
        data: {
          text: "Robert'); DROP TABLE event;-- žlutý 🐎 \u0000\u2028\n",
          big: '9223372036854775807',
          fraction: 0.1,
          no: false,
          list: [1, [], {}],
        },
        metadata: { by: 'test@host:1', at: instantFromMs(1_700_000_000_123), traceparent: '00-ab-cd-01' },
      };
      await store.append(stream, 'new', [event, ...events(3)]);
      const [read] = await store.readStream(stream);
      expect(read).toMatchObject({ ...event, stream, revision: 0 });
      expect(read!.data).toEqual(event.data);
      expect(await store.readStream(newStream())).toEqual([]);
    });

    it('9: a stream is read from a revision on and in bounded pages', async () => {
      const stream = newStream();
      for (let at = 0; at < 3; at++)
        await store.append(stream, at === 0 ? 'new' : at * APPEND_EVENTS_MAX - 1, events(APPEND_EVENTS_MAX));
      const page = await store.readStream(stream, { fromRevision: 60, max: 10 });
      expect(page.map(({ revision }) => revision)).toEqual([60, 61, 62, 63, 64, 65, 66, 67, 68, 69]);
      expect(await store.readStream(stream, { fromRevision: 190 })).toHaveLength(2);
      expect(await store.readStream(stream, { fromRevision: 192 })).toEqual([]);
      for (const max of noSizes(READ_EVENTS_MAX)) {
        await expect(store.readStream(stream, { max })).rejects.toThrow('page');
        await expect(store.readAll({ max })).rejects.toThrow('page');
      }
      expect(await store.readStream(stream, { max: READ_EVENTS_MAX })).toHaveLength(192);
      expect((await store.readAll({ max: READ_EVENTS_MAX })).events.length).toBeGreaterThanOrEqual(192);
      expect(await store.readStream(stream, { max: 1 })).toHaveLength(1);
      expect((await store.readAll({ max: 1 })).events).toHaveLength(1);
      for (const revision of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
        await expect(store.append(stream, revision, events(1))).rejects.toThrow('expected revision');
      await expect(store.append(stream, 191, events(APPEND_EVENTS_MAX + 1))).rejects.toThrow('append holds');
      await expect(store.append(stream, 191, [])).rejects.toThrow('append holds');
    });

    it('10: readAll yields every event once, each stream in order, while others append', async () => {
      const streams = Array.from({ length: 12 }, newStream);
      let writing = true;
      const writers = Promise.all(
        streams.map(async (stream, index) => {
          for (let at = 0; at < 25; at++)
            await (index % 2 === 0 ? store : fixture.other).append(stream, at === 0 ? 'new' : at * 2 - 1, events(2));
        }),
      ).finally(() => (writing = false));
      const seen: StoredEvent[] = [];
      let after: Position | undefined;
      for (;;) {
        const last = !writing;
        const page = await store.readAll({ ...(after === undefined ? {} : { after }), max: 37 });
        seen.push(...page.events);
        after = page.next ?? after;
        if (page.events.length === 0 && last) break;
        if (page.events.length === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await writers;
      const own = seen.filter(({ stream }) => streams.includes(stream));
      expect(new Set(own.map(({ stream, revision }) => `${stream}@${revision}`)).size).toBe(own.length);
      for (const stream of streams) {
        expect(own.filter((event) => event.stream === stream).map(({ revision }) => revision)).toEqual(
          Array.from({ length: 50 }, (_, index) => index),
        );
      }
      const middle = seen[Math.floor(seen.length / 2)]!;
      const rest = await fixture.other.readAll({ after: middle.position, max: READ_EVENTS_MAX });
      const behind = seen.slice(Math.floor(seen.length / 2) + 1).slice(0, READ_EVENTS_MAX);
      expect(rest.events.map(({ id }) => id)).toEqual(behind.map(({ id }) => id));
    });

    it('11: readAll is narrowed to categories, across pages', async () => {
      const mark = randomUUID().replaceAll('-', '');
      const names = ['red', 'green', 'blue'].map((colour) => `${colour}${mark}`);
      const wanted: string[] = [];
      for (let index = 0; index < 30; index++) {
        const batch = events(1);
        await store.append(`${names[index % 3]}-${index}-x` as StreamName, 'new', batch);
        if (index % 3 !== 1) wanted.push(batch[0]!.id);
      }
      const found: string[] = [];
      let after: Position | undefined;
      for (;;) {
        const page = await store.readAll({
          ...(after === undefined ? {} : { after }),
          max: 7,
          categories: [names[0]!, names[2]!],
        });
        if (page.events.length === 0) break;
        found.push(...page.events.map(({ id }) => id));
        after = page.next;
      }
      expect(found).toEqual(wanted);
      expect((await store.readAll({ max: 10, categories: ['nothing'] })).events).toEqual([]);
    });

    it('13: an event that cannot be read is named and left out of readAll, and stops its own stream alone', async () => {
      const [one, two] = [newStream(), newStream()];
      const batches = [events(2), events(2), events(1)];
      await store.append(one, 'new', batches[0]!);
      await store.append(two, 'new', batches[1]!);
      await store.append(one, 1, batches[2]!);
      if (!fixture.overwrite) return;
      for (const text of ['{"half": ', '7', 'null', '']) {
        fixture.overwrite(batches[0]![1]!.id, text);
        const read: StoredEvent[] = [];
        const damaged: string[] = [];
        for (let after: Position | undefined; ;) {
          const page = await store.readAll({
            max: 2,
            categories: [one.split('-')[0]!],
            ...(after === undefined ? {} : { after }),
          });
          read.push(...page.events);
          damaged.push(...(page.damaged ?? []));
          if (page.next === after || page.next === undefined) break;
          after = page.next;
        }
        expect(read.map(({ id }) => id)).toEqual([batches[0]![0]!, ...batches[1]!, ...batches[2]!].map(({ id }) => id));
        expect(damaged).toEqual([expect.stringContaining(`event 1 of stream ${one}`)]);
        await expect(store.readStream(one)).rejects.toMatchObject({
          code: 'storage-damaged',
          facts: { stream: one, revision: 1 },
        });
        expect(await store.readStream(one, { fromRevision: 2 })).toHaveLength(1);
        expect(await store.readStream(two)).toHaveLength(2);
      }
    });

    it('12: what was acknowledged is there for a new client', async () => {
      const streams = Array.from({ length: 50 }, newStream);
      await Promise.all(streams.map((stream) => store.append(stream, 'new', events(2))));
      const fresh = await fixture.reopen();
      for (const stream of streams) expect(await fresh.readStream(stream)).toHaveLength(2);
    });

    it('14: identity is drawn once, whoever asks first, and another store has another', async () => {
      const [one, two] = await Promise.all([store.identity(), fixture.other.identity()]);
      expect(one).toBe(two);
      expect(one.length).toBeGreaterThan(0);
      await store.append(newStream(), 'new', events(1));
      expect(await (await fixture.reopen()).identity()).toBe(one);
      if (!fixture.emptied) return;
      const emptied = await fixture.emptied();
      expect(await emptied.identity()).not.toBe(one);
    });

    it('15: head is the newest event, of whichever stream and by whichever client', async () => {
      for (const client of [store, fixture.other]) {
        const stream = newStream();
        const batch = events(3);
        await client.append(stream, 'new', batch);
        expect(await store.head()).toMatchObject({ stream, revision: 2, id: batch[2]!.id });
        const { events: found } = await store.readAll({ max: READ_EVENTS_MAX });
        expect((await store.head())!.position).toBe(found.at(-1)!.position);
      }
    });

    it('15: a store without events has no head', async () => {
      if (fixture.emptied) expect(await (await fixture.emptied()).head()).toBeUndefined();
    });

    it('16: holds tells that very event where it stood, and no other', async () => {
      const stream = newStream();
      await store.append(stream, 'new', events(2));
      const head = (await store.head())!;
      expect(await fixture.other.holds(head)).toBe(true);
      await store.append(stream, 1, events(1));
      expect(await store.holds(head)).toBe(true);
      expect(await store.holds({ ...head, id: randomUUID() })).toBe(false);
      expect(await store.holds({ ...head, revision: 0 })).toBe(false);
      expect(await store.holds({ ...head, revision: 7 })).toBe(false);
      expect(await store.holds({ ...head, stream: newStream() })).toBe(false);
      if (fixture.emptied) expect(await (await fixture.emptied()).holds(head)).toBe(false);
    });

    it('17: isAfter knows the order of any two positions, and none of one with itself', async () => {
      for (let count = 0; count < 12; count++) await store.append(newStream(), 'new', events(2));
      const { events: all } = await store.readAll({ max: READ_EVENTS_MAX });
      const positions = all.slice(-24).map(({ position }) => position);
      const other = fixture.emptied ? await fixture.emptied() : fixture.other;
      for (const [index, position] of positions.entries()) {
        expect(await other.isAfter(position, position)).toBe(false);
        for (const earlier of positions.slice(0, index)) {
          expect(await other.isAfter(position, earlier)).toBe(true);
          expect(await other.isAfter(earlier, position)).toBe(false);
        }
      }
    });
  });
}

const newStream = (suffix: unknown = ''): StreamName =>
  `dpRecord-${randomUUID()}${typeof suffix === 'string' ? suffix : ''}` as StreamName;

const events = (count: number): readonly NewEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    type: 'Tested',
    data: { index },
    metadata: { by: 'test', at: instantFromMs(1_700_000_000_000) },
  }));
