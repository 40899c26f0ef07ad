import {
  BILLERS_MAX,
  type Metric,
  METRICS,
  type MetricName,
  OTHER_BILLERS,
  seriesName,
} from '../../application/ports/metrics-catalogue';

const HEAD = `# Metrics

Printed from \`src/application/ports/metrics-catalogue.ts\` by \`npm run metrics:document\`; a test fails where this page is behind.

How to switch them on: [OBSERVABILITY](OBSERVABILITY.md). A histogram has the series \`…_bucket\`, \`…_sum\` and \`…_count\`. Counters begin at 0 with
each process, so ask for \`rate\` or \`increase\`, and add up over processes; a gauge is told by the processes named, so take the \`max\` of
what several scanners say. ${BILLERS_MAX} billers have series of their own (those with a live profile first, by their ids); the others are added up
under \`biller="${OTHER_BILLERS}"\`.

| series | type | unit | labels | told by | what it says |
|---|---|---|---|---|---|
`;

/** docs/METRICS.md, whole. */
export function metricsDocument(): string {
  const rows = (Object.keys(METRICS) as MetricName[]).map((name) => {
    const metric: Metric = METRICS[name];
    const stack = metric.stack === undefined ? '' : ` On Service Bus only.`;
    return `| \`${seriesName(name)}\` | ${metric.type} | ${metric.unit} | ${labelsOf(metric)} | ${metric.by} | ${metric.help}${stack} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

function labelsOf({ labels }: Metric): string {
  const told = Object.entries(labels).map(([label, values]) =>
    values === 'open' ? `\`${label}\`` : `\`${label}\`: ${values.join(', ')}`,
  );
  return told.length === 0 ? 'none' : told.join('; ');
}
