/* eslint-disable @typescript-eslint/no-require-imports --
   Loaded when chosen: the SDKs of a stack that is not used would cost each process its start and its memory. */
import { type ContainerModule } from 'inversify';
import { type Clock } from '../../application/ports/clock';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Settings } from '../configuration/declarations';
import { embeddedBusModule } from './embedded-bus-module';
import { embeddedEventStoreModule } from './embedded-event-store-module';
import { embeddedShardsModule } from './embedded-shards-module';
import { embeddedSideFilesModule } from './embedded-side-files-module';
import { inProcessTokensModule } from './in-process-tokens-module';

export const loadStackModule = {
  sqlServer: () => (require('./sql-server-module') as typeof import('./sql-server-module')).sqlServerModule,
  eventStoreDb: () =>
    (require('./event-store-db-module') as typeof import('./event-store-db-module')).eventStoreDbModule,
  serviceBus: () => (require('./service-bus-module') as typeof import('./service-bus-module')).serviceBusModule,
  redis: () => (require('./redis-module') as typeof import('./redis-module')).redisModule,
  keyVault: (vaultUrl: string, clock: Clock): SecretSource => {
    const { KeyVaultSecretSource } =
      require('../../adapters/key-vault/key-vault-secret-source') as typeof import('../../adapters/key-vault/key-vault-secret-source');
    return new KeyVaultSecretSource({ vaultUrl, clock });
  },
};

/** One module per port, by setting. */
export function stackModules(settings: Settings): readonly ContainerModule[] {
  return [
    settings['Stack:Shards'] === 'sql-server' ? loadStackModule.sqlServer() : embeddedShardsModule,
    settings['Stack:EventStore'] === 'event-store-db' ? loadStackModule.eventStoreDb() : embeddedEventStoreModule,
    settings['Stack:Bus'] === 'service-bus' ? loadStackModule.serviceBus() : embeddedBusModule,
    settings['Stack:Tokens'] === 'redis' ? loadStackModule.redis() : inProcessTokensModule,
    embeddedSideFilesModule,
  ];
}
