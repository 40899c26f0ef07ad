import { ContainerModule } from 'inversify';
import { EventStoreDbEventStore } from '../../adapters/event-store-db/event-store-db-event-store';
import { rereadOf } from '../configuration/read-named-secrets';
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
    settings: 'EventStore:ConnectionString',
    problems: async () => (await get(TOKENS.eventStore).readAll({ max: 1 }), []),
  }));
});
