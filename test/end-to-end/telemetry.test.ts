import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Metric, METRICS, type MetricName, seriesNames } from '../../src/application/ports/metrics-catalogue';
import { SpanKind } from '@opentelemetry/api';
import { type CollectedSpan, otlpCollector } from '../support/otlp-collector';
import { parsedMetrics, type Sample } from '../support/prometheus-text';
import { newDemoFolder, removeDemoFolder, RunningDemo } from '../support/running-demo';
import { WHOLE_RUN_MS } from '../support/until';

const RECORDS = 600;
/** Scanner, fetcher and at most four consumers. */
const PROCESSES_MAX = 6;
const LOOK_MS = 250;
/** Far from what other programs of a test run take, and different in each. */
const firstPort = (): number => 20_000 + (process.pid % 2_000) * 10;

interface SeenRun {
  readonly spans: readonly CollectedSpan[];
  readonly sentMetrics: ReadonlySet<string>;
  /** The newest sample of each series of each process. */
  readonly samples: readonly Sample[];
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

/** A demo with faults, scraped and listened to while it runs. */
async function runDemo(environment: Readonly<Record<string, string>>): Promise<SeenRun> {
  const collector = await otlpCollector();
  const folder = newDemoFolder();
  const port = firstPort();
  const samples = new Map<string, Sample>();
  const demo = new RunningDemo(folder, ['--records', String(RECORDS), '--health-port', String(port)], {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
    ...environment,
  });
  let ended = false;
  const scrape = async (of: number): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${of}/metrics`).catch(() => undefined);
    if (answer?.status !== 200) return;
    for (const sample of parsedMetrics(await answer.text()))
      samples.set(`${of} ${sample.series} ${JSON.stringify(sample.labels)}`, sample);
  };
  try {
    const scraping = (async () => {
      while (!ended) {
        await Promise.all(Array.from({ length: PROCESSES_MAX }, (_, index) => scrape(port + index)));
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    })();
    const { code, output, errors } = await demo.ended;
    ended = true;
    await scraping;
    expect([code, code === 0 ? '' : `${output}\n${errors}`]).toEqual([0, '']);
    const lines = readFileSync(join(folder, 'processes.log'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return { spans: collector.spans, sentMetrics: collector.metrics, samples: [...samples.values()], lines };
  } finally {
    ended = true;
    demo.kill();
    await collector.close();
    removeDemoFolder(folder);
  }
}

function tracesOf(spans: readonly CollectedSpan[]): ReadonlyMap<string, readonly CollectedSpan[]> {
  const traces = new Map<string, CollectedSpan[]>();
  for (const span of spans) {
    const of = traces.get(span.traceId);
    if (of) of.push(span);
    else traces.set(span.traceId, [span]);
  }
  return traces;
}

/** Why these spans are not one tree; undefined: they are. */
function whyNoTree(spans: readonly CollectedSpan[]): string | undefined {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentId }) => parentId === undefined);
  const orphans = spans.filter(({ parentId }) => parentId !== undefined && !ids.has(parentId));
  if (ids.size !== spans.length) return 'two spans have one id';
  if (roots.length !== 1) return `${roots.length} roots`;
  return orphans.length === 0 ? undefined : `hangs on nothing: ${orphans.map(({ name }) => name).join(', ')}`;
}

const recordOf = (spans: readonly CollectedSpan[]): unknown =>
  spans.flatMap(({ attributes }) => attributes['datapump.record'] ?? [])[0];

describe('a run of the embedded stack of which everything is told', () => {
  let run: SeenRun;
  beforeAll(async () => {
    run = await runDemo({ OTEL_TRACES_SAMPLER: 'always_on' });
  }, WHOLE_RUN_MS);

  it.each((Object.entries(METRICS) as [MetricName, Metric][]).filter(([, { stack }]) => stack === undefined))(
    'emits %s, at /metrics and to the collector, with the labels that the catalogue declares',
    (name, metric) => {
      const found = run.samples.filter(({ series }) => seriesNames(name).includes(series));
      expect(found).not.toEqual([]);
      for (const { labels } of found) {
        const { le: _bucket, ...own } = labels;
        expect(Object.keys(own).sort()).toEqual(Object.keys(metric.labels).sort());
      }
      expect(run.sentMetrics).toContain(`datapump.${name}`);
    },
  );

  it('emits no metric of ours that the catalogue does not declare', () => {
    const declared = new Set((Object.keys(METRICS) as MetricName[]).flatMap(seriesNames));
    const strange = run.samples.map(({ series }) => series).filter((series) => !declared.has(series));
    expect([...new Set(strange)]).toEqual(['target_info']);
  });

  it('counts what really happened: each record once at each stage, and once at its end', () => {
    const sum = (series: string, labels: Readonly<Record<string, string>>): number =>
      run.samples
        .filter((sample) => sample.series === series)
        .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
        .reduce((total, { value }) => total + value, 0);
    for (const stage of ['claimed', 'discovered'])
      expect([stage, sum('datapump_records_total', { stage })]).toEqual([stage, RECORDS]);
  });

  it('writes one tree per record, from its claim to its result, over scanner, fetcher and consumer', () => {
    const traces = [...tracesOf(run.spans).values()];
    expect(traces.flatMap((spans) => whyNoTree(spans) ?? [])).toEqual([]);
    const records = traces.filter((spans) => spans.some(({ name }) => name === 'discover'));
    expect(new Set(records.map(recordOf)).size).toBe(RECORDS);
    const delivered = records.filter((spans) => spans.some(({ name }) => name === 'UPDATE datapump'));
    expect(delivered.length).toBeGreaterThan(RECORDS / 2);
    for (const spans of delivered) {
      expect(spans.find(({ parentId }) => parentId === undefined)?.name).toBe('claim');
      const processes = new Set(spans.map(({ process }) => process.replace(/-\d+$/, '')));
      expect([...processes].sort()).toEqual(['consumer', 'fetcher', 'scanner']);
    }
  });

  it('links each record to the chunk out of which it fans, and the chunk has a trace of its own', () => {
    const ids = new Set(run.spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`));
    const fanned = run.spans.filter(({ name }) => name === 'claim' || name === 'discover');
    const linked = fanned.filter(({ links }) => links.length > 0);
    expect(linked.length).toBeGreaterThanOrEqual(2 * RECORDS);
    for (const { links, traceId } of linked)
      for (const link of links) {
        expect(link.traceId).not.toBe(traceId);
        expect(ids).toContain(`${link.traceId} ${link.spanId}`);
      }
  });

  it('names spans and their attributes as the semantic conventions do, and says nothing of a person', () => {
    const call = run.spans.find(({ name }) => name === 'POST')!;
    expect(call.attributes).toMatchObject({ 'http.request.method': 'POST', 'server.address': '127.0.0.1' });
    const processed = run.spans.find(({ name }) => name === 'process datapump-events')!;
    // OTLP counts kinds from 1.
    expect(processed.kind).toBe(SpanKind.CONSUMER + 1);
    expect(processed.attributes).toMatchObject({
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'datapump-events',
    });
    expect(run.spans.find(({ name }) => name === 'SELECT datapump')!.attributes).toMatchObject({
      'db.system.name': 'sqlite',
      'db.operation.name': 'SELECT',
    });
    const names = new Set(run.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...names].filter((name) => !/^(messaging|db|http|server|error|datapump)\./.test(name))).toEqual([]);
  });

  it('tells each attempt that failed in one line, with what follows, and none that was accepted', () => {
    const failed = run.lines.filter(({ msg }) => msg === 'an attempt failed');
    const attempts = run.spans.filter(({ name, failed: hasFailed }) => name === 'POST' && hasFailed);
    expect(failed.length).toBe(attempts.length);
    expect(failed.length).toBeGreaterThan(10);
    for (const line of failed)
      expect(line).toMatchObject({
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
        dpId: expect.any(String),
        billerId: expect.any(String),
        stage: 'deliver',
        attempt: expect.any(Number),
        outcome: expect.any(String),
        next: expect.any(String),
      });
    const traces = new Set(run.spans.map(({ traceId }) => traceId));
    expect(failed.filter(({ traceId }) => !traces.has(String(traceId)))).toEqual([]);
    expect(run.lines.filter(({ unlisted }) => unlisted !== undefined)).toEqual([]);
  });
});

it(
  'keeps of a sampled run every failed call all the same, each in one tree',
  async () => {
    const run = await runDemo({ OTEL_TRACES_SAMPLER_ARG: '0' });
    const failed = run.lines.filter(({ msg }) => msg === 'an attempt failed');
    expect(failed.length).toBeGreaterThan(10);
    const traces = tracesOf(run.spans);
    expect([...traces.values()].flatMap((spans) => whyNoTree(spans) ?? [])).toEqual([]);
    for (const { traceId, attempt } of failed) {
      const calls = (traces.get(String(traceId)) ?? []).filter(({ name, failed: f }) => name === 'POST' && f);
      expect(calls.map(({ attributes }) => attributes['datapump.attempt'])).toContain(attempt);
    }
    const fine = [...traces.values()].filter((spans) => !spans.some((span) => span.failed));
    expect(fine).toEqual([]);
  },
  WHOLE_RUN_MS,
);
