import { APPEND_EVENTS_MAX, type ExpectedRevision, type NewEvent } from '../../application/ports/event-store';
import { MESSAGES_PER_CALL_MAX } from '../../application/ports/message-bus';
import { type BillerId, type StreamName } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';

/* What a call of a port must be, whichever adapter answers it: who calls otherwise is wrong, and is told so at once. */

export function checkAppend(stream: StreamName, expected: ExpectedRevision, events: readonly NewEvent[]): void {
  invariant(
    events.length >= 1 && events.length <= APPEND_EVENTS_MAX,
    `an append holds 1 to ${APPEND_EVENTS_MAX} events, got ${events.length}`,
  );
  invariant(
    expected === 'new' || (Number.isSafeInteger(expected) && expected >= 0),
    `an expected revision is 'new' or a whole number from 0, got ${expected}`,
  );
  invariant(
    new Set(events.map(({ id }) => id)).size === events.length,
    `an append to ${stream} holds one event id twice`,
  );
}

/** `digits`: of the longest sequence number that this bus gives. */
export function checkPeek(after: string, max: number, digits: number): void {
  invariant(
    Number.isSafeInteger(max) && max >= 1 && max <= MESSAGES_PER_CALL_MAX,
    `a peek yields 1 to ${MESSAGES_PER_CALL_MAX} messages, got ${max}`,
  );
  invariant(
    after.length <= digits && /^\d+$/.test(after),
    `a sequence number is one that a message carried, got ${JSON.stringify(after)}`,
  );
}

export function checkTake(biller: BillerId, { perSecond, wanted }: { perSecond: number; wanted: number }): void {
  invariant(
    Number.isFinite(perSecond) && perSecond > 0,
    `a rate is a number above 0, got ${perSecond} a second for biller ${biller}`,
  );
  invariant(Number.isInteger(wanted) && wanted >= 0, `calls are counted, got ${wanted} for biller ${biller}`);
}
