import { ContainerModule, type ServiceIdentifier } from 'inversify';
import { RedisBillerAllowance } from '../../adapters/redis/redis-biller-allowance';
import { RedisConnection } from '../../adapters/redis/redis-connection';
import { RedisTokenCache } from '../../adapters/redis/redis-token-cache';
import { InProcessTokenCache } from '../../adapters/system/in-process-token-cache';
import { PortFailure } from '../../application/ports/failures';
import { type Settings } from '../configuration/declarations';
import { addressSetting } from '../configuration/stack-checks';
import { TOKENS } from './tokens';

const CONNECTION: ServiceIdentifier<RedisConnection> = Symbol.for('datapump:redis-connection');

/** What is to be shared by processes on several machines: tokens, the billers' allowances, or both. */
export const redisModule = (settings: Settings): ContainerModule =>
  new ContainerModule(({ bind }) => {
    const ofTokens = settings['Stack:Tokens'] === 'redis';
    const ofAllowances = settings['Stack:Allowance'] === 'redis';
    bind(CONNECTION)
      .toDynamicValue(({ get }) => {
        const connection = new RedisConnection({
          url: get(TOKENS.settings)['Redis:Url'],
          meanwhile: [
            ...(ofAllowances ? ['no biller with a rate is called, its records wait'] : []),
            ...(ofTokens ? ['each process fetches its own tokens'] : []),
          ].join('; '),
          clock: get(TOKENS.clock),
          telemetry: get(TOKENS.telemetry),
        });
        get(TOKENS.health).watch(() => connection.trouble());
        return get(TOKENS.lifecycle).opened('Redis connection', connection, (open) => open.close());
      })
      .inSingletonScope();
    if (ofTokens)
      bind(TOKENS.tokens)
        .toDynamicValue(({ get }) => {
          const clock = get(TOKENS.clock);
          return new RedisTokenCache({ connection: get(CONNECTION), fallback: new InProcessTokenCache(clock), clock });
        })
        .inSingletonScope();
    if (ofAllowances)
      bind(TOKENS.allowance)
        .toDynamicValue(({ get }) => new RedisBillerAllowance({ connection: get(CONNECTION) }))
        .inSingletonScope();
    bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
      settings: addressSetting(settings, 'redis'),
      problems: async () => {
        try {
          await get<RedisConnection>(CONNECTION).check();
        } catch (error) {
          // Tokens do without Redis, and the connection has said so; what Redis refuses is for a person to mend.
          if (ofAllowances || !(error instanceof PortFailure && error.retryable)) throw error;
        }
        return [];
      },
    }));
  });
