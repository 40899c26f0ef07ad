import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { instantiateTemplate } from '../../adapters/biller-profiles/instantiate-template';
import { type FaultRates } from '../../adapters/sandbox-biller/sandbox-faults';
import { type SandboxAuthentication, type SandboxBiller } from '../../adapters/sandbox-biller/sandbox-configuration';
import { type Action } from '../../domain/biller/data-type';
import { billerId, type BillerId, shardName, type ShardName } from '../../domain/identifiers';
import { type DemoPlan } from './demo-plan';

export interface DemoBiller {
  readonly billerId: BillerId;
  readonly name: string;
  readonly template: string;
  readonly shard: ShardName;
  readonly keys: boolean;
  readonly inquiry: boolean;
  readonly actions: readonly Action[];
  readonly allowedInvoiceTypes: readonly string[] | undefined;
  readonly skipNocs: boolean;
  readonly currency: string;
  /** Two billers more than asked for show what a row of theirs comes to: one has no settings, one is inactive. */
  readonly settings: 'active' | 'inactive' | 'missing';
  readonly profile: Readonly<Record<string, unknown>>;
}

interface Profile {
  readonly Actions: readonly Action[];
  readonly Authentication: Readonly<Record<string, string>>;
  readonly Requests: Readonly<Record<string, { readonly Format: 'json' | 'xml' | 'form' }>>;
  readonly Idempotency?: { readonly Header: string };
  readonly StatusInquiry?: object;
}

const TEMPLATES = resolve(__dirname, '..', '..', '..', 'billers', 'templates');
const FIRST_ID = 101;
const NAMES = [
  'Northwind Water',
  'City of Alder',
  'Harbor Mutual',
  'Elm County Power',
  'Vltava Gas',
  'Bluebird Insurance',
  'Summit Telecom',
  'Lakeside Council',
];
/** Of two, three and no decimals. */
const CURRENCIES = ['USD', 'JPY', 'KWD', 'CZK'];
/** After the timeout plus this, an effect cannot come any more: the sandbox keeps the promise. */
const TIMEOUT_MS = 2_000;
const QUARANTINE_MS = 1_500;
const HANG_MS = TIMEOUT_MS + 500;
/** Tokens die long before their promised end, so that calls meet 401 and fetch a new one. */
const TOKEN_LIFETIME_MS = 4_000;
const TOKEN_PROMISED_MS = 60_000;
const PER_SECOND = 2_000;
const KEY_RETENTION_MS = 24 * 3_600_000;

/** Rates so that each kind fires some fifty times in 10,000 records, and most records meet none. */
const FAULTS: FaultRates = {
  latency: 0.01,
  'throttled-429': 0.01,
  'error-500-before-effect': 0.008,
  'error-500-after-effect': 0.008,
  'timeout-without-effect': 0.005,
  'timeout-with-effect': 0.005,
  'timeout-with-late-effect': 0.005,
  'connection-reset-before-effect': 0.008,
  'connection-reset-after-effect': 0.008,
  'malformed-body-after-effect': 0.008,
};

/** The templates in turn, so that formats, authentications and capabilities for doubt all occur. */
export function planBillers(
  plan: Pick<DemoPlan, 'billers' | 'shards' | 'sandboxPort' | 'perSecond'>,
): readonly DemoBiller[] {
  const templates = readTemplates();
  return Array.from({ length: plan.billers + 2 }, (_, index) => {
    const extra = index - plan.billers;
    const { name: template, document } = templates[index % templates.length]!;
    const id = billerId(String(FIRST_ID + index));
    const actions = (document as unknown as Profile).Actions;
    // Every other biller has constraints, whatever its template says, so that both kinds are always there.
    const constrained = index % 2 === 1;
    const skipNocs = constrained && actions.includes('ACHRejects');
    const allowedInvoiceTypes = constrained ? ['Premium', 'Renewal'] : undefined;
    const profile = instantiateTemplate(document, {
      billerId: id,
      baseUrl: `http://127.0.0.1:${plan.sandboxPort}/b/${id}`,
      overrides: {
        Timeout: `${TIMEOUT_MS}ms`,
        Quarantine: `${QUARANTINE_MS}ms`,
        Limits: { Concurrency: 32, PerSecond: plan.perSecond ?? PER_SECOND },
        RetrySchedule: { Kind: 'Fixed', Waits: ['250ms', '500ms', '1s', '1s', '2s', '2s', '3s'], MaxAge: '24h' },
        Breaker: { FailuresToOpen: 8, Open: '1s' },
        Constraints: { ...(allowedInvoiceTypes && { AllowedInvoiceTypes: allowedInvoiceTypes }), SkipNOCs: skipNocs },
      },
    });
    return {
      billerId: id,
      name:
        extra === 0
          ? 'No Settings'
          : extra === 1
            ? 'Closed Down'
            : `${NAMES[index % NAMES.length]}${index < NAMES.length ? '' : ` ${Math.floor(index / NAMES.length) + 1}`}`,
      template,
      shard: shardName(`Shard-${(index % plan.shards) + 1}`),
      keys: 'Idempotency' in profile,
      inquiry: 'StatusInquiry' in profile,
      actions,
      allowedInvoiceTypes,
      skipNocs,
      currency: CURRENCIES[index % CURRENCIES.length]!,
      settings: extra === 0 ? 'missing' : extra === 1 ? 'inactive' : 'active',
      profile,
    };
  });
}

