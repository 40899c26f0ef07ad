import { type Histogram, type Meter, type MetricOptions } from '@opentelemetry/api';
import {
  BILLERS_MAX,
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  type Metric,
  METRICS,
  type MetricName,
  OTHER_BILLERS,
} from '../../application/ports/metrics-catalogue';

type Labels = Readonly<Record<string, string>>;

interface Sum {
  readonly labels: Labels;
  value: number;
}

/** What a gauge says now: asked for when somebody looks, and at no other time. */
export type Reading<Name extends GaugeName> = readonly (readonly [labels: LabelsOf<Name>, value: number])[];

/** One counter's sums. More than this is a label that should not be one. */
export const SERIES_MAX = 5_000;

/**
 * The series of the catalogue. Counters are added up here and read when somebody looks, since a record moves a dozen of
 * them: an addition costs a tenth of what the API's own takes. A counter whose labels are all words of the catalogue
 * stands at 0 from the start, so that an alert sees its first step.
 */
export class MetricSeries {
  private readonly sums = new Map<CounterName, Map<string, Sum>>();
  private readonly histograms = new Map<HistogramName, Histogram>();
  private readonly gauges = new Map<GaugeName, (() => Reading<GaugeName>)[]>();
  private readonly billers = new Set<string>();

  /** Billers that get series of their own first, in this order: every process is told the same. */
  knowBillers(ids: readonly string[]): void {
    for (const id of ids) this.seriesOf(id);
  }

  count<Name extends CounterName>(name: Name, by: number, labels: Labels): void {
    const metric: Metric | undefined = METRICS[name];
    if (metric?.type !== 'counter' || !Number.isFinite(by) || by < 0) return;
    const told = this.folded(metric, labels);
    if (!told) return;
    const sums = this.sumsOf(name, metric);
    const key = keyOf(metric, told);
    const sum = sums.get(key);
    if (sum) sum.value += by;
    else if (sums.size < SERIES_MAX) sums.set(key, { labels: told, value: by });
  }

  /** Nothing where nobody reads histograms. */
  measure<Name extends HistogramName>(name: Name, value: number, labels: Labels): void {
    const histogram = this.histograms.get(name);
    const told = histogram && Number.isFinite(value) ? this.folded(METRICS[name], labels) : undefined;
    if (told) histogram!.record(Math.max(0, value), told);
  }

  observe<Name extends GaugeName>(name: Name, read: () => Reading<Name>): void {
    this.gauges.set(name, [...(this.gauges.get(name) ?? []), read]);
  }

  /** From now on a meter reads them. Gauges that nobody observes have no series. */
  bind(meter: Meter): void {
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const metric: Metric = METRICS[name];
      const options: MetricOptions = {
        description: metric.help,
        unit: metric.unit,
        ...(metric.buckets && { advice: { explicitBucketBoundaries: [...metric.buckets] } }),
      };
      const full = `datapump.${name}`;
      if (metric.type === 'histogram') this.histograms.set(name as HistogramName, meter.createHistogram(full, options));
      else if (metric.type === 'counter')
        meter.createObservableCounter(full, options).addCallback((result) => {
          for (const { labels, value } of this.sumsOf(name as CounterName, metric).values())
            result.observe(value, labels);
        });
      else
        meter.createObservableGauge(full, options).addCallback((result) => {
          for (const [labels, value] of this.readings(name as GaugeName, metric)) result.observe(value, labels);
        });
    }
  }

  /** Billers that share a series are added up, but an age is the oldest one's, and a state the worst one's. */
  private readings(name: GaugeName, metric: Metric): readonly (readonly [Labels, number])[] {
    const added = metric.unit !== 's' && metric.unit !== '1';
    const read = new Map<string, readonly [Labels, number]>();
    for (const source of this.gauges.get(name) ?? []) {
      for (const [labels, value] of source()) {
        const told = this.folded(metric, labels);
        if (!told || !Number.isFinite(value)) continue;
        const key = keyOf(metric, told);
        const before = read.get(key)?.[1];
        if (before === undefined && read.size >= SERIES_MAX) continue;
        read.set(key, [told, before === undefined ? value : added ? before + value : Math.max(before, value)]);
      }
    }
    return [...read.values()];
  }

  private sumsOf(name: CounterName, metric: Metric): Map<string, Sum> {
    const known = this.sums.get(name);
    if (known) return known;
    const sums = new Map(
      combinations(metric.labels).map((labels) => [keyOf(metric, labels), { labels, value: 0 }] as const),
    );
    this.sums.set(name, sums);
    return sums;
  }

  /** Undefined: a label is missing, or one that the catalogue does not know. */
  private folded(metric: Metric, labels: Labels): Labels | undefined {
    let told = labels;
    let named = 0;
    for (const label in labels) {
      const allowed = metric.labels[label];
      const value = labels[label]!;
      if (allowed === undefined || (allowed !== 'open' && !allowed.includes(value))) return undefined;
      named++;
      if (label === 'biller' && this.seriesOf(value) !== value) told = { ...told, biller: OTHER_BILLERS };
    }
    return named === Object.keys(metric.labels).length ? told : undefined;
  }

  private seriesOf(biller: string): string {
    if (this.billers.has(biller)) return biller;
    if (this.billers.size >= BILLERS_MAX) return OTHER_BILLERS;
    this.billers.add(biller);
    return biller;
  }
}

function keyOf(metric: Metric, labels: Labels): string {
  let key = '';
  for (const label in metric.labels) key += `${labels[label]!}\n`;
  return key;
}

/** Every set of labels, where the catalogue knows them all; none where one of them is open. */
function combinations(labels: Metric['labels']): readonly Labels[] {
  let sets: readonly Labels[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    if (values === 'open') return [];
    sets = sets.flatMap((set) => values.map((value) => ({ ...set, [label]: value })));
  }
  return sets;
}
