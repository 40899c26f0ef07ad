import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Metric, METRICS, type MetricName, seriesNames } from '../../src/application/ports/metrics-catalogue';
import { ROOT } from './source-files';

const FOLDER = join(ROOT, 'deploy/observability/prometheus');
const RULES = join(FOLDER, 'datapump.rules.yaml');
const RUNBOOKS = join(ROOT, 'docs/runbooks');

const series = new Map<string, Metric>(
  (Object.keys(METRICS) as MetricName[]).flatMap((name) =>
    seriesNames(name).map((one) => [one, METRICS[name]] as const),
  ),
);
/** What Prometheus and the buckets add. */
const ADDED = ['le', 'instance', 'job'];

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(readFileSync(join(ROOT, 'deploy/observability/grafana/datapump.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
};
const pages = readdirSync(RUNBOOKS).map((file) => ({ file, text: readFileSync(join(RUNBOOKS, file), 'utf8') }));

/** What is wrong with the metrics and labels that a query names; histograms are asked for by their parts. */
function wrongWith(query: string): readonly string[] {
  return [...query.matchAll(/\b(datapump_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].flatMap(([, name, selector = '']) => {
    const metric = series.get(name!);
    if (!metric) return [`there is no metric ${name}`];
    return [...selector.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].flatMap(([, label, operator, value]) => {
      const values = ADDED.includes(label!) ? 'open' : metric.labels[label!];
      if (values === undefined) return [`${name} has no label ${label}`];
      const words = operator === '=' || operator === '!=' ? [value!] : value!.split('|');
      const strange = words.filter((word) => values !== 'open' && !word.includes('$') && !values.includes(word));
      return strange.map((word) => `${name} never says ${label} ${word}`);
    });
  });
}

/** Labels that a query adds up by, which one of its metrics must have. */
function wrongLabels(query: string): readonly string[] {
  const known = new Set([
    ...ADDED,
    ...[...query.matchAll(/\bdatapump_[a-z0-9_]+/g)].flatMap(([name]) => Object.keys(series.get(name)?.labels ?? {})),
  ]);
  return [...query.matchAll(/\bby \(([^)]*)\)/g)]
    .flatMap(([, labels]) => labels!.split(',').map((label) => label.trim()))
    .filter((label) => !known.has(label))
    .map((label) => `no metric of the query has the label ${label}`);
}

it('finds a metric, a label and a word that do not exist', () => {
  expect(wrongWith('rate(datapump_retries_total{biller="12"}[5m])')).toEqual([]);
  expect(wrongWith('rate(datapump_retries[5m])')).toEqual(['there is no metric datapump_retries']);
  expect(wrongWith('datapump_biller_shut{gate="door"}')).toEqual(['datapump_biller_shut never says gate door']);
  expect(wrongWith('datapump_retries_total{shard="1"}')).toEqual(['datapump_retries_total has no label shard']);
  expect(wrongLabels('sum by (shard) (datapump_retries_total)')).toEqual([
    'no metric of the query has the label shard',
  ]);
});

it.each(rules.map((rule) => [rule.alert, rule] as const))(
  'the alert %s asks for what exists and links its runbook',
  (_, rule) => {
    expect([...wrongWith(rule.expr), ...wrongLabels(rule.expr)]).toEqual([]);
    const page = pages.find(({ file }) => `docs/runbooks/${file}` === rule.annotations['runbook']);
    expect(page?.text).toContain(rule.alert);
    const headings = [...(page?.text ?? '').matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(['Means', 'Look', 'Do', 'Know that it worked']);
  },
);

it('there is an alert for each thing that a person must hear of', () => {
  expect(rules.length).toBeGreaterThanOrEqual(12);
  const linked = new Set(rules.map(({ annotations }) => annotations['runbook']));
  expect(pages.filter(({ file }) => file.startsWith('alert-')).map(({ file }) => `docs/runbooks/${file}`)).toEqual(
    [...linked].sort(),
  );
});

it('every panel of the dashboard asks for what exists', () => {
  const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  expect(queries.length).toBeGreaterThan(20);
  expect(
    queries.flatMap(({ title, expr }) => [...wrongWith(expr), ...wrongLabels(expr)].map((what) => `${title}: ${what}`)),
  ).toEqual([]);
});

it('every metric that a runbook names exists', () => {
  const named = pages.flatMap(({ file, text }) =>
    [...text.matchAll(/`([^`]*\bdatapump_[a-z][^`]*)`/g)].map((match) => ({ file, query: match[1]! })),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(
    named.flatMap(({ file, query }) => [...wrongWith(query), ...wrongLabels(query)].map((what) => `${file}: ${what}`)),
  ).toEqual([]);
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
/** Says in its name where it did not run: Debian's package `prometheus` brings promtool. */
const withPromtool = promtool ? it : it.skip;

describe(promtool ? 'promtool' : 'promtool (not installed, so not run)', () => {
  const run = (...words: string[]): string => execFileSync('promtool', words, { cwd: FOLDER, encoding: 'utf8' });

  withPromtool('takes the rules and the configuration', () => {
    expect(run('check', 'rules', 'datapump.rules.yaml')).toContain(`SUCCESS: ${rules.length} rules found`);
    expect(run('check', 'config', 'prometheus.yaml')).toContain('SUCCESS');
  });

  withPromtool('sees each alert fire where it must, and be over when its cause is', () => {
    const tested = (
      parse(readFileSync(join(FOLDER, 'datapump.rules.test.yaml'), 'utf8')) as { tests: { name: string }[] }
    ).tests;
    expect(tested.map(({ name }) => name)).toEqual(rules.map(({ alert }) => alert));
    expect(run('test', 'rules', 'datapump.rules.test.yaml')).toContain('SUCCESS');
  });
});
