import { type Position } from '../../src/application/ports/event-store';
import {
  FOUND_COUNTED_MAX,
  type ProjectedRecord,
  type ProjectedTotal,
  type ProjectionStep,
  type RecordProjection,
  type RecordProjections,
  type RecordQuery,
} from '../../src/application/ports/record-projection';
import { billerId, dpId, recordKey, shardName } from '../../src/domain/identifiers';
import { type Day, dayAfter, instant, instantFromMs, msOf, startOf } from '../../src/domain/instant';

export interface RecordProjectionFixture {
  readonly projections: RecordProjections;
  /** The same as another process sees it. */
  readonly ofAnother: () => RecordProjections;
  dispose(): void;
}

const DAY = '2026-11-20' as Day;

const entry = (
  id: number,
  status: ProjectedRecord['status'],
  more: Partial<ProjectedRecord> = {},
): ProjectedRecord => ({
  record: recordKey(more.billerId ?? billerId('12'), dpId(String(id))),
  shard: shardName('Shard-1'),
  billerId: billerId('12'),
  dataType: 'Payments',
  status,
  amount: undefined,
  attempts: 0,
  cause: undefined,
  reference: undefined,
  createdAt: instantFromMs(msOf(startOf(DAY)) + id * 1_000),
  changedAt: instant('2026-11-20T08:00:00.000Z'),
  ...more,
});
const eur = (minorUnits: number) => ({ minorUnits, currency: 'EUR' });
const at = (position: number): Position => String(position) as Position;
const total = (
  status: ProjectedTotal['status'],
  count: number,
  more: Partial<ProjectedTotal> = {},
): ProjectedTotal => ({
  day: DAY,
  shard: shardName('Shard-1'),
  billerId: billerId('12'),
  dataType: 'Payments',
  status,
  count,
  amount: undefined,
  ...more,
});

