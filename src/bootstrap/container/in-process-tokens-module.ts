import { ContainerModule } from 'inversify';
import { InProcessTokenCache } from '../../adapters/system/in-process-token-cache';
import { TOKENS } from './tokens';

/** Each process fetches its own tokens. */
export const inProcessTokensModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.tokens)
    .toDynamicValue(({ get }) => new InProcessTokenCache(get(TOKENS.clock)))
    .inSingletonScope();
});
