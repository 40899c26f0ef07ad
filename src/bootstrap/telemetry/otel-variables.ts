/** What the standard variables of OpenTelemetry ask for; the exporters read endpoint, headers and certificates themselves. */
export interface TelemetryWanted {
  readonly traces: { readonly share: number; readonly keepFailures: boolean; readonly timeoutMs: number } | undefined;
  readonly metrics: { readonly everyMs: number; readonly timeoutMs: number } | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Of a thousand records ten are kept whole from their claim, unless OTEL_TRACES_SAMPLER_ARG says otherwise. */
const SHARE_DEFAULT = 0.01;
/** A process that ends waits so long for a collector that does not answer, hence a fifth of what the standard says. */
const EXPORT_TIMEOUT_MS = 2_000;
const METRICS_EVERY_MS = 60_000;

const SAMPLERS: Readonly<Record<string, 'all' | 'share' | 'none'>> = {
  always_on: 'all',
  parentbased_always_on: 'all',
  always_off: 'none',
  parentbased_always_off: 'none',
  traceidratio: 'share',
  parentbased_traceidratio: 'share',
};

/** Empty means unset, as the standard has it. */
const valueOf = (environment: Environment, name: string): string | undefined => environment[name]?.trim() || undefined;

export function telemetryWanted(environment: Environment): TelemetryWanted {
  const isDisabled = valueOf(environment, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true';
  const asked = (signal: 'TRACES' | 'METRICS'): boolean =>
    !isDisabled &&
    valueOf(environment, `OTEL_${signal}_EXPORTER`) !== 'none' &&
    (valueOf(environment, `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ??
      valueOf(environment, 'OTEL_EXPORTER_OTLP_ENDPOINT')) !== undefined;
  const timeoutMs = (signal: string): number =>
    Number(
      valueOf(environment, `OTEL_EXPORTER_OTLP_${signal}_TIMEOUT`) ??
        valueOf(environment, 'OTEL_EXPORTER_OTLP_TIMEOUT') ??
        EXPORT_TIMEOUT_MS,
    );
  const sampler = SAMPLERS[valueOf(environment, 'OTEL_TRACES_SAMPLER') ?? 'traceidratio'] ?? 'share';
  const share = Number(valueOf(environment, 'OTEL_TRACES_SAMPLER_ARG') ?? SHARE_DEFAULT);
  return {
    traces: asked('TRACES')
      ? {
          share: sampler === 'share' ? share : sampler === 'all' ? 1 : 0,
          keepFailures: sampler !== 'none',
          timeoutMs: timeoutMs('TRACES'),
        }
      : undefined,
    metrics: asked('METRICS')
      ? {
          everyMs: Number(valueOf(environment, 'OTEL_METRIC_EXPORT_INTERVAL') ?? METRICS_EVERY_MS),
          timeoutMs: timeoutMs('METRICS'),
        }
      : undefined,
  };
}

type Check = (value: string) => boolean;
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value);
const isUrl: Check = (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
const isShare: Check = (value) => /^(0|1|0?\.\d+|1\.0+|0\.\d+)$/.test(value);
const isMs: Check = (value) => /^[1-9]\d{0,6}$/.test(value);

const CHECKS: readonly (readonly [names: readonly string[], check: Check, expected: string])[] = [
  [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'],
    isUrl,
    'an http or https URL, such as http://collector:4318',
  ],
  [
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'],
    oneOf('http/protobuf'),
    'http/protobuf, the one that is spoken here; name the port that takes it, usually 4318',
  ],
  [['OTEL_TRACES_EXPORTER', 'OTEL_METRICS_EXPORTER'], oneOf('otlp', 'none'), 'otlp or none'],
  [['OTEL_TRACES_SAMPLER'], (value) => Object.hasOwn(SAMPLERS, value), `one of ${Object.keys(SAMPLERS).join(', ')}`],
  [['OTEL_TRACES_SAMPLER_ARG'], isShare, 'a share from 0 to 1, such as 0.01'],
  [
    [
      'OTEL_EXPORTER_OTLP_TIMEOUT',
      'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT',
      'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT',
      'OTEL_METRIC_EXPORT_INTERVAL',
    ],
    isMs,
    'whole milliseconds from 1',
  ],
];

/** What is wrong with them, where they are read at all: a variable of another program must not stop this one. */
export function otelProblems(environment: Environment): readonly string[] {
  const { traces, metrics } = telemetryWanted(environment);
  const isAsked = traces !== undefined || metrics !== undefined;
  return CHECKS.flatMap(([names, check, expected]) =>
    names.flatMap((name) => {
      const value = isAsked ? valueOf(environment, name) : undefined;
      return value === undefined || check(value)
        ? []
        : [`${name}: found ${JSON.stringify(value)}, expected ${expected}`];
    }),
  );
}
