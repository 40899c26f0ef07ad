import { context, propagation, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import type Logger from 'bunyan';
import { causeChain } from '../../application/ports/failures';
import { maskCardData } from '../../domain/policies/card-data';
import { type Fields, type Telemetry } from '../../application/ports/telemetry';

/**
 * Log lines by bunyan, spans by the OpenTelemetry API (no-ops until an SDK is registered), counters in memory with a
 * bounded number of names, handed out by `counts`.
 */
export class BunyanTelemetry implements Telemetry {
  private readonly counters = new Map<string, number>();
  private readonly tracer = trace.getTracer('datapump');

  constructor(private readonly logger: Logger) {}

  info(message: string, fields: Fields = {}): void {
    this.logger.info(withoutCards(fields), maskCardData(message));
  }

  warn(message: string, fields: Fields = {}): void {
    this.logger.warn(withoutCards(fields), maskCardData(message));
  }

  error(message: string, error: unknown, fields: Fields = {}): void {
    const more = error === undefined ? {} : { cause: causeChain(error), stack: stackOf(error) };
    this.logger.error({ ...withoutCards(fields), ...more }, maskCardData(message));
  }

  count(name: string, by = 1, labels: Readonly<Record<string, string>> = {}): void {
    const suffix = Object.entries(labels)
      .map(([label, value]) => `,${label}=${value}`)
      .join('');
    const full = `${name}${suffix}`;
    if (!this.counters.has(full) && this.counters.size >= COUNTERS_MAX) return;
    this.counters.set(full, (this.counters.get(full) ?? 0) + by);
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.counters);
  }

  async span<T>(
    name: string,
    options: { readonly traceparent?: string; readonly attributes?: Fields },
    work: () => Promise<T>,
  ): Promise<T> {
    const parent = propagation.extract(
      context.active(),
      options.traceparent === undefined ? {} : { traceparent: options.traceparent },
    );
    return this.tracer.startActiveSpan(
      name,
      { attributes: withoutUndefined(options.attributes ?? {}) },
      parent,
      async (span: Span) => {
        try {
          return await work();
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'error' });
          throw error;
        } finally {
          span.end();
        }
      },
    );
  }
}

/** Counter names come from code and configuration; more than this is a label that should not be one. */
const COUNTERS_MAX = 5_000;

const stackOf = (error: unknown): string | undefined =>
  error instanceof Error && error.stack !== undefined ? maskCardData(error.stack) : undefined;

/** Ids are checked where they come in, and a long number may well be one; every other text of a line may quote anything. */
const IDS: ReadonlySet<string> = new Set([
  'record',
  'messageId',
  'billerId',
  'dpId',
  'chunkId',
  'shard',
  'stream',
  'process',
]);

const withoutCards = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && !IDS.has(name) ? maskCardData(value) : value,
    ]),
  );

const withoutUndefined = (fields: Fields): Record<string, string | number | boolean> =>
  Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined),
  );
