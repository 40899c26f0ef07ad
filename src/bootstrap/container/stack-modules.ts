/* eslint-disable @typescript-eslint/no-require-imports --
   Loaded when chosen: the SDKs of a stack that is not used would cost each process its start and its memory. */
import { type ContainerModule } from 'inversify';
import { type Clock } from '../../application/ports/clock';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Settings } from '../configuration/declarations';
import type * as KeyVault from '../../adapters/key-vault/key-vault-secret-source';
import { embeddedAllowanceModule } from './embedded-allowance-module';
import { embeddedBusModule } from './embedded-bus-module';
import { embeddedEventStoreModule } from './embedded-event-store-module';
import { embeddedProjectionModule } from './embedded-projection-module';
import { embeddedShardsModule } from './embedded-shards-module';
import { historyModule } from './history-module';
import type * as EventStoreDb from './event-store-db-module';
import { inProcessTokensModule } from './in-process-tokens-module';
import type * as Redis from './redis-module';
import { sealFileModule } from './seal-file-module';
import type * as ServiceBus from './service-bus-module';
import type * as SetUp from './set-up';
import type * as SqlServer from './sql-server-module';

export const loadStackModule = {
  sqlServer: () => (require('./sql-server-module') as typeof SqlServer).sqlServerModule,
  eventStoreDb: () => (require('./event-store-db-module') as typeof EventStoreDb).eventStoreDbModule,
  serviceBus: () => (require('./service-bus-module') as typeof ServiceBus).serviceBusModule,
  redis: (settings: Settings) => (require('./redis-module') as typeof Redis).redisModule(settings),
  setUp: () => require('./set-up') as typeof SetUp,
  keyVault: (vaultUrl: string, clock: Clock): SecretSource => {
    const { KeyVaultSecretSource } = require('../../adapters/key-vault/key-vault-secret-source') as typeof KeyVault;
    return new KeyVaultSecretSource({ vaultUrl, clock });
  },
};

/** One module per port, by setting. */
export function stackModules(settings: Settings): readonly ContainerModule[] {
  const tokensInRedis = settings['Stack:Tokens'] === 'redis';
  const allowancesInRedis = settings['Stack:Allowance'] === 'redis';
  return [
    settings['Stack:Shards'] === 'sql-server' ? loadStackModule.sqlServer() : embeddedShardsModule,
    settings['Stack:EventStore'] === 'sqlite' ? embeddedEventStoreModule : loadStackModule.eventStoreDb(),
    settings['Stack:Bus'] === 'service-bus' ? loadStackModule.serviceBus() : embeddedBusModule,
    ...(tokensInRedis || allowancesInRedis ? [loadStackModule.redis(settings)] : []),
    ...(tokensInRedis ? [] : [inProcessTokensModule]),
    ...(allowancesInRedis ? [] : [embeddedAllowanceModule]),
    embeddedProjectionModule,
    sealFileModule,
    historyModule,
  ];
}
