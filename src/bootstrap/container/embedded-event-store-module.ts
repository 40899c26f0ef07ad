import { ContainerModule } from 'inversify';
import { SqliteEventLog } from '../../adapters/sqlite/sqlite-event-log';
import { SqliteEventStore } from '../../adapters/sqlite/sqlite-event-store';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/** The histories in a file of one machine. */
export const embeddedEventStoreModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.unguardedEventStore)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const store = new SqliteEventStore({ path: embeddedFiles(settings).eventStore });
      return get(TOKENS.lifecycle).opened('event store', store, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.eventLog)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const log = new SqliteEventLog({ path: embeddedFiles(settings).eventStore });
      return get(TOKENS.lifecycle).opened('event log', log, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'Data:Folder',
    problems: async () => (await get(TOKENS.unguardedEventStore).readAll({ max: 1 }), []),
  }));
});
