import { type DeliveryAttemptEvent } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type BillerId, parseRecordKey, recordKey, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { maskCardData } from '../../domain/policies/card-data';
import { type EventStore, type Position, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import {
  type BillerHealth,
  EXAMPLES_MAX,
  type Failure,
  type FailureProjection,
  type FailureProjections,
  type Fingerprint,
} from '../ports/failure-projection';

const ATTEMPT = 'deliveryAttempt';
const RECORD = 'dpRecord';
const TEXT_MAX = 200;

/** The live projection, at the event store's end; where nothing is left of it, it is built beside and takes over. */
export function currentFailures(ports: { readonly eventStore: EventStore; readonly projections: FailureProjections }) {
  return async (): Promise<FailureProjection> => {
    const { eventStore, projections } = ports;
    if ((await (await projections.live()).position()) === undefined) await rebuildFailures(ports)();
    const projection = await projections.live();
    await projectFailures({ eventStore, projection })();
    return projection;
  };
}

export function rebuildFailures(ports: { readonly eventStore: EventStore; readonly projections: FailureProjections }) {
  return async (): Promise<number> => {
    const { eventStore, projections } = ports;
    const read = await projectFailures({ eventStore, projection: await projections.beside() })();
    await projections.takeOver();
    return read;
  };
}

/** Brings it up to the event store's end, page by page; what cannot be read is passed over: the record projection names it. */
function projectFailures(ports: { readonly eventStore: EventStore; readonly projection: FailureProjection }) {
  return async (): Promise<number> => {
    const { eventStore, projection } = ports;
    for (let read = 0; ;) {
      const from: Position | undefined = await projection.position();
      const page = await eventStore.readAll({
        max: READ_EVENTS_MAX,
        categories: [RECORD, ATTEMPT],
        ...(from === undefined ? {} : { after: from }),
      });
      if (page.next === undefined || page.next === from) return read;
      const health = new Map((await projection.health()).map((each) => [each.billerId, each]));
      const failures = new Map<string, Failure>();
      const moved = new Set<BillerId>();
      for (const event of page.events) {
        const told = toldBy(event);
        if (!told) continue;
        const before = health.get(told.billerId) ?? unheardOf(told.billerId);
        const after = healthAfter(before, event, told.failure);
        if (after !== before) {
          health.set(told.billerId, after);
          moved.add(told.billerId);
        }
        if (told.failure) addFailure(failures, told.failure, told, event.metadata.at);
      }
      // Where another process was first, its position is the one to go on from.
      await projection.advance({
        from,
        to: page.next,
        health: [...moved].map((billerId) => health.get(billerId)!),
        failures: [...failures.values()],
      });
      read += page.events.length;
    }
  };
}

interface Told {
  readonly billerId: BillerId;
  readonly record: RecordKey;
  readonly failure: Fingerprint | undefined;
}

function toldBy(event: StoredEvent): Told | undefined {
  const at = event.stream.indexOf('-');
  const category = event.stream.slice(0, at);
  const [biller, dp] = event.stream.slice(at + 1).split(':');
  const ids = parseRecordKey(`${biller}:${dp}`);
  if (!ids) return undefined;
  const failure =
    category === ATTEMPT
      ? failureOfAttempt(event as StoredEvent & DeliveryAttemptEvent)
      : failureOfRecord(event as StoredEvent & DpRecordEvent);
  return { billerId: ids.billerId, record: recordKey(ids.billerId, ids.dpId), failure };
}

/** A declined payment is an answer, and no failure of the biller. */
function failureOfAttempt(event: DeliveryAttemptEvent): Fingerprint | undefined {
  switch (event.type) {
    case 'DeliveryAttemptThrottled':
      return fingerprint('answer', 'throttled', 429, 'asked to be left alone');
    case 'DeliveryAttemptNotExecuted':
      return fingerprint('call', 'not-executed', undefined, event.data.code);
    case 'DeliveryAttemptNotSent':
      return event.data.code === undefined ? undefined : fingerprint('call', 'not-sent', undefined, event.data.code);
    case 'DeliveryAttemptOutcomeUnknown':
      return fingerprint(
        event.data.httpStatus === undefined ? 'call' : 'answer',
        'unknown',
        event.data.httpStatus,
        event.data.code,
      );
    case 'DoublePostSuspected':
      return fingerprint('conclusion', 'double-post-suspected', undefined, `closed as ${event.data.closedAs}, then ${event.data.observed}`); // prettier-ignore
    default:
      return undefined;
  }
}

function failureOfRecord(event: DpRecordEvent): Fingerprint | undefined {
  switch (event.type) {
    case 'DpRecordRejected':
      return fingerprint('validation', 'rejected', undefined, [event.data.reasons].flat().join(' '));
    case 'DpRecordHeldInDoubt':
      return fingerprint('conclusion', 'in-doubt', undefined, event.data.cause);
    case 'DpRecordDeadLettered':
      return fingerprint('conclusion', 'dead-lettered', undefined, `${event.data.reason}: ${event.data.description}`);
    default:
      return undefined;
  }
}

const fingerprint = (stage: string, kind: string, status: number | undefined, text: unknown): Fingerprint => ({
  stage,
  kind,
  status: Number.isSafeInteger(status) ? status : undefined,
  text: normalized(String(text)),
});

/** Texts that tell of the same but for their numbers and ids are one. */
export const normalized = (text: string): string =>
  maskCardData(text)
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '*')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/gi, '*')
    .replace(/\d+(?:[.,:]\d+)*/g, '#')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, TEXT_MAX);

