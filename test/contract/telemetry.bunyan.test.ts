import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { createLogger, stdSerializers } from 'bunyan';
import { BunyanTelemetry } from '../../src/adapters/telemetry/bunyan-telemetry';
import { MetricSeries } from '../../src/adapters/telemetry/metric-series';
import { parsedMetrics, scraped } from '../support/prometheus-text';
import { telemetryContract } from './telemetry.contract';

telemetryContract('bunyan and OpenTelemetry', () => {
  const written: string[] = [];
  const logger = createLogger({
    name: 'test',
    level: 'info',
    stream: { write: (text: string) => written.push(text) } as unknown as NodeJS.WritableStream,
    serializers: stdSerializers,
  });
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const series = new MetricSeries();
  series.bind(provider.getMeter('test'));
  return {
    telemetry: new BunyanTelemetry(logger, series),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    sums: async (name) =>
      parsedMetrics(await scraped((request, response) => exporter.getMetricsRequestHandler(request, response)))
        .filter(({ series: found }) => found === name)
        .map(({ labels: { otel_scope_name: _scope, ...labels }, value }) => ({ labels, value })),
    close: () => provider.shutdown(),
  };
});
