import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Metric, METRICS, type MetricName, seriesName } from '../../src/application/ports/metrics-catalogue';
import { metricsDocument } from '../../src/bootstrap/telemetry/metrics-document';

const catalogue = Object.entries(METRICS) as readonly [MetricName, Metric][];

it('docs/METRICS.md is what the catalogue prints', () => {
  expect(readFileSync(join(__dirname, '../../docs/METRICS.md'), 'utf8')).toBe(metricsDocument());
});

it('names every series once, as Prometheus takes it', () => {
  const names = catalogue.map(([name]) => seriesName(name));
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^datapump_[a-z0-9_]+$/.test(name))).toEqual([]);
});

it.each(catalogue)('%s says what it is in one sentence, with bounds where it is a histogram', (_name, metric) => {
  expect(metric.help).toMatch(/^[^|\n]+\.$/);
  expect(metric.buckets !== undefined).toBe(metric.type === 'histogram');
  const { buckets = [] } = metric;
  expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
});
