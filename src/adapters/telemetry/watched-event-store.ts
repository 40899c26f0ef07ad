import { SpanKind } from '@opentelemetry/api';
import { type EventStore, type NewEvent } from '../../application/ports/event-store';
import { VersionConflict } from '../../application/ports/failures';
import { type Instruments } from '../../application/ports/telemetry';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type ChunkId, type RecordKey, type StreamName } from '../../domain/identifiers';
import { delegate } from './delegate';
import { type FailureLines } from './failure-lines';
import { type Draft, nowMs, rootOf } from './record-traces';
import { type SeenBefore } from './seen-before';
import { traceOfRecord } from './trace-ids';
import { type Visit, type Visits } from './visits';

export interface WatchedEventStoreParts {
  readonly telemetry: Instruments;
  readonly visits: Visits;
  readonly lines: FailureLines;
  readonly seen: SeenBefore;
  /** As the semantic conventions name the store. */
  readonly system: string;
}

type Of = {
  readonly category: string;
  readonly record?: RecordKey;
  readonly attempt?: number;
  readonly chunk?: ChunkId;
};

/** The event store, with what its events say counted, and what follows a failed attempt told. */
export function watchedEventStore(store: EventStore, parts: WatchedEventStoreParts): EventStore {
  const { visits } = parts;

  async function watched<Answer>(name: string, visit: Visit | undefined, of: Of, work: () => Promise<Answer>) {
    const span = visit?.spans?.begin(`${name} ${of.category}`, SpanKind.CLIENT, () => ({
      'db.system.name': parts.system,
      'db.operation.name': name,
      'db.collection.name': of.category,
      ...(of.attempt !== undefined && { 'datapump.attempt': of.attempt }),
    }));
    try {
      return await work();
    } catch (error) {
      if (span) span.error = error instanceof Error ? error.name : 'error';
      // A race that was lost is the day's work.
      if (!(error instanceof VersionConflict)) visit?.spans?.fail();
      throw error;
    } finally {
      if (span) span.endMs = nowMs();
    }
  }

  return delegate(store, {
    readStream: (stream, options) => {
      if (!visits.traces) return store.readStream(stream, options);
      const of = streamOf(stream);
      return watched('read', visitOf(visits, of), of, () => store.readStream(stream, options));
    },
    append: async (stream, expected, events) => {
      const of = streamOf(stream);
      const visit = visitOf(visits, of);
      const startMs = nowMs();
      const appended = await watched('append', visit, of, () => store.append(stream, expected, events));
      for (const event of events) noteEvent(parts, of, visit, event, startMs);
      return appended;
    },
  });
}

function visitOf(visits: Visits, { record, chunk }: Of): Visit | undefined {
  return record !== undefined ? visits.of(record) : chunk !== undefined ? visits.of(chunk) : undefined;
}

function streamOf(stream: StreamName): Of {
  const at = stream.indexOf('-');
  const category = stream.slice(0, at);
  const name = stream.slice(at + 1);
  if (category === 'dpRecord') return { category, record: name as RecordKey };
  if (category === 'dpChunk') return { category, chunk: name as ChunkId };
  if (category !== 'deliveryAttempt') return { category };
  const end = name.lastIndexOf(':');
  return { category, record: name.slice(0, end) as RecordKey, attempt: Number(name.slice(end + 1)) };
}

function noteEvent(
  parts: WatchedEventStoreParts,
  of: Of,
  visit: Visit | undefined,
  event: NewEvent,
  startMs: number,
): void {
  const { telemetry } = parts;
  if (of.category === 'dpRecord')
    return noteRecord(parts, of.record!, visit, event as unknown as DpRecordEvent, startMs);
  if (!visit) return;
  const labels = { data_type: visit.dataType, biller: visit.billerId };
  if (event.type === 'DeliveryAttemptStarted') {
    if (of.attempt !== undefined) visit.attempt = of.attempt;
    telemetry.count('records', 1, { stage: 'called', ...labels });
  } else if (event.type === 'ChunkPublished') telemetry.count('chunks', 1, { stage: 'fetched', ...labels });
}

