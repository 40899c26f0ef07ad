import { type Clock } from '../../application/ports/clock';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Telemetry } from '../../application/ports/telemetry';
import { type TokenCache } from '../../application/ports/token-cache';
import { type BillerDocument, tokenUrlUnder } from '../shared/biller-document/biller-document';
import { basicHeader, fetchToken } from './token-client';
import { type UndiciTransport } from './undici-transport';

/** What one request carries to be let in. */
export interface Credential {
  readonly headers: Readonly<Record<string, string>>;
  /** The biller refused it: the next one is drawn afresh, from the token endpoint or the secret source. */
  forget(): Promise<void>;
}

const SECRETS_MAX = 4_096;

export class Credentials {
  private readonly secrets = new Map<string, Promise<string>>();

  constructor(
    private readonly transport: UndiciTransport,
    private readonly source: SecretSource,
    private readonly tokens: TokenCache,
    private readonly clock: Clock,
    private readonly authority: string | undefined,
    private readonly telemetry: Pick<Telemetry, 'count'>,
  ) {}

  /** Throws PortFailure `secret-missing`, `token-refused`, `unavailable` or `profile-invalid`. */
  async of(document: BillerDocument): Promise<Credential> {
    const { Authentication: auth } = document;
    switch (auth.Kind) {
      case 'None':
        return { headers: {}, forget: () => Promise.resolve() };
      case 'ApiKey':
        return {
          headers: { [auth.Header]: await this.secret(auth.KeySecret) },
          forget: () => this.forgetSecrets(auth.KeySecret),
        };
      case 'Basic': {
        const [user, password] = await Promise.all([this.secret(auth.UserSecret), this.secret(auth.PasswordSecret)]);
        return {
          headers: { Authorization: basicHeader(user, password) },
          forget: () => this.forgetSecrets(auth.UserSecret, auth.PasswordSecret),
        };
      }
      case 'OAuth2ClientCredentials': {
        const tokenUrl = auth.TokenUrl ?? (this.authority === undefined ? undefined : tokenUrlUnder(this.authority));
        if (tokenUrl === undefined) {
          throw new PortFailure(`biller ${document.BillerID} names no TokenUrl and Auth:Authority is not set`, {
            code: 'profile-invalid',
            retryable: false,
            facts: { billerId: document.BillerID },
          });
        }
        const key = [document.BillerID, tokenUrl, auth.ClientIdSecret, auth.Scope ?? ''].join('|');
        const token = await this.tokens.get(key, async () => {
          const [clientId, clientSecret] = await Promise.all([
            this.secret(auth.ClientIdSecret),
            this.secret(auth.ClientSecretSecret),
          ]);
          const refreshed = (result: 'refreshed' | 'failed'): void =>
            this.telemetry.count('tokens.refreshed', 1, { result, biller: document.BillerID });
          try {
            const token = await fetchToken(
              this.transport,
              { billerId: document.BillerID, tokenUrl, clientId, clientSecret, scope: auth.Scope },
              this.clock,
            );
            refreshed('refreshed');
            return token;
          } catch (error) {
            refreshed('failed');
            // The secret may have been renewed: read it again next time.
            if (error instanceof PortFailure && error.code === 'token-refused')
              await this.forgetSecrets(auth.ClientIdSecret, auth.ClientSecretSecret);
            throw error;
          }
        });
        return { headers: { Authorization: `Bearer ${token}` }, forget: () => this.tokens.forget(key, token) };
      }
    }
  }

  private secret(name: string): Promise<string> {
    const known = this.secrets.get(name);
    if (known) return known;
    const asked = this.source.secret(name);
    this.secrets.set(name, asked);
    if (this.secrets.size > SECRETS_MAX) this.secrets.delete(this.secrets.keys().next().value!);
    // A failure is not kept: the secret may be there the next time.
    asked.catch(() => this.secrets.get(name) === asked && this.secrets.delete(name));
    return asked;
  }

  private forgetSecrets(...names: readonly string[]): Promise<void> {
    for (const name of names) this.secrets.delete(name);
    return Promise.resolve();
  }
}
