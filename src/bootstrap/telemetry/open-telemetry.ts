import { type Meter, type Tracer } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import { type RequestListener } from 'node:http';
import { SERIES_MAX } from '../../adapters/telemetry/metric-series';
import { type TelemetryWanted } from './otel-variables';

/** Spans that wait for the collector; more are dropped, and counted. */
const SPANS_WAITING_MAX = 16_384;
const SPANS_PER_EXPORT = 512;
const EXPORT_EVERY_MS = 5_000;
/** A collector that does not answer must not hold up the end of a process: what is not told by then is dropped. */
const CLOSE_MS = 2_000;

export interface OpenTelemetryOptions {
  readonly wanted: TelemetryWanted;
  /** Whether `/metrics` is to be had. */
  readonly prometheus: boolean;
  readonly resource: Readonly<Record<string, string>>;
  readonly ids: IdGenerator;
  readonly onSpans: (fate: 'exported' | 'failed' | 'dropped', spans: number) => void;
}

export interface OpenTelemetry {
  readonly tracer: Tracer | undefined;
  readonly meter: Meter | undefined;
  /** Answers a scrape. */
  readonly metricsHandler: RequestListener | undefined;
  /** Tells what is left, CLOSE_MS and one export's time at most; whether all of it got out. */
  close(): Promise<boolean>;
}

/** The SDK. This file is loaded where something is asked for, and nowhere else. */
export function openTelemetry({
  wanted,
  prometheus,
  resource: attributes,
  ids,
  onSpans,
}: OpenTelemetryOptions): OpenTelemetry {
  const resource = resourceFromAttributes(attributes);
  const spans =
    wanted.traces && new BoundedSpans(new OTLPTraceExporter({ timeoutMillis: wanted.traces.timeoutMs }), onSpans);
  const tracers =
    spans &&
    new NodeTracerProvider({
      resource,
      // What is kept is decided before a span is made: see RecordTraces.
      sampler: new AlwaysOnSampler(),
      idGenerator: ids,
      spanProcessors: [spans.processor],
    });
  const scraped = prometheus ? new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true }) : undefined;
  const sent =
    wanted.metrics &&
    new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ timeoutMillis: wanted.metrics.timeoutMs }),
      exportIntervalMillis: wanted.metrics.everyMs,
      exportTimeoutMillis: Math.min(wanted.metrics.everyMs, wanted.metrics.timeoutMs),
    });
  const readers = [scraped, sent].flatMap((reader) => (reader ? [reader as IMetricReader] : []));
  const meters =
    readers.length > 0
      ? new MeterProvider({
          resource,
          readers,
          // Ours are bounded already; the SDK's own bound would fold what an alert asks for.
          views: [{ instrumentName: '*', aggregationCardinalityLimit: SERIES_MAX + 1 }],
        })
      : undefined;
  return {
    tracer: tracers?.getTracer('datapump'),
    meter: meters?.getMeter('datapump'),
    metricsHandler: scraped && ((request, response) => scraped.getMetricsRequestHandler(request, response)),
    close: async () => {
      spans?.endWithin(CLOSE_MS);
      const ended = Promise.all([tracers?.shutdown(), meters?.shutdown()]).then(
        () => true,
        () => false,
      );
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), CLOSE_MS)));
      try {
        return await Promise.race([ended, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** The exporter with a count of what waits for it: the SDK's own queue drops in silence. */
class BoundedSpans implements SpanExporter {
  readonly processor: BatchSpanProcessor;
  private waiting = 0;
  private endsAtMs = Infinity;

  constructor(
    private readonly exporter: SpanExporter,
    private readonly onSpans: OpenTelemetryOptions['onSpans'],
  ) {
    const processor = new BatchSpanProcessor(this, {
      maxQueueSize: SPANS_WAITING_MAX,
      maxExportBatchSize: SPANS_PER_EXPORT,
      scheduledDelayMillis: EXPORT_EVERY_MS,
    });
    const onEnd = processor.onEnd.bind(processor);
    processor.onEnd = (span) => {
      if (this.waiting >= SPANS_WAITING_MAX) return this.onSpans('dropped', 1);
      this.waiting++;
      onEnd(span);
    };
    this.processor = processor;
  }

  /** From then on nothing more is begun. */
  endWithin(ms: number): void {
    this.endsAtMs = performance.now() + ms;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    const told = (result: Parameters<typeof done>[0]): void => {
      this.waiting -= spans.length;
      this.onSpans(Number(result.code) === EXPORT_SUCCESS ? 'exported' : 'failed', spans.length);
      done(result);
    };
    if (performance.now() >= this.endsAtMs) told({ code: EXPORT_FAILED });
    else this.exporter.export(spans, told);
  }

  forceFlush = (): Promise<void> => this.exporter.forceFlush?.() ?? Promise.resolve();
  shutdown = (): Promise<void> => this.exporter.shutdown();
}

/** ExportResultCode of @opentelemetry/core. */
const EXPORT_SUCCESS = 0;
const EXPORT_FAILED = 1;
