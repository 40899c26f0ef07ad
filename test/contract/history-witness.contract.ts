import { type StoreIdentity } from '../../src/application/ports/event-store';
import { type HistoryWitness, type KnownHistory } from '../../src/application/ports/history-witness';
import { instant } from '../../src/domain/instant';

export interface WitnessFixture {
  /** Knows nothing yet. */
  readonly witness: HistoryWitness;
  another(): Promise<HistoryWitness>;
  close(): Promise<void>;
}

const noted = (ordinal: number, changes: Partial<KnownHistory> = {}): KnownHistory =>
  ({
    ordinal,
    identity: `store "${ordinal}" 'é' \u{1F4B0}` as StoreIdentity,
    mark: { position: '18446744073709551615/7', stream: 'dpRecord-12:1', revision: 3, id: `event-${ordinal}` },
    notedAt: instant('2026-11-21T08:00:00.123Z'),
    ...changes,
  }) as KnownHistory;

/** The laws of src/application/ports/history-witness.ts, by number, on any adapter. */
export function historyWitnessContract(name: string, makeFixture: () => Promise<WitnessFixture>): void {
  describe(`history witness: ${name}`, () => {
    it('1, 2, 3, 4: remembers the note that follows, of concurrent ones exactly one, for every client', async () => {
      const fixture = await makeFixture();
      try {
        await exerciseWitness(fixture.witness, await fixture.another());
      } finally {
        await fixture.close();
      }
    });
  });
}

export async function exerciseWitness(one: HistoryWitness, other: HistoryWitness): Promise<void> {
  expect(await one.knownHistory()).toBeUndefined();
  expect(await one.noteHistory(noted(2))).toBe(false);
  expect(await other.knownHistory()).toBeUndefined();
  const first = noted(1);
  delete (first as { mark?: unknown }).mark;
  expect(await one.noteHistory(first)).toBe(true);
  expect(await other.knownHistory()).toEqual({ ...first, mark: undefined });
  for (const ordinal of [1, 3, 0, -1]) expect(await other.noteHistory(noted(ordinal))).toBe(false);
  expect(await one.knownHistory()).toMatchObject({ ordinal: 1 });
  const racers = [one, other, one, other].map((witness, place) =>
    witness.noteHistory(noted(2, { identity: `racer-${place}` as StoreIdentity })),
  );
  const written = await Promise.all(racers);
  expect(written.filter((each) => each)).toHaveLength(1);
  expect(await other.knownHistory()).toEqual(noted(2, { identity: `racer-${written.indexOf(true)}` as StoreIdentity }));
  expect(await other.noteHistory(noted(3))).toBe(true);
  expect(await one.knownHistory()).toEqual(noted(3));
}
