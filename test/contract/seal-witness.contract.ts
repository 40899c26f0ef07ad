import { type SealCopy } from '../../src/application/history/history-seal';
import { COPIES_PER_CALL_MAX, type SealWitness } from '../../src/application/ports/seal-witness';
import { type Instant } from '../../src/domain/instant';

export interface SealWitnessFixture {
  readonly witness: SealWitness;
  /** The same place, as another process opens it. */
  readonly another: () => Promise<SealWitness>;
  close(): Promise<void>;
}

function seal(number: number, mark = ''): SealCopy {
  const digest = `${mark}${number}`.padStart(64, '0');
  return {
    number,
    previous: String(number - 1).padStart(64, '0'),
    through: String(number * 1_000),
    events: 1_000,
    root: digest,
    names: 'bmFtZXM=',
    leaves: 'bGVhdmVz',
    copies: [{ witness: 'file', upTo: number - 1 }],
    notes: ['žluťoučký "kůň"'],
    by: 'scanner@host:1',
    at: '2026-11-20T08:00:00.000Z' as Instant,
    digest,
    signature: 'c2lnbmVk',
    key: 'abcd',
  };
}

const seals = (from: number, to: number): SealCopy[] =>
  Array.from({ length: to - from + 1 }, (_, place) => seal(from + place));

/** What every witness keeps: a shard keeps no lists. */
const short = ({ number, previous, through, events, root, at, digest, signature, key }: SealCopy) => ({
  number,
  previous,
  through,
  events,
  root,
  at,
  digest,
  signature,
  key,
});

/** The laws of src/application/ports/seal-witness.ts, by number, on any adapter. */
export function sealWitnessContract(name: string, makeFixture: () => Promise<SealWitnessFixture>): void {
  describe(`seal witness: ${name}`, () => {
    let fixture: SealWitnessFixture;
    let witness: SealWitness;
    beforeEach(async () => {
      fixture = await makeFixture();
      witness = fixture.witness;
    });
    afterEach(() => fixture.close());
    const all = async (from = 1) => (await witness.read({ from, max: COPIES_PER_CALL_MAX })).map(short);

    it('1: keeps what follows on its newest copy, and the same copy once', async () => {
      expect(await witness.keep(seals(1, 3))).toBe('kept');
      expect(await witness.keep(seals(2, 5))).toBe('kept');
      expect(await witness.keep(seals(1, 5))).toBe('kept');
      expect(await witness.keep([])).toBe('kept');
      expect(await all()).toEqual(seals(1, 5).map(short));
    });

    it('2: refuses another copy of a number, and a gap, and keeps nothing of that call', async () => {
      await witness.keep(seals(1, 3));
      expect(await witness.keep([seal(3, '9'), seal(4)])).toBe('refused');
      expect(await witness.keep([seal(4), seal(6)])).toBe('refused');
      expect(await witness.keep([seal(5)])).toBe('refused');
      expect(await all()).toEqual(seals(1, 3).map(short));
      await expect(witness.keep(seals(4, 4 + COPIES_PER_CALL_MAX))).rejects.toThrow('at most');
    });

    it('3: what it kept is there for another process', async () => {
      await witness.keep(seals(1, 2));
      const other = await fixture.another();
      expect((await other.read({ from: 1, max: 9 })).map(short)).toEqual(seals(1, 2).map(short));
    });

    it('4: newest is the copy with the highest number', async () => {
      expect(await witness.newest()).toBeUndefined();
      await witness.keep(seals(1, 2));
      expect(short((await witness.newest())!)).toEqual(short(seal(2)));
    });

    it('5: reads ascending from a number on, in pages, over many', async () => {
      for (let from = 1; from <= 1_050; from += 50) await witness.keep(seals(from, from + 49));
      expect(await all(996)).toEqual(seals(996, 1_050).map(short));
      expect((await witness.read({ from: 998, max: 5 })).map(({ number }) => number)).toEqual([
        998, 999, 1_000, 1_001, 1_002,
      ]);
      expect(await witness.read({ from: 1_051, max: 5 })).toEqual([]);
      await expect(witness.read({ from: 1, max: COPIES_PER_CALL_MAX + 1 })).rejects.toThrow('yields 1 to');
    });

    it('6: several processes may keep the same copies at the same time', async () => {
      const other = await fixture.another();
      const kept = await Promise.all([
        witness.keep(seals(1, 20)),
        other.keep(seals(1, 20)),
        witness.keep(seals(1, 20)),
      ]);
      expect(kept).toEqual(['kept', 'kept', 'kept']);
      expect(await all()).toEqual(seals(1, 20).map(short));
    });

    it('7: leaves out what was set aside, goes on from there, and tells of it', async () => {
      await witness.keep(seals(1, 5));
      const first = { from: 3, by: 'ann', reason: 'an older backup', at: '2026-11-20T09:00:00.000Z' as Instant };
      await witness.setAside(first);
      expect(short((await witness.newest())!)).toEqual(short(seal(2)));
      expect(await witness.keep([seal(3, '7'), seal(4, '7')])).toBe('kept');
      expect((await all()).map(({ digest }) => digest)).toEqual(
        [seal(1), seal(2), seal(3, '7'), seal(4, '7')].map(({ digest }) => digest),
      );
      const second = { ...first, from: 1, reason: 'all of it' };
      await witness.setAside(second);
      expect([await witness.newest(), await all()]).toEqual([undefined, []]);
      expect(await (await fixture.another()).asides()).toEqual([first, second]);
    });
  });
}
