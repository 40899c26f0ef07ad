import { ContainerModule } from 'inversify';
import { SqliteEventStore } from '../../adapters/sqlite/sqlite-event-store';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/** The histories in a file of one machine. */
export const embeddedEventStoreModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.eventStore)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const store = new SqliteEventStore({ path: embeddedFiles(settings).eventStore });
      return get(TOKENS.lifecycle).opened('event store', store, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'Data:Folder',
    problems: async () => (await get(TOKENS.eventStore).readAll({ max: 1 }), []),
  }));
});