function noteRecord(
  { telemetry, visits, lines, seen }: WatchedEventStoreParts,
  record: RecordKey,
  visit: Visit | undefined,
  event: DpRecordEvent,
  startMs: number,
): void {
  const labels = {
    data_type: event.type === 'DpRecordDiscovered' ? event.data.dataType : (visit?.dataType ?? seen.dataTypeOf(record)),
    biller: record.slice(0, record.indexOf(':')),
  };
  const ended = (result: string): void => telemetry.count('results', 1, { result, ...labels });
  switch (event.type) {
    case 'DpRecordDiscovered':
      seen.typeIs(record, event.data.dataType);
      telemetry.count('records', 1, { stage: 'discovered', ...labels });
      return discovered(visits, seen, record, visit, event.data.chunkId, startMs);
    case 'DpRecordRejected':
      return ended('rejected');
    case 'DpRecordSkipped':
      return ended('skipped');
    case 'DpRecordWithdrawn':
      return ended('withdrawn');
    case 'DpRecordDelivered':
      ended('delivered');
      return visit && lines.next(visit, { next: 'end', status: 'Delivered' });
    case 'DpRecordDeclined':
      ended('declined');
      return visit && lines.next(visit, { next: 'end', status: 'Declined' });
    case 'DpRecordDeadLettered':
      ended('dead-lettered');
      telemetry.count('dead-lettered', 1, { reason: event.data.reason, ...labels });
      visit?.spans?.fail();
      return visit && lines.next(visit, { next: 'dead-letter', reason: event.data.reason });
    case 'DpRecordHeldInDoubt':
      ended('in-doubt');
      telemetry.count('held-in-doubt', 1, { cause: event.data.cause, ...labels });
      visit?.spans?.fail();
      return visit && lines.next(visit, { next: 'hold in doubt', cause: event.data.cause });
    case 'DpRecordParked':
      telemetry.count('parked', 1, { cause: event.data.cause, ...labels });
      return visit && lines.next(visit, { next: 'wait', cause: event.data.cause, until: event.data.until });
    case 'DpRecordRetryScheduled':
      telemetry.count('retries', 1, labels);
      return visit && lines.next(visit, { next: 'retry', until: event.data.at });
    case 'DpRecordValidated':
    case 'DpRecordRedriven':
    case 'DpRecordReconciled':
      return undefined;
  }
}

/** The record's first span after its claim; where no scanner of ours claimed it, its root too. */
function discovered(
  visits: Visits,
  seen: SeenBefore,
  record: RecordKey,
  visit: Visit | undefined,
  chunk: ChunkId | undefined,
  startMs: number,
): void {
  const { traces } = visits;
  if (!traces) return;
  const own = traceOfRecord(record);
  if (!(visit?.spans?.isKept ?? traces.isKept(own.traceId))) return;
  const fetch = chunk === undefined ? undefined : visits.of(chunk)?.spans;
  fetch?.keep();
  const link = fetch?.name;
  const links = link ? [link] : [];
  const attributes = { 'datapump.record': record, ...(chunk !== undefined && { 'datapump.chunk_id': chunk }) };
  const common = { kind: SpanKind.INTERNAL, startMs, endMs: nowMs(), attributes, links };
  const tell = (draft: Draft): void => (visit?.spans ? visit.spans.add(draft) : traces.tell(own.traceId, draft));
  if (chunk === undefined || chunk.startsWith(FOREIGN_CHUNK))
    tell({ ...common, name: 'adopt', spanId: own.rootSpanId, parentId: undefined });
  const span = { traceId: own.traceId, spanId: traces.newSpanId() };
  tell({ ...common, name: 'discover', spanId: span.spanId, parentId: rootOf(own).spanId });
  seen.discover(record, span, link);
}

/** Chunks of another team's scanner have such ids: see foreignChunk in fetch-chunk.ts. */
const FOREIGN_CHUNK = 'foreign-';
