import { type Backlog } from '../../src/application/queries/measure-backlog';
import { StuckDetector } from '../../src/bootstrap/demo/stuck-detector';
import { type RowStatus } from '../../src/domain/dp-record/row-status';
import { billerId } from '../../src/domain/identifiers';
import { SteppedClock } from '../application/delivery-bench';

const MINUTE = 60_000;
const LOOK_MS = 5_000;

const backlog = (status: RowStatus, active: number): Backlog => ({
  rows: [{ billerId: billerId('12'), dataType: 'Payments', status, count: 1, oldestAt: undefined }],
  unpublishedChunks: 0,
  subscriptions: [
    { kind: 'Payments', topic: 'datapump-events', subscription: 'payments', active, scheduled: 0, deadLettered: 0 },
  ],
  notices: undefined,
  drained: false,
});

/** A shard or a bus that was restored has rows on their way and no messages: only the sweep brings them back. */
describe('a run is called stuck (issue 9, no 7)', () => {
  it.each<readonly [string, RowStatus, number, number]>([
    ['75 s after messages stood still', 'Published', 3, 75_000],
    ['75 s after rows that nobody claims stood still', 'New', 0, 75_000],
    ['only after the next sweep where rows lost their messages', 'Published', 0, 16 * MINUTE + 75_000],
    ['only after the next sweep where chunks lost their messages', 'Queued', 0, 16 * MINUTE + 75_000],
  ])('%s', (_, status, active, afterMs) => {
    const clock = new SteppedClock();
    const detector = new StuckDetector(clock, 16 * MINUTE);
    expect(detector.look(backlog(status, active))).toBeUndefined();
    // As a run looks: a longer pause is none of standing still.
    for (let stillMs = LOOK_MS; stillMs < afterMs; stillMs += LOOK_MS) {
      clock.ms += LOOK_MS;
      expect(detector.look(backlog(status, active))).toBeUndefined();
    }
    clock.ms += LOOK_MS - 1;
    expect(detector.look(backlog(status, active))).toBeUndefined();
    clock.ms += 1;
    expect(detector.look(backlog(status, active))).toMatch(/^stuck: nothing has moved for \d+ s/);
  });
});
