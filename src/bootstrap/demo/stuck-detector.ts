import { type Clock } from '../../application/ports/clock';
import { type Backlog } from '../../application/queries/measure-backlog';

/** Longer than any wait of a demo: a gate is looked at again after 30 s, a lost lock after 12 s. */
const STUCK_MS = 75_000;

/** Tells when nothing has moved for so long that nothing will; its words say where the records stand. */
export class StuckDetector {
  private seen = '';
  private movedAt: number;

  constructor(
    private readonly clock: Clock,
    private readonly stuckMs = STUCK_MS,
  ) {
    this.movedAt = clock.monotonicMs();
  }

  look(backlog: Backlog): string | undefined {
    const seen = JSON.stringify([
      backlog.rows.map(({ count }) => count),
      backlog.subscriptions.map(({ active, scheduled }) => [active, scheduled]),
      backlog.unpublishedChunks,
    ]);
    if (seen !== this.seen) {
      this.seen = seen;
      this.movedAt = this.clock.monotonicMs();
    }
    if (this.clock.monotonicMs() - this.movedAt < this.stuckMs) return undefined;
    return `stuck: nothing has moved for ${Math.round(this.stuckMs / 1_000)} s.\n${diagnosis(backlog)}`;
  }
}

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