function readTemplates(): readonly { readonly name: string; readonly document: Readonly<Record<string, unknown>> }[] {
  return readdirSync(TEMPLATES)
    .filter((file) => file.endsWith('.json'))
    .sort(neitherEarly)
    .map((file) => ({
      name: file.replace('.json', ''),
      document: JSON.parse(readFileSync(join(TEMPLATES, file), 'utf8')) as Record<string, unknown>,
    }));
}

/** A demo of few billers should still have one whose doubts go to a person. */
function neitherEarly(a: string, b: string): number {
  return Number(b.includes('neither')) - Number(a.includes('neither')) || (a < b ? -1 : 1);
}

/** Secrets by the names the profiles use. They open nothing but this demo's sandbox. */
export function secretsOf(billers: readonly DemoBiller[]): Readonly<Record<string, string>> {
  const names = billers.flatMap(({ profile }) =>
    Object.entries((profile as unknown as Profile).Authentication).flatMap(([key, name]) =>
      key.endsWith('Secret') ? [name] : [],
    ),
  );
  return Object.fromEntries(names.map((name) => [name, secretFor(name)]));
}

const secretFor = (name: string): string => `demo-${name}`;

/** The sandbox plays every biller that a request may reach. */
export function sandboxConfigurationOf(plan: DemoPlan, billers: readonly DemoBiller[], ledgerFile: string): object {
  return {
    host: '127.0.0.1',
    port: plan.sandboxPort,
    ledgerFile,
    seed: plan.seed,
    billers: billers.map((biller) => sandboxBiller(biller, plan.faults)),
  };
}

function sandboxBiller(biller: DemoBiller, faults: boolean): SandboxBiller {
  const profile = biller.profile as unknown as Profile;
  return {
    billerId: biller.billerId,
    authentication: authenticationOf(profile.Authentication),
    format: Object.values(profile.Requests)[0]!.Format,
    ...(profile.Idempotency && { idempotency: { header: profile.Idempotency.Header, retentionMs: KEY_RETENTION_MS } }),
    ...(profile.StatusInquiry && { inquiry: { lagMs: 0 } }),
    quarantineMs: QUARANTINE_MS,
    latencyMs: faults ? { median: 3, max: 300 } : { median: 0, max: 0 },
    faults: faults ? FAULTS : {},
    hangMs: HANG_MS,
  };
}

function authenticationOf(authentication: Readonly<Record<string, string>>): SandboxAuthentication {
  const secret = (key: string): string => secretFor(authentication[key]!);
  switch (authentication['Kind']) {
    case 'OAuth2ClientCredentials':
      return {
        kind: 'oauth2',
        clientId: secret('ClientIdSecret'),
        clientSecret: secret('ClientSecretSecret'),
        tokenLifetimeMs: TOKEN_LIFETIME_MS,
        promisedLifetimeMs: TOKEN_PROMISED_MS,
      };
    case 'ApiKey':
      return { kind: 'api-key', header: authentication['Header']!, key: secret('KeySecret') };
    case 'Basic':
      return { kind: 'basic', user: secret('UserSecret'), password: secret('PasswordSecret') };
    default:
      return { kind: 'none' };
  }
}
