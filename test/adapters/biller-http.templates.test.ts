import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { HttpBillerGateway } from '../../src/adapters/biller-http/http-biller-gateway';
import { SqliteBillerAllowance } from '../../src/adapters/sqlite/sqlite-biller-allowance';
import { InProcessTokenCache } from '../../src/adapters/system/in-process-token-cache';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { EnvironmentSecretSource, secretVariable } from '../../src/adapters/system/environment-secret-source';
import { DATA_TYPES, actionOf } from '../../src/domain/biller/data-type';
import { paymentRow, profileOf } from '../support/biller-fixtures';
import { type ScriptedBiller, startScriptedBiller } from '../support/scripted-biller';
import { recordedTelemetry } from '../support/recorded-telemetry';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

const NAMES = readdirSync(join(__dirname, '../../billers/templates')).map((name) => name.replace('.json', ''));

describe('every template speaks to a biller', () => {
  let biller: ScriptedBiller;
  let gateway: HttpBillerGateway;
  let folder: string;
  const clock = new SystemClock();
  beforeEach(async () => {
    biller = await startScriptedBiller();
    folder = mkdtempSync(join(tmpdir(), 'templates-'));
    const secretNames = NAMES.flatMap((name) =>
      ['client-id', 'client-secret', 'api-key', 'user', 'password'].map((part) => `${name}-${part}`),
    );
    gateway = new HttpBillerGateway({
      clock,
      digest: sha256Digest,
      secrets: new EnvironmentSecretSource({
        environment: Object.fromEntries(secretNames.map((name) => [secretVariable(name), 'x'])),
      }),
      tokens: new InProcessTokenCache(clock),
      chance: new SystemChance(),
      telemetry: recordedTelemetry().telemetry,
      allowance: new SqliteBillerAllowance({ path: join(folder, 'allowance.sqlite') }),
      hosts: { allowedHosts: [], allowPlainLoopback: true },
    });
  });
  afterEach(async () => {
    await biller.close();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(NAMES)('%s: accepted and declined, for each of its actions', async (name) => {
    const profile = profileOf(name, biller.baseUrl);
    const xml = name.startsWith('xml');
    const answer =
      (status: number, fields: Record<string, string>): ScriptedBiller['react'] =>
      (response) =>
        void response.writeHead(status, { 'content-type': xml ? 'application/xml' : 'application/json' }).end(
          xml
            ? `<Answer>${Object.entries(fields)
                .map(([key, value]) => `<${key}>${value}</${key}>`)
                .join('')}</Answer>`
            : JSON.stringify(fields),
        );
    const row = paymentRow({ payment: { ...paymentRow().payment!, achReturnCode: 'R01' } });
    for (const dataType of DATA_TYPES.filter((type) => profile.actions.includes(actionOf(type)))) {
      const call = await gateway.prepare({ profile, row: { ...row, dataType }, idempotencyKey: 'k' });
      biller.react = answer(201, { status: 'accepted', reference: 'R-1' });
      expect(await call.send({ since: clock.monotonicMs(), sendWithinMs: 20_000 })).toEqual({
        kind: 'accepted',
        httpStatus: 201,
        billerReference: 'R-1',
      });
      biller.react = answer(422, { status: 'declined', code: 'account-closed' });
      expect(await call.send({ since: clock.monotonicMs(), sendWithinMs: 20_000 })).toEqual({
        kind: 'declined',
        httpStatus: 422,
        code: 'account-closed',
      });
      expect(biller.business().at(-1)!.body).toMatch(/12(:|%3A)100/);
    }
  });

  it('covers formats, authentication, capabilities and actions', () => {
    const profiles = NAMES.map((name) => profileOf(name, biller.baseUrl));
    const texts = profiles.map((profile) => JSON.stringify(profile.document));
    for (const needed of [
      '"Format":"json"',
      '"Format":"xml"',
      '"Format":"form"',
      'OAuth2ClientCredentials',
      'ApiKey',
      'Basic',
      'AutoPay',
      'ACHRejects',
    ])
      expect(texts.some((text) => text.includes(needed))).toBe(true);
    const capabilities = new Set(
      profiles.map(({ capability }) => `${capability.keys ? 'keys' : ''}+${capability.inquiry ? 'inquiry' : ''}`),
    );
    expect([...capabilities].sort()).toEqual(['+', '+inquiry', 'keys+', 'keys+inquiry']);
  });
});
