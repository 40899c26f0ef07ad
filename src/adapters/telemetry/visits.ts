import { type Attributes, SpanKind } from '@opentelemetry/api';
import { type ChunkId, type DpId, parseRecordKey, type RecordKey, recordKey } from '../../domain/identifiers';
import { type Draft, DRAFTS_MAX, nowMs, type RecordTraces, readTraceparent, type SpanName } from './record-traces';
import { traceOfChunk, type TraceOfItsOwn, traceOfRecord } from './trace-ids';

/** What one message set going, from its receipt until it is settled: what is seen of it, for lines, metrics and spans. */
export interface Visit {
  readonly dataType: string;
  readonly billerId: string;
  readonly record: RecordKey | undefined;
  /** When its row was due, once the row was read. */
  dueMs?: number;
  /** The newest attempt that was seen to start. */
  attempt?: number;
  /** A call that came to nothing, until the next step is known. */
  failed?: FailedCall;
  readonly spans: VisitSpans | undefined;
}

export interface FailedCall {
  readonly outcome: string;
  readonly code?: string;
  readonly httpStatus?: number;
  readonly durationMs: number;
}

/** More than any process has in hand: what was never settled here goes, the oldest first. */
const VISITS_MAX = 8_192;

/** The visits under way in this process, found by what the ports are asked about: no call carries a context. */
export class Visits {
  private readonly byMessage = new Map<object, Visit>();
  private readonly byName = new Map<string, Visit>();
  private readonly byRow = new Map<DpId, Visit>();

  constructor(readonly traces: RecordTraces | undefined) {}

  begin(message: MessageSeen, span: ProcessSpan): void {
    const body = (message.body ?? {}) as Readonly<Record<string, unknown>>;
    const record = recordIn(body);
    const chunk = typeof body['chunkId'] === 'string' ? (body['chunkId'] as ChunkId) : undefined;
    const visit: Visit = {
      dataType: typeof body['eventType'] === 'string' ? body['eventType'] : 'unknown',
      billerId: typeof body['billerId'] === 'string' ? body['billerId'] : 'unknown',
      record,
      spans:
        this.traces && (record ?? chunk) !== undefined
          ? new VisitSpans(
              this.traces,
              record === undefined ? traceOfChunk(chunk!) : traceOfRecord(record),
              message.properties['traceparent'],
              span,
            )
          : undefined,
    };
    if (this.byMessage.size >= VISITS_MAX) this.forget(this.byMessage.keys().next().value!);
    this.byMessage.set(message, visit);
    if (record !== undefined) this.byRow.set(parseRecordKey(record)!.dpId, visit);
    const name = record ?? chunk;
    if (name !== undefined) this.byName.set(name, visit);
  }

  ofMessage = (message: object): Visit | undefined => this.byMessage.get(message);
  of = (name: RecordKey | ChunkId): Visit | undefined => this.byName.get(name);
  ofRow = (dpId: DpId): Visit | undefined => this.byRow.get(dpId);

  end(message: object, error?: string): void {
    this.byMessage.get(message)?.spans?.end(error);
    this.forget(message);
  }

  private forget(message: object): void {
    const visit = this.byMessage.get(message);
    this.byMessage.delete(message);
    for (const index of [this.byName, this.byRow] as readonly Map<string, Visit>[])
      for (const name of namesOf(visit, message)) if (index.get(name) === visit) index.delete(name);
  }
}

/** The span of a visit. */
export interface ProcessSpan {
  readonly name: string;
  readonly attributes: Draft['attributes'];
}

export interface MessageSeen {
  readonly body: unknown;
  readonly properties: Readonly<Record<string, unknown>>;
}

function namesOf(visit: Visit | undefined, message: object): readonly string[] {
  if (visit?.record !== undefined) return [visit.record, parseRecordKey(visit.record)!.dpId];
  const chunk = ((message as Partial<MessageSeen>).body as Readonly<Record<string, unknown>> | undefined)?.['chunkId'];
  return typeof chunk === 'string' ? [chunk] : [];
}

/** The record that a body is about, as contracts/messages has it; a body may be anything. */
export function recordIn(body: unknown): RecordKey | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { traceId } = body as { readonly traceId?: unknown };
  const parts = typeof traceId === 'string' ? parseRecordKey(traceId) : undefined;
  return parts && recordKey(parts.billerId, parts.dpId);
}

/** The spans of one visit, kept as drafts until it ends. */
class VisitSpans {
  readonly traceId: string;
  readonly spanId: string;
  private readonly drafts: Draft[] = [];
  private readonly process: Draft;
  private leftOut = 0;
  private kept: boolean;

  constructor(
    private readonly traces: RecordTraces,
    private readonly own: TraceOfItsOwn,
    carried: unknown,
    { name, attributes }: ProcessSpan,
  ) {
    const from = readTraceparent(carried);
    const isOwn = from?.traceId === own.traceId;
    this.traceId = own.traceId;
    this.spanId = traces.newSpanId();
    this.kept = traces.isKept(own.traceId) || (isOwn && from.kept);
    this.process = {
      name,
      kind: SpanKind.CONSUMER,
      spanId: this.spanId,
      parentId: isOwn ? from.spanId : own.rootSpanId,
      startMs: nowMs(),
      endMs: 0,
      attributes,
      // Of another team's publisher, or of a time without spans: told as what led here, not as what it is part of.
      ...(from && !isOwn && { links: [from] }),
    };
  }

  get isKept(): boolean {
    return this.kept;
  }

  get name(): SpanName {
    return { traceId: this.traceId, spanId: this.spanId };
  }

  begin(name: string, kind: SpanKind, attributes: Draft['attributes']): Draft {
    const parentId = this.spanId;
    const draft: Draft = { name, kind, spanId: undefined, parentId, startMs: nowMs(), endMs: 0, attributes };
    this.add(draft);
    return draft;
  }

  add(draft: Draft): void {
    if (this.drafts.length < DRAFTS_MAX) this.drafts.push(draft);
    else this.leftOut++;
  }

  /** From here on everything of this trace is kept, what was drafted in this visit too. */
  fail(): void {
    if (this.traces.keepFailures) this.kept = true;
  }

  /** Another trace links to it. */
  keep(): void {
    this.kept = true;
  }

  /** Kept because it failed, when its claim had not been: a root all the same, so that the trace is one tree. */
  private tellLateRoot(): void {
    const { startMs, endMs } = this.process;
    const attributes = { 'datapump.kept_since': 'failure' };
    const root = {
      name: 'kept since it failed',
      kind: SpanKind.INTERNAL,
      parentId: undefined,
      startMs,
      endMs,
      attributes,
    };
    this.traces.tell(this.traceId, { ...root, spanId: this.own.rootSpanId });
  }

  private withLeftOut(): Attributes {
    const { attributes } = this.process;
    const own = typeof attributes === 'function' ? attributes() : attributes;
    return { ...own, 'datapump.spans_left_out': this.leftOut };
  }

  end(error: string | undefined): void {
    if (error !== undefined) this.fail();
    if (!this.kept) return;
    const { process, drafts, leftOut } = this;
    process.endMs = nowMs();
    if (error !== undefined) process.error = error;
    if (process.parentId === this.own.rootSpanId && !this.traces.isKept(this.traceId)) this.tellLateRoot();
    this.traces.tell(this.traceId, leftOut === 0 ? process : { ...process, attributes: () => this.withLeftOut() });
    for (const draft of drafts) this.traces.tell(this.traceId, { ...draft, endMs: draft.endMs || process.endMs });
  }
}
