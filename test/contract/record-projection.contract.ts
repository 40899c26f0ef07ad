import { type Position } from '../../src/application/ports/event-store';
import { type ProjectedRecord, type RecordProjection } from '../../src/application/ports/record-projection';
import { billerId, dpId, recordKey } from '../../src/domain/identifiers';

export interface RecordProjectionFixture {
  readonly projection: RecordProjection;
  dispose(): void;
}

const entry = (id: number, status: ProjectedRecord['status'], minorUnits?: number): ProjectedRecord => ({
  record: recordKey(billerId('12'), dpId(String(id))),
  billerId: billerId('12'),
  dataType: 'Payments',
  status,
  amount: minorUnits === undefined ? undefined : { minorUnits, currency: 'EUR' },
});
const at = (position: number): Position => String(position) as Position;

/** The laws of RecordProjection. */
export function recordProjectionContract(name: string, open: () => RecordProjectionFixture): void {
  describe(`RecordProjection: ${name}`, () => {
    let under: RecordProjectionFixture;
    beforeEach(() => {
      under = open();
    });
    afterEach(() => under.dispose());

    it('1: position and entries advance together', async () => {
      expect(await under.projection.position()).toBeUndefined();
      await under.projection.advance([entry(1, 'pending', 100)], at(5));
      expect(await under.projection.position()).toBe('5');
      const broken = { ...entry(2, 'pending'), status: undefined as unknown as ProjectedRecord['status'] };
      const advanced = under.projection.advance([entry(3, 'pending'), broken], at(9));
      expect(
        await advanced.then(
          () => 'advanced',
          () => 'refused',
        ),
      ).toBe('refused');
      expect(await under.projection.position()).toBe('5');
      expect(await under.projection.entries(undefined, 10)).toEqual([entry(1, 'pending', 100)]);
    });

    it('2: an entry replaces the one of the same record', async () => {
      await under.projection.advance([entry(1, 'pending', 100)], at(1));
      await under.projection.advance([entry(1, 'delivered', 100)], at(2));
      const found = await under.projection.find([entry(1, 'pending').record, entry(7, 'pending').record]);
      expect([...found.values()]).toEqual([entry(1, 'delivered', 100)]);
    });

    it('3: totals sums the entries, entries pages them in key order', async () => {
      await under.projection.advance([entry(3, 'delivered', 5), entry(1, 'delivered', 7), entry(2, 'rejected')], at(1));
      expect(await under.projection.totals()).toEqual(
        expect.arrayContaining([
          {
            billerId: '12',
            dataType: 'Payments',
            status: 'delivered',
            count: 2,
            amount: { minorUnits: 12, currency: 'EUR' },
          },
          { billerId: '12', dataType: 'Payments', status: 'rejected', count: 1, amount: undefined },
        ]),
      );
      const first = await under.projection.entries(undefined, 2);
      expect(first.map(({ record }) => record)).toEqual(['12:1', '12:2']);
      expect(await under.projection.entries(first[1]!.record, 2)).toEqual([entry(3, 'delivered', 5)]);
    });

    it('4: counts what could not be read until it is reset', async () => {
      await under.projection.advance([entry(1, 'delivered', 5)], at(3), ['event 2 of a stream']);
      await under.projection.advance([], at(4));
      expect(await under.projection.unread()).toEqual(['event 2 of a stream']);
      await under.projection.reset();
      expect([
        await under.projection.unread(),
        await under.projection.position(),
        await under.projection.entries(undefined, 9),
      ]).toEqual([[], undefined, []]);
    });
  });
}
