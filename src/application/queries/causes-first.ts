import { type DeliveryAttemptEvent } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type StoredEvent } from '../ports/event-store';

export interface Histories {
  readonly chunk: readonly StoredEvent[];
  readonly record: readonly StoredEvent[];
  /** By number, from 1 on. */
  readonly attempts: readonly (readonly StoredEvent[])[];
}

/**
 * One story of several streams: each stream in its own order, no effect before its cause, and apart from that by time.
 * Instants alone cannot say it: what one process does in one step has one instant, and clocks of two machines differ.
 */
export function causesFirst(histories: Histories): readonly StoredEvent[] {
  const causes = causesOf(histories);
  const streams = [histories.chunk, histories.record, ...histories.attempts];
  const next = streams.map(() => 0);
  const told = new Set<StoredEvent>();
  const story: StoredEvent[] = [];
  for (let left = streams.reduce((sum, { length }) => sum + length, 0); left > 0; left--) {
    const heads = streams.flatMap((events, stream) => {
      const event = events[next[stream]!];
      return event === undefined ? [] : [{ event, stream }];
    });
    const ready = heads.filter(({ event }) => (causes.get(event) ?? []).every((cause) => told.has(cause)));
    // Damaged histories may wait for each other: they are told by time.
    const { event, stream } = (ready.length > 0 ? ready : heads).reduce((first, other) =>
      other.event.metadata.at < first.event.metadata.at ? other : first,
    );
    story.push(event);
    told.add(event);
    next[stream]!++;
  }
  return story;
}

const CONCLUDING: ReadonlySet<string> = new Set<DpRecordEvent['type']>([
  'DpRecordDelivered',
  'DpRecordDeclined',
  'DpRecordRetryScheduled',
  'DpRecordDeadLettered',
  'DpRecordParked',
]);
/** Also what ends a record without a call follows on an attempt that was taken for it. */
const ENDING_WITHOUT_CALL: ReadonlySet<string> = new Set<DpRecordEvent['type']>([
  'DpRecordWithdrawn',
  'DpRecordRejected',
  'DpRecordSkipped',
]);
const VERDICTS: ReadonlySet<string> = new Set<DpRecordEvent['type']>([
  'DpRecordValidated',
  'DpRecordRejected',
  'DpRecordSkipped',
]);
const CLOSING: ReadonlySet<string> = new Set<DeliveryAttemptEvent['type']>([
  'DeliveryAttemptAccepted',
  'DeliveryAttemptDeclined',
  'DeliveryAttemptThrottled',
  'DeliveryAttemptNotExecuted',
  'DeliveryAttemptNotSent',
  'DeliveryAttemptResolvedByInquiry',
  'DeliveryAttemptResolvedByOperator',
]);

/** Causes that stand in another stream; its own predecessors an event follows anyway. */
function causesOf({ chunk, record, attempts }: Histories): ReadonlyMap<StoredEvent, readonly StoredEvent[]> {
  const causes = new Map<StoredEvent, readonly StoredEvent[]>();
  const add = (effect: StoredEvent | undefined, ...found: readonly (StoredEvent | undefined)[]): void => {
    if (effect) causes.set(effect, [...(causes.get(effect) ?? []), ...found.filter((cause) => cause !== undefined)]);
  };
  const discovered = record[0];
  const published = chunk.find(({ type }) => type === 'ChunkPublished');
  // A row has a chunk's id from the claim on. Fetched, it need not be: a consumer may meet the record first.
  add(
    discovered,
    chunk.find(({ type }) => type === 'ChunkPlanned'),
  );
  add(
    discovered,
    chunk.find(
      (event) => event.type === 'ChunkFetchStarted' && discovered !== undefined && notAfter(event, discovered),
    ),
  );
  if (discovered && published && notAfter(discovered, published)) add(published, verdictOf(record));
  attempts.forEach((attempt, index) => {
    const number = index + 1;
    const closing = attempt.find(({ type }) => CLOSING.has(type));
    add(attempt[0], verdictOf(record), reopeningOf(record, number - 1));
    for (const event of record) {
      if (attemptOf(event) === number) add(event, ...(CONCLUDING.has(event.type) ? [closing] : heldBy(event, attempt)));
      if (ENDING_WITHOUT_CALL.has(event.type) && number === attempts.length && record.indexOf(event) > 1)
        add(event, closing);
    }
    if (closing?.type === 'DeliveryAttemptResolvedByOperator')
      add(
        closing,
        record.find((event) => event.type === 'DpRecordHeldInDoubt' && attemptOf(event) === number),
      );
  });
  return causes;
}

const notAfter = (cause: StoredEvent, effect: StoredEvent): boolean => cause.metadata.at <= effect.metadata.at;
const attemptOf = (event: StoredEvent): number | undefined => (event.data as { readonly attempt?: number }).attempt;

/** The found record with its verdict, which are appended together. */
const verdictOf = ([discovered, second]: readonly StoredEvent[]): StoredEvent | undefined =>
  second !== undefined && VERDICTS.has(second.type) ? second : discovered;

/** What made the next attempt possible: the conclusion of the one before, or the redrive after it. */
function reopeningOf(record: readonly StoredEvent[], number: number): StoredEvent | undefined {
  const concluded = record.findLastIndex((event) => attemptOf(event) === number && CONCLUDING.has(event.type));
  if (concluded === -1) return undefined;
  const redriven = record.slice(concluded).find(({ type }) => type === 'DpRecordRedriven');
  return record[concluded]!.type === 'DpRecordDeadLettered' ? redriven : record[concluded];
}

/** A doubt is held over what was known of the attempt by then. */
const heldBy = (held: StoredEvent, attempt: readonly StoredEvent[]): readonly (StoredEvent | undefined)[] => [
  attempt[0],
  attempt.findLast((event) => !CLOSING.has(event.type) && notAfter(event, held)),
];
