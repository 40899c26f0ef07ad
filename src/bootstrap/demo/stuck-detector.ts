import { type Clock } from '../../application/ports/clock';
import { type Backlog } from '../../application/queries/measure-backlog';

/** Longer than any wait of a demo: a gate is looked at again after 30 s, a lost lock after 12 s. */
const STUCK_MS = 75_000;

/** Between two looks no more than this counts as standing still: nobody saw what moved meanwhile, or could not look. */
const LOOK_GAP_MAX_MS = 20_000;

/** Tells when nothing has moved for so long that nothing will; its words say where the records stand. */
export class StuckDetector {
  private seen = '';
  private lookedAt: number;
  private stillMs = 0;

  constructor(
    private readonly clock: Clock,
    /** How long a row that lost its message waits for the next sweep at most. */
    private readonly sweptWithinMs: number,
    private readonly stuckMs = STUCK_MS,
  ) {
    this.lookedAt = clock.monotonicMs();
  }

  look(backlog: Backlog): string | undefined {
    const seen = JSON.stringify([
      backlog.rows.map(({ count }) => count),
      backlog.subscriptions.map(({ active, scheduled }) => [active, scheduled]),
      backlog.unpublishedChunks,
    ]);
    const now = this.clock.monotonicMs();
    // A drained backlog stands still because nothing is left to do.
    if (seen !== this.seen || backlog.drained) this.stillMs = 0;
    else this.stillMs += Math.min(LOOK_GAP_MAX_MS, now - this.lookedAt);
    this.seen = seen;
    this.lookedAt = now;
    const patienceMs = this.stuckMs + (onlySweepHelps(backlog) ? this.sweptWithinMs : 0);
    if (this.stillMs < patienceMs) return undefined;
    return `stuck: nothing has moved for ${Math.round(patienceMs / 1_000)} s.\n${diagnosis(backlog)}`;
  }
}

/** Rows are on their way and no message is, as after a shard or the bus came back from a backup. */
const onlySweepHelps = ({ rows, subscriptions }: Backlog): boolean =>
  rows.some(({ status, count }) => count > 0 && (status === 'Queued' || status === 'Published')) &&
  subscriptions.every(({ active, scheduled }) => active + (scheduled ?? 0) === 0);

function diagnosis({ rows, subscriptions, unpublishedChunks }: Backlog): string {
  const owed = rows.filter(({ status }) => status === 'New' || status === 'Queued' || status === 'Published');
  return [
    ...owed.map(
      ({ billerId, dataType, status, count, oldestAt }) =>
        `  biller ${billerId} ${dataType}: ${count} rows ${status}, the oldest of ${oldestAt ?? 'unknown'}`,
    ),
    ...subscriptions.map(
      ({ topic, subscription, active, scheduled, deadLettered }) =>
        `  ${topic}/${subscription}: ${active} active, ${scheduled ?? 'an untold number'} scheduled, ${deadLettered} dead-lettered`,
    ),
    `  chunks not yet published: ${unpublishedChunks}`,
    '  look at one with: datapump --config <folder>/datapump.config.json record explain <billerId:dpId>',
  ].join('\n');
}
