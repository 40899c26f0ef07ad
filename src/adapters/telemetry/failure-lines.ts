import { type OutgoingMessage } from '../../application/ports/message-bus';
import { type Fields, type Instruments } from '../../application/ports/telemetry';
import { recordIn, type Visit, type Visits } from './visits';

/** What follows a failed attempt, in a word, with when or why. */
export interface NextStep {
  readonly next: 'retry' | 'wait' | 'dead-letter' | 'hold in doubt' | 'look again' | 'come back' | 'end';
  readonly until?: string;
  readonly cause?: string;
  readonly reason?: string;
  readonly status?: string;
}

/**
 * One line for each attempt that came to nothing or to a "no", told when its next step is known: what the attempt's outcome
 * was, and what becomes of the record. None for one that was accepted.
 */
export class FailureLines {
  private readonly telemetry: Instruments;

  constructor(
    telemetry: Instruments,
    private readonly visits: Visits,
  ) {
    this.telemetry = telemetry.child({ stage: 'deliver' });
  }

  next(visit: Visit, step: NextStep): void {
    const { failed } = visit;
    if (!failed) return;
    delete visit.failed;
    const fields: Fields = {
      record: visit.record,
      dataType: visit.dataType,
      attempt: visit.attempt,
      ...failed,
      ...step,
    };
    if (failed.outcome === 'declined') this.telemetry.info('the biller declined', fields);
    else this.telemetry.warn('an attempt failed', fields);
  }

  successorSent({ body, scheduledFor }: OutgoingMessage): void {
    const record = recordIn(body);
    const visit = record === undefined ? undefined : this.visits.of(record);
    if (visit?.failed)
      this.next(visit, { next: 'look again', ...(scheduledFor !== undefined && { until: scheduledFor }) });
  }

  visitEnded(visit: Visit): void {
    this.next(visit, { next: 'come back' });
  }
}
