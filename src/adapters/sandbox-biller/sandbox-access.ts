import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type IncomingHttpHeaders } from 'node:http';
import { type SandboxBiller } from './sandbox-configuration';

export type Access = 'granted' | 'token-expired' | 'refused';
export type Grant = { readonly accessToken: string; readonly expiresInSeconds: number };

/**
 * Who may call one biller. Tokens are signed, not stored: they need no memory and outlive a restart of the sandbox,
 * as they would at a biller whose token service is another machine.
 */
export class SandboxAccess {
  /** The last good token, so that a hot client costs no signature a request. */
  private known: { readonly token: string; readonly expiresAtMs: number } | undefined;

  constructor(
    private readonly biller: SandboxBiller,
    private readonly seed: string,
  ) {}

  check(headers: IncomingHttpHeaders, nowMs: number): Access {
    const { authentication } = this.biller;
    switch (authentication.kind) {
      case 'none':
        return 'granted';
      case 'api-key':
        return same(headers[authentication.header.toLowerCase()], authentication.key) ? 'granted' : 'refused';
      case 'basic':
        return same(headers.authorization, basic(authentication.user, authentication.password)) ? 'granted' : 'refused';
      case 'oauth2':
        return this.checkToken(/^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1], nowMs);
    }
  }

  /** The token endpoint: client credentials in the form or as basic authentication. Undefined: not this client. */
  grant(headers: IncomingHttpHeaders, form: URLSearchParams, nowMs: number): Grant | undefined {
    const { authentication } = this.biller;
    if (authentication.kind !== 'oauth2' || form.get('grant_type') !== 'client_credentials') return undefined;
    const { clientId, clientSecret, tokenLifetimeMs, promisedLifetimeMs } = authentication;
    const byBasic = same(headers.authorization, basic(clientId, clientSecret));
    const byForm = form.get('client_id') === clientId && form.get('client_secret') === clientSecret;
    if (!byBasic && !byForm) return undefined;
    const content = `${nowMs + tokenLifetimeMs}.${randomBytes(6).toString('base64url')}`;
    return {
      accessToken: `${content}.${this.sign(content)}`,
      expiresInSeconds: (promisedLifetimeMs ?? tokenLifetimeMs) / 1_000,
    };
  }

  private checkToken(token: string | undefined, nowMs: number): Access {
    if (token === undefined) return 'refused';
    if (this.known?.token !== token) {
      const [expires, nonce, signature] = token.split('.');
      if (!same(signature, this.sign(`${expires}.${nonce}`))) return 'refused';
      this.known = { token, expiresAtMs: Number(expires) };
    }
    return this.known.expiresAtMs > nowMs ? 'granted' : 'token-expired';
  }

  private sign(content: string): string {
    return createHmac('sha256', `sandbox ${this.seed}`)
      .update(`${this.biller.billerId} ${content}`)
      .digest('base64url');
  }
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function same(given: string | string[] | undefined, wanted: string): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
