import { type Backlog } from '../../src/application/queries/measure-backlog';
import { PortFailure, type PortFailureCode } from '../../src/application/ports/failures';
import { StuckDetector } from '../../src/bootstrap/demo/stuck-detector';
import { untilDrained } from '../../src/bootstrap/processes/until-drained';
import { SteppedClock } from '../application/delivery-bench';

const backlog = (drained: boolean): Backlog => ({
  rows: [],
  unpublishedChunks: drained ? 0 : 1,
  subscriptions: [],
  notices: undefined,
  drained,
});
const outage = (code: PortFailureCode, retryable: boolean): PortFailure =>
  new PortFailure('failed to look', { code, retryable });

/** Watches with looks that take so long each; how long it took, or what it threw. */
async function watch(looks: (count: number, ms: number) => Backlog | Error, lookMs = 0) {
  const clock = new SteppedClock();
  const began = clock.ms;
  const detector = new StuckDetector(clock, 0);
  let count = 0;
  let stuck: string | undefined;
  const error = await untilDrained({
    clock,
    signal: new AbortController().signal,
    look: async () => {
      clock.ms += lookMs;
      const seen = looks(++count, clock.ms - began);
      if (seen instanceof Error) throw seen;
      return seen;
    },
    onLook: (seen) => (stuck ??= detector.look(seen)),
  }).catch((thrown: unknown) => thrown);
  return { seconds: (clock.ms - began) / 1_000, count, error, stuck };
}

describe('a finished run ends (issue 9, no 7)', () => {
  it.each([0, 100, 1_000, 10_000, 60_000])('soon, though each look takes %d ms', async (lookMs) => {
    const { seconds, error, stuck } = await watch((count) => backlog(count > 2), lookMs);
    expect({ error, stuck }).toEqual({ error: undefined, stuck: undefined });
    expect(seconds).toBeLessThan((5 * lookMs) / 1_000 + 35);
  });

  it('a drained backlog is never called stuck, nor one that nobody could look at', async () => {
    const slow = await watch((count) => backlog(count > 1), 80_000);
    expect(slow).toMatchObject({ error: undefined, stuck: undefined });
    const away = await watch((count, ms) =>
      count > 1 && ms < 110_000 ? outage('timed-out', true) : backlog(ms > 115_000),
    );
    expect(away).toMatchObject({ error: undefined, stuck: undefined });
  });

  it('a backlog that stands still while it is looked at is called stuck', async () => {
    const { stuck, seconds } = await watch((_count, ms) => backlog(ms > 200_000));
    expect(stuck).toContain('stuck: nothing has moved for 75 s');
    expect(seconds).toBeGreaterThan(200);
  });

  it.each<[PortFailureCode, boolean]>([
    ['connection-lost', true],
    ['not-authorized', false],
    ['secret-missing', false],
    ['storage-foreign', false],
  ])('is waited for through looks that fail with %s, also where looks are far apart', async (code, retryable) => {
    for (const lookMs of [0, 10_000, 130_000]) {
      const { error, count } = await watch(
        (look) => (look === 2 ? outage(code, retryable) : backlog(look > 2)),
        lookMs,
      );
      expect({ error, count }).toEqual({ error: undefined, count: 5 });
    }
  });

  it('gives up on an outage that lasts, and on a defect at once', async () => {
    const failure = outage('timed-out', true);
    const lasting = await watch(() => failure);
    expect(lasting.error).toBe(failure);
    expect(lasting.seconds).toBeGreaterThan(115);
    const defect = new Error('a defect');
    expect((await watch(() => defect)).seconds).toBeLessThan(2);
  });
});
