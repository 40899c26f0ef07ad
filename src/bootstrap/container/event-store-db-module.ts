import { ContainerModule, type ServiceIdentifier } from 'inversify';
import { EventStoreDbEventStore } from '../../adapters/event-store-db/event-store-db-event-store';
import type * as KurrentDb from '../../adapters/event-store-db/kurrent-db-client';
import { type VendorClient } from '../../adapters/event-store-db/vendor-client';
import { PortFailure } from '../../application/ports/failures';
import { rereadOf } from '../configuration/read-named-secrets';
import { addressSetting } from '../configuration/stack-checks';
import { TOKENS } from './tokens';

const CLIENT: ServiceIdentifier<EventStoreDbEventStore> = Symbol.for('datapump:event-store-db');

/** Loaded when chosen: it brings a native part. */
const loadKurrentDbClient = (): VendorClient =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  (require('../../adapters/event-store-db/kurrent-db-client') as typeof KurrentDb).kurrentDbClient;

/** The histories in EventStoreDB or KurrentDB. */
export const eventStoreDbModule = new ContainerModule(({ bind }) => {
  bind(CLIENT)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      const reread = rereadOf(settings, 'EventStore:ConnectionString', get(TOKENS.secrets));
      const store = new EventStoreDbEventStore({
        connectionString: settings['EventStore:ConnectionString'],
        ...(settings['Stack:EventStore'] === 'kurrent-db' ? { client: loadKurrentDbClient() } : {}),
        ...(reread === undefined ? {} : { reread }),
      });
      return get(TOKENS.lifecycle).opened('event store', store, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.unguardedEventStore).toService(CLIENT);
  bind(TOKENS.eventLog).toService(CLIENT);
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: addressSetting(get(TOKENS.settings), 'event-store-db'),
    problems: async () => {
      try {
        await get(TOKENS.unguardedEventStore).readAll({ max: 1 });
        return [];
      } catch (error) {
        if (!(error instanceof PortFailure) || !error.retryable) throw error;
        return [
          { text: `${error.message}; correct host, port, tls and tlsCAFile, or start the server`, passing: true },
        ];
      }
    },
  }));
});
