import { type Position } from '../../src/application/ports/event-store';
import {
  type BillerHealth,
  EXAMPLES_MAX,
  type Failure,
  type FailureProjection,
  type FailureProjections,
  type FailureStep,
} from '../../src/application/ports/failure-projection';
import { type BillerId, billerId, type RecordKey } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';

export interface FailureProjectionFixture {
  readonly projections: FailureProjections;
  /** The same as another process sees it. */
  readonly ofAnother: () => FailureProjections;
  dispose(): void;
}

const WATER = billerId('water');
const GAS = billerId('gas');
const at = (position: number): Position => String(position) as Position;
const time = (minute: number) => instant(`2026-11-20T08:${String(minute).padStart(2, '0')}:00.000Z`);
const key = (id: number): RecordKey => `water:${id}` as RecordKey;
const failure = (more: Partial<Failure> = {}): Failure => ({
  billerId: WATER,
  stage: 'answer',
  kind: 'unknown',
  status: 503,
  text: "maintenance '#'",
  count: 1,
  firstAt: time(1),
  lastAt: time(1),
  examples: [key(1)],
  ...more,
});
const health = (biller: BillerId, more: Partial<BillerHealth> = {}): BillerHealth => ({
  billerId: biller,
  failingSince: undefined,
  failuresInRow: 0,
  lastError: undefined,
  lastAnswerAt: undefined,
  openAttempts: 0,
  ...more,
});

/** The laws of FailureProjection and of FailureProjections. */
export function failureProjectionContract(name: string, open: () => FailureProjectionFixture): void {
  describe(`FailureProjection: ${name}`, () => {
    let under: FailureProjectionFixture;
    let projection: FailureProjection;
    beforeEach(async () => {
      under = open();
      projection = await under.projections.live();
    });
    afterEach(() => under.dispose());

    const advance = async (step: Partial<FailureStep> & { readonly to: Position }): Promise<boolean> =>
      projection.advance({ from: await projection.position(), health: [], failures: [], ...step });
    const whole = async (of: FailureProjection) => [
      await of.position(),
      await of.health(),
      await of.failures({ max: 10 }),
    ];

    it('1: health, failures and position advance together, or not at all', async () => {
      expect(await whole(projection)).toEqual([undefined, [], []]);
      const step = { health: [health(WATER)], failures: [failure()], to: at(3) };
      expect(await advance(step)).toBe(true);
      const broken = failure({ stage: undefined as unknown as string });
      await expect(
        advance({ health: [health(GAS)], failures: [failure({ text: 'x' }), broken], to: at(4) }),
      ).rejects.toThrow();
      expect(await whole(projection)).toEqual([at(3), [health(WATER)], [failure()]]);
    });

    it('1: advances from where it stands alone, whoever was first', async () => {
      const step = { from: undefined, health: [], failures: [failure()], to: at(3) };
      const another = await under.ofAnother().live();
      expect((await Promise.all([projection.advance(step), another.advance(step)])).sort()).toEqual([false, true]);
      expect((await projection.failures({ max: 9 })).map(({ count }) => count)).toEqual([1]);
    });

    it('2: the health of a biller replaces the one it had', async () => {
      const { billerId: _, count: _c, firstAt: _f, lastAt: _l, examples: _e, ...print } = failure();
      const ill = health(WATER, { failingSince: time(1), failuresInRow: 3, lastError: { ...print, at: time(2) }, lastAnswerAt: time(0), openAttempts: 2 }); // prettier-ignore
      await advance({ health: [ill, health(GAS)], to: at(1) });
      expect(await projection.health()).toEqual([health(GAS), ill]);
      await advance({ health: [health(WATER, { lastAnswerAt: time(5) })], to: at(2) });
      expect(await projection.health()).toEqual([health(GAS), health(WATER, { lastAnswerAt: time(5) })]);
    });

    it('3: failures of one fingerprint and biller add up, those of another do not', async () => {
      await advance({ failures: [failure({ lastAt: time(4), count: 2 })], to: at(1) });
      await advance({
        failures: [
          failure({ firstAt: time(0), lastAt: time(3), examples: [key(2), key(1)] }),
          failure({ status: undefined }),
          failure({ kind: 'throttled' }),
          failure({ stage: 'call' }),
          failure({ text: 'other' }),
          failure({ billerId: GAS }),
        ],
        to: at(2),
      });
      const all = await projection.failures({ max: 10 });
      expect(all[0]).toEqual(failure({ count: 3, firstAt: time(0), lastAt: time(4), examples: [key(2), key(1)] }));
      expect(all.slice(1).map(({ count }) => count)).toEqual([1, 1, 1, 1, 1]);
      expect(all.find(({ status }) => status === undefined)).toEqual(failure({ status: undefined }));
    });

    it('3: keeps the newest examples, each record once', async () => {
      for (let id = 1; id <= EXAMPLES_MAX + 2; id++) await advance({ failures: [failure({ examples: [key(id)] })], to: at(id) }); // prettier-ignore
      await advance({ failures: [failure({ examples: [key(EXAMPLES_MAX)] })], to: at(99) });
      expect((await projection.failures({ max: 1 }))[0]!.examples).toEqual(
        [5, 7, 6, 4, 3].map((id) => key(id)).slice(0, EXAMPLES_MAX),
      );
    });

    it('4: yields those of a biller, from a time on, seen last first', async () => {
      await advance({
        failures: [
          failure({ text: 'a', lastAt: time(1) }),
          failure({ text: 'b', lastAt: time(3) }),
          failure({ text: 'c', lastAt: time(2), billerId: GAS }),
        ],
        to: at(1),
      });
      const texts = async (query: Omit<Parameters<FailureProjection['failures']>[0], 'max'>, max = 10) =>
        (await projection.failures({ ...query, max })).map(({ text }) => text);
      expect(await texts({})).toEqual(['b', 'c', 'a']);
      expect(await texts({}, 2)).toEqual(['b', 'c']);
      expect(await texts({ billerId: WATER })).toEqual(['b', 'a']);
      expect(await texts({ since: time(2) })).toEqual(['b', 'c']);
      expect(await texts({ billerId: GAS, since: time(3) })).toEqual([]);
    });

    it('5: what is built beside changes nothing until it takes over, for every process', async () => {
      await advance({ failures: [failure()], to: at(5) });
      const before = await whole(projection);
      await under.projections.takeOver();
      const beside = await under.projections.beside();
      await beside.advance({ from: undefined, health: [health(GAS)], failures: [], to: at(2) });
      expect(await (await under.ofAnother().beside()).position()).toBe(at(2));
      expect(await whole(await under.projections.live())).toEqual(before);
      await under.projections.takeOver();
      for (const each of [under.projections, under.ofAnother()])
        expect(await whole(await each.live())).toEqual([at(2), [health(GAS)], []]);
    });
  });
}
