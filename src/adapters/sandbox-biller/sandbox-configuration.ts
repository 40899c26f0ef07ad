import Ajv, { type ErrorObject } from 'ajv';
import { FAULT_KINDS, type FaultRates } from './sandbox-faults';

export interface SandboxConfiguration {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly ledgerFile: string;
  readonly seed: string;
  readonly billers: readonly SandboxBiller[];
}

export interface SandboxBiller {
  readonly billerId: string;
  readonly authentication: SandboxAuthentication;
  /** Of request bodies. Answers are xml for xml, json for both others. */
  readonly format: 'json' | 'xml' | 'form';
  /** Absent: keys are ignored and each request is an effect of its own. */
  readonly idempotency?: { readonly header: string; readonly retentionMs: number };
  /** Absent: the status endpoint does not exist. `lagMs`: what is younger is not seen. */
  readonly inquiry?: { readonly lagMs: number };
  /** A late effect lands at most this long after its request. */
  readonly quarantineMs: number;
  readonly latencyMs: { readonly median: number; readonly max: number };
  readonly faults: FaultRates;
  /** Of each reference only so many requests, the first ones, are left to the fault rates. Absent: all of them. */
  readonly faultyRequestsMax?: number;
  /** How long a timeout fault holds the response before the socket is closed; longer than the client's timeout. */
  readonly hangMs: number;
}

export type SandboxAuthentication =
  | {
      readonly kind: 'oauth2';
      readonly clientId: string;
      readonly clientSecret: string;
      readonly tokenLifetimeMs: number;
      /** What the token endpoint promises; longer than the lifetime at a biller that revokes tokens early. */
      readonly promisedLifetimeMs?: number;
    }
  | { readonly kind: 'api-key'; readonly header: string; readonly key: string }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'none' };

/** Everything that is wrong with a configuration, one line a problem, each naming its place. */
export class SandboxConfigurationError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `the sandbox configuration has ${problems.length} problem(s):\n${problems.map((line) => `  ${line}`).join('\n')}`,
    );
    this.name = 'SandboxConfigurationError';
  }
}

const text = { type: 'string', minLength: 1 };
/** setTimeout cannot wait longer than this; a longer wait would silently become none. */
const durationMs = { type: 'number', minimum: 0, maximum: 2_147_483_647 };
const headerName = { type: 'string', pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" };
const shape = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const BILLER = shape(
  {
    billerId: { type: 'string', pattern: '^[^\\s:/]{1,64}$' },
    authentication: {
      type: 'object',
      required: ['kind'],
      discriminator: { propertyName: 'kind' },
      oneOf: [
        shape(
          {
            kind: { const: 'oauth2' },
            clientId: text,
            clientSecret: text,
            tokenLifetimeMs: { ...durationMs, minimum: 1 },
            promisedLifetimeMs: { ...durationMs, minimum: 1 },
          },
          ['promisedLifetimeMs'],
        ),
        shape({ kind: { const: 'api-key' }, header: headerName, key: text }),
        shape({ kind: { const: 'basic' }, user: text, password: text }),
        shape({ kind: { const: 'none' } }),
      ],
    },
    format: { enum: ['json', 'xml', 'form'] },
    idempotency: shape({
      header: { ...headerName, default: 'Idempotency-Key' },
      retentionMs: { ...durationMs, minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    }),
    inquiry: shape({ lagMs: { ...durationMs, default: 0 } }),
    quarantineMs: { ...durationMs, default: 0 },
    latencyMs: { ...shape({ median: durationMs, max: durationMs }), default: { median: 0, max: 0 } },
    faults: {
      ...shape(
        Object.fromEntries(FAULT_KINDS.map((kind) => [kind, { type: 'number', minimum: 0, maximum: 1 }])),
        FAULT_KINDS,
      ),
      default: {},
    },
    faultyRequestsMax: { type: 'integer', minimum: 0 },
    hangMs: { ...durationMs, default: 0 },
  },
  ['idempotency', 'inquiry', 'faultyRequestsMax'],
);

const CONFIGURATION = shape({
  // Test credentials and no TLS: the sandbox must never be reachable from another machine.
  host: { enum: ['127.0.0.1', '::1', 'localhost'], default: '127.0.0.1' },
  port: { type: 'integer', minimum: 0, maximum: 65_535, default: 0 },
  ledgerFile: text,
  seed: { type: ['string', 'integer'] },
  billers: { type: 'array', minItems: 1, maxItems: 10_000, items: BILLER },
});

const validate = new Ajv({ allErrors: true, useDefaults: true, discriminator: true, strict: false }).compile(
  CONFIGURATION,
);

/** Throws SandboxConfigurationError with every problem found, or returns the configuration with its defaults filled in. */
export function readSandboxConfiguration(json: string): SandboxConfiguration {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new SandboxConfigurationError([`not JSON: ${(error as Error).message}`]);
  }
  if (!validate(value)) throw new SandboxConfigurationError((validate.errors ?? []).map(problemText));
  const configuration = value as unknown as SandboxConfiguration;
  const problems = contradictions(configuration);
  if (problems.length > 0) throw new SandboxConfigurationError(problems);
  return { ...configuration, seed: String(configuration.seed) };
}

function problemText(error: ErrorObject): string {
  const place = error.instancePath === '' ? 'configuration' : error.instancePath.slice(1).replaceAll('/', '.');
  const { params } = error;
  if (error.keyword === 'additionalProperties') return `${place}: does not know "${params['additionalProperty']}"`;
  if (error.keyword === 'enum') return `${place}: must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
  return `${place}: ${error.message}`;
}

/** What a schema cannot say. */
function contradictions({ billers }: SandboxConfiguration): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  billers.forEach((biller, index) => {
    const place = `billers.${index}`;
    const rate = (kind: (typeof FAULT_KINDS)[number]) => biller.faults[kind] ?? 0;
    if (seen.has(biller.billerId)) problems.push(`${place}.billerId: "${biller.billerId}" is there twice`);
    seen.add(biller.billerId);
    const sum = FAULT_KINDS.reduce((total, kind) => total + rate(kind), 0);
    if (sum > 1 + 1e-9) problems.push(`${place}.faults: the rates add up to ${sum}, more than 1`);
    if (FAULT_KINDS.some((kind) => kind.startsWith('timeout-') && rate(kind) > 0) && biller.hangMs === 0) {
      problems.push(`${place}.hangMs: must be above 0, since there are timeout faults`);
    }
    if (rate('timeout-with-late-effect') > 0 && biller.quarantineMs === 0) {
      problems.push(`${place}.quarantineMs: must be above 0, since there are late effects`);
    }
    if (biller.latencyMs.median > biller.latencyMs.max) problems.push(`${place}.latencyMs: median is above max`);
    if (rate('latency') > 0 && biller.latencyMs.max === 0) {
      problems.push(`${place}.latencyMs.max: must be above 0, since there are latency faults`);
    }
  });
  return problems;
}
