import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from '@opentelemetry/api';
import { randomBytes } from 'node:crypto';
import { type TraceOfItsOwn } from './trace-ids';

/** The trace and one of its spans, as it travels. */
export interface SpanName {
  readonly traceId: string;
  readonly spanId: string;
}

/** A span that is not told yet: whether it is, its trace or the end of its visit decides. */
export interface Draft {
  readonly name: string;
  readonly kind: SpanKind;
  /** Undefined: whatever comes; nothing hangs on it. */
  readonly spanId: string | undefined;
  /** Undefined: the root. */
  readonly parentId: string | undefined;
  readonly startMs: number;
  endMs: number;
  /** Made when it is told: most drafts never are. */
  readonly attributes: Attributes | (() => Attributes);
  /** What went wrong, in a word; undefined: nothing did. */
  error?: string;
  readonly links?: readonly SpanName[];
}

/** Gives spans the ids that were announced before: a span's id travels to the biller while the span is still a draft. */
export class PlannedIds {
  private planned: SpanName | undefined;

  /** The one span that the work starts has these ids. */
  for<Started>(ids: SpanName, start: () => Started): Started {
    this.planned = ids;
    try {
      return start();
    } finally {
      this.planned = undefined;
    }
  }

  generateTraceId = (): string => this.planned?.traceId ?? randomBytes(16).toString('hex');
  generateSpanId = (): string => this.planned?.spanId ?? randomBytes(8).toString('hex');
}

export interface TraceTerms {
  readonly tracer: Tracer;
  readonly ids: PlannedIds;
  /** The share of traces that are kept from their beginning, 0 to 1. */
  readonly share: number;
  /** Traces of which something failed are kept from there on. */
  readonly keepFailures: boolean;
}

/** Of one visit; more are left out, and the visit says how many. */
export const DRAFTS_MAX = 200;
const SHARE_DIGITS = 8;

/**
 * Writes traces of records. Head sampling: a trace is kept where its id falls into the share, the same in every process,
 * and where the message says so. What it cannot do, a visit does: spans are drafts until their visit ends, and are told
 * all the same where something failed in it; the next message then says that the trace is kept.
 */
export class RecordTraces {
  private readonly prefix = randomBytes(4).toString('hex');
  private next = 0;

  constructor(private readonly terms: TraceTerms) {}

  isKept(traceId: string): boolean {
    return Number.parseInt(traceId.slice(-SHARE_DIGITS), 16) < this.terms.share * 16 ** SHARE_DIGITS;
  }

  get keepFailures(): boolean {
    return this.terms.keepFailures;
  }

  /** Cheaper than chance, and as unique: a process's own digits, then a number. */
  newSpanId(): string {
    this.next = (this.next + 1) % 0xffff_ffff;
    return this.prefix + this.next.toString(16).padStart(8, '0');
  }

  tell(traceId: string, draft: Draft): void {
    const { name, kind, startMs, endMs, links = [], parentId, spanId = this.newSpanId() } = draft;
    const attributes = typeof draft.attributes === 'function' ? draft.attributes() : draft.attributes;
    const span = this.terms.ids.for({ traceId, spanId }, () =>
      this.terms.tracer.startSpan(
        name,
        { kind, startTime: startMs, attributes, links: links.map((link) => ({ context: keptSpan(link) })) },
        parentId === undefined ? ROOT_CONTEXT : under({ traceId, spanId: parentId }),
      ),
    );
    if (draft.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: draft.error });
    span.end(endMs);
  }
}

const keptSpan = ({ traceId, spanId }: SpanName) => ({
  traceId,
  spanId,
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
});

const under = (parent: SpanName): Context => trace.setSpanContext(ROOT_CONTEXT, keptSpan(parent));

const TRACEPARENT = /^00-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})$/;

export function readTraceparent(text: unknown): (SpanName & { readonly kept: boolean }) | undefined {
  const found = typeof text === 'string' ? TRACEPARENT.exec(text)?.groups : undefined;
  if (!found) return undefined;
  const { traceId, spanId, flags } = found as Record<'traceId' | 'spanId' | 'flags', string>;
  return { traceId, spanId, kept: (Number.parseInt(flags, 16) & 1) !== 0 };
}

export const traceparent = ({ traceId, spanId }: SpanName, kept: boolean): string =>
  `00-${traceId}-${spanId}-${kept ? '01' : '00'}`;

export const rootOf = ({ traceId, rootSpanId }: TraceOfItsOwn): SpanName => ({ traceId, spanId: rootSpanId });

/** As spans are dated: the time of day, in fractions of a millisecond. */
export const nowMs = (): number => performance.timeOrigin + performance.now();
