import { DefaultAzureCredential, type TokenCredential } from '@azure/identity';
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets';
import { type Clock } from '../../application/ports/clock';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';

/** Long enough that a start with many billers asks once for each secret, short enough that a renewed one soon counts. */
const CACHE_MS = 30_000;
const DEADLINE_MS = 10_000;
/** Someone has to grant a right; the records wait meanwhile. */
const REFUSED_RETRY_AFTER_MS = 30_000;
const SECRETS_MAX = 4_096;
/** learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#objects-identifiers-and-versioning */
const NAME = /^[0-9A-Za-z-]{1,127}$/;

/**
 * Secrets of one Azure Key Vault, by the identity of this process (DefaultAzureCredential: Managed Identity in Azure, the
 * developer's login elsewhere). Per name: nothing → being read (all callers wait for the one read) → held for CACHE_MS.
 * A failed read leaves nothing. Whoever was refused with a secret asks again and gets one that is CACHE_MS old at most.
 *
 * Failures name vault and secret and nothing else: the SDK's errors hold the request with its access token, so they are
 * not passed on as causes.
 */
export class KeyVaultSecretSource implements SecretSource {
  private readonly client: SecretClient;
  private readonly held = new Map<string, { readonly value: string; readonly untilMs: number }>();
  private readonly reading = new Map<string, Promise<string>>();
  private readonly host: string;

  constructor(
    private readonly options: {
      /** Such as `https://datapump.vault.azure.net`. */
      readonly vaultUrl: string;
      readonly clock: Clock;
      readonly credential?: TokenCredential;
      readonly cacheMs?: number;
      readonly deadlineMs?: number;
      /** For a vault behind a name or an authority of one's own. */
      readonly clientOptions?: SecretClientOptions;
    },
  ) {
    const url = URL.canParse(options.vaultUrl) ? new URL(options.vaultUrl) : undefined;
    if (url?.protocol !== 'https:') {
      throw new TypeError(
        `the Key Vault URL is of the form https://<name>.vault.azure.net, got ${JSON.stringify(options.vaultUrl)}`,
      );
    }
    this.host = url.host;
    this.client = new SecretClient(url.origin, options.credential ?? new DefaultAzureCredential(), {
      retryOptions: { maxRetries: 1, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 },
      ...options.clientOptions,
    });
  }

  /** PortFailure `secret-missing`, `not-authorized`, `timed-out` or `unavailable`. */
  secret(name: string): Promise<string> {
    const held = this.held.get(name);
    if (held && this.options.clock.monotonicMs() < held.untilMs) return Promise.resolve(held.value);
    const known = this.reading.get(name);
    if (known) return known;
    const read = this.read(name);
    this.reading.set(name, read);
    const done = (): void => void this.reading.delete(name);
    read.then((value) => {
      this.hold(name, value);
      done();
    }, done);
    return read;
  }

  private hold(name: string, value: string): void {
    const { clock, cacheMs = CACHE_MS } = this.options;
    this.held.delete(name);
    this.held.set(name, { value, untilMs: clock.monotonicMs() + cacheMs });
    if (this.held.size > SECRETS_MAX) this.held.delete(this.held.keys().next().value!);
  }

  private async read(name: string): Promise<string> {
    if (!NAME.test(name)) throw this.missing(name, 'its name is none of Key Vault (letters, digits and hyphens)');
    let value: string | undefined;
    try {
      const abortSignal = AbortSignal.timeout(this.options.deadlineMs ?? DEADLINE_MS);
      ({ value } = await this.client.getSecret(name, { abortSignal }));
    } catch (error) {
      throw this.failure(
        name,
        error as { readonly name?: string; readonly statusCode?: number; readonly code?: string },
      );
    }
    if (value === undefined || value === '') throw this.missing(name, 'it is empty');
    return value;
  }

  private missing(name: string, why: string): PortFailure {
    return new PortFailure(`secret ${name} is missing in Key Vault ${this.host}: ${why}`, {
      code: 'secret-missing',
      retryable: false,
      facts: { vault: this.host, secretName: name },
    });
  }

  private failure(
    name: string,
    error: { readonly name?: string; readonly statusCode?: number; readonly code?: string },
  ): PortFailure {
    if (error.statusCode === 404) return this.missing(name, 'add it there, or correct the name');
    const step = `failed to read secret ${name} from Key Vault ${this.host}`;
    const facts = {
      vault: this.host,
      secretName: name,
      reason: error.statusCode ?? error.code ?? error.name ?? 'unknown',
    };
    // CredentialUnavailableError, AuthenticationError, AggregateAuthenticationError, AuthenticationRequiredError
    const withoutIdentity = /Credential|Authentication/.test(error.name ?? '');
    if (withoutIdentity || error.statusCode === 401 || error.statusCode === 403) {
      const remedy = withoutIdentity
        ? 'this process has no identity there; give it a Managed Identity, or log in with the Azure command line'
        : 'it refuses the identity of this process, or the secret is disabled; grant the role Key Vault Secrets User';
      return new PortFailure(`${step}: ${remedy}`, {
        code: 'not-authorized',
        retryable: true,
        retryAfterMs: REFUSED_RETRY_AFTER_MS,
        facts,
      });
    }
    if (error.name === 'AbortError' || error.name === 'TimeoutError')
      return new PortFailure(`${step}: no answer in time`, { code: 'timed-out', retryable: true, facts });
    return new PortFailure(`${step}: it cannot be reached, or failed`, { code: 'unavailable', retryable: true, facts });
  }
}
