import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { carriesMoney, isDataType } from '../../domain/biller/data-type';
import { recordKey, type RecordKey, type ShardName } from '../../domain/identifiers';
import { dayOf, isPlausible } from '../../domain/instant';
import { type Money, sameMoney } from '../../domain/money';
import { type EventStore, type Position, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import {
  type ProjectedRecord,
  type ProjectedTotal,
  type ProjectionStep,
  type RecordProjection,
  type RecordProjections,
  type RecordStatus,
} from '../ports/record-projection';

export interface ProjectRecordsPorts {
  readonly eventStore: EventStore;
  readonly projection: RecordProjection;
}

const CATEGORY = 'dpRecord';
const STREAM_PREFIX_LENGTH = `${CATEGORY}-`.length;
/** Pages that one step takes together: a record that ends a few pages after it began is written once. */
const PAGES_IN_STEP_MAX = 20;

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

/** Brings the projection up to the event store's end, step by step; returns how many events were read. */
export function projectRecords({ eventStore, projection }: ProjectRecordsPorts) {
  return async (progress?: (eventsRead: number) => void): Promise<number> => {
    let read = 0;
    // What could not be read may have been restored since, and the entries behind it are built on it.
    if ((await projection.unread()).length > 0) await projection.reset();
    for (;;) {
      const after = await projection.position();
      const pages = await pagesAfter(eventStore, after);
      if (pages.next !== undefined && pages.next !== after) {
        const { entries, changes, unread } = await applied(projection, pages.events);
        // Where another process was first, its position is the one to go on from.
        await projection.advance({
          from: after,
          to: pages.next,
          entries,
          changes,
          unread: [...pages.damaged, ...unread],
        });
      }
      read += pages.events.length;
      progress?.(read);
      if (pages.failure) throw pages.failure.error;
      if (pages.ended) return read;
    }
  };
}

/** Builds a projection beside the live one, which answers meanwhile, and puts it in its place. */
export function rebuildRecords(ports: { readonly eventStore: EventStore; readonly projections: RecordProjections }) {
  return async (progress?: (eventsRead: number) => void): Promise<number> => {
    const { eventStore, projections } = ports;
    const beside = await projections.beside();
    const read = await projectRecords({ eventStore, projection: beside })(progress);
    await projections.takeOver();
    return read;
  };
}

/** The live projection, brought up to the event store's end; the first time, and where nothing is left of it, it is built. */
export function currentRecords(ports: { readonly eventStore: EventStore; readonly projections: RecordProjections }) {
  return async (progress?: (eventsRead: number) => void): Promise<RecordProjection> => {
    const { eventStore, projections } = ports;
    if ((await (await projections.live()).position()) === undefined) await rebuildRecords(ports)(progress);
    const projection = await projections.live();
    await projectRecords({ eventStore, projection })(progress);
    return projection;
  };
}

interface Pages {
  readonly events: readonly StoredEvent[];
  readonly damaged: readonly string[];
  readonly next: Position | undefined;
  readonly ended: boolean;
  /** What was read before it is good all the same. */
  readonly failure?: { readonly error: unknown };
}

async function pagesAfter(eventStore: EventStore, after: Position | undefined): Promise<Pages> {
  const events: StoredEvent[] = [];
  const damaged: string[] = [];
  let next = after;
  try {
    for (let pages = 0; pages < PAGES_IN_STEP_MAX; pages++) {
      const page = await eventStore.readAll({
        max: READ_EVENTS_MAX,
        categories: [CATEGORY],
        ...(next === undefined ? {} : { after: next }),
      });
      if (page.next === undefined || page.next === next) return { events, damaged, next, ended: true };
      for (const event of page.events) events.push(event);
      damaged.push(...(page.damaged ?? []));
      next = page.next;
    }
  } catch (error) {
    return { events, damaged, next, ended: false, failure: { error } };
  }
  return { events, damaged, next, ended: false };
}

async function applied(
  projection: RecordProjection,
  events: readonly StoredEvent[],
): Promise<Required<Pick<ProjectionStep, 'entries' | 'changes' | 'unread'>>> {
  const keys = [...new Set(events.map((event) => event.stream.slice(STREAM_PREFIX_LENGTH) as RecordKey))];
  const before = await projection.find(keys);
  const entries = new Map(before);
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
  const moved = keys.flatMap((key) => {
    const entry = entries.get(key);
    return entry && entry !== before.get(key) ? [entry] : [];
  });
  return { entries: moved, changes: changesOf(moved, before), unread };
}

/** What the totals lose and win by the entries: by day, shard, biller, data type, status and currency. */
function changesOf(
  entries: readonly ProjectedRecord[],
  before: ReadonlyMap<RecordKey, ProjectedRecord>,
): readonly ProjectedTotal[] {
  const changes = new Map<string, ProjectedTotal>();
  const add = (entry: ProjectedRecord, sign: 1 | -1): void => {
    const { shard, billerId, dataType, status, amount } = entry;
    const day = dayOf(entry.createdAt);
    const name = JSON.stringify([day, shard, billerId, dataType, status, amount?.currency]);
    const sum = changes.get(name);
    const minorUnits = (sum?.amount?.minorUnits ?? 0) + sign * (amount?.minorUnits ?? 0);
    changes.set(name, {
      day,
      shard,
      billerId,
      dataType,
      status,
      count: (sum?.count ?? 0) + sign,
      amount: amount && { minorUnits, currency: amount.currency },
    });
  };
  for (const entry of entries) {
    const was = before.get(entry.record);
    if (was && countsAlike(was, entry)) continue;
    if (was) add(was, -1);
    add(entry, 1);
  }
  return [...changes.values()].filter(({ count, amount }) => count !== 0 || (amount?.minorUnits ?? 0) !== 0);
}

const countsAlike = (a: ProjectedRecord, b: ProjectedRecord): boolean =>
  a.status === b.status &&
  a.createdAt === b.createdAt &&
  a.shard === b.shard &&
  a.dataType === b.dataType &&
  (a.amount && b.amount ? sameMoney(a.amount, b.amount) : a.amount === b.amount);

const isKnown = (event: StoredEvent): event is StoredEvent & DpRecordEvent => Object.hasOwn(STATUS_AFTER, event.type);

function applyOne(
  entry: ProjectedRecord | undefined,
  event: StoredEvent & DpRecordEvent,
): ProjectedRecord | 'unknown' | undefined {
  if (event.type === 'DpRecordDiscovered') return discovered(event);
  if (!entry) return undefined;
  if (event.type === 'DpRecordValidated' && !isMoney(event.data.amount)) return 'unknown';
  const amount =
    event.type === 'DpRecordValidated' && event.data.amount && carriesMoney(entry.dataType)
      ? event.data.amount
      : entry.amount;
  const status = STATUS_AFTER[event.type];
  if (status === undefined) return entry;
  const attempt = 'attempt' in event.data ? event.data.attempt : undefined;
  return {
    ...entry,
    amount,
    status,
    attempts: Number.isSafeInteger(attempt) ? Math.max(entry.attempts, attempt!) : entry.attempts,
    cause: causeOf(event),
    reference: event.type === 'DpRecordDelivered' ? textOf(event.data.billerReference) : entry.reference,
    changedAt: event.metadata.at,
  };
}

function discovered(event: Extract<StoredEvent & DpRecordEvent, { type: 'DpRecordDiscovered' }>) {
  const { billerId, dpId, dataType, amount, shard, createdAt, at } = event.data;
  if (typeof billerId !== 'string' || typeof dpId !== 'string' || !isDataType(dataType) || !isMoney(amount))
    return 'unknown';
  const created = [createdAt, at, event.metadata.at].find((each) => each !== undefined && isPlausible(each));
  if (created === undefined) return 'unknown';
  return {
    record: recordKey(billerId, dpId),
    shard: typeof shard === 'string' ? shard : ('' as ShardName),
    billerId,
    dataType,
    status: 'pending' as const,
    amount: carriesMoney(dataType) ? amount : undefined,
    attempts: 0,
    cause: undefined,
    reference: undefined,
    createdAt: created,
    changedAt: event.metadata.at,
  };
}

/** The code that an event gives for where the record stands now. */
function causeOf(event: DpRecordEvent): string | undefined {
  switch (event.type) {
    case 'DpRecordRejected':
      return Array.isArray(event.data.reasons) ? event.data.reasons.map(String).join(' ') : undefined;
    case 'DpRecordSkipped':
      return textOf(event.data.constraint);
    case 'DpRecordParked':
    case 'DpRecordHeldInDoubt':
      return textOf(event.data.cause);
    case 'DpRecordRetryScheduled':
      return 'retry-scheduled';
    case 'DpRecordDeclined':
      return textOf(event.data.code);
    case 'DpRecordDeadLettered':
      return textOf(event.data.reason);
    case 'DpRecordDiscovered':
    case 'DpRecordValidated':
    case 'DpRecordWithdrawn':
    case 'DpRecordDelivered':
    case 'DpRecordRedriven':
    case 'DpRecordReconciled':
      return undefined;
  }
}

/** An event may be damaged: what should be a text may be anything. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const isMoney = (amount: Money | undefined): boolean =>
  amount === undefined || (Number.isSafeInteger(amount.minorUnits) && typeof amount.currency === 'string');
