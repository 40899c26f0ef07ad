import { ContainerModule } from 'inversify';
import { EnvironmentSecretSource } from '../../adapters/system/environment-secret-source';
import { sha256Digest } from '../../adapters/system/sha256-digest';
import { SystemChance } from '../../adapters/system/system-chance';
import { SystemClock } from '../../adapters/system/system-clock';
import { TOKENS } from './tokens';

/** Time, chance, digests, secrets: this machine and its environment. */
export const systemModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.clock).toDynamicValue(() => new SystemClock()).inSingletonScope();
  bind(TOKENS.chance).toDynamicValue(() => new SystemChance()).inSingletonScope();
  bind(TOKENS.digest).toConstantValue(sha256Digest);
  bind(TOKENS.secrets).toDynamicValue(({ get }) => {
    const file = get(TOKENS.settings)['Secrets:File'];
    return new EnvironmentSecretSource({ environment: process.env, ...(file === '' ? {} : { file }) });
  }).inSingletonScope();
});
