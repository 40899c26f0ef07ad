import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyVaultSecretSource } from '../../src/adapters/key-vault/key-vault-secret-source';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { causeChain, type PortFailure } from '../../src/application/ports/failures';
import { selfSignedCertificate, type SelfSignedCertificate } from '../support/self-signed-certificate';

const ACCESS_TOKEN = 'access-token-of-the-process';

describe('secrets from Key Vault', () => {
  let folder: string;
  let vault: Vault;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-key-vault-'));
    vault = await Vault.open(selfSignedCertificate(folder));
  });
  afterAll(async () => {
    await vault.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => vault.reset({ 'sapiens-client-id': 'first value' }));

  const source = (options: Partial<ConstructorParameters<typeof KeyVaultSecretSource>[0]> = {}): KeyVaultSecretSource =>
    new KeyVaultSecretSource({
      vaultUrl: vault.url,
      clock: new SystemClock(),
      credential: { getToken: async () => ({ token: ACCESS_TOKEN, expiresOnTimestamp: Date.now() + 3_600_000 }) },
      clientOptions: {
        tlsOptions: { ca: vault.certificate },
        disableChallengeResourceVerification: true,
        retryOptions: { maxRetries: 0 },
      },
      ...options,
    });
  const failureOf = async (asked: Promise<string>): Promise<PortFailure> => {
    const failure = await asked.then(
      () => undefined,
      (error: unknown) => error,
    );
    // Neither a secret nor the token of the process leaves with a failure.
    expect(JSON.stringify([causeChain(failure), failure])).not.toMatch(/first value|access-token/);
    return failure as PortFailure;
  };

  it('are read with the identity of the process, once for all who ask at the same time', async () => {
    const secrets = source();
    const got = await Promise.all(Array.from({ length: 10 }, () => secrets.secret('sapiens-client-id')));
    expect(new Set(got)).toEqual(new Set(['first value']));
    expect(await secrets.secret('sapiens-client-id')).toBe('first value');
    expect(vault.served).toEqual(['/secrets/sapiens-client-id']);
  });

  it('are read again once their time has passed', async () => {
    const impatient = source({ cacheMs: 0 });
    await impatient.secret('sapiens-client-id');
    vault.secrets['sapiens-client-id'] = 'third value';
    expect(await impatient.secret('sapiens-client-id')).toBe('third value');
  });

  it('that are not there are missing, by name, and looked for again the next time', async () => {
    const secrets = source();
    expect(await failureOf(secrets.secret('unknown'))).toMatchObject({
      code: 'secret-missing',
      retryable: false,
      facts: { vault: vault.host, secretName: 'unknown' },
      message: `secret unknown is missing in Key Vault ${vault.host}: add it there, or correct the name`,
    });
    vault.secrets['unknown'] = 'known now';
    expect(await secrets.secret('unknown')).toBe('known now');
    expect(await failureOf(secrets.secret('not/a_name'))).toMatchObject({ code: 'secret-missing' });
  });

  it('are not authorized where the vault refuses the identity, or there is none', async () => {
    vault.refuses = true;
    const refused = await failureOf(source().secret('sapiens-client-id'));
    expect(refused).toMatchObject({ code: 'not-authorized', retryAfterMs: 30_000, facts: { reason: 403 } });
    expect(refused.message).toContain('Key Vault Secrets User');
    const nobody = {
      getToken: () => Promise.reject(Object.assign(new Error('no identity'), { name: 'CredentialUnavailableError' })),
    };
    const without = await failureOf(source({ credential: nobody }).secret('sapiens-client-id'));
    expect(without).toMatchObject({ code: 'not-authorized', facts: { reason: 'CredentialUnavailableError' } });
  });

  it('are unavailable where the vault fails, is silent or is not there', async () => {
    vault.fails = true;
    expect(await failureOf(source().secret('sapiens-client-id'))).toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
    vault.reset({});
    vault.silent = true;
    expect(await failureOf(source({ deadlineMs: 200 }).secret('sapiens-client-id'))).toMatchObject({
      code: 'timed-out',
    });
    const nowhere = source({ vaultUrl: 'https://127.0.0.1:9' });
    expect(await failureOf(nowhere.secret('sapiens-client-id'))).toMatchObject({ code: 'unavailable' });
  });

  it('come over TLS alone', () => {
    expect(() => source({ vaultUrl: 'http://vault.example' })).toThrow('https://<name>.vault.azure.net');
  });
});

/** The part of Key Vault's REST API that reads a secret: the bearer challenge, then `GET /secrets/<name>/`. */
class Vault {
  secrets: Record<string, string> = {};
  served: string[] = [];
  refuses = false;
  fails = false;
  silent = false;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly certificate: Buffer,
  ) {}

  static async open({ certificate, key }: SelfSignedCertificate): Promise<Vault> {
    const server = createServer({ cert: certificate, key });
    const vault = new Vault(server, certificate);
    server.on('request', (request, response) => vault.answer(request, response));
    server.on('connection', (socket: Socket) => vault.sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return vault;
  }

  get host(): string {
    return `localhost:${(this.server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `https://${this.host}`;
  }

  reset(secrets: Record<string, string>): void {
    Object.assign(this, { secrets, served: [], refuses: false, fails: false, silent: false });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const send = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    };
    if (this.silent) return;
    if (this.fails) return send(503, { error: { code: 'ServiceUnavailable', message: 'later' } });
    if (request.headers.authorization !== `Bearer ${ACCESS_TOKEN}`) {
      const challenge =
        'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"';
      return send(401, { error: { code: 'Unauthorized', message: 'no token' } }, { 'www-authenticate': challenge });
    }
    if (this.refuses) return send(403, { error: { code: 'Forbidden', message: 'no rights' } });
    const path = new URL(request.url!, this.url).pathname.replace(/\/$/, '');
    this.served.push(path);
    const value = this.secrets[path.replace('/secrets/', '')];
    if (value === undefined) return send(404, { error: { code: 'SecretNotFound', message: 'none' } });
    send(200, { value, id: `${this.url}${path}/0123456789abcdef`, attributes: { enabled: true } });
  }
}
