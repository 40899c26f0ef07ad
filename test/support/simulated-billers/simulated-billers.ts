import { HttpBillerGateway } from '../../../src/adapters/biller-http/http-biller-gateway';
import { InProcessTokenCache } from '../../../src/adapters/system/in-process-token-cache';
import { sha256Digest } from '../../../src/adapters/system/sha256-digest';
import { type BillerAllowance } from '../../../src/application/ports/biller-allowance';
import { PortFailure } from '../../../src/application/ports/failures';
import { type BillerProfile } from '../../../src/domain/biller/biller-profile';
import { msOf } from '../../../src/domain/instant';
import { profileOf, template } from '../biller-fixtures';
import { INQUIRY_RULES, RULES } from './answers';
import { fateOf, type Plan, type TokenPlan } from './plans';
import { SimulatedWire, type WireRequest } from './simulated-wire';
import { VirtualTime } from './virtual-time';

const TEMPLATE = template('json-oauth2-keys-and-inquiry');
const TOKENS = 'https://tokens.example/oauth/token';
/** Two billers of one vendor share a client and a token endpoint. */
const oauth = (scope: string | undefined, tokenUrl = TOKENS) => ({
  Kind: 'OAuth2ClientCredentials',
  TokenUrl: tokenUrl,
  ClientIdSecret: 'client-id',
  ClientSecretSecret: 'client-secret',
  ...(scope !== undefined && { Scope: scope }),
});

const simulated = (
  billerId: string,
  Authentication: object,
  limits: { readonly concurrency: number; readonly failures: number },
): BillerProfile =>
  profileOf('json-oauth2-keys-and-inquiry', `https://api-${billerId}.example/v1`, {
    Authentication,
    Actions: ['Payment'],
    Requests: { Payment: (TEMPLATE['Requests'] as Record<string, object>)['Payment'] },
    Answers: RULES,
    BillerID: billerId,
    Limits: { Concurrency: limits.concurrency },
    StatusInquiry: { ...(TEMPLATE['StatusInquiry'] as object), Answers: INQUIRY_RULES },
    Breaker: { FailuresToOpen: limits.failures, Open: '5s' },
  });

export const PROFILES: readonly BillerProfile[] = [
  simulated('12', oauth(undefined), { concurrency: 2, failures: 3 }),
  simulated('12', oauth('pay'), { concurrency: 2, failures: 3 }),
  simulated('12', oauth('pay', 'https://api-12.example/v1/oauth/token'), { concurrency: 3, failures: 2 }),
  simulated('13', oauth(undefined), { concurrency: 1, failures: 2 }),
  simulated('14', { Kind: 'ApiKey', Header: 'X-Api-Key', KeySecret: 'api-key' }, { concurrency: 2, failures: 1 }),
  simulated('15', { Kind: 'Basic', UserSecret: 'user', PasswordSecret: 'password' }, { concurrency: 2, failures: 2 }),
  simulated('16', { Kind: 'None' }, { concurrency: 1, failures: 2 }),
];

export interface IssuedToken {
  readonly value: string;
  readonly credential: string;
  readonly request: WireRequest;
}

export interface SecretRead {
  readonly name: string;
  readonly value: string | undefined;
}

/** Billers, a token endpoint and a secret source about one real gateway, in virtual time. */
export class SimulatedBillers {
  readonly time: VirtualTime;
  readonly wire: SimulatedWire;
  readonly gateway: HttpBillerGateway;
  readonly tokens: IssuedToken[] = [];
  readonly secretsRead: SecretRead[] = [];
  readonly tokenPlayed = new Map<WireRequest, { readonly played: TokenPlan; readonly nowMs: number }>();
  /** Reads of secrets fail. */
  secretsMissing = false;
  planOf: (request: WireRequest) => Plan;
  private tokensAsked = 0;

  constructor(options: {
    readonly skewMs: number;
    readonly fraction: number;
    readonly tokenPlans: readonly TokenPlan[];
    readonly planOf: (request: WireRequest) => Plan;
    readonly allowance?: BillerAllowance;
    readonly keepSnippet?: () => Promise<void>;
  }) {
    this.time = new VirtualTime(options.skewMs);
    this.planOf = options.planOf;
    const nowMs = (): number => msOf(this.time.now());
    this.wire = new SimulatedWire(this.time, (request) => {
      if (!request.path.endsWith('/oauth/token')) return fateOf(this.planOf(request), nowMs());
      const { plan, lifetime } = options.tokenPlans[this.tokensAsked++ % options.tokenPlans.length]!;
      const fate = fateOf(plan, nowMs());
      this.tokenPlayed.set(request, { played: { plan, lifetime }, nowMs: nowMs() });
      if (!lifetime || fate.then.kind !== 'answer') return fate;
      const value = `token-${this.tokens.length}`;
      const { written } = lifetime;
      this.tokens.push({ value, credential: credentialAsked(request), request });
      const answer = { ...fate.then.answer, body: JSON.stringify({ access_token: value, expires_in: written }) };
      return { ...fate, then: { ...fate.then, answer } };
    });
    this.gateway = new HttpBillerGateway({
      clock: this.time,
      digest: (text) => (text.startsWith('POST ') || text.includes('\n') ? sha256Digest(text) : 'snippet'),
      secrets: { secret: (name) => this.secret(name) },
      tokens: new InProcessTokenCache(this.time),
      chance: { uuid: () => 'uuid', fraction: () => options.fraction },
      telemetry: {
        info: () => undefined,
        warn: () => undefined,
        count: () => undefined,
      },
      // A store that fails costs nothing but the piece.
      snippets: {
        keep: options.keepSnippet ?? (() => Promise.reject(new Error('no room'))),
        find: () => Promise.resolve(undefined),
        forget: () => Promise.resolve(0),
      },
      allowance: options.allowance ?? {
        take: (_biller, { wanted }) => Promise.resolve({ granted: wanted, retryAfterMs: 0 }),
      },
      hosts: { allowedHosts: ['*.example'], allowPlainLoopback: false },
      carrier: this.wire,
    });
  }

  private secret(name: string): Promise<string> {
    const value = this.secretsMissing ? undefined : `${name}:${this.secretsRead.length}+ä/`;
    this.secretsRead.push({ name, value });
    return value === undefined
      ? Promise.reject(
          new PortFailure(`no secret ${name}`, { code: 'secret-missing', retryable: false, facts: { name } }),
        )
      : Promise.resolve(value);
  }
}

export const isTokenRequest = ({ path }: WireRequest): boolean => path.endsWith('/oauth/token');

/** Whose token is asked for, as far as the request tells. */
function credentialAsked({ origin, path, body }: WireRequest): string {
  return `${origin}${path}|${new URLSearchParams(body).get('scope') ?? ''}`;
}

export function credentialOf({ document }: BillerProfile): string {
  const { TokenUrl, Scope } = document['Authentication'] as { TokenUrl: string; Scope?: string };
  return `${TokenUrl}|${Scope ?? ''}`;
}

export const isOauth = ({ document }: BillerProfile): boolean =>
  (document['Authentication'] as { Kind: string }).Kind === 'OAuth2ClientCredentials';

/** What a request carries to be let in, as its own words. */
export const credentialCarried = ({ headers }: WireRequest): string | undefined =>
  headers['authorization'] ?? headers['x-api-key'];
