import { ContainerModule } from 'inversify';
import { sha256Digest } from '../../adapters/system/sha256-digest';
import { SystemChance } from '../../adapters/system/system-chance';
import { SystemClock } from '../../adapters/system/system-clock';
import { secretSourceOf } from './secret-source';
import { TOKENS } from './tokens';

/** Time, chance, digests, secrets: this machine and its environment. */
export const systemModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.clock)
    .toDynamicValue(() => new SystemClock())
    .inSingletonScope();
  bind(TOKENS.chance)
    .toDynamicValue(() => new SystemChance())
    .inSingletonScope();
  bind(TOKENS.digest).toConstantValue(sha256Digest);
  bind(TOKENS.secrets)
    .toDynamicValue(({ get }) => secretSourceOf(get(TOKENS.settings), get(TOKENS.clock)))
    .inSingletonScope();
});
