import { ContainerModule } from 'inversify';
import { RedisTokenCache } from '../../adapters/redis/redis-token-cache';
import { InProcessTokenCache } from '../../adapters/system/in-process-token-cache';
import { TOKENS } from './tokens';

/** Tokens for all processes in Redis, where it answers. */
export const redisModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.tokens)
    .toDynamicValue(({ get }) => {
      const cache = new RedisTokenCache({
        url: get(TOKENS.settings)['Redis:Url'],
        fallback: new InProcessTokenCache(get(TOKENS.clock)),
        clock: get(TOKENS.clock),
        telemetry: get(TOKENS.telemetry),
      });
      return get(TOKENS.lifecycle).opened('token cache', cache, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'Redis:Url',
    problems: async () => {
      const cache = get(TOKENS.tokens) as RedisTokenCache;
      await cache.open();
      await cache.check();
      return [];
    },
  }));
});
