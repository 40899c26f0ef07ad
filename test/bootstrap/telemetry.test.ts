import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { healthPorts } from '../../src/bootstrap/processes/health-ports';
import { otelProblems, telemetryWanted } from '../../src/bootstrap/telemetry/otel-variables';
import { WHOLE_RUN_MS } from '../support/until';

const ROOT = resolve(__dirname, '../..');
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

describe('the standard variables', () => {
  it('ask for nothing where no endpoint is named', () => {
    expect(telemetryWanted({})).toEqual({ traces: undefined, metrics: undefined });
    expect(telemetryWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).toEqual({ traces: undefined, metrics: undefined });
  });

  it('ask for spans and metrics where one is, each unless it is switched off', () => {
    const traces = { share: 0.01, keepFailures: true, timeoutMs: 2_000 };
    const metrics = { everyMs: 60_000, timeoutMs: 2_000 };
    expect(telemetryWanted(ENDPOINT)).toEqual({ traces, metrics });
    expect(telemetryWanted({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' })).toEqual({ traces: undefined, metrics });
    expect(telemetryWanted({ ...ENDPOINT, OTEL_METRICS_EXPORTER: 'none' })).toEqual({ traces, metrics: undefined });
    expect(telemetryWanted({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }).traces).toBeUndefined();
    expect(telemetryWanted({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' })).toEqual({ traces, metrics: undefined });
  });

  it.each([
    ['always_on', 1, true],
    ['always_off', 0, false],
    ['parentbased_traceidratio', 0.25, true],
  ])('sampler %s keeps a share of %d, failures: %s', (sampler, share, keepFailures) => {
    const environment = { ...ENDPOINT, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: '0.25' };
    expect(telemetryWanted(environment).traces).toMatchObject({ share, keepFailures });
  });

  it('are told when they are wrong, with what is expected, all of them', () => {
    expect(otelProblems({ ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: '1.0' })).toEqual([]);
    expect(
      otelProblems({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_TRACES_SAMPLER_ARG: '2',
        OTEL_TRACES_SAMPLER: 'sometimes',
        OTEL_METRIC_EXPORT_INTERVAL: '1 min',
      }).map((problem) => problem.split(':')[0]),
    ).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_TRACES_SAMPLER',
      'OTEL_TRACES_SAMPLER_ARG',
      'OTEL_METRIC_EXPORT_INTERVAL',
    ]);
    // Of another program: nobody here reads it.
    expect(otelProblems({ OTEL_TRACES_SAMPLER_ARG: '2' })).toEqual([]);
  });
});

describe('the SDK', () => {
  const loaded = (environment: Readonly<Record<string, string>>): readonly string[] => {
    const script = `
      const { createContainer } = require('./dist/bootstrap/container/create-container');
      const { loadSettings } = require('./dist/bootstrap/configuration/load-settings');
      createContainer(loadSettings({ environment: process.env, overrides: {} }).settings, 'consumer-1');
      const found = Object.keys(require.cache).flatMap((path) => /@opentelemetry.(?:sdk|exporter)[a-z-]*/.exec(path)?.[0] ?? []);
      console.log(JSON.stringify([...new Set(found)]));
      process.exit(0);`;
    const env = { PATH: process.env['PATH'], ...environment };
    return JSON.parse(execFileSync(process.execPath, ['-e', script], { cwd: ROOT, env, encoding: 'utf8' })) as string[];
  };

  it(
    'is not loaded where nothing is asked for',
    () => {
      expect(loaded({})).toEqual([]);
    },
    WHOLE_RUN_MS,
  );

  it.each<Readonly<Record<string, string>>>([{ Health__Port: '9464' }, ENDPOINT])(
    'is loaded where something is: %j',
    (environment) => {
      expect(loaded(environment).length).toBeGreaterThan(1);
    },
    WHOLE_RUN_MS,
  );

  // In a process of its own: the exporter imports its transport, which jest's loader of modules does not.
  it(
    'ends, and its process with it, though the collector takes what it is told and never answers',
    async () => {
      let requests = 0;
      const collector = createServer(() => requests++);
      await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done));
      const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
      const script = `
        const { PlannedIds, RecordTraces } = require('./dist/adapters/telemetry/record-traces');
        const { openTelemetry } = require('./dist/bootstrap/telemetry/open-telemetry');
        const { telemetryWanted } = require('./dist/bootstrap/telemetry/otel-variables');
        const ids = new PlannedIds();
        const wanted = telemetryWanted(process.env);
        const sdk = openTelemetry({ wanted, prometheus: false, resource: {}, ids, onSpans: () => undefined });
        const traces = new RecordTraces({ tracer: sdk.tracer, ids, ...wanted.traces });
        traces.tell('0'.repeat(31) + '1', { name: 'x', kind: 0, spanId: '0'.repeat(15) + '1', startMs: 1, endMs: 2, attributes: {} });
        sdk.close().then((whole) => console.log(JSON.stringify({ whole })));`;
      try {
        const child = spawn(process.execPath, ['-e', script], {
          cwd: ROOT,
          env: { PATH: process.env['PATH'], OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER: 'always_on' },
        });
        let told = '';
        child.stdout.on('data', (text: Buffer) => (told += text.toString()));
        const code = await new Promise((ended) => child.once('close', ended));
        expect([code, told]).toEqual([0, '{"whole":false}\n']);
        expect(requests).toBeGreaterThan(0);
      } finally {
        collector.closeAllConnections();
        collector.close();
      }
    },
    WHOLE_RUN_MS,
  );
});

it('gives each process of a machine a port of its own, from the first on, and none where none is wanted', () => {
  expect([...healthPorts(9_400, ['scanner', 'fetcher', 'consumer-1'])]).toEqual([
    ['scanner', 9_400],
    ['fetcher', 9_401],
    ['consumer-1', 9_402],
  ]);
  expect([...healthPorts(0, ['scanner', 'fetcher'])].map(([, port]) => port)).toEqual([0, 0]);
  expect(() => healthPorts(65_535, ['scanner', 'fetcher'])).toThrow('expected at most 65534');
});