const unheardOf = (billerId: BillerId): BillerHealth => ({
  billerId,
  failingSince: undefined,
  failuresInRow: 0,
  lastError: undefined,
  lastAnswerAt: undefined,
  openAttempts: 0,
});

const ANSWERED: ReadonlySet<string> = new Set(['DeliveryAttemptAccepted', 'DeliveryAttemptDeclined']);
const CLOSING: ReadonlySet<string> = new Set([
  ...ANSWERED,
  'DeliveryAttemptThrottled',
  'DeliveryAttemptNotExecuted',
  'DeliveryAttemptNotSent',
  'DeliveryAttemptResolvedByInquiry',
  'DeliveryAttemptResolvedByOperator',
]);
/** What of a failure speaks of the calls to the biller, and not of the record alone. */
const OF_CALLS: ReadonlySet<string> = new Set(['not-executed', 'unknown', 'throttled', 'not-sent']);

function healthAfter(before: BillerHealth, event: StoredEvent, failure: Fingerprint | undefined): BillerHealth {
  const { at } = event.metadata;
  const opened = (event.type === 'DeliveryAttemptStarted' ? 1 : 0) - (CLOSING.has(event.type) ? 1 : 0);
  const openAttempts = Math.max(0, before.openAttempts + opened);
  if (ANSWERED.has(event.type))
    return { ...before, openAttempts, failingSince: undefined, failuresInRow: 0, lastAnswerAt: at };
  if (failure && OF_CALLS.has(failure.kind))
    return {
      ...before,
      openAttempts,
      failingSince: before.failingSince ?? at,
      failuresInRow: before.failuresInRow + 1,
      lastError: { ...failure, at },
    };
  return opened === 0 ? before : { ...before, openAttempts };
}

function addFailure(failures: Map<string, Failure>, of: Fingerprint, { billerId, record }: Told, at: Instant): void {
  const name = JSON.stringify([billerId, of.stage, of.kind, of.status, of.text]);
  const sofar = failures.get(name);
  const examples = [record, ...(sofar?.examples ?? []).filter((each) => each !== record)].slice(0, EXAMPLES_MAX);
  const firstAt = sofar && sofar.firstAt < at ? sofar.firstAt : at;
  const lastAt = sofar && sofar.lastAt > at ? sofar.lastAt : at;
  failures.set(name, { ...of, billerId, count: (sofar?.count ?? 0) + 1, firstAt, lastAt, examples });
}
