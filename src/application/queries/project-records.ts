import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { carriesMoney } from '../../domain/biller/data-type';
import { recordKey, type RecordKey } from '../../domain/identifiers';
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
    for (;;) {
      const after = await projection.position();
      const page = await eventStore.readAll({ max: READ_EVENTS_MAX, categories: [CATEGORY], ...(after === undefined ? {} : { after }) });
      if (page.next !== undefined && page.next !== after) await projection.advance(await applied(projection, page.events), page.next);
      read += page.events.length;
      progress?.(read);
      if (page.events.length === 0) return read;
    }
  };
}

async function applied(projection: RecordProjection, events: readonly StoredEvent[]): Promise<readonly ProjectedRecord[]> {
  const keys = [...new Set(events.map((event) => event.stream.slice(STREAM_PREFIX_LENGTH) as RecordKey))];
  const entries = new Map(await projection.find(keys));
  for (const event of events) {
    const key = event.stream.slice(STREAM_PREFIX_LENGTH) as RecordKey;
    const entry = applyOne(entries.get(key), event as unknown as DpRecordEvent);
    if (entry) entries.set(key, entry);
  }
  return keys.flatMap((key) => entries.get(key) ?? []);
}

function applyOne(entry: ProjectedRecord | undefined, event: DpRecordEvent): ProjectedRecord | undefined {
  if (event.type === 'DpRecordDiscovered') {
    const { billerId, dpId, dataType, amount } = event.data;
    return { record: recordKey(billerId, dpId), billerId, dataType, status: 'pending', amount: carriesMoney(dataType) ? amount : undefined };
  }
  if (!entry) return undefined;
  const amount = event.type === 'DpRecordValidated' && event.data.amount && carriesMoney(entry.dataType) ? event.data.amount : entry.amount;
  return { ...entry, amount, status: STATUS_AFTER[event.type] ?? entry.status };
}
