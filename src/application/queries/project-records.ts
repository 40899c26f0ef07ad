import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { carriesMoney, isDataType } from '../../domain/biller/data-type';
import { recordKey, type RecordKey } from '../../domain/identifiers';
import { type Money } from '../../domain/money';
import { type EventStore, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import { type ProjectedRecord, type RecordProjection, type RecordStatus } from '../ports/record-projection';

export interface ProjectRecordsPorts {
  readonly eventStore: EventStore;
  readonly projection: RecordProjection;
}

const CATEGORY = 'dpRecord';
const STREAM_PREFIX_LENGTH = `${CATEGORY}-`.length;

/** The status a record has after an event; undefined: the event says nothing about it. */
const STATUS_AFTER: Record<DpRecordEvent['type'], RecordStatus | undefined> = {
  DpRecordDiscovered: 'pending',
  DpRecordValidated: 'pending',
  DpRecordRejected: 'rejected',
  DpRecordSkipped: 'skipped',
  DpRecordWithdrawn: 'withdrawn',
  DpRecordParked: 'pending',
  DpRecordRetryScheduled: 'pending',
  DpRecordHeldInDoubt: 'in-doubt',
  DpRecordDelivered: 'delivered',
  DpRecordDeclined: 'declined',
  DpRecordDeadLettered: 'dead-lettered',
  DpRecordRedriven: 'pending',
  DpRecordReconciled: undefined,
};

/** Brings the projection up to the event store's end, page by page; returns how many events were read. */
export function projectRecords({ eventStore, projection }: ProjectRecordsPorts) {
  return async (progress?: (eventsRead: number) => void): Promise<number> => {
    let read = 0;
    // What could not be read may have been restored since, and the entries behind it are built on it.
    if ((await projection.unread()).length > 0) await projection.reset();
    for (;;) {
      const after = await projection.position();
      const page = await eventStore.readAll({
        max: READ_EVENTS_MAX,
        categories: [CATEGORY],
        ...(after === undefined ? {} : { after }),
      });
      if (page.next !== undefined && page.next !== after) {
        const { entries, unread } = await applied(projection, page.events);
        await projection.advance(entries, page.next, [...(page.damaged ?? []), ...unread]);
      }
      read += page.events.length;
      progress?.(read);
      if (page.next === undefined || page.next === after) return read;
    }
  };
}

async function applied(projection: RecordProjection, events: readonly StoredEvent[]) {
  const keys = [...new Set(events.map((event) => event.stream.slice(STREAM_PREFIX_LENGTH) as RecordKey))];
  const entries = new Map(await projection.find(keys));
  const unread: string[] = [];
  for (const event of events) {
    const key = event.stream.slice(STREAM_PREFIX_LENGTH) as RecordKey;
    const entry = isKnown(event) ? applyOne(entries.get(key), event) : 'unknown';
    if (entry === 'unknown') {
      unread.push(
        `event ${event.revision} of stream ${event.stream} (position ${event.position}) is damaged, or of a newer datapump: its type or its members are unknown`,
      );
    } else if (entry) entries.set(key, entry);
  }
  return { entries: keys.flatMap((key) => entries.get(key) ?? []), unread };
}

const isKnown = (event: StoredEvent): event is StoredEvent & DpRecordEvent => Object.hasOwn(STATUS_AFTER, event.type);

function applyOne(entry: ProjectedRecord | undefined, event: DpRecordEvent): ProjectedRecord | 'unknown' | undefined {
  if (event.type === 'DpRecordDiscovered') {
    const { billerId, dpId, dataType, amount } = event.data;
    if (typeof billerId !== 'string' || typeof dpId !== 'string' || !isDataType(dataType) || !isMoney(amount))
      return 'unknown';
    return {
      record: recordKey(billerId, dpId),
      billerId,
      dataType,
      status: 'pending',
      amount: carriesMoney(dataType) ? amount : undefined,
    };
  }
  if (!entry) return undefined;
  if (event.type === 'DpRecordValidated' && !isMoney(event.data.amount)) return 'unknown';
  const amount =
    event.type === 'DpRecordValidated' && event.data.amount && carriesMoney(entry.dataType)
      ? event.data.amount
      : entry.amount;
  return { ...entry, amount, status: STATUS_AFTER[event.type] ?? entry.status };
}

const isMoney = (amount: Money | undefined): boolean =>
  amount === undefined || (Number.isSafeInteger(amount.minorUnits) && typeof amount.currency === 'string');
