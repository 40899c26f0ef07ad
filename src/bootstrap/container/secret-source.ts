import { EnvironmentSecretSource } from '../../adapters/system/environment-secret-source';
import { type Clock } from '../../application/ports/clock';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Settings } from '../configuration/declarations';
import { loadStackModule } from './stack-modules';

/** Where this installation's secrets are. */
export function secretSourceOf(settings: Settings, clock: Clock): SecretSource {
  if (settings['Stack:Secrets'] === 'key-vault') return loadStackModule.keyVault(settings['KeyVault:Url'], clock);
  const file = settings['Secrets:File'];
  return new EnvironmentSecretSource({ environment: process.env, ...(file === '' ? {} : { file }) });
}