/** The laws of RecordProjection and of RecordProjections. */
export function recordProjectionContract(name: string, open: () => RecordProjectionFixture): void {
  describe(`RecordProjection: ${name}`, () => {
    let under: RecordProjectionFixture;
    let projection: RecordProjection;
    beforeEach(async () => {
      under = open();
      projection = await under.projections.live();
    });
    afterEach(() => under.dispose());

    const advance = async (step: Partial<ProjectionStep> & { readonly to: Position }): Promise<boolean> =>
      projection.advance({ from: await projection.position(), entries: [], changes: [], ...step });
    const whole = async (of: RecordProjection) => [
      await of.position(),
      await of.entries(undefined, 10),
      await of.totals(),
      await of.unread(),
    ];

    it('1: position, entries, changes and what was unread advance together, or not at all', async () => {
      expect(await projection.position()).toBeUndefined();
      expect(await advance({ entries: [entry(1, 'pending')], changes: [total('pending', 1)], to: at(5) })).toBe(true);
      const before = await whole(projection);
      expect(before).toEqual([at(5), [entry(1, 'pending')], [total('pending', 1)], []]);
      const broken = { ...entry(2, 'pending'), status: undefined as unknown as ProjectedRecord['status'] };
      await expect(
        advance({ entries: [entry(3, 'pending'), broken], changes: [total('pending', 2)], unread: ['x'], to: at(9) }),
      ).rejects.toThrow();
      expect(await whole(projection)).toEqual(before);
    });

    it('1: advances from where it stands alone, whoever was first', async () => {
      const step = { entries: [entry(1, 'pending')], changes: [total('pending', 1)], unread: ['x'], to: at(5) };
      const another = await under.ofAnother().live();
      const answers = await Promise.all(
        [projection, another].map((each) => each.advance({ ...step, from: undefined })),
      );
      expect(answers.sort()).toEqual([false, true]);
      expect(await projection.advance({ ...step, from: at(4) })).toBe(false);
      expect(await whole(projection)).toEqual([at(5), [entry(1, 'pending')], [total('pending', 1)], ['x']]);
    });

    it('2: an entry replaces the one of the same record', async () => {
      const first = entry(1, 'pending', { amount: eur(100) });
      const later = entry(1, 'delivered', {
        shard: shardName('Shard-2'), dataType: 'ACHRejects', amount: eur(7), attempts: 3, cause: 'why', reference: 'R-1',
        createdAt: instant('2026-11-19T00:00:00.000Z'), changedAt: instant('2026-11-21T00:00:00.000Z'),
      }); // prettier-ignore
      await advance({ entries: [first], to: at(1) });
      await advance({ entries: [later], to: at(2) });
      const found = await projection.find([first.record, entry(7, 'pending').record]);
      expect([...found.values()]).toEqual([later]);
    });

    it('3: totals are the sums of all changes, of a day or of all, without what came to nothing', async () => {
      const nextDay = dayAfter(DAY);
      await advance({
        changes: [total('delivered', 2, { amount: eur(12) }), total('delivered', 1, { amount: { ...eur(5), currency: 'USD' } }), total('pending', 1)],
        to: at(1),
      }); // prettier-ignore
      await advance({
        changes: [total('delivered', 1, { amount: eur(-2) }), total('pending', -1), total('rejected', 4, { day: nextDay })],
        to: at(2),
      }); // prettier-ignore
      const ofDay = [
        total('delivered', 3, { amount: eur(10) }),
        total('delivered', 1, { amount: { ...eur(5), currency: 'USD' } }),
      ];
      expect(await projection.totals(DAY)).toEqual(ofDay);
      expect(await projection.totals()).toEqual([...ofDay, total('rejected', 4, { day: nextDay })]);
      expect(await projection.totals(dayAfter(nextDay))).toEqual([]);
    });

    it('3: an empty currency is one, and not the same as none', async () => {
      const empty = total('rejected', 1, { amount: { minorUnits: 7, currency: '' } });
      await advance({ changes: [empty, total('rejected', 2)], to: at(1) });
      expect(await projection.totals()).toEqual([total('rejected', 2), empty]);
    });

    it('4: counts what could not be read until it is reset', async () => {
      await advance({
        entries: [entry(1, 'delivered')],
        changes: [total('delivered', 1)],
        to: at(3),
        unread: ['event 2 of a stream'],
      });
      await advance({ to: at(4) });
      expect(await projection.unread()).toEqual(['event 2 of a stream']);
      await projection.reset();
      expect(await whole(projection)).toEqual([undefined, [], [], []]);
    });

    it('5: entries pages the records in key order', async () => {
      await advance({ entries: [entry(3, 'delivered'), entry(1, 'delivered'), entry(2, 'rejected')], to: at(1) });
      const first = await projection.entries(undefined, 2);
      expect(first.map(({ record }) => record)).toEqual(['12:1', '12:2']);
      expect(await projection.entries(first[1]!.record, 2)).toEqual([entry(3, 'delivered')]);
    });

    describe('6: search', () => {
      const gas = billerId('7');
      const all = [
        entry(1, 'delivered', { amount: eur(500), reference: 'R-1' }),
        entry(2, 'delivered', { amount: { minorUnits: 500, currency: 'USD' }, reference: "R-'2" }),
        entry(3, 'dead-lettered', { amount: eur(700), cause: 'TooOld' }),
        entry(4, 'in-doubt', { shard: shardName('Shard-2'), cause: 'still-pending' }),
        entry(5, 'dead-lettered', { dataType: 'Paperless', cause: 'AttemptsUsedUp' }),
        entry(6, 'pending', { billerId: gas }),
        entry(7, 'dead-lettered', { billerId: gas, cause: 'TooOld', createdAt: entry(6, 'pending').createdAt }),
      ];
      const keys = all.map(({ record }) => record);
      beforeEach(() => advance({ entries: all, to: at(1) }));

      it.each<[string, Omit<RecordQuery, 'max'>, readonly number[]]>([
        ['nothing asked: all', {}, [7, 6, 5, 4, 3, 2, 1]],
        ['records', { records: [keys[0]!, keys[4]!, recordKey(gas, dpId('99'))] }, [5, 1]],
        ['no records', { records: [] }, []],
        ['shard', { shard: shardName('Shard-2') }, [4]],
        ['biller', { billerId: gas }, [7, 6]],
        ['type', { dataType: 'Paperless' }, [5]],
        ['status', { statuses: ['dead-lettered'] }, [7, 5, 3]],
        ['two statuses', { statuses: ['in-doubt', 'delivered'] }, [4, 2, 1]],
        ['cause', { cause: 'TooOld' }, [7, 3]],
        ['amount with its currency', { amounts: [eur(500)] }, [1]],
        ['amounts', { amounts: [eur(500), eur(700), { minorUnits: 500, currency: 'USD' }] }, [3, 2, 1]],
        ['reference, as it stands', { reference: "R-'2" }, [2]],
        ['created from', { createdFrom: all[3]!.createdAt }, [7, 6, 5, 4]],
        ['created before', { createdBefore: all[3]!.createdAt }, [3, 2, 1]],
        [
          'all at once',
          {
            billerId: gas,
            statuses: ['dead-lettered', 'pending'],
            cause: 'TooOld',
            dataType: 'Payments',
            shard: shardName('Shard-1'),
            createdFrom: all[0]!.createdAt,
            createdBefore: instant('2026-11-21T00:00:00.000Z'),
          },
          [7],
        ],
        ['all but one', { billerId: gas, statuses: ['dead-lettered'], cause: 'TooOld', dataType: 'Paperless' }, []],
        ['amount and biller', { amounts: [eur(500)], billerId: gas }, []],
        ['reference and another amount', { reference: 'R-1', amounts: [eur(700)] }, []],
      ])('6: by %s', async (_, query, expected) => {
        const found = await projection.search({ ...query, max: 10 });
        expect(found.records).toEqual(expected.map((id) => all[id - 1]));
        expect([found.total, found.next]).toEqual([expected.length, undefined]);
        // Page by page it comes to the same, and each page tells the whole number.
        const paged: ProjectedRecord[] = [];
        let after: RecordQuery['after'];
        for (const _page of [...expected, undefined]) {
          const page = await projection.search({ ...query, max: 1, ...(after === undefined ? {} : { after }) });
          expect(page.total).toBe(expected.length);
          paged.push(...page.records);
          if (page.next === undefined) break;
          after = page.next;
        }
        expect(paged).toEqual(found.records);
      });

      it('6: goes on behind nothing that it does not know', async () => {
        expect((await projection.search({ after: recordKey(gas, dpId('99')), max: 10 })).records).toEqual([]);
      });

      it('6: counts exactly up to its bound, and beyond it says more', async () => {
        const many = Array.from({ length: FOUND_COUNTED_MAX - 1 }, (_, index) => entry(100 + index, 'declined'));
        await advance({ entries: many, to: at(2) });
        const count = async () => (await projection.search({ statuses: ['declined'], max: 1 })).total;
        expect(await count()).toBe(FOUND_COUNTED_MAX - 1);
        await advance({ entries: [entry(20, 'declined')], to: at(3) });
        expect(await count()).toBe(FOUND_COUNTED_MAX);
        await advance({ entries: [entry(21, 'declined')], to: at(4) });
        expect(await count()).toBeUndefined();
      });
    });

    it('7: what is built beside changes nothing of the live one, and is gone on with by whoever asks', async () => {
      await advance({ entries: [entry(1, 'pending')], changes: [total('pending', 1)], to: at(5) });
      const live = await whole(projection);
      const beside = await under.projections.beside();
      expect(await whole(beside)).toEqual([undefined, [], [], []]);
      await beside.advance({ from: undefined, entries: [entry(2, 'delivered')], changes: [], to: at(3) });
      expect(await whole(await under.ofAnother().beside())).toEqual([at(3), [entry(2, 'delivered')], [], []]);
      expect(await whole(await under.projections.live())).toEqual(live);
      expect(await whole(await under.ofAnother().live())).toEqual(live);
    });

    it('8: the one beside takes over for every process, and a further one begins anew', async () => {
      await advance({ entries: [entry(1, 'pending')], to: at(5) });
      const another = under.ofAnother();
      const former = await another.live();
      const beside = await under.projections.beside();
      await beside.advance({
        from: undefined,
        entries: [entry(2, 'delivered', { cause: 'c' })],
        changes: [],
        to: at(7),
      });
      await under.projections.takeOver();
      for (const each of [under.projections, another, under.ofAnother()]) {
        const live = await each.live();
        expect(await live.position()).toBe(at(7));
        expect((await live.search({ cause: 'c', max: 5 })).total).toBe(1);
      }
      // Who was reading the former one reads on.
      expect(await former.entries(undefined, 5)).toEqual([entry(1, 'pending')]);
      expect(await (await under.projections.beside()).position()).toBeUndefined();
    });

    it('8: nothing takes over where nothing was built, or where another process was first', async () => {
      await advance({ entries: [entry(1, 'pending')], to: at(5) });
      await under.projections.takeOver();
      await under.projections.beside();
      await under.projections.takeOver();
      expect(await (await under.projections.live()).position()).toBe(at(5));
      const [one, other] = [under.projections, under.ofAnother()];
      await (await one.beside()).advance({ from: undefined, entries: [], changes: [], to: at(7) });
      await other.beside();
      await one.takeOver();
      await (await one.live()).advance({ from: at(7), entries: [], changes: [], to: at(8) });
      await other.takeOver();
      for (const each of [one, other]) expect(await (await each.live()).position()).toBe(at(8));
    });
  });
}
