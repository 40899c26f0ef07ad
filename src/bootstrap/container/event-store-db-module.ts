import { ContainerModule } from 'inversify';
import { EventStoreDbEventStore } from '../../adapters/event-store-db/event-store-db-event-store';
import { PortFailure } from '../../application/ports/failures';
import { rereadOf } from '../configuration/read-named-secrets';
import { addressSetting } from '../configuration/stack-checks';
import { TOKENS } from './tokens';

/** The histories in EventStoreDB. */
export const eventStoreDbModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.eventStore)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      const reread = rereadOf(settings, 'EventStore:ConnectionString', get(TOKENS.secrets));
      const store = new EventStoreDbEventStore({
        connectionString: settings['EventStore:ConnectionString'],
        ...(reread === undefined ? {} : { reread }),
      });
      return get(TOKENS.lifecycle).opened('event store', store, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: addressSetting(get(TOKENS.settings), 'event-store-db'),
    problems: async () => {
      try {
        await get(TOKENS.eventStore).readAll({ max: 1 });
        return [];
      } catch (error) {
        if (!(error instanceof PortFailure) || !error.retryable) throw error;
        return [`${error.message}; correct host, port, tls and tlsCAFile, or start the server`];
      }
    },
  }));
});
