import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpBillerGateway } from '../../src/adapters/biller-http/http-biller-gateway';
import { SqliteAnswerSnippets } from '../../src/adapters/sqlite/sqlite-answer-snippets';
import { SqliteBillerAllowance } from '../../src/adapters/sqlite/sqlite-biller-allowance';
import { EnvironmentSecretSource, secretVariable } from '../../src/adapters/system/environment-secret-source';
import { InProcessTokenCache } from '../../src/adapters/system/in-process-token-cache';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { HeldClock } from './held-clock';
import { recordedTelemetry } from './recorded-telemetry';

const NAMES = [
  'json-oauth2-keys-and-inquiry-client-id',
  'json-oauth2-keys-and-inquiry-client-secret',
  'json-basic-neither-user',
  'json-basic-neither-password',
  'json-api-key-inquiry-api-key',
];

/** The gateway as production has it, with the secrets of the profile templates and a rate count in a file of its own. */
export function openHttpGateway(options: { readonly trusted?: Buffer }) {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  const clock = new HeldClock();
  const recorded = recordedTelemetry();
  const snippets = new SqliteAnswerSnippets({ path: ':memory:' });
  const allowance = new SqliteBillerAllowance({ path: join(folder, 'allowance.sqlite') });
  const gateway = new HttpBillerGateway({
    clock,
    digest: sha256Digest,
    secrets: new EnvironmentSecretSource({
      environment: Object.fromEntries(NAMES.map((name) => [secretVariable(name), `secret-of-${name}`])),
    }),
    tokens: new InProcessTokenCache(clock),
    chance: new SystemChance(),
    telemetry: recorded.telemetry,
    snippets,
    allowance,
    hosts: { allowedHosts: ['*.example'], allowPlainLoopback: true },
    ...options,
  });
  return {
    gateway,
    clock,
    logged: recorded.lines,
    snippets,
    close: async () => {
      await gateway.close();
      await allowance.close();
      snippets.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
